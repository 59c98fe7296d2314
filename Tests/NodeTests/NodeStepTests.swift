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

    /// What a service does with a message.
    mutating func send(_ mail: MailDelivery, body: UInt64 = 1) -> ChangeResult {
        node.answer(to: mail)
            ?? node.step(.deliver(mail, body: BodyNumber(rawValue: body)), now: now)
    }

    func count(_ account: AccountID) -> Int {
        let state = node.accounts[account]
        return state?.mailbox(state!.inboxID)?.messages.count ?? 0
    }

    @Test mutating func aRetryIsAbsorbedUntilAnAnswerWasSeen() throws {
        let alice = makeAccount("alice@example.test")
        let mail = mail("hello", to: [alice])
        #expect(node.answer(to: mail) == nil)
        let answer = send(mail)
        guard case .accepted(let ticket) = answer else { return }
        // While the first sender's session is there, an equal mail is another mail.
        #expect(node.answer(to: mail) == nil)
        for _ in 0..<2 {
            // The answer is lost, and that to the retry, too.
            _ = node.step(.abandoned(ticket), now: now)
            #expect(send(mail) == answer)
        }
        #expect(node.answer(to: mail) == nil)
        _ = node.step(.acknowledged(ticket), now: now)
        _ = node.takeBatch(now: now)
        #expect(count(alice) == 1)
        guard case .accepted(let other) = send(mail) else { return }
        #expect(other != ticket)
        _ = node.takeBatch(now: now)
        #expect(count(alice) == 2)
    }

    @Test mutating func aRetryThatIsRefusedIsStillARetryWhenItComesAgain() throws {
        let alice = makeAccount("alice@example.test")
        let bob = makeAccount("bob@example.test")
        guard case .accepted(let ticket) = send(mail("hello", to: [alice])) else { return }
        _ = node.takeBatch(now: now)
        node.keepBatch(now: now)
        _ = node.step(.abandoned(ticket), now: now)
        let retry = mail("hello", to: [alice, bob])
        // The body could not be stored.
        #expect(node.answer(to: retry) == nil)
        // The batch could not be made durable.
        _ = send(retry)
        _ = node.takeBatch(now: now)
        node.revertBatch()
        #expect([count(alice), count(bob)] == [1, 0])
        guard case .accepted(let second) = send(retry) else { return }
        _ = node.takeBatch(now: now)
        #expect([count(alice), count(bob)] == [1, 1])
        // That session stands for both.
        node.keepBatch(now: now)
        _ = node.step(.acknowledged(second), now: now)
        guard case .acknowledged(let seen)? = node.takeBatch(now: now).records.first?.op else {
            Issue.record("no record of what was seen")
            return
        }
        #expect(Set(seen.instances) == [ticket, second])
    }

    @Test mutating func whatWasTakenBackLeavesTheNodeAsItWas() throws {
        let alice = makeAccount("alice@example.test")
        guard case .accepted(let ticket) = send(mail("one", to: [alice])) else { return }
        _ = node.takeBatch(now: now)
        node.keepBatch(now: now)
        let addresses = node.accountsByAddress
        let before = node.accounts[alice]?.mailbox(node.accounts[alice]!.inboxID)?.uidNext
        _ = send(mail("two", to: [alice]), body: 2)
        let bob = makeAccount("bob@example.test")
        _ = node.step(.change(alice, .createMailbox(name: "box", specialUse: nil)), now: now)
        _ = node.step(.change(alice, .setAddresses(["other@example.test"])), now: now)
        _ = node.step(.abandoned(ticket), now: now)
        _ = node.takeBatch(now: now)
        node.revertBatch()
        #expect(node.accountsByAddress == addresses)
        #expect(node.accounts[bob] == nil && count(alice) == 1)
        let state = try #require(node.accounts[alice])
        #expect(state.mailbox(named: "box") == nil)
        #expect(state.mailbox(state.inboxID)?.uidNext == before)
        // The end of a session is not taken back, and what was not accepted is no retry.
        #expect(node.answer(to: mail("one", to: [alice])) == .accepted(ticket))
        #expect(node.answer(to: mail("two", to: [alice])) == nil)
        #expect(node.takeBatch(now: now).records.isEmpty)
    }

    @Test mutating func aGroupsRetryIsKnownForEachMember() throws {
        let members = [makeAccount("alice@example.test"), makeAccount("bob@example.test")]
        var mail = mail("hello", to: members)
        for i in 0..<2 { mail.recipients[i].forwardPath = Array("group@example.test".utf8) }
        guard case .accepted(let ticket) = send(mail) else { return }
        _ = node.step(.abandoned(ticket), now: now)
        let answer = send(mail)
        guard case .accepted = answer else { return }
        _ = node.takeBatch(now: now)
        #expect(members.map { count($0) } == [1, 1])
    }

    @Test mutating func theLastMessageMayGoBeyondTheQuotaWhereAnotherRecipientHasRoom() throws {
        let alice = makeAccount("alice@example.test")
        let bob = makeAccount("bob@example.test")
        _ = node.step(.change(alice, .setQuota(octets: 100)), now: now)
        let long = String(repeating: "x", count: 60)
        guard case .accepted = send(mail(long + "1", to: [alice])) else { return }
        // Of one recipient, it is refused; nothing is stored for it.
        #expect(node.answer(to: mail(long + "2", to: [alice])) == .refused(.overQuota))
        guard case .accepted = send(mail(long + "3", to: [alice, bob])) else {
            Issue.record("one recipient has room")
            return
        }
        // No account goes beyond its quota by more than one message.
        #expect(node.answer(to: mail(long + "4", to: [alice, bob])) == .refused(.overQuota))
        node.setQuotaDefault(octets: 50)
        #expect(node.answer(to: mail("5", to: [bob])) == .refused(.overQuota))
    }

    @Test mutating func aRetryIsStillKnownAfterARestart() throws {
        let alice = makeAccount("alice@example.test")
        _ = send(mail("hello", to: [alice]))
        let records = node.takeBatch(now: now).records
        var again = try replayed(records)
        again.finishRecovery(now: now)
        #expect(again.answer(to: mail("hello", to: [alice])) != nil)
    }

    @Test mutating func aCheckpointGivesTheSameNode() throws {
        let alice = makeAccount("alice@example.test")
        for n in 0..<20 { _ = send(mail("\(n)", to: [alice]), body: UInt64(n)) }
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
        for isKept in [false, true] {
            // It shows when that is durable.
            #expect(again.accounts[alice]?.pending.count == 1)
            #expect(again.takeBatch(now: now).records.count == 1)
            if isKept { again.keepBatch(now: now) } else { again.revertBatch() }
        }
        let state = try #require(again.accounts[alice])
        #expect(state.pending.isEmpty)
        #expect(state.mailbox(state.inboxID)?.messages.count == 1)
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
