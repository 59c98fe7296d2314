import MailStore
import Platform
import Replication
import Testing

/// A node from a checkpoint and what follows it is the node from the whole journal.
@Suite struct CheckpointTests {
    private let account = AccountID(rawValue: 1)

    private func now(_ second: Int64) -> Now {
        Now(
            wall: Instant(secondsSinceEpoch: 1_700_000_000 + second),
            monotonic: MonotonicTime(nanoseconds: second * 1_000_000_000))
    }

    private func node(_ journal: [LogRecord], _ checkpoint: [UInt8]? = nil) throws -> PairNode {
        let configuration = PairNode.Configuration(slot: .b, cluster: 1)
        let randomness = SeededRandomness(seed: 3)
        if let checkpoint {
            return try PairNode(
                configuration, incarnation: 2, checkpoint: checkpoint, journal: journal,
                randomness: randomness)
        }
        return PairNode(configuration, incarnation: 2, journal: journal, randomness: randomness)
    }

    /// A node alone: an account of its own, mail, and a change.
    private func history() throws -> (journal: [LogRecord], checkpoints: [[UInt8]]) {
        var journal: [LogRecord] = []
        var checkpoints: [[UInt8]] = []
        var node = try node([])
        func step(_ event: PairNode.Event, at second: Int64) {
            for action in node.step(event, now: now(second)) {
                if case .append(let record) = action { journal.append(record) }
            }
            _ = node.step(.durable(journal.count), now: now(second))
            #expect(node.recordCount == journal.count)
            checkpoints.append(node.checkpoint())
        }
        step(
            .createAccount(
                token: 1,
                Accounts.creating(
                    account, home: .b, addresses: ["b@example.test"], quotaOctets: nil,
                    at: now(0).wall)), at: 0)
        for i in 1..<6 {
            let digest = SHA256Digest(words: (UInt64(i), 0, 0, 0))
            step(
                .deliver(
                    token: UInt64(i),
                    .init(
                        digest: digest, sizeOctets: 10, reversePath: [1], receivedDigest: digest,
                        recipients: [(account, [2])], body: BodyNumber(rawValue: UInt64(i)))),
                at: Int64(i))
        }
        let inbox = MailboxID.derived(from: account, name: "INBOX")
        step(
            .submit(
                token: 9, account,
                .setFlags(
                    mailbox: inbox, uids: UIDSet([4097]), change: .add,
                    flags: NamedFlags(system: .flagged), unchangedSince: nil)), at: 9)
        return (journal, checkpoints)
    }

    private func visible(_ node: borrowing PairNode) -> [UInt8]? {
        guard let state = node.visible(account) else { return nil }
        var w = ByteWriter()
        state.encode(into: &w)
        return w.bytes
    }

    @Test func aNodeGoesOnFromACheckpointAsFromItsWholeJournal() throws {
        let (journal, checkpoints) = try history()
        let whole = try visible(node(journal))
        #expect(whole != nil)
        for checkpoint in checkpoints {
            let count = PairNode.recordCount(ofCheckpoint: checkpoint)
            var restored = try node(Array(journal[count...]), checkpoint)
            #expect(restored.recordCount == journal.count)
            #expect(visible(restored) == whole)
            var bodies: Set<UInt64> = []
            restored.visitBodies { bodies.insert($0.rawValue) }
            #expect(bodies.isSuperset(of: 1...5))
            let again = restored.checkpoint()
            #expect(try visible(node([], again)) == whole)
        }
    }

    @Test func aCheckpointThatIsNotWholeIsRefused() throws {
        let checkpoint = try history().checkpoints.last ?? []
        #expect(checkpoint.count > 1000)
        for length in 1..<checkpoint.count {
            #expect(throws: DecodingFailure.self) {
                try node([], Array(checkpoint[..<length]))
            }
        }
        #expect(throws: DecodingFailure.self) { try node([], checkpoint + [0]) }
        var changed = checkpoint
        for i in stride(from: 0, to: changed.count, by: 11) {
            for bit in 0..<8 {
                changed[i] ^= 1 << UInt8(bit)
                ([2] + changed).withUnsafeBytes { ReplicationFuzz.run($0) }
                changed[i] ^= 1 << UInt8(bit)
            }
        }
    }
}
