/// A place in a text: both from 1, the column in characters (Unicode scalars).
public struct TOMLPosition: Hashable, Sendable {
    public var line: Int
    public var column: Int

    public init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }
}

/// What a key stands for (TOML 1.0.0).
public enum TOMLValue: Sendable {
    case string(String)
    case integer(Int64)
    case float(Double)
    case boolean(Bool)
    /// One of TOML's four kinds of dates and times, valid, as it was written.
    case dateTime(String)
    case array([TOMLNode])
    case table(TOMLTable)

    /// The kind of value, as people call it.
    public var kind: String {
        switch self {
        case .string: "text"
        case .integer: "whole number"
        case .float: "number with a fraction"
        case .boolean: "true or false"
        case .dateTime: "date or time"
        case .array: "list"
        case .table: "table"
        }
    }
}

/// A value and where it begins; a table that has a header begins there.
public struct TOMLNode: Sendable {
    public var value: TOMLValue
    public var position: TOMLPosition

    public init(_ value: TOMLValue, at position: TOMLPosition) {
        self.value = value
        self.position = position
    }
}

/// Keys and their values, in the order in which they first appear.
///
/// Keys are compared octet by octet, as TOML wants it: not by canonical equivalence.
public struct TOMLTable: Sendable {
    public struct Entry: Sendable {
        public var key: String
        /// Of the key, where it appears first.
        public var keyPosition: TOMLPosition
        public var node: TOMLNode
    }

    public let entries: [Entry]
    private let indices: [[UInt8]: Int]

    public init() {
        entries = []
        indices = [:]
    }

    init(_ entries: [Entry], indices: [[UInt8]: Int]) {
        self.entries = entries
        self.indices = indices
    }

    public subscript(_ key: String) -> Entry? {
        indices[Array(key.utf8)].map { entries[$0] }
    }
}

/// Why a text is not TOML: the first offence.
public struct TOMLError: Error, Hashable, Sendable {
    public var position: TOMLPosition
    /// What is wrong and what to write instead, as whole sentences.
    public var message: String
}

/// Bounds that TOML itself does not set.
public struct TOMLLimits: Hashable, Sendable {
    /// How deep tables and lists may lie in one another, counted apart for keys and for values.
    public var depthMax = 64

    public init() {}
}
