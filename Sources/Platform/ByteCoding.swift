/// Writes values in the project's binary form: integers little-endian or as LEB128 variable-length
/// numbers, byte strings with their length before them.
public struct ByteWriter: Sendable {
    public var bytes: [UInt8] = []

    public init() {}

    public init(reserving capacity: Int) { bytes.reserveCapacity(capacity) }

    @inlinable
    public mutating func fixed<T: FixedWidthInteger>(_ value: T) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// An unsigned LEB128 number, one octet for each seven bits.
    @inlinable
    public mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    /// A count or length. - Precondition: not negative.
    @inlinable
    public mutating func count(_ value: Int) { varint(UInt64(value)) }

    @inlinable
    public mutating func bool(_ value: Bool) { bytes.append(value ? 1 : 0) }

    public mutating func blob(_ value: [UInt8]) {
        count(value.count)
        bytes.append(contentsOf: value)
    }

    public mutating func string(_ value: String) {
        var copy = value
        copy.withUTF8 {
            count($0.count)
            bytes.append(contentsOf: $0)
        }
    }

    @inlinable
    public mutating func digest(_ value: SHA256Digest) {
        fixed(value.words.0)
        fixed(value.words.1)
        fixed(value.words.2)
        fixed(value.words.3)
    }

    public mutating func optional<T>(_ value: T?, _ write: (inout ByteWriter, T) -> Void) {
        bool(value != nil)
        if let value { write(&self, value) }
    }

    public mutating func array<T>(_ values: [T], _ write: (inout ByteWriter, T) -> Void) {
        count(values.count)
        for value in values { write(&self, value) }
    }
}

/// The bytes are not what their format allows.
public struct DecodingFailure: Error, Hashable, Sendable, CustomStringConvertible {
    public var what: String
    public var offset: Int

    public init(_ what: String, offset: Int) {
        self.what = what
        self.offset = offset
    }

    public var description: String { "\(what) at octet \(offset)" }
}

/// Reads what `ByteWriter` wrote. Never reads beyond the end and never allocates more than the
/// input could hold, whatever the input says.
public struct ByteReader: Sendable {
    private let bytes: [UInt8]
    public private(set) var offset: Int
    private let end: Int

    public init(_ bytes: [UInt8]) {
        self.bytes = bytes
        offset = 0
        end = bytes.count
    }

    public var isAtEnd: Bool { offset == end }
    public var remaining: Int { end - offset }

    public mutating func fixed<T: FixedWidthInteger>(_ type: T.Type = T.self)
        throws(DecodingFailure) -> T
    {
        let size = MemoryLayout<T>.size
        guard remaining >= size else { throw DecodingFailure("input ends early", offset: offset) }
        let value = bytes.withUnsafeBytes {
            T(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: T.self))
        }
        offset += size
        return value
    }

    public mutating func varint() throws(DecodingFailure) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            guard offset < end else { throw DecodingFailure("input ends early", offset: offset) }
            let byte = bytes[offset]
            offset += 1
            guard shift < 63 || (shift == 63 && byte <= 1) else {
                throw DecodingFailure("number over 64 bits", offset: offset)
            }
            value |= UInt64(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return value }
            shift += 7
        }
    }

    /// A variable-length number that fits `type`.
    public mutating func varint<T: FixedWidthInteger>(as type: T.Type) throws(DecodingFailure) -> T
    {
        let value = try varint()
        guard let narrow = T(exactly: value) else {
            throw DecodingFailure("number out of range", offset: offset)
        }
        return narrow
    }

    /// How many elements follow, each of at least `elementOctets`.
    public mutating func count(elementOctets: Int = 1) throws(DecodingFailure) -> Int {
        let value = try varint()
        guard value <= UInt64(remaining / max(1, elementOctets)) else {
            throw DecodingFailure("count beyond the input", offset: offset)
        }
        return Int(value)
    }

    public mutating func bool() throws(DecodingFailure) -> Bool {
        let byte: UInt8 = try fixed()
        guard byte <= 1 else { throw DecodingFailure("not a boolean", offset: offset) }
        return byte == 1
    }

    public mutating func blob() throws(DecodingFailure) -> [UInt8] {
        let length = try count()
        let out = Array(bytes[offset..<offset + length])
        offset += length
        return out
    }

    /// - Throws: also when the bytes are not UTF-8.
    public mutating func string() throws(DecodingFailure) -> String {
        let raw = try blob()
        guard let text = String(validating: raw, as: UTF8.self) else {
            throw DecodingFailure("not UTF-8", offset: offset)
        }
        return text
    }

    public mutating func digest() throws(DecodingFailure) -> SHA256Digest {
        SHA256Digest(words: (try fixed(), try fixed(), try fixed(), try fixed()))
    }

    public mutating func optional<T>(
        _ read: (inout ByteReader) throws(DecodingFailure) -> T
    ) throws(DecodingFailure) -> T? {
        try bool() ? try read(&self) : nil
    }

    public mutating func array<T>(
        elementOctets: Int = 1, _ read: (inout ByteReader) throws(DecodingFailure) -> T
    ) throws(DecodingFailure) -> [T] {
        let length = try count(elementOctets: elementOctets)
        var out: [T] = []
        out.reserveCapacity(min(length, 65_536))
        for _ in 0..<length { out.append(try read(&self)) }
        return out
    }

    /// - Throws: if anything is left.
    public func expectEnd() throws(DecodingFailure) {
        if !isAtEnd { throw DecodingFailure("octets behind the end", offset: offset) }
    }
}
