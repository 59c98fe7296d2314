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

    /// The old home has said that it goes, and nothing came of it yet; both start again.
    @Test func aMoveOfAHomeGoesOnFromCheckpoints() throws {
        var pair = TwoNodes()
        pair.append(0, 1)
        pair.exchange()
        pair.part()
        pair.submit(1, .setCredential(verifier: [5]))
        pair.append(1, 2)
        for i in 0...1 {
            let (before, after) = try pair.restartFromCheckpoint(i)
            #expect(before == after)
        }
        pair.meet()
        #expect(pair.account(0).verifier == [5])
        #expect(pair.account(0).home == .a)
        pair.isCut = [true, false]
        let token = pair.moveHome(0)
        pair.exchange()
        pair.part()
        #expect(pair.reply(token) == .done)
        for i in 0...1 {
            let (before, after) = try pair.restartFromCheckpoint(i)
            #expect(before == after)
            for length in 1..<before.count {
                #expect(throws: DecodingFailure.self) {
                    try TwoNodes.node(i, checkpoint: Array(before[..<length]))
                }
            }
        }
        // Until it hears of the takeover, the old home is a guest, and its changes are a branch.
        pair.append(0, 3)
        pair.append(1, 4)
        pair.meet()
        for i in 0...1 {
            #expect(pair.account(i).home == .b)
            #expect(pair.inbox(i).messages.count == 4)
        }
        #expect(pair.inbox(0).uidNext == pair.inbox(1).uidNext)
        #expect(pair.account(1).verifier == [5])
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
