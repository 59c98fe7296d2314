import Journal
import MailStore
import Platform

/// Why a record cannot be taken.
public enum RecordFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// The payload is not what its type allows.
    case malformed(DecodingFailure)
    /// A newer version wrote it, and says that who does not know it must stop (R36).
    case unknownType(UInt16)
    /// It is compressed or encrypted in a way that this version does not know.
    case unknownForm
    /// A note in a stream, or a record of a stream among the notes.
    case misplaced(UInt16)

    public var description: String {
        switch self {
        case .malformed(let failure): "a record cannot be read: \(failure)"
        case .unknownType(let type):
            "a record is of type \(type), which this version does not know and must not pass over"
        case .unknownForm: "a record is compressed or encrypted in a way this version does not know"
        case .misplaced(let type): "a record of type \(type) stands where it does not belong"
        }
    }
}

// Between a pair's records and the journal's. What the journal has a field for stands there alone.

extension LogRecord {
    /// A record of a stream, from the journal or the peer. Its chain is taken as it is: `continues`
    /// says whether it is right.
    public init(_ op: OpRecord) throws(RecordFailure) {
        guard op.header.type < Entry.firstNote, let slot = Slot(rawValue: op.name.slot) else {
            throw .misplaced(op.header.type)
        }
        guard op.header.compression == 0, op.header.encryption == 0, op.header.algorithm == 0 else {
            throw .unknownForm
        }
        self.init(
            origin: slot, incarnation: op.name.incarnation, sequence: op.name.sequence,
            chain: op.chain, clock: HybridTime(rawValue: op.header.clock),
            entry: try Entry(
                type: op.header.type, mustUnderstand: op.header.mustUnderstand,
                payload: op.payload),
            payload: op.payload, body: op.body)
    }

    /// A note from the journal.
    public init(_ note: NoteRecord) throws(RecordFailure) {
        guard note.type >= Entry.firstNote else { throw .misplaced(note.type) }
        self.init(
            origin: nil, incarnation: 0, sequence: 0, chain: .zero,
            clock: HybridTime(rawValue: note.clock),
            entry: try Entry(
                type: note.type, mustUnderstand: note.mustUnderstand, payload: note.payload),
            payload: note.payload, body: .none)
    }

    /// What the journal keeps of a record of a stream; nil for a note.
    public var opRecord: OpRecord? {
        guard let origin else { return nil }
        return OpRecord(
            name: OpName(slot: origin.rawValue, incarnation: incarnation, sequence: sequence),
            header: header, chain: chain, payload: payload, body: body)
    }

    /// What the journal keeps of a note; nil for a record of a stream.
    public var noteRecord: NoteRecord? {
        guard origin == nil else { return nil }
        return NoteRecord(
            type: entry.type, mustUnderstand: header.mustUnderstand, clock: clock.rawValue,
            payload: payload)
    }

    private var header: OpHeader {
        var mustUnderstand = true
        if case .unknown = entry { mustUnderstand = false }
        return OpHeader(type: entry.type, mustUnderstand: mustUnderstand, clock: clock.rawValue)
    }

    /// The chain that this record gives after another.
    func chain(after previous: SHA256Digest) -> SHA256Digest {
        guard let origin else { return .zero }
        return OpRecord.chain(
            after: previous,
            OpName(slot: origin.rawValue, incarnation: incarnation, sequence: sequence), header,
            payload: payload)
    }
}

extension Journal {
    /// Appends a record of either stream, or a note. It becomes durable with the next commit.
    ///
    /// - Throws: as the journal's own `append`; `chainMismatch` if it is not the next one.
    public func append(_ record: LogRecord) throws(JournalError) {
        if let note = record.noteRecord { return try append(note: note) }
        if let op = record.opRecord { _ = try append(peerOp: op) }
    }
}
