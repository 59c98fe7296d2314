import Glibc

/// A run of octets of a message, counted from its first octet; or nothing.
///
/// Half the size of `Range<Int>`, because a message tree holds many. A message is read up to
/// `ByteRange.addressable` octets; what lies beyond is not parsed.
public struct ByteRange: Hashable, Sendable {
    public var start: UInt32
    public var end: UInt32

    /// The range that names nothing, not even an empty run.
    public static let absent = ByteRange(start: .max, end: .max)

    /// The octets of a message that can be named.
    public static let addressable = Int(UInt32.max) - 1

    @inlinable
    init(start: UInt32, end: UInt32) {
        self.start = start
        self.end = end
    }

    /// - Precondition: `0 <= lower <= upper <= addressable`.
    @inlinable
    public init(_ lower: Int, _ upper: Int) {
        precondition(lower <= upper)
        start = UInt32(lower)
        end = UInt32(upper)
    }

    @inlinable public var isPresent: Bool { start != .max }
    @inlinable public var lowerBound: Int { Int(start) }
    @inlinable public var upperBound: Int { Int(end) }
    @inlinable public var count: Int { Int(end) - Int(start) }
    @inlinable public var isEmpty: Bool { start == end }
    /// The same as a `Range`; empty for `absent`.
    @inlinable public var range: Range<Int> { isPresent ? Int(start)..<Int(end) : 0..<0 }

    /// The octets of the range in `message`, not copied.
    @inlinable
    public func slice(of message: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: message[range])
    }
}

/// The octets the grammars speak of by name.
enum ASCII {
    static let tab: UInt8 = 9
    static let lf: UInt8 = 10
    static let cr: UInt8 = 13
    static let space: UInt8 = 32
    static let quote: UInt8 = 34
    static let percent: UInt8 = 37
    static let apostrophe: UInt8 = 39
    static let leftParenthesis: UInt8 = 40
    static let rightParenthesis: UInt8 = 41
    static let asterisk: UInt8 = 42
    static let comma: UInt8 = 44
    static let dash: UInt8 = 45
    static let dot: UInt8 = 46
    static let slash: UInt8 = 47
    static let colon: UInt8 = 58
    static let semicolon: UInt8 = 59
    static let less: UInt8 = 60
    static let equals: UInt8 = 61
    static let greater: UInt8 = 62
    static let question: UInt8 = 63
    static let at: UInt8 = 64
    static let leftBracket: UInt8 = 91
    static let backslash: UInt8 = 92
    static let rightBracket: UInt8 = 93
    static let underscore: UInt8 = 95

    @inline(__always)
    static func isSpace(_ byte: UInt8) -> Bool { byte == space || byte == tab }

    /// White space, folded or not.
    @inline(__always)
    static func isFoldingSpace(_ byte: UInt8) -> Bool {
        byte == space || (byte >= tab && byte <= cr)
    }

    @inline(__always)
    static func lower(_ byte: UInt8) -> UInt8 {
        byte &- 65 < 26 ? byte | 0x20 : byte
    }

    /// The value of a hexadecimal digit of either case, or nil.
    @inline(__always)
    static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 48...57: byte &- 48
        case 65...70: byte &- 55
        case 97...102: byte &- 87
        default: nil
        }
    }
}

extension UnsafeRawBufferPointer {
    /// The index of the first `byte` in `from ..< to`, or -1.
    @inline(__always)
    func index(of byte: UInt8, from: Int, to: Int) -> Int {
        guard from < to, let base = baseAddress else { return -1 }
        guard let hit = memchr(base + from, Int32(byte), to - from) else { return -1 }
        return UnsafeRawPointer(hit) - base
    }

    /// Whether the octets of `range` are `text`, upper and lower case of ASCII being the same.
    /// `text` is given in lower case.
    @inline(__always)
    package func equals(_ text: StaticString, at range: ByteRange) -> Bool {
        guard range.isPresent, range.count == text.utf8CodeUnitCount else { return false }
        let other = text.utf8Start
        for i in 0..<range.count where ASCII.lower(self[range.lowerBound + i]) != other[i] {
            return false
        }
        return true
    }

    /// The number of line feeds in `from ..< to`.
    func countLineFeeds(from: Int, to: Int) -> Int {
        var count = 0
        var i = from
        let feed = SIMD16<UInt8>(repeating: ASCII.lf)
        // 255 rounds cannot overflow a lane of 8 bits.
        while to - i >= 16 {
            let rounds = Swift.min((to - i) / 16, 255)
            var lanes = SIMD16<UInt8>(repeating: 0)
            for _ in 0..<rounds {
                let block = loadUnaligned(fromByteOffset: i, as: SIMD16<UInt8>.self)
                // A lane that is equal is all ones: minus one.
                lanes = lanes &- unsafeBitCast(block .== feed, to: SIMD16<UInt8>.self)
                i += 16
            }
            for lane in 0..<16 { count += Int(lanes[lane]) }
        }
        while i < to {
            if self[i] == ASCII.lf { count += 1 }
            i += 1
        }
        return count
    }

    /// Whether all octets are below 128.
    var isASCII: Bool {
        var i = 0
        while count - i >= 32 {
            let a = loadUnaligned(fromByteOffset: i, as: SIMD4<UInt64>.self)
            if (a[0] | a[1] | a[2] | a[3]) & 0x8080_8080_8080_8080 != 0 { return false }
            i += 32
        }
        while i < count {
            if self[i] >= 0x80 { return false }
            i += 1
        }
        return true
    }
}
