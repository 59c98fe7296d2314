import Journal
import MailStore
import Platform

/// One record of a node's journal: an entry of one origin's stream, or a note of this node alone.
public struct LogRecord: Sendable {
    /// Whose stream it belongs to; nil for a note that is not replicated.
    public let origin: Slot?
    /// The start of the origin that wrote it; 0 for a note.
    public let incarnation: UInt64
    /// Counts from 1 over all of the origin's incarnations; 0 for a note.
    public let sequence: UInt64
    /// Of the origin's stream up to and including this record; zero for a note.
    public let chain: SHA256Digest
    public let clock: HybridTime
    public let entry: Entry
    /// The entry as it was first written. It is kept, not made anew: the chain is over these octets.
    public let payload: [UInt8]
    /// Where this node keeps the body that an `.accept` names. Not sent to the peer.
    public var body: BodyNumber

    init(
        origin: Slot?, incarnation: UInt64, sequence: UInt64, chain: SHA256Digest,
        clock: HybridTime, entry: Entry, payload: [UInt8], body: BodyNumber
    ) {
        self.origin = origin
        self.incarnation = incarnation
        self.sequence = sequence
        self.chain = chain
        self.clock = clock
        self.entry = entry
        self.payload = payload
        self.body = body
    }

    /// The next record of a stream. The payload is the entry's, if it is not given.
    package init(
        _ entry: Entry, origin: Slot, incarnation: UInt64, sequence: UInt64,
        after chain: SHA256Digest, clock: HybridTime, payload: [UInt8]? = nil,
        body: BodyNumber = BodyNumber(rawValue: 0)
    ) {
        let unchained = LogRecord(
            origin: origin, incarnation: incarnation, sequence: sequence, chain: .zero,
            clock: clock, entry: entry, payload: payload ?? entry.encoded, body: body)
        self.init(
            origin: origin, incarnation: incarnation, sequence: sequence,
            chain: unchained.chain(after: chain), clock: clock, entry: entry,
            payload: unchained.payload, body: body)
    }

    package init(note entry: Entry, clock: HybridTime) {
        self.init(
            origin: nil, incarnation: 0, sequence: 0, chain: .zero, clock: clock, entry: entry,
            payload: entry.encoded, body: .none)
    }
}

/// What a record says.
public enum Entry: Sendable {
    // In an origin's stream.

    /// A message was taken over (R4). `kept`: by the other node, whose record did not become durable
    /// there as far as this node knows (R2). `besides`: equal ones that its node knew, and of which
    /// it knew that their sender had seen the `250`: it is not the retry of these (R7).
    indirect case accept(Op.Accept, kept: Bool, besides: [InstanceID])
    /// Orders of one change, all or none. At home on its line, with the answer to the guest's request
    /// `answers`; at the guest on its branch, where `answers` is the request that it orders itself,
    /// because home's answer did not come (R10).
    indirect case orders(AccountID, [Op], answers: UInt64, result: ChangeResult?)
    /// A change of the guest's clients that home is to order (R10).
    indirect case request(Request)
    /// The guest opens a branch: from home's line at `base`, or with a state of its own, if what it
    /// holds is not a part of home's line as it is now (R16, R17).
    indirect case branch(AccountID, base: UInt64, state: AccountState?)
    /// Home's merge; covers the guest's orders up to its sequence number `covers` (R20).
    indirect case merge(Op.Merge, covers: UInt64)
    /// Home's line as a whole.
    indirect case line(AccountState)
    /// Senders that showed that they saw the `250` for these (R7).
    case acknowledged([InstanceID])

    /// An account's home moves (R29). From the old home, with `takes` 0: it orders no more. From the new
    /// one, with the number of the old one's record: its orders are the line from here on.
    case home(AccountID, to: Slot, takes: UInt64)
    /// Home's: the hash of the line as it is here (R27).
    case check(AccountID, hash: UInt64)
    /// The guest's answer to another hash: its line, to be united with home's (R27).
    indirect case differs(AccountID, AccountState)

    // Notes.

    /// The peer's stream is durable there up to this; it was executed up to it (R2).
    case mark(UInt64)
    /// The session ended: what the peer sent beyond the mark is dropped (R2).
    case apart
    case connected
    /// The peer's stream went another way after this; what was here beyond it is kept as a branch.
    case diverged(common: UInt64)

    /// Of a newer version, which says that who does not know it may pass it over (R36).
    case unknown(type: UInt16)
}

/// What a node has of one origin's stream.
public struct StreamState: Sendable {
    /// The records up to here are no longer kept; of these only the end of the chain is known.
    public private(set) var base: UInt64 = 0
    private(set) var baseChain = SHA256Digest.zero
    /// Those from `base` on, in order.
    private var records: [LogRecord] = []
    /// The incarnations, ascending, each with its last sequence number here.
    public private(set) var incarnations: [Extent] = []

    public struct Extent: Hashable, Sendable {
        public var incarnation: UInt64
        public var last: UInt64
        public var chain: SHA256Digest

        public init(incarnation: UInt64, last: UInt64, chain: SHA256Digest) {
            self.incarnation = incarnation
            self.last = last
            self.chain = chain
        }
    }

    init() {}

    init(base: UInt64, chain: SHA256Digest, incarnations: [Extent], records: [LogRecord]) {
        self.base = base
        baseChain = chain
        self.incarnations = incarnations
        self.records = records
    }

    public var end: UInt64 { base + UInt64(records.count) }
    var chain: SHA256Digest { records.last?.chain ?? baseChain }

    /// Where the stream ends, as the journal knows it.
    var head: ChainHead {
        ChainHead(
            incarnation: incarnations.last?.incarnation ?? 0, sequence: end, hash: chain)
    }

    subscript(sequence: UInt64) -> LogRecord { records[Int(sequence - base) - 1] }

    /// What is kept of the stream beyond `sequence`.
    func records(after sequence: UInt64) -> ArraySlice<LogRecord> {
        sequence >= end ? [] : records[Int(max(sequence, base) - base)...]
    }

    /// - Precondition: it is the next one.
    mutating func append(_ record: LogRecord) {
        precondition(record.sequence == end + 1)
        records.append(record)
        let extent = Extent(
            incarnation: record.incarnation, last: record.sequence, chain: record.chain)
        if incarnations.last?.incarnation == record.incarnation {
            incarnations[incarnations.count - 1] = extent
        } else {
            incarnations.append(extent)
        }
    }

    /// Keeps the records up to `sequence` no longer.
    mutating func forget(upTo sequence: UInt64) {
        guard sequence > base, sequence <= end else { return }
        baseChain = self[sequence].chain
        records.removeFirst(Int(sequence - base))
        base = sequence
    }

    /// Forgets what is beyond `sequence`.
    /// - Precondition: `sequence` is not below the base.
    mutating func truncate(to sequence: UInt64) {
        guard sequence < end else { return }
        precondition(sequence >= base)
        records.removeLast(Int(end - sequence))
        while let last = incarnations.last, last.last > sequence {
            incarnations.removeLast()
            let before = incarnations.last?.last ?? 0
            if sequence > before {
                incarnations.append(
                    Extent(incarnation: last.incarnation, last: sequence, chain: chain))
            }
        }
    }

    /// The last sequence number up to which two copies of one stream are the same. Each incarnation
    /// wrote one sequence, so they are the same as long as the incarnations are.
    static func common(_ a: [Extent], _ b: [Extent]) -> UInt64 {
        var common: UInt64 = 0
        for (x, y) in zip(a, b) {
            guard x.incarnation == y.incarnation else { break }
            common = min(x.last, y.last)
            if x.last != y.last { break }
        }
        return common
    }
}
