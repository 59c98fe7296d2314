import MailStore
import Node
import Platform
import Testing

@Suite struct NodeStepTests {
    var node = Node(slot: .a, randomness: SeededRandomness(seed: 1))
    let now = Now(
        wall: Instant(secondsSinceEpoch: 1_000_000), monotonic: MonotonicTime(nanoseconds: 0))

    mutating func makeAccount(_ address: String) -> AccountID {
        let result = node.step(
            .createAccount(.init(addresses: [address], verifier: [1], quotaOctets: nil)), now: now)
        #expect(result == .done)
        return node.accountsByAddress[address]!
    }

    func mail(_ text: String, to accounts: [AccountID]) -> MailDelivery {
        let digest = SHA256Digest(hashing: Array(text.utf8))
        return MailDelivery(
            body: .bytes(Array(text.utf8), digest: digest), receivedDigest: digest,
            reversePath: Array("s@example.org".utf8),
            recipients: accounts.map { .init(account: $0, forwardPath: Array("\($0)".utf8)) })
    }

    /// The node that the journal's records would give after a restart.
    func replayed(_ records: [Node.Record]) throws -> Node {
        var other = Node(slot: .a, randomness: SeededRandomness(seed: 2))
        for record in records {
            let op = try #require(try Op(type: record.op.type, payload: record.op.encoded))
            other.replay(op, clock: record.clock, body: record.body)
        }
        return other
    }

    @Test mutating func oneMessageForSeveralRecipientsIsOneOperation() throws {
        let alice = makeAccount("alice@example.test")
        let bob = makeAccount("bob@example.test")
        var records = node.takeBatch(now: now).records
        let result = node.step(
            .deliver(mail("hello", to: [alice, bob]), body: BodyNumber(rawValue: 5)), now: now)
        guard case .accepted = result else {
            Issue.record("not accepted")
            return
        }
        let batch = node.takeBatch(now: now)
        records += batch.records
        #expect(batch.records.count == 3)
        #expect(batch.touched == [alice, bob].sorted())
        for id in [alice, bob] {
            let state = try #require(node.accounts[id])
            let inbox = try #require(state.mailbox(state.inboxID))
            #expect(inbox.messages.count == 1)
            #expect(inbox.messages[0].facts.body == BodyNumber(rawValue: 5))
        }
        #expect(try replayed(records).encodedState() == node.encodedState())
    }

    @Test mutating func aRetryIsAbsorbedOnceUnlessTheAnswerWasSeen() throws {
        let alice = makeAccount("alice@example.test")
        var first = mail("hello", to: [alice])
        #expect(node.absorb(&first) == nil)
        let answer = node.step(.deliver(first, body: BodyNumber(rawValue: 1)), now: now)
        guard case .accepted(let ticket) = answer else { return }
        var retry = mail("hello", to: [alice])
        // While the first sender's session is there, an equal mail is another mail.
        #expect(node.absorb(&retry) == nil)
        _ = node.step(.abandoned(ticket), now: now)
        #expect(node.absorb(&retry) == answer)
        #expect(node.absorb(&retry) == nil)

        var second = mail("again", to: [alice])
        guard
            case .accepted(let seen) = node.step(
                .deliver(second, body: BodyNumber(rawValue: 2)), now: now)
        else { return }
        _ = node.step(.acknowledged(seen), now: now)
        #expect(node.absorb(&second) == nil)
        #expect(ticket != seen)
    }

    @Test mutating func aRetryIsStillKnownAfterARestart() throws {
        let alice = makeAccount("alice@example.test")
        _ = node.step(
            .deliver(mail("hello", to: [alice]), body: BodyNumber(rawValue: 1)), now: now)
        let records = node.takeBatch(now: now).records
        var again = try replayed(records)
        again.finishRecovery(now: now)
        var retry = mail("hello", to: [alice])
        #expect(again.absorb(&retry) != nil)
    }

    @Test mutating func aCheckpointGivesTheSameNode() throws {
        let alice = makeAccount("alice@example.test")
        for n in 0..<20 {
            _ = node.step(
                .deliver(mail("\(n)", to: [alice]), body: BodyNumber(rawValue: UInt64(n))),
                now: now)
        }
        _ = node.takeBatch(now: now)
        var other = Node(slot: .a, randomness: SeededRandomness(seed: 2))
        try other.restore(node.encodedState())
        #expect(other.encodedState() == node.encodedState())
        #expect(other.accountsByAddress == node.accountsByAddress)
    }

    @Test mutating func whatACrashLeftWithoutAPlaceGetsOne() throws {
        let alice = makeAccount("alice@example.test")
        var records = node.takeBatch(now: now).records
        _ = node.step(
            .deliver(mail("hello", to: [alice]), body: BodyNumber(rawValue: 1)), now: now)
        records += node.takeBatch(now: now).records.filter {
            if case .accept = $0.op { true } else { false }
        }
        var again = try replayed(records)
        again.finishRecovery(now: now)
        let state = try #require(again.accounts[alice])
        #expect(state.pending.isEmpty)
        #expect(state.mailbox(state.inboxID)?.messages.count == 1)
        #expect(again.takeBatch(now: now).records.count == 1)
    }

    @Test mutating func anAddressBelongsToOneAccount() {
        _ = makeAccount("alice@example.test")
        let result = node.step(
            .createAccount(
                .init(addresses: ["Alice@Example.test"], verifier: [], quotaOctets: nil)),
            now: now)
        #expect(result == .refused(.addressTaken("Alice@Example.test")))
    }

    @Test mutating func appendSaysItsUIDs() throws {
        let alice = makeAccount("alice@example.test")
        let state = try #require(node.accounts[alice])
        let messages = (0..<3).map { n in
            NewMessage(
                digest: SHA256Digest(hashing: [UInt8(n)]), body: BodyNumber(rawValue: UInt64(n)),
                sizeOctets: 10, internalDate: now.wall, flags: NamedFlags(system: .seen))
        }
        let result = node.step(
            .change(alice, .append(mailbox: state.inboxID, messages)), now: now)
        #expect(
            result
                == .appended(state.mailbox(state.inboxID)!.uidValidity, uids: [1, 2, 3]))
        #expect(node.accounts[alice]!.mailbox(state.inboxID)!.unseenCount == 0)
    }
}
