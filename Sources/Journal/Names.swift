import Platform

/// A place in this node's own journal: the segment's number in the high, the offset in the low 32
/// bits. Grows with every batch; says nothing about the peer's journal.
public struct LocalPosition: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var value: UInt64

    public init(value: UInt64) { self.value = value }

    init(segment: UInt64, offset: Int) {
        value = segment << 32 | UInt64(UInt32(truncatingIfNeeded: offset))
    }

    public static let zero = LocalPosition(value: 0)

    /// The number of the segment.
    public var segment: UInt64 { value >> 32 }
    /// Octets from the start of the segment's file.
    public var offset: Int { Int(value & 0xFFFF_FFFF) }

    public var description: String { "\(segment):\(offset)" }

    public static func < (a: Self, b: Self) -> Bool { a.value < b.value }
}

/// How an op is named everywhere: who made it, in which run, as the how-manieth.
public struct OpName: Hashable, Sendable, CustomStringConvertible {
    /// 0 is slot A, 1 is slot B.
    public var slot: UInt8
    public var incarnation: UInt64
    /// Counts on over incarnations; the first op of a slot is 1.
    public var sequence: UInt64

    public init(slot: UInt8, incarnation: UInt64, sequence: UInt64) {
        self.slot = slot
        self.incarnation = incarnation
        self.sequence = sequence
    }

    public var description: String {
        "\(slot == 0 ? "A" : "B"):\(Hex.encode(withUnsafeBytes(of: incarnation.bigEndian) { Array($0) }))"
            + ":\(sequence)"
    }
}

/// The end of one origin's hash chain.
public struct ChainHead: Hashable, Sendable {
    /// The incarnation that made the last op.
    public var incarnation: UInt64
    /// The last op's sequence, 0 before the first.
    public var sequence: UInt64
    /// SHA-256 over the chain before it and the op.
    public var hash: SHA256Digest

    public init(incarnation: UInt64, sequence: UInt64, hash: SHA256Digest) {
        self.incarnation = incarnation
        self.sequence = sequence
        self.hash = hash
    }

    public static let empty = ChainHead(incarnation: 0, sequence: 0, hash: .zero)
}

/// What is recorded about an op beside its name and payload. Part of what the chain covers.
public struct OpHeader: Hashable, Sendable {
    public var type: UInt16
    /// A node that does not know `type` stops instead of going on (R36).
    public var mustUnderstand: Bool
    /// Hybrid logical clock.
    public var clock: UInt64
    /// 0 is none, for all three.
    public var compression: UInt8
    public var encryption: UInt8
    public var algorithm: UInt16

    public init(
        type: UInt16, mustUnderstand: Bool = true, clock: UInt64, compression: UInt8 = 0,
        encryption: UInt8 = 0, algorithm: UInt16 = 0
    ) {
        self.type = type
        self.mustUnderstand = mustUnderstand
        self.clock = clock
        self.compression = compression
        self.encryption = encryption
        self.algorithm = algorithm
    }
}

/// An op as it stands in the journal.
public struct OpRecord: Hashable, Sendable {
    public var name: OpName
    public var header: OpHeader
    /// The origin's chain after this op.
    public var chain: SHA256Digest
    public var payload: [UInt8]
    /// Where this node keeps the body that the op names; 0 if it names none. It is this node's own
    /// affair: neither sent to the peer nor part of the chain.
    public var body: BodyNumber

    public init(
        name: OpName, header: OpHeader, chain: SHA256Digest, payload: [UInt8],
        body: BodyNumber = BodyNumber(rawValue: 0)
    ) {
        self.name = name
        self.header = header
        self.chain = chain
        self.payload = payload
        self.body = body
    }
}

extension OpRecord {
    /// An origin's chain after an op: SHA-256 over the chain before it, and the op's name, header and
    /// payload as they stand in the journal. It is the same on every node.
    public static func chain(
        after previous: SHA256Digest, _ name: OpName, _ header: OpHeader, payload: [UInt8]
    ) -> SHA256Digest {
        let length = Record.Kind.op.headerOctets + payload.count
        return withUnsafeTemporaryAllocation(byteCount: length, alignment: 8) { out in
            out.initializeMemory(as: UInt8.self, repeating: 0)
            out.store(UInt32(length), at: 0)
            out.store(Record.Kind.op.rawValue, at: 8)
            Record.store(name, header, in: out)
            out[Record.Kind.op.headerOctets...].copyBytes(from: payload)
            return Record.chain(after: previous, op: UnsafeRawBufferPointer(out))
        }
    }
}

/// What one node writes for itself, between the ops of both streams: it has no name, is in no chain and
/// is not sent to the peer.
public struct NoteRecord: Hashable, Sendable {
    public var type: UInt16
    /// A node that does not know `type` stops instead of going on (R36).
    public var mustUnderstand: Bool
    /// Hybrid logical clock.
    public var clock: UInt64
    public var payload: [UInt8]

    public init(type: UInt16, mustUnderstand: Bool = true, clock: UInt64, payload: [UInt8]) {
        self.type = type
        self.mustUnderstand = mustUnderstand
        self.clock = clock
        self.payload = payload
    }
}

/// What recovery hands out, in order: the chunks of the checkpoint's state, then each body
/// and op after it.
public enum RecoveredItem: Sendable {
    case checkpointState([UInt8])
    /// A body that was appended, or moved, behind the checkpoint. An op that names it by its number
    /// may follow; none does if the change was refused.
    case body(BodyNumber, SHA256Digest)
    case op(OpRecord, LocalPosition)
    case note(NoteRecord, LocalPosition)
}
