import MailStore
import Platform

/// One record of a node's journal: an entry of one origin's stream, or a note of this node alone.
public struct LogRecord: Sendable {
    /// Whose stream it belongs to; nil for a note that is not replicated.
    public var origin: Slot?
    /// The start of the origin that wrote it.
    public var incarnation: UInt64
    /// Counts from 1 over all of the origin's incarnations; 0 for a note.
    public var sequence: UInt64
    /// Of the origin's stream up to and including this record.
    public var chain: UInt64
    public var clock: HybridTime
    public var entry: Entry
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

    // Notes.

    /// The peer's stream is durable there up to this; it was executed up to it (R2).
    case mark(UInt64)
    /// The session ended: what the peer sent beyond the mark is dropped (R2).
    case apart
    case connected
    /// The peer's stream went another way after this; what was here beyond it is kept as a branch.
    case diverged(common: UInt64)
}

/// What a node has of one origin's stream.
public struct StreamState: Sendable {
    /// Index + 1 is the sequence number.
    package private(set) var records: [LogRecord] = []
    /// The incarnations, ascending, each with its last sequence number here.
    public private(set) var incarnations: [Extent] = []

    public struct Extent: Hashable, Sendable {
        public var incarnation: UInt64
        public var last: UInt64
        public var chain: UInt64

        public init(incarnation: UInt64, last: UInt64, chain: UInt64) {
            self.incarnation = incarnation
            self.last = last
            self.chain = chain
        }
    }

    public var end: UInt64 { UInt64(records.count) }
    var chain: UInt64 { records.last?.chain ?? 0 }

    subscript(sequence: UInt64) -> LogRecord { records[Int(sequence) - 1] }

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

    /// Forgets what is beyond `sequence`, and returns it.
    mutating func truncate(to sequence: UInt64) -> [LogRecord] {
        guard sequence < end else { return [] }
        let gone = Array(records[Int(sequence)...])
        records.removeLast(records.count - Int(sequence))
        while let last = incarnations.last, last.last > sequence {
            incarnations.removeLast()
            let before = incarnations.last?.last ?? 0
            if sequence > before {
                incarnations.append(
                    Extent(
                        incarnation: last.incarnation, last: sequence,
                        chain: records[Int(sequence) - 1].chain))
            }
        }
        return gone
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

    /// The chain over one more record.
    static func chain(_ chain: UInt64, _ incarnation: UInt64, _ sequence: UInt64) -> UInt64 {
        var z = chain ^ incarnation &+ sequence &* 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        return z ^ (z >> 31)
    }
}
