/// A command with its tag.
public struct TaggedCommand: Sendable, Equatable {
    public let tag: [UInt8]
    public let command: IMAPCommand
}

/// What a client may ask (RFC 9051 §6 and the extensions named at the cases).
///
/// `isUID` is true for the form with the prefix UID. Mailbox names are UTF-8, with `INBOX` in
/// capitals.
public enum IMAPCommand: Sendable, Equatable {
    case capability, noop, logout, startTLS, check, close, unselect, idle, namespace
    /// The mechanism in capitals; the initial response (RFC 4959) decoded, empty for `=`.
    case authenticate(mechanism: String, initialResponse: [UInt8]?)
    case login(user: [UInt8], password: [UInt8])
    /// RFC 2971; empty for NIL.
    case id([IDField])
    /// Names in capitals.
    case enable([String])
    case select(mailbox: String, parameters: SelectParameters, isReadOnly: Bool)
    /// RFC 6154 `USE`; attributes such as `\Sent` as written.
    case create(mailbox: String, specialUse: [String])
    case delete(mailbox: String)
    case rename(from: String, to: String)
    case subscribe(mailbox: String)
    case unsubscribe(mailbox: String)
    case list(ListRequest)
    case lsub(reference: String, pattern: String)
    case status(mailbox: String, items: [StatusItem])
    case append(mailbox: String, messages: [AppendMessage])
    /// With a set: UID EXPUNGE (RFC 4315).
    case expunge(uids: SequenceSet?)
    case search(SearchRequest, isUID: Bool)
    case fetch(SequenceSet, FetchRequest, isUID: Bool)
    case store(SequenceSet, StoreRequest, isUID: Bool)
    case copy(SequenceSet, mailbox: String, isUID: Bool)
    case move(SequenceSet, mailbox: String, isUID: Bool)
}

/// One pair of ID.
public struct IDField: Sendable, Equatable {
    public let name: [UInt8]
    public let value: [UInt8]?
}

/// The parameters of SELECT and EXAMINE (RFC 7162).
public struct SelectParameters: Sendable, Equatable {
    public var isCondstore = false
    public var qresync: QResync?

    public init() {}
}

/// RFC 7162 §3.2.5.
public struct QResync: Sendable, Equatable {
    public let uidValidity: UInt32
    public let modSeq: UInt64
    public let knownUIDs: SequenceSet?
    /// Sequence numbers and the UIDs they had, of equal size.
    public let sequenceMatch: SequenceMatch?

    public struct SequenceMatch: Sendable, Equatable {
        public let numbers: SequenceSet
        public let uids: SequenceSet
    }
}

public enum StatusItem: Sendable, Equatable {
    case messages, uidNext, uidValidity, unseen, recent, size, deleted, highestModSeq
    case appendLimit, mailboxID
}

/// LIST (RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154).
public struct ListRequest: Sendable, Equatable {
    public struct Selection: OptionSet, Sendable, Hashable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        public static let subscribed = Selection(rawValue: 1)
        public static let remote = Selection(rawValue: 2)
        public static let recursiveMatch = Selection(rawValue: 4)
        public static let specialUse = Selection(rawValue: 8)
    }

    public struct Return: OptionSet, Sendable, Hashable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        public static let subscribed = Return(rawValue: 1)
        public static let children = Return(rawValue: 2)
        public static let specialUse = Return(rawValue: 4)
    }

    public var selection: Selection = []
    public var reference: String
    public var patterns: [String]
    public var returns: Return = []
    /// nil without RETURN (STATUS ...).
    public var status: [StatusItem]?
    /// Any of the extended syntax was used: `""` as pattern has no special meaning then.
    public var isExtended = false

    public init(reference: String, patterns: [String]) {
        self.reference = reference
        self.patterns = patterns
    }
}

/// One message of APPEND.
public struct AppendMessage: Sendable, Equatable {
    public enum Body: Sendable, Equatable {
        /// In the frame's bytes.
        case held(Range<Int>)
        /// The frame's streamed literal of this index.
        case streamed(Int)
    }

    public var flags: [IMAPFlag]
    public var date: IMAPDateTime?
    public var body: Body
    /// Within `UTF8 (...)` (RFC 6855 §4).
    public var isUTF8: Bool
    /// A literal8.
    public var isBinary: Bool
}

public struct StoreRequest: Sendable, Equatable {
    public enum Change: Sendable, Equatable { case replace, add, remove }

    public let change: Change
    public let isSilent: Bool
    public let flags: [IMAPFlag]
    /// RFC 7162 §3.1.3.
    public let unchangedSince: UInt64?
}

/// SEARCH (RFC 9051 §6.4.4).
public struct SearchRequest: Sendable, Equatable {
    public struct Return: OptionSet, Sendable, Hashable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        public static let min = Return(rawValue: 1)
        public static let max = Return(rawValue: 2)
        public static let all = Return(rawValue: 4)
        public static let count = Return(rawValue: 8)
        public static let save = Return(rawValue: 16)
    }

    /// nil without RETURN; `RETURN ()` is ALL.
    public var returns: Return?
    /// In capitals. Strings of the keys are as they came, in this charset.
    public var charset: String?
    /// All must match.
    public var keys: [SearchKey]

    public init(returns: Return?, charset: String?, keys: [SearchKey]) {
        self.returns = returns
        self.charset = charset
        self.keys = keys
    }
}

public indirect enum SearchKey: Sendable, Equatable {
    case all, recent, new, old
    case flag(IMAPFlag, isSet: Bool)
    case from([UInt8])
    case to([UInt8])
    case cc([UInt8])
    case bcc([UInt8])
    case subject([UInt8])
    case body([UInt8])
    case text([UInt8])
    case header(name: [UInt8], value: [UInt8])
    case before(IMAPDate)
    case on(IMAPDate)
    case since(IMAPDate)
    case sentBefore(IMAPDate)
    case sentOn(IMAPDate)
    case sentSince(IMAPDate)
    /// RFC 8514.
    case savedBefore(IMAPDate)
    case savedOn(IMAPDate)
    case savedSince(IMAPDate)
    case saveDateSupported
    /// Strictly more, strictly fewer octets.
    case larger(UInt64)
    case smaller(UInt64)
    /// RFC 7162 §3.1.5; the entry name and type carry no meaning here.
    case modSeq(UInt64)
    /// RFC 8474.
    case emailID([UInt8])
    case threadID([UInt8])
    case sequence(SequenceSet)
    case uid(SequenceSet)
    case not(SearchKey)
    case or(SearchKey, SearchKey)
    case and([SearchKey])
}

/// FETCH (RFC 9051 §6.4.5).
public struct FetchRequest: Sendable, Equatable {
    public var items: [FetchItem]
    /// RFC 7162 §3.1.4.
    public var changedSince: UInt64?
    /// RFC 7162 §3.2.6: only with UID and CHANGEDSINCE.
    public var isVanished = false
}

public enum FetchItem: Sendable, Equatable {
    case envelope, flags, internalDate, uid, modSeq, saveDate, emailID, threadID, preview
    case previewLazy
    case rfc822, rfc822Header, rfc822Size, rfc822Text
    /// BODY without a section: the structure without extensions.
    case body
    case bodyStructure
    case section(BodySection, partial: FetchPartial?, isPeek: Bool)
    /// RFC 3516.
    case binary(part: [UInt32], partial: FetchPartial?, isPeek: Bool)
    case binarySize(part: [UInt32])
}

/// `<offset.count>`
public struct FetchPartial: Sendable, Equatable {
    public let offset: UInt64
    public let count: UInt64
}

/// What stands in `BODY[...]`.
public struct BodySection: Sendable, Equatable {
    public enum Text: Sendable, Equatable {
        case header, text, mime
        /// Names as they came.
        case headerFields([[UInt8]])
        case headerFieldsNot([[UInt8]])
    }

    public let part: [UInt32]
    /// nil: the whole part or message.
    public let text: Text?
}
