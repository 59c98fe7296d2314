import Journal
import MailStore
import Platform

/// Arbitrary octets as what comes from a peer or a journal: decoding ends with a value or an error,
/// what was decoded is written and read back as the same, and a node that is sent it goes on.
public enum ReplicationFuzz {
    /// The first octet says what the others are.
    public static func run(_ bytes: UnsafeRawBufferPointer) {
        guard let choice = bytes.first else { return }
        let content = [UInt8](bytes.dropFirst())
        switch choice & 3 {
        case 0: frame(content)
        case 1: entry(content)
        case 2: checkpoint(content)
        default: execute(content)
        }
    }

    private static func frame(_ content: [UInt8]) {
        guard let frame = try? Frame(decoding: content) else { return }
        let encoded = frame.encoded
        guard let again = try? Frame(decoding: encoded) else {
            preconditionFailure("what was encoded cannot be decoded")
        }
        precondition(again.encoded == encoded, "a frame changed by being written and read")
    }

    private static func entry(_ content: [UInt8]) {
        guard content.count >= 2 else { return }
        let type = UInt16(content[0]) | UInt16(content[1]) << 8
        let payload = Array(content.dropFirst(2))
        guard let entry = try? Entry(type: type, mustUnderstand: true, payload: payload) else {
            return
        }
        let encoded = entry.encoded
        guard let again = try? Entry(type: type, mustUnderstand: true, payload: encoded) else {
            preconditionFailure("what was encoded cannot be decoded")
        }
        precondition(again.encoded == encoded, "an entry changed by being written and read")
    }

    private static let now = Now(
        wall: Instant(secondsSinceEpoch: 1_700_000_000),
        monotonic: MonotonicTime(nanoseconds: 1_000_000_000))

    private static func checkpoint(_ content: [UInt8]) {
        let configuration = PairNode.Configuration(slot: .a, cluster: 1)
        guard
            var node = try? PairNode(
                configuration, incarnation: 1, checkpoint: content, journal: [],
                randomness: SeededRandomness(seed: 1))
        else { return }
        let encoded = node.checkpoint()
        guard
            var again = try? PairNode(
                configuration, incarnation: 1, checkpoint: encoded, journal: [],
                randomness: SeededRandomness(seed: 1))
        else { preconditionFailure("what was encoded cannot be decoded") }
        precondition(again.checkpoint() == encoded, "a state changed by being written and read")
    }

    /// A peer that is who it says, but whose records are anything: three octets of type and length,
    /// and the payload, one behind the other.
    private static func execute(_ content: [UInt8]) {
        var node = PairNode(
            PairNode.Configuration(slot: .a, cluster: 1), incarnation: 1, journal: [],
            randomness: SeededRandomness(seed: 1))
        let account = AccountID(rawValue: 1)
        _ = node.step(
            .createAccount(
                token: 1,
                Accounts.creating(
                    account, home: .a, addresses: ["a@example.test"], quotaOctets: nil,
                    at: now.wall)), now: now)
        var records: [LogRecord] = []
        var chain = SHA256Digest.zero
        func add(_ entry: Entry, _ payload: [UInt8]? = nil) {
            let record = LogRecord(
                entry, origin: .b, incarnation: 2, sequence: UInt64(records.count + 1),
                after: chain, clock: .zero, payload: payload)
            chain = record.chain
            records.append(record)
        }
        add(
            .orders(
                AccountID(rawValue: 2),
                [
                    .createAccount(
                        Accounts.creating(
                            AccountID(rawValue: 2), home: .b, addresses: ["b@example.test"],
                            quotaOctets: nil, at: now.wall))
                ], answers: 0, result: nil))
        var offset = 0
        while offset + 3 <= content.count, records.count < 64 {
            let length = min(
                Int(content[offset + 1]) | Int(content[offset + 2]) << 8,
                content.count - offset - 3)
            let payload = Array(content[offset + 3..<offset + 3 + length])
            let type = UInt16(content[offset] % 10) + 32
            if let entry = try? Entry(type: type, mustUnderstand: true, payload: payload) {
                add(entry, payload)
            }
            offset += 3 + length
        }
        converse(&node, records)
    }

    /// The whole of a session: handshake, records, what connects the two, and its end.
    private static func converse(_ node: inout PairNode, _ records: [LogRecord]) {
        var nonce: UInt64 = 0
        func note(_ actions: [PairNode.Action]) -> Int {
            var count = 0
            for action in actions {
                if case .send(let frame) = action, case .hello(let hello) = frame.body {
                    nonce = hello.nonce
                }
                if case .append = action { count += 1 }
            }
            return count
        }
        func frame(_ number: UInt64, _ body: Frame.Body) -> Frame {
            Frame(
                session: number == 0 ? (0, 0) : (9, nonce), number: number, beat: now.monotonic,
                echo: now.monotonic, mark: UInt64(records.count), ack: .max, executed: .max,
                body: body)
        }
        _ = note(node.step(.tick, now: now))
        let hello = Hello(
            cluster: 1, slot: .b, generation: 1, nonce: 9, echo: nonce, wantsStates: false,
            own: [
                .init(
                    incarnation: 2, last: UInt64(records.count),
                    chain: records.last?.chain ?? .zero)
            ], yours: [])
        _ = note(node.step(.frame(frame(0, .hello(hello))), now: now))
        _ = node.step(.frame(frame(1, .records(records))), now: now)
        _ = node.step(.durable(node.recordCount), now: now)
        _ = node.step(.frame(frame(2, .ready)), now: now)
        _ = node.step(.durable(node.recordCount), now: now)
        _ = node.step(.frame(frame(4, .status)), now: now)
        checkpoint(node.checkpoint())
    }
}
