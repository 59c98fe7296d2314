import Platform

/// A node's place in the cluster, for ever.
public enum Slot: UInt8, Hashable, Comparable, Sendable, CaseIterable {
    case a = 0
    case b = 1

    public var other: Slot { self == .a ? .b : .a }

    public static func < (x: Slot, y: Slot) -> Bool { x.rawValue < y.rawValue }
}

/// A 128-bit identifier. The types that conform keep one kind from being taken for another.
public protocol Identifier: RawRepresentable<UInt128>, Hashable, Comparable, Sendable,
    CustomStringConvertible
{
    init(rawValue: UInt128)
}

extension Identifier {
    public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }

    /// Half of it tells them apart: identifiers are random, or a hash of such.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(UInt64(truncatingIfNeeded: rawValue))
    }

    /// 32 hexadecimal digits, in lower case.
    public var description: String {
        Hex.encode(withUnsafeBytes(of: rawValue.bigEndian) { Array($0) })
    }

    /// The identifier that `text` (32 hexadecimal digits) names.
    public init?(hex text: some StringProtocol) {
        guard let bytes = Hex.decode(text), bytes.count == 16 else { return nil }
        self.init(rawValue: bytes.reduce(UInt128(0)) { $0 << 8 | UInt128($1) })
    }

    /// An identifier that follows from others, the same on every node.
    static func derived(_ parent: UInt128, _ label: String) -> Self {
        var writer = ByteWriter()
        writer.fixed(parent)
        writer.string(label)
        let words = SHA256Digest(hashing: writer.bytes).words
        return Self(rawValue: UInt128(words.0) << 64 | UInt128(words.1))
    }
}

/// An account. It does not change when the account's address does.
public struct AccountID: Identifier {
    public let rawValue: UInt128
    public init(rawValue: UInt128) { self.rawValue = rawValue }
}

/// A mailbox, whatever its name. RFC 8474 shows it as MAILBOXID.
public struct MailboxID: Identifier {
    public let rawValue: UInt128
    public init(rawValue: UInt128) { self.rawValue = rawValue }

    /// The INBOX of an account, and each special-use mailbox made with it: the same identifier
    /// on both nodes without asking.
    public static func derived(from account: AccountID, name: String) -> MailboxID {
        derived(account.rawValue, name)
    }
}

/// One message in one mailbox, for ever. Not a content hash: two equal mails are two mails, and a
/// copy is a new instance.
public struct InstanceID: Identifier {
    public let rawValue: UInt128
    public init(rawValue: UInt128) { self.rawValue = rawValue }
}

/// What survives MOVE and COPY: the EMAILID of RFC 8474.
public struct EmailID: Identifier {
    public let rawValue: UInt128
    public init(rawValue: UInt128) { self.rawValue = rawValue }
}

/// A hybrid logical clock's value: milliseconds since 1970 in the high 48 bits, a counter in the low
/// 16. Breaks ties, nothing else (R35).
public struct HybridTime: RawRepresentable, Hashable, Comparable, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }

    public static let zero = HybridTime(rawValue: 0)

    /// The value after this one for an event at `wall`: never less than what was given before.
    public func next(at wall: Instant) -> HybridTime {
        let milliseconds = UInt64(max(0, wall.nanosecondsSinceEpoch) / 1_000_000)
        return HybridTime(rawValue: max(rawValue &+ 1, milliseconds << 16))
    }
}
