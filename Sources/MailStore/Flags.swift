/// A message's flags as bits: the system flags of RFC 9051 §2.3.2 first, then the mailbox's keywords
/// in the order of its table.
public struct Flags: OptionSet, Hashable, Sendable {
    public var rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    public static let seen = Flags(rawValue: 1)
    public static let answered = Flags(rawValue: 2)
    public static let flagged = Flags(rawValue: 4)
    public static let deleted = Flags(rawValue: 8)
    public static let draft = Flags(rawValue: 16)

    public static let system = Flags(rawValue: 31)
    /// Where keywords start.
    public static let firstKeywordBit = 5
    /// How many keywords a mailbox can have.
    public static let keywordsMax = 64 - firstKeywordBit
}

/// A keyword's name as its maker wrote it; RFC 9051 §2.3.2 compares keywords without case.
public struct Keyword: Hashable, Sendable, Comparable {
    public let name: String
    public let folded: String

    public init(_ name: String) {
        self.name = name
        folded = name.lowercased()
    }

    public static func == (a: Keyword, b: Keyword) -> Bool { a.folded == b.folded }
    public static func < (a: Keyword, b: Keyword) -> Bool { a.folded < b.folded }
    public func hash(into hasher: inout Hasher) { hasher.combine(folded) }
}

/// Flags by name: as clients and operations speak of them, independent of any mailbox's table.
public struct NamedFlags: Hashable, Sendable {
    /// Only the system bits.
    public var system: Flags
    public var keywords: [Keyword]

    public init(system: Flags = [], keywords: [Keyword] = []) {
        self.system = system.intersection(.system)
        self.keywords = keywords
    }

    public static let none = NamedFlags()
}
