import MailStore
import Platform
import Replication
import Testing

/// Histories of two nodes, each of which once ended wrongly.
@Suite struct MeetingTests {
    var pair = TwoNodes()

    /// Home orders what the guest's client asked for, but its answer is lost: the guest orders it, too.
    mutating func orderTwice(_ change: (inout TwoNodes) -> UInt64) {
        pair.isCut = [false, true]
        let token = change(&pair)
        pair.exchange()
        #expect(pair.reply(token) == nil)
        pair.part()
        #expect(pair.reply(token) != nil)
    }

    @Test mutating func aFlagThatTheGuestRemovedStaysRemovedThoughHomeSetItForTheGuestToo() {
        pair.append(0, 1)
        pair.exchange()
        orderTwice { $0.store(1, .add, .answered) }
        #expect(pair.inbox(1).messages[0].flags == .answered)
        _ = pair.store(1, .remove, .answered)
        pair.meet()
        for i in 0...1 { #expect(pair.inbox(i).messages[0].flags == []) }
    }

    @Test mutating func aFlagThatHomeRemovedStaysRemovedThoughTheGuestSetItToo() {
        pair.append(0, 1)
        pair.exchange()
        orderTwice { $0.store(1, .add, .answered) }
        #expect(pair.inbox(0).messages[0].flags == .answered)
        _ = pair.store(0, .remove, .answered)
        pair.meet()
        for i in 0...1 { #expect(pair.inbox(i).messages[0].flags == []) }
    }

    @Test mutating func aFlagRemovedFromACopyThatBothMadeStaysRemoved() {
        pair.append(0, 1, flags: NamedFlags(system: .answered))
        pair.exchange()
        let drafts = pair.account(1).mailbox(named: "Drafts")!.id
        orderTwice {
            $0.submit(
                1,
                .copy(
                    source: $0.account(1).inboxID, uids: UIDSet([1]), destination: drafts,
                    isMove: false))
        }
        let copy = pair.account(1).mailbox(drafts)!
        pair.submit(
            1,
            .setFlags(
                mailbox: drafts, uids: UIDSet(copy.messages.allUIDs), change: .remove,
                flags: NamedFlags(system: .answered), unchangedSince: nil))
        pair.meet()
        for i in 0...1 {
            let copy = pair.account(i).mailbox(drafts)!
            #expect(copy.messages.count == 1)
            #expect(copy.messages[0].flags == [])
        }
    }

    @Test mutating func aFlagRemovedFromMailThatBothPlacedStaysRemoved() {
        pair.isCut = [false, true]
        pair.append(1, 1, flags: NamedFlags(system: .answered))
        pair.exchange()
        pair.part()
        for i in 0...1 { #expect(pair.inbox(i).messages.count == 1) }
        _ = pair.store(1, .remove, .answered)
        pair.meet()
        for i in 0...1 { #expect(pair.inbox(i).messages[0].flags == []) }
    }

    @Test mutating func aMailboxThatBothMadeKeepsTheNameThatTheGuestGaveIt() {
        orderTwice { $0.submit(1, .createMailbox(name: "Work", specialUse: nil)) }
        let made = pair.account(1).mailbox(named: "Work")!.id
        pair.submit(1, .renameMailbox(made, to: "Play"))
        pair.meet()
        for i in 0...1 {
            #expect(pair.account(i).mailbox(named: "Work") == nil)
            #expect(pair.account(i).mailbox(named: "Play") != nil)
        }
    }

    @Test mutating func whatBothSubscribedToAndOneLeftIsLeft() {
        orderTwice { $0.submit(1, .subscribe(name: "News", true)) }
        pair.submit(1, .subscribe(name: "News", false))
        pair.meet()
        for i in 0...1 { #expect(!pair.account(i).subscriptions.contains("News")) }
    }

    @Test mutating func aSenderThatHeardOfNeitherMayTryAThirdTime() {
        pair.part()
        _ = pair.deliver(0, 1)
        _ = pair.deliver(1, 1)
        pair.meet()
        for i in 0...1 { #expect(pair.inbox(i).messages.count == 1) }
        _ = pair.deliver(1, 1)
        pair.exchange()
        for i in 0...1 { #expect(pair.inbox(i).messages.count == 1) }
    }

    @Test mutating func aRetryOfMailThatItsNodeLostIsAnswered() {
        let before = pair.journalCount(0)
        for other in UInt64(10)..<30 { _ = pair.deliver(0, other) }
        let first = pair.deliver(0, 1)
        pair.exchange()
        #expect(pair.reply(first) != nil)
        pair.part()
        pair.rollBack(0, to: before)
        // It writes on without what it lost, so that both streams differ from there.
        _ = pair.deliver(0, 2)
        pair.meet()
        let retry = pair.deliver(1, 1)
        pair.wait(seconds: 2)
        #expect(pair.reply(retry) == pair.reply(first))
        for i in 0...1 { #expect(pair.inbox(i).messages.count == 22) }
    }

    @Test mutating func renamingInboxLeavesWhatItsClientHadNotSeen() {
        pair.append(0, 1)
        pair.exchange()
        // Home's news do not reach the guest; the guest's request reaches home.
        pair.isCut = [false, true]
        pair.append(0, 2)
        pair.submit(1, .renameMailbox(pair.account(1).inboxID, to: "Old"))
        pair.exchange()
        pair.part()
        pair.meet()
        for i in 0...1 {
            #expect(pair.inbox(i).messages.count == 1)
            #expect(pair.account(i).mailbox(named: "Old")!.messages.count == 1)
        }
    }

    // MARK: Senders (R7)

    /// How many messages each account shows on each node.
    private func counts() -> [Int] {
        [TwoNodes.account, TwoNodes.other].flatMap { id in
            (0...1).map { pair.inbox($0, id).messages.count }
        }
    }

    @Test mutating func aMessageToAGroupReachesEachMember() {
        let group = [TwoNodes.account, TwoNodes.other]
        _ = pair.deliver(0, 1, to: group)
        pair.exchange()
        #expect(counts() == [1, 1, 1, 1])
        pair.part()
        _ = pair.deliver(1, 2, to: group)
        pair.meet()
        #expect(counts() == [2, 2, 2, 2])
    }

    @Test mutating func whoSawTheAnswerSawItForEachMemberOfAGroup() {
        let group = [TwoNodes.account, TwoNodes.other]
        let first = pair.deliver(0, 1, to: group)
        pair.exchange()
        pair.acknowledge(0, first)
        pair.exchange()
        _ = pair.deliver(1, 1, to: group)
        pair.exchange()
        #expect(counts() == [2, 2, 2, 2])
    }

    @Test mutating func aRetryThatAddsAMemberIsAcknowledgedForAll() {
        _ = pair.deliver(0, 1)
        pair.exchange()
        let retry = pair.deliver(1, 1, to: [TwoNodes.account, TwoNodes.other])
        pair.exchange()
        #expect(pair.reply(retry) != nil)
        #expect(counts() == [1, 1, 1, 1])
        pair.acknowledge(1, retry)
        pair.exchange()
        _ = pair.deliver(0, 1, to: [TwoNodes.account, TwoNodes.other])
        pair.exchange()
        #expect(counts() == [2, 2, 2, 2])
    }

    /// The first sender's attempt at home stayed unanswered, its second, at the guest, was not. Home has
    /// not merged the two yet, and the guest may have heard of both, when another sender comes.
    @Test(arguments: [0, 5, 6, 7, 8, 10])
    mutating func whatHasItsRetryIsNotTheFirstOfAnotherSendersMail(frames: Int) {
        pair.part()
        _ = pair.deliver(0, 1)
        let second = pair.deliver(1, 1)
        pair.acknowledge(1, second)
        pair.beginToMeet(frames: frames)
        let other = pair.deliver(1, 1)
        // Before home hears of it, the session ends.
        pair.isCut = [true, false]
        if pair.reply(other) != nil { pair.acknowledge(1, other) }
        pair.part()
        pair.meet()
        #expect(counts() == [2, 2, 0, 0])
    }
}
