import MailStore
import Platform
import Replication
import Testing

/// One account that went two ways from a fork.
@Suite struct MergeTests {
    let noon = Instant(secondsSinceEpoch: 1_000_000)
    var randomness = SeededRandomness(seed: 1)

    func fork() -> AccountState {
        .created(
            by: Accounts.creating(
                AccountID(rawValue: 7), home: .a, addresses: ["a@example.test"],
                quotaOctets: nil, at: noon))
    }

    @discardableResult
    mutating func deliver(_ slot: Slot, _ state: inout AccountState) throws -> InstanceID {
        let instance = InstanceID(rawValue: randomness.next128())
        let delivery = Op.Delivery(
            instance: instance, emailID: EmailID(rawValue: instance.rawValue), account: state.id,
            mailbox: state.inboxID, flags: .none, forwardPath: [])
        state.apply(
            .accept(
                .init(
                    digest: SHA256Digest(words: (1, 2, 3, 4)), sizeOctets: 1, internalDate: noon,
                    reversePath: [], receivedDigest: .zero, deliveries: [delivery])))
        state.apply(.assign(try Orderer(slot: slot).assign([instance], in: state, at: noon)))
        return instance
    }

    mutating func change(_ change: Change, _ slot: Slot, _ state: inout AccountState) {
        _ = Orderer(slot: slot).order(change, on: &state, at: noon, randomness: &randomness)
    }

    func merged(
        _ home: AccountState, _ guest: AccountState, _ fork: AccountState?,
        covered: AccountState? = nil
    ) -> AccountState {
        var merge = Merge(
            home: home, guest: guest, fork: fork, covered: covered ?? fork, retries: [], slot: .a)
        let op = Op.merge(merge.result())
        // What is journalled is what was decided.
        #expect((try? Op(type: op.type, payload: op.encoded)) == op)
        var result = home
        result.apply(op)
        return result
    }

    func inbox(_ state: AccountState) -> Mailbox { state.mailbox(state.inboxID)! }

    @Test mutating func additionsOfOneSideKeepTheirUIDs() throws {
        let fork = fork()
        var guest = fork
        try deliver(.b, &guest)
        let result = merged(fork, guest, fork)
        #expect(inbox(result).messages.allUIDs == [4096])
        #expect(inbox(result).uidValidity == inbox(fork).uidValidity)
    }

    @Test mutating func additionsOfBothSidesGetFreshUIDsAboveAllThatWereSeen() throws {
        let fork = fork()
        var (home, guest) = (fork, fork)
        try deliver(.a, &home)
        try deliver(.b, &guest)
        let result = merged(home, guest, fork)
        #expect(inbox(result).messages.allUIDs == [8192, 8193])
        #expect(inbox(result).tombstones.map(\.uid) == [1, 4096])
    }

    @Test mutating func whatWasExpungedOnOneSideStaysSo() throws {
        var fork = fork()
        try deliver(.a, &fork)
        change(
            .setFlags(
                mailbox: fork.inboxID, uids: UIDSet([1]), change: .add,
                flags: NamedFlags(system: .deleted), unchangedSince: nil), .a, &fork)
        var (home, guest) = (fork, fork)
        change(.expunge(mailbox: fork.inboxID, uids: nil), .b, &guest)
        change(
            .setFlags(
                mailbox: fork.inboxID, uids: UIDSet([1]), change: .add,
                flags: NamedFlags(system: .flagged), unchangedSince: nil), .a, &home)
        #expect(inbox(merged(home, guest, fork)).messages.isEmpty)
    }

    @Test mutating func flagsOfBothSidesCombine() throws {
        var fork = fork()
        try deliver(.a, &fork)
        var (home, guest) = (fork, fork)
        for (flag, slot) in [(Flags.seen, Slot.a), (.flagged, .b)] {
            let change = Change.setFlags(
                mailbox: fork.inboxID, uids: UIDSet([1]), change: .add,
                flags: NamedFlags(system: flag), unchangedSince: nil)
            if slot == .a {
                self.change(change, slot, &home)
            } else {
                self.change(change, slot, &guest)
            }
        }
        let result = inbox(merged(home, guest, fork))
        #expect(result.messages[0].flags == [.seen, .flagged])
        #expect(result.messages[0].modSeq > inbox(home).highestModSeq)
        #expect(result.messages[0].modSeq > inbox(guest).highestModSeq)
    }

    @Test mutating func aMapThatCannotBeProvedGetsANewUIDValidity() throws {
        let fork = fork()
        var (home, guest) = (fork, fork)
        // The same UID for two messages: both are lines of one node.
        try deliver(.a, &home)
        try deliver(.a, &guest)
        let result = inbox(merged(home, guest, nil))
        #expect(result.uidValidity > inbox(fork).uidValidity)
        #expect(result.messages.count == 2)
    }

    @Test mutating func aNameMadeOnBothSidesIsOneMailbox() throws {
        let fork = fork()
        var (home, guest) = (fork, fork)
        change(.createMailbox(name: "Work", specialUse: nil), .a, &home)
        change(.createMailbox(name: "Work", specialUse: nil), .b, &guest)
        let result = merged(home, guest, fork)
        #expect(result.mailboxes.filter { $0.name == "Work" }.count == 1)
    }

    @Test mutating func aFlagFollowsAMessageWhoseMailboxHomeReplaced() throws {
        // Home deleted the mailbox; a merge put what DELETE did not name into another of that name.
        // The guest, which has not heard of it, goes on in the old one.
        let fork = fork()
        var guest = fork
        try deliver(.b, &guest)
        let drafts = fork.mailbox(named: "Drafts")!.id
        change(
            .copy(
                source: fork.inboxID, uids: UIDSet([4096]), destination: drafts, isMove: false),
            .b, &guest)
        var home = fork
        change(.deleteMailbox(drafts), .a, &home)
        let once = merged(home, guest, fork)
        let covered = guest
        let copy = guest.mailbox(drafts)!.messages[0]
        change(
            .setFlags(
                mailbox: drafts, uids: UIDSet([copy.uid]), change: .add,
                flags: NamedFlags(system: .flagged), unchangedSince: nil), .b, &guest)
        let again = merged(once, guest, fork, covered: covered)
        let replaced = again.mailbox(named: "Drafts")!
        #expect(replaced.id != drafts)
        #expect(replaced.messages[0].facts.instance == copy.facts.instance)
        #expect(replaced.messages[0].flags == .flagged)
    }

    @Test mutating func mergingAgainChangesNothing() throws {
        let fork = fork()
        var (home, guest) = (fork, fork)
        try deliver(.a, &home)
        try deliver(.b, &guest)
        let once = merged(home, guest, fork)
        let twice = merged(once, once, once)
        #expect(inbox(twice).messages.allUIDs == inbox(once).messages.allUIDs)
        #expect(twice.mailboxes.map(\.highestModSeq) == once.mailboxes.map(\.highestModSeq))
    }
}
