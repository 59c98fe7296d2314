import IMAP
import MailStore
import Platform

/// Octets for the client where a response is not one of `ResponseEncoder`'s.
extension [UInt8] {
    @inline(__always)
    mutating func text(_ text: StaticString) { ResponseEncoder.append(text, to: &self) }

    @inline(__always)
    mutating func number(_ value: Int) {
        ResponseEncoder.append(UInt64(truncatingIfNeeded: Swift.max(0, value)), to: &self)
    }

    @inline(__always)
    mutating func number(_ value: UInt32) { ResponseEncoder.append(UInt64(value), to: &self) }

    @inline(__always)
    mutating func number(_ value: UInt64) { ResponseEncoder.append(value, to: &self) }

    /// `date-time` of RFC 9051 §9, in UTC.
    mutating func dateTime(_ instant: Instant) {
        ResponseEncoder.append(
            IMAPDateTime(secondsSinceEpoch: instant.secondsSinceEpoch), to: &self)
    }

    /// An identifier as RFC 8474 §4 wants it: a letter first, so that it is never taken for a number.
    mutating func objectID(_ prefix: Unicode.Scalar, _ value: UInt128) {
        append(UInt8(truncatingIfNeeded: prefix.value))
        let digits: StaticString = "0123456789abcdef"
        var shift: UInt128 = 128
        while shift > 0 {
            shift -= 4
            append(digits.utf8Start[Int(truncatingIfNeeded: value >> shift) & 15])
        }
    }
}

extension MailboxID {
    /// MAILBOXID (RFC 8474 §4.1).
    var objectID: String { "F\(self)" }
}

extension EmailID {
    /// Whether `text` is how FETCH shows this EMAILID.
    func matches(_ text: [UInt8]) -> Bool {
        var own: [UInt8] = []
        own.objectID("M", rawValue)
        return own == text
    }
}

extension NumberSet {
    /// UIDs as the grammar's sets.
    init(_ uids: UIDSet) { self.init(uids.ranges) }
}

/// The names of a mailbox's flags, ready to send.
struct FlagNames: Sendable {
    private static let system: [[UInt8]] = [
        Array("\\Seen".utf8), Array("\\Answered".utf8), Array("\\Flagged".utf8),
        Array("\\Deleted".utf8), Array("\\Draft".utf8),
    ]
    private let names: [[UInt8]]

    init(_ keywords: [Keyword]) {
        names = Self.system + keywords.map { Array($0.name.utf8) }
    }

    /// `\Seen $Junk`
    func append(_ flags: Flags, to out: inout [UInt8]) {
        var rest = flags.rawValue
        var isFirst = true
        while rest != 0 {
            let bit = rest.trailingZeroBitCount
            rest &= rest &- 1
            guard bit < names.count else { continue }
            if !isFirst { out.append(0x20) }
            isFirst = false
            out.append(contentsOf: names[bit])
        }
    }

    /// All of them, as FLAGS and PERMANENTFLAGS list them.
    var all: [String] { names.map { String(decoding: $0, as: UTF8.self) } }
}
