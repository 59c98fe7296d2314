import Platform

/// The names of the journal's files.
enum FileName: Equatable {
    case segment(UInt64)
    case spare(UInt64)
    case checkpoint(UInt64)
    case body(UInt64)
    /// The sync of this batch failed: it may be in memory only, though it can be read.
    case doubt(UInt64)
    /// Unfinished: removed at start.
    case unfinished
    case other

    static func segmentName(_ number: UInt64) -> String { "segment-" + hex(number) }
    static func spareName(_ number: UInt64) -> String { "spare-" + hex(number) }
    static func checkpointName(_ position: LocalPosition) -> String {
        "checkpoint-" + hex(position.value)
    }
    static func bodyName(_ number: BodyNumber) -> String { "body-" + hex(number.rawValue) }
    static func doubtName(batch: UInt64) -> String { "doubt-" + hex(batch) }
    static func unfinishedName(_ name: String) -> String { "new-" + name }

    init(_ name: String) {
        if name.hasPrefix("new-") {
            self = .unfinished
        } else if let n = Self.number(name, after: "doubt-") {
            self = .doubt(n)
        } else if let n = Self.number(name, after: "segment-"), n > 0, n >> 31 == 0 {
            self = .segment(n)
        } else if let n = Self.number(name, after: "spare-") {
            self = .spare(n)
        } else if let n = Self.number(name, after: "checkpoint-") {
            self = .checkpoint(n)
        } else if let n = Self.number(name, after: "body-") {
            self = .body(n)
        } else {
            self = .other
        }
    }

    private static func hex(_ value: UInt64) -> String {
        withUnsafeBytes(of: value.bigEndian) { Hex.encode($0) }
    }

    private static func number(_ name: String, after prefix: String) -> UInt64? {
        guard name.hasPrefix(prefix), name.utf8.count == prefix.utf8.count + 16 else { return nil }
        // Only the spelling that the journal writes: no sign, no capitals.
        guard let n = UInt64(name.dropFirst(prefix.count), radix: 16), name == prefix + hex(n)
        else {
            return nil
        }
        return n
    }
}
