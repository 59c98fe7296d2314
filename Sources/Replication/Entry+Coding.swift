import MailStore
import Platform

// What a record says, in the project's binary form (`Platform/ByteCoding.swift`): the payload of the
// journal's op or note, and of the same record on its way to the peer.
//
// Name (slot, incarnation, sequence), type, must-understand bit, clock and chain are the journal's own
// fields and stand nowhere in the payload. Types are never reused; those below 32 are `MailStore.Op`s
// of a node without a peer, those with the highest bit set are notes.
//
//     32     accept       kept; besides; the ACCEPT as in MailStore
//     33     orders       account; ops, each with its type and length; sequence of the request that they
//                          answer, or 0; the answer, if there is one
//     34     request      account; change; UIDs that DELETE names; seed; time
//     35     branch       account; sequence of home's stream; state, if it has one
//     36     merge        sequence of the guest's stream that it covers; the MERGE as in MailStore
//     37     line         state
//     38     acknowledged instances
//     39     home         account; 1 slot of the new home; sequence of the old home's record, or 0
//     40     check        account; 8 hash of home's line
//     41     differs      account; state
//     0x8001 mark         sequence of the peer's stream          note
//     0x8002 apart        nothing                                note
//     0x8003 connected    nothing                                note
//     0x8004 diverged     sequence of the peer's stream          note
//
// A payload is valid only if all of it is read and every value is in its range. The numbers of bodies
// are each node's own affair: in states and merges they are 0, and who executes them enters its own;
// the body of an ACCEPT is named by the journal's op, beside its payload.

extension Entry {
    /// The kind of record, in the journal and between the nodes.
    public var type: UInt16 {
        switch self {
        case .accept: 32
        case .orders: 33
        case .request: 34
        case .branch: 35
        case .merge: 36
        case .line: 37
        case .acknowledged: 38
        case .home: 39
        case .check: 40
        case .differs: 41
        case .mark: 0x8001
        case .apart: 0x8002
        case .connected: 0x8003
        case .diverged: 0x8004
        case .unknown(let type): type
        }
    }

    /// The lowest type of a note: these are not replicated.
    static let firstNote: UInt16 = 0x8000

    private static let known: ClosedRange<UInt16> = 32...41
    private static let knownNotes: ClosedRange<UInt16> = 0x8001...0x8004

    public var encoded: [UInt8] {
        var w = ByteWriter(reserving: 256)
        switch self {
        case .accept(let op, let kept, let besides):
            w.bool(kept)
            w.array(besides) { $0.id($1) }
            op.encode(into: &w)
        case .orders(let account, let ops, let answers, let result):
            w.id(account)
            w.ops(ops)
            w.varint(answers)
            w.optional(result) { $0.result($1) }
        case .request(let request): request.encode(into: &w)
        case .branch(let account, let base, let state):
            w.id(account)
            w.varint(base)
            w.optional(state) { $0.state($1) }
        case .merge(var op, let covers):
            w.varint(covers)
            op.setBodies { _ in .none }
            op.encode(into: &w)
        case .line(let state): w.state(state)
        case .acknowledged(let instances): w.array(instances) { $0.id($1) }
        case .home(let account, let to, let takes):
            w.id(account)
            w.fixed(to.rawValue)
            w.varint(takes)
        case .check(let account, let hash):
            w.id(account)
            w.fixed(hash)
        case .differs(let account, let state):
            w.id(account)
            w.state(state)
        case .mark(let mark): w.varint(mark)
        case .diverged(let common): w.varint(common)
        case .apart, .connected, .unknown: break
        }
        return w.bytes
    }

    /// Reads a payload back.
    ///
    /// - Parameter mustUnderstand: of the record; if it is not set, a type that this version does not
    ///   know is passed over, but kept (R36).
    public init(type: UInt16, mustUnderstand: Bool, payload: [UInt8]) throws(RecordFailure) {
        guard Self.known.contains(type) || Self.knownNotes.contains(type) else {
            if mustUnderstand { throw .unknownType(type) }
            self = .unknown(type: type)
            return
        }
        do throws(DecodingFailure) {
            var r = ByteReader(payload)
            self = try Self.read(type, &r)
            try r.expectEnd()
        } catch {
            throw .malformed(error)
        }
    }

    private static func read(_ type: UInt16, _ r: inout ByteReader) throws(DecodingFailure)
        -> Entry
    {
        switch type {
        case 32:
            let kept = try r.bool()
            let besides = try r.instances()
            return .accept(try Op.Accept(from: &r), kept: kept, besides: besides)
        case 33:
            return .orders(
                try r.id(), try r.ops(), answers: try r.varint(),
                result: try r.optional { r throws(DecodingFailure) -> ChangeResult in
                    try r.result()
                })
        case 34: return .request(try Request(from: &r))
        case 35:
            return .branch(
                try r.id(), base: try r.varint(),
                state: try r.optional { r throws(DecodingFailure) -> AccountState in
                    try AccountState(from: &r)
                })
        case 36:
            let covers = try r.varint()
            return .merge(try Op.Merge(from: &r), covers: covers)
        case 37: return .line(try AccountState(from: &r))
        case 38: return .acknowledged(try r.instances())
        case 39: return .home(try r.id(), to: try r.slot(), takes: try r.varint())
        case 40: return .check(try r.id(), hash: try r.fixed())
        case 41: return .differs(try r.id(), try AccountState(from: &r))
        case 0x8001: return .mark(try r.varint())
        case 0x8002: return .apart
        case 0x8003: return .connected
        case 0x8004: return .diverged(common: try r.varint())
        default: throw DecodingFailure("no such record", offset: 0)
        }
    }
}

extension Request {
    func encode(into w: inout ByteWriter) {
        w.id(account)
        w.change(change)
        w.uids(named)
        w.fixed(seed)
        w.instant(wall)
    }

    init(from r: inout ByteReader) throws(DecodingFailure) {
        self.init(
            account: try r.id(), change: try r.change(), named: try r.uids(),
            seed: try r.fixed(), wall: try r.instant())
    }
}

extension ByteReader {
    mutating func ops() throws(DecodingFailure) -> [Op] {
        try array(elementOctets: 3) { r throws(DecodingFailure) -> Op in
            let type: UInt16 = try r.fixed()
            guard let op = try Op(type: type, payload: try r.blob()) else {
                throw DecodingFailure("no such operation", offset: r.offset)
            }
            return op
        }
    }
}

extension ByteWriter {
    mutating func ops(_ ops: [Op]) {
        array(ops) {
            $0.fixed($1.type)
            $0.blob($1.encoded)
        }
    }

    /// A state as the peer may see it.
    fileprivate mutating func state(_ state: AccountState) {
        var copy = state
        copy.setBodies { _ in .none }
        copy.encode(into: &self)
    }
}

extension BodyNumber {
    /// No body: numbers count from 1.
    static let none = BodyNumber(rawValue: 0)
}
