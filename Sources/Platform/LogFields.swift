/// Fields of one line of the log, as bytes and in their order: for events that are so frequent that a
/// dictionary of strings would show in the profile. Handed to swift-log as one value of the metadata.
public struct LogFields: Sendable, CustomStringConvertible {
    public private(set) var all: [(key: String, value: [UInt8])] = []

    public init() {}

    /// The bytes need not be printable, nor UTF-8: who writes the line takes care of that.
    public mutating func add(_ key: String, _ value: [UInt8]) { all.append((key, value)) }

    public mutating func add(_ key: String, _ value: Int) {
        var digits: [UInt8] = []
        var rest = value.magnitude
        repeat {
            digits.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        if value < 0 { digits.append(UInt8(ascii: "-")) }
        digits.reverse()
        all.append((key, digits))
    }

    /// For handlers that do not know this type.
    public var description: String {
        all.map { "\($0.key)=\(String(decoding: $0.value, as: UTF8.self))" }
            .joined(separator: " ")
    }
}
