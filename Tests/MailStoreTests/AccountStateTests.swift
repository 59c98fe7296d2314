import MailStore
import Platform
import Testing

@Suite struct AccountStateTests {
    var randomness = SeededRandomness(seed: 1)
    let orderer = Orderer(slot: .a)
    let noon = Instant(secondsSinceEpoch: 1_000_000)

    /// An account with an INBOX and a mailbox "Archive" that holds `count` messages in INBOX.
    mutating func account(_ count: Int) throws -> AccountState {
        let id = AccountID(rawValue: 7)
        let inbox = MailboxID.derived(from: id, name: "INBOX")
        let create = Op.createAccount(
            Accounts.creating(
                id, home: .a, addresses: ["alice@example.test"], quotaOctets: nil, at: noon))
        guard case .createAccount(let op) = create else { fatalError() }
        var state = AccountState.created(by: op)
        #expect(state.inboxID == inbox)
        for _ in 0..<count { try deliver(to: &state) }
        return state
    }

    mutating func deliver(to state: inout AccountState) throws {
        let delivery = Op.Delivery(
            instance: InstanceID(rawValue: randomness.next128()),
            emailID: EmailID(rawValue: randomness.next128()), account: state.id,
            mailbox: state.inboxID, flags: .none, forwardPath: [])
        let accept = Op.accept(
            .init(
                digest: SHA256Digest(hashing: [1]), sizeOctets: 100, internalDate: noon,
                reversePath: [], receivedDigest: .zero, deliveries: [delivery]))
        state.apply(accept, body: BodyNumber(rawValue: 9))
        let assign = try orderer.assign([delivery.instance], in: state, at: noon)
        state.apply(.assign(assign))
    }

    mutating func run(_ change: Change, _ state: inout AccountState) -> ChangeResult {
        let before = state
        let (ops, result) = orderer.order(change, on: &state, at: noon, randomness: &randomness)
        // Whatever is ordered survives its journal record, and gives the same state again.
        var replayed = before
        for op in ops {
            let again = try? Op(type: op.type, payload: op.encoded)
            #expect(again == op)
            replayed.apply(op)
        }
        var a = ByteWriter()
        var b = ByteWriter()
        replayed.encode(into: &a)
        state.encode(into: &b)
        #expect(a.bytes == b.bytes)
        var reader = ByteReader(b.bytes)
        var c = ByteWriter()
        (try? AccountState(from: &reader))?.encode(into: &c)
        #expect(c.bytes == b.bytes)
        return result
    }

    @Test mutating func deliveredMessagesGetAscendingUIDs() throws {
        let state = try account(1300)
        let inbox = state.mailbox(state.inboxID)!
        #expect(inbox.messages.allUIDs == Array(1...1300))
        #expect(inbox.uidNext == 1301)
        #expect(inbox.unseenCount == 1300)
        #expect(inbox.sizeOctets == 130_000)
        for position in [0, 511, 512, 1299] {
            #expect(inbox.messages.uid(at: position) == UInt32(position + 1))
            #expect(inbox.messages.position(ofUID: UInt32(position + 1)) == position)
        }
    }

    @Test mutating func storeStampsOnlyWhatItChanges() throws {
        var state = try account(10)
        let before = state.mailbox(state.inboxID)!.highestModSeq
        let uids = UIDSet(ranges: [2...4, 100...200])
        let seen = NamedFlags(system: .seen, keywords: [Keyword("$Work")])
        let change = Change.setFlags(
            mailbox: state.inboxID, uids: uids, change: .add, flags: seen, unchangedSince: nil)
        guard case .flagsSet(let modified, let modSeq?) = run(change, &state) else {
            Issue.record("nothing changed")
            return
        }
        #expect(modified.isEmpty && modSeq > before)
        let inbox = state.mailbox(state.inboxID)!
        #expect(inbox.unseenCount == 7)
        #expect(inbox.named(inbox.messages[1].flags) == seen)
        #expect(inbox.messages[0].flags == [])
        #expect(run(change, &state) == .flagsSet(modified: UIDSet(), modSeq: nil))
    }

    @Test mutating func unchangedSinceLeavesNewerMessagesAlone() throws {
        var state = try account(3)
        let since = state.mailbox(state.inboxID)!.messages[1].modSeq
        let change = Change.setFlags(
            mailbox: state.inboxID, uids: UIDSet([1, 2, 3]), change: .add,
            flags: NamedFlags(system: .flagged), unchangedSince: since)
        guard case .flagsSet(let modified, _) = run(change, &state) else { return }
        #expect(modified == UIDSet([3]))
    }

    @Test mutating func foreignModSeqFailsAsModified() throws {
        var state = try account(2)
        let change = Change.setFlags(
            mailbox: state.inboxID, uids: UIDSet([1]), change: .add,
            flags: NamedFlags(system: .flagged),
            unchangedSince: ModSeq(epoch: 9, counter: 1))
        #expect(run(change, &state) == .flagsSet(modified: UIDSet([1]), modSeq: nil))
    }

    @Test mutating func expungeLeavesTombstones() throws {
        var state = try account(1200)
        let before = state.mailbox(state.inboxID)!.highestModSeq
        let doomed = UIDSet(ranges: [1...5, 500...700])
        _ = run(
            .setFlags(
                mailbox: state.inboxID, uids: doomed, change: .add,
                flags: NamedFlags(system: .deleted), unchangedSince: nil), &state)
        guard
            case .expunged(let gone, _) = run(.expunge(mailbox: state.inboxID, uids: nil), &state)
        else { return }
        #expect(gone == doomed)
        let inbox = state.mailbox(state.inboxID)!
        #expect(inbox.messages.count == 1200 - 206)
        #expect(inbox.vanished(since: before) == doomed)
        #expect(inbox.deletedCount == 0)
        #expect(inbox.uidNext == 1201)
        #expect(inbox.messages.position(ofUID: 600) == nil)
        #expect(inbox.messages.uid(at: inbox.messages.lowerBound(uid: 600)) == 701)
    }

    @Test mutating func moveIsOneOperation() throws {
        var state = try account(5)
        let archive = state.mailbox(named: "Archive")!.id
        let result = run(
            .copy(
                source: state.inboxID, uids: UIDSet([2, 4]), destination: archive, isMove: true),
            &state)
        #expect(
            result
                == .copied(
                    state.mailbox(archive)!.uidValidity, sources: [2, 4], destinations: [1, 2]))
        #expect(state.mailbox(state.inboxID)!.messages.allUIDs == [1, 3, 5])
        #expect(state.mailbox(archive)!.messages.count == 2)
    }

    @Test mutating func renameTakesChildrenAlong() throws {
        var state = try account(0)
        _ = run(.createMailbox(name: "a/b", specialUse: nil), &state)
        guard case .created(let a) = run(.createMailbox(name: "a", specialUse: nil), &state) else {
            return
        }
        #expect(run(.renameMailbox(a, to: "c/d"), &state) == .done)
        #expect(state.mailbox(named: "c/d")?.id == a)
        #expect(state.mailbox(named: "c/d/b") != nil)
        #expect(state.mailbox(named: "a/b") == nil)
    }

    @Test mutating func renamedInboxKeepsItsPlace() throws {
        var state = try account(3)
        guard case .created(let old) = run(.renameMailbox(state.inboxID, to: "old"), &state) else {
            return
        }
        #expect(state.mailbox(old)?.messages.count == 3)
        #expect(state.mailbox(state.inboxID)?.messages.count == 0)
        #expect(state.mailbox(state.inboxID)?.uidNext == 4)
    }

    @Test mutating func aMailboxMadeAgainHasAHigherUIDValidity() throws {
        var state = try account(0)
        guard case .created(let first) = run(.createMailbox(name: "x", specialUse: nil), &state)
        else { return }
        let validity = state.mailbox(first)!.uidValidity
        #expect(run(.deleteMailbox(first), &state) == .done)
        guard case .created(let second) = run(.createMailbox(name: "x", specialUse: nil), &state)
        else { return }
        #expect(state.mailbox(second)!.uidValidity > validity)
        #expect(run(.deleteMailbox(state.inboxID), &state) == .refused(.inboxStays))
    }

    @Test(arguments: ["", "/a", "a/", "a//b", "a\nb"])
    mutating func badNamesAreRefused(name: String) throws {
        var state = try account(0)
        guard case .refused(.invalidName) = run(.createMailbox(name: name, specialUse: nil), &state)
        else {
            Issue.record("accepted \(name)")
            return
        }
    }

    @Test func blocksBelongToSlotsInTurn() {
        #expect(UIDBlock.next(for: .a, atOrAbove: 1).first == 1)
        #expect(UIDBlock.next(for: .b, atOrAbove: 1).first == 4096)
        #expect(UIDBlock.next(for: .a, atOrAbove: 2).first == 8192)
        #expect(UIDBlock.next(for: .a, atOrAbove: 8192).first == 8192)
        #expect(UIDBlock.next(for: .a, atOrAbove: 8193).first == 16384)
    }

    @Test func truncatedRecordsAreRefused() throws {
        let op = Op.createAccount(
            Accounts.creating(
                AccountID(rawValue: 7), home: .b, addresses: ["a@b.c"], quotaOctets: 9, at: noon))
        let bytes = op.encoded
        #expect(try Op(type: op.type, payload: bytes) == op)
        for length in 0..<bytes.count {
            #expect(throws: DecodingFailure.self) {
                try Op(type: op.type, payload: Array(bytes[..<length]))
            }
        }
        #expect(try Op(type: 60_000, payload: []) == nil)
    }
}
