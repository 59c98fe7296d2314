import MailStore
import Platform

/// What the services (SMTP, IMAP, control) see of the node: requests go in, and come back in batches;
/// states are read as immutable snapshots. Safe to call from any thread.
public protocol NodeGateway: AnyObject, Sendable {
    /// The visible state of an account: everything in it is durable. Does not block.
    func account(_ id: AccountID) -> AccountState?

    /// The account that has this address, compared without case. Does not block.
    func accountID(address: String) -> AccountID?

    /// The identifiers of all accounts, ascending. Does not block.
    func accountIDs() -> [AccountID]

    /// Queues a request; its completion goes to its sink. Does not block.
    func submit(_ request: NodeRequest)

    /// Queues several requests in their order, so that they become durable together.
    func submit(contentsOf requests: [NodeRequest])

    /// Makes `sink` hear of every batch that changes an account, until it is released.
    func addListener(_ sink: any NodeSink)

    /// Reads stored bytes, all of them or a range. Blocks: never on an event loop.
    func readBody(_ body: BodyNumber, range: Range<Int>?) throws -> [UInt8]

    /// Whether there is room for new mail of this size; without it, mail gets 452. Does not block.
    func hasRoom(forOctets octets: Int) -> Bool

    /// A file to which a large body goes while it arrives; nil when there is no room.
    /// Blocks: never on an event loop.
    func makeSpool() throws -> any BodySpool

    /// What was parsed of messages at delivery.
    var summaries: any SummaryStore { get }
}

extension NodeGateway {
    public func submit(contentsOf requests: [NodeRequest]) {
        for request in requests { submit(request) }
    }
}

/// A large body on its way to the disk. Used by one thread at a time; every call blocks.
public protocol BodySpool: AnyObject, Sendable {
    func write(_ bytes: [UInt8]) throws
    /// Makes what was written durable under a number of its own. Nothing refers to it yet: unless a
    /// request does, the next start removes it.
    func finish() throws -> StoredBody
    /// Throws away what was written.
    func cancel()
}

/// A body that is already on disk.
public struct StoredBody: Hashable, Sendable {
    public var number: BodyNumber
    public var digest: SHA256Digest
    public var sizeOctets: UInt32

    public init(number: BodyNumber, digest: SHA256Digest, sizeOctets: UInt32) {
        self.number = number
        self.digest = digest
        self.sizeOctets = sizeOctets
    }
}

/// The bytes of a message that is being handed over.
public enum BodySource: Sendable {
    /// With the digest, which the service computes, so that the writer need not.
    case bytes([UInt8], digest: SHA256Digest)
    case stored(StoredBody)

    public var digest: SHA256Digest {
        switch self {
        case .bytes(_, let digest): digest
        case .stored(let body): body.digest
        }
    }

    public var sizeOctets: Int {
        switch self {
        case .bytes(let bytes, _): bytes.count
        case .stored(let body): Int(body.sizeOctets)
        }
    }
}

/// Something the node is asked to do.
public struct NodeRequest: Sendable {
    public enum Work: Sendable {
        /// From SMTP. `acknowledges` is the ticket of this session's message before, whose `250` the
        /// client has evidently seen.
        case deliver(MailDelivery, acknowledges: InstanceID?)
        case acknowledged(InstanceID)
        case abandoned(InstanceID)
        case append(AccountID, MailboxID, [MailAppend])
        case change(AccountID, Change)
        case createAccount(addresses: [String], verifier: [UInt8], quotaOctets: UInt64?)
        case removeAccount(AccountID)
        /// What an account may hold that has no quota of its own; nil is no limit.
        case setQuotaDefault(octets: UInt64?)
    }

    public var work: Work
    /// Comes back with the completion; means nothing to the node.
    public var token: UInt64
    /// nil: nobody waits.
    public var sink: (any NodeSink)?

    public init(_ work: Work, token: UInt64 = 0, sink: (any NodeSink)? = nil) {
        self.work = work
        self.token = token
        self.sink = sink
    }
}

/// A message from SMTP, trace headers included.
public struct MailDelivery: Sendable {
    public var body: BodySource
    /// Of the bytes as received, without our trace headers (R7).
    public var receivedDigest: SHA256Digest
    public var reversePath: [UInt8]
    public var recipients: [Recipient]

    public struct Recipient: Sendable {
        public var account: AccountID
        public var forwardPath: [UInt8]

        public init(account: AccountID, forwardPath: [UInt8]) {
            self.account = account
            self.forwardPath = forwardPath
        }
    }

    public init(
        body: BodySource, receivedDigest: SHA256Digest, reversePath: [UInt8],
        recipients: [Recipient]
    ) {
        self.body = body
        self.receivedDigest = receivedDigest
        self.reversePath = reversePath
        self.recipients = recipients
    }
}

/// A message from IMAP APPEND.
public struct MailAppend: Sendable {
    public var body: BodySource
    public var flags: NamedFlags
    public var internalDate: Instant

    public init(body: BodySource, flags: NamedFlags, internalDate: Instant) {
        self.body = body
        self.flags = flags
        self.internalDate = internalDate
    }
}

/// Who hears of completed requests and changed accounts: one for each event loop, so that a batch of
/// any size wakes each loop once.
public protocol NodeSink: AnyObject, Sendable {
    /// Called on the writer's thread when a batch is durable and visible. Must not block.
    func receive(_ batch: NodeBatch)
}

public struct NodeBatch: Sendable {
    public var completions: [Completion]
    /// Accounts that look different now, ascending.
    public var changedAccounts: [AccountID]

    public struct Completion: Sendable {
        public var token: UInt64
        public var result: ChangeResult

        public init(token: UInt64, result: ChangeResult) {
            self.token = token
            self.result = result
        }
    }

    public init(completions: [Completion], changedAccounts: [AccountID]) {
        self.completions = completions
        self.changedAccounts = changedAccounts
    }
}

/// Parsed parts of messages, ready to send. A projection of the journal that may lag behind it: what
/// is not there yet is made from the body.
public protocol SummaryStore: AnyObject, Sendable {
    /// Calls `each` with the index in `bodies` and the stored column, for those of `bodies` that are
    /// known, in any order. The bytes are valid during the call. Fastest for ascending numbers.
    /// Blocks: never on an event loop.
    func read(
        _ column: SummaryColumn, of bodies: [BodyNumber],
        each: (Int, UnsafeRawBufferPointer) throws -> Void) throws
}

public enum SummaryColumn: Hashable, Sendable, CaseIterable {
    /// The ENVELOPE, as FETCH sends it.
    case envelope
    /// The BODYSTRUCTURE, as FETCH sends it.
    case bodyStructure
    /// The header fields that lists and sorts ask for, raw, in order, without a blank line.
    case listFields
    /// RFC 8970, UTF-8.
    case preview
}
