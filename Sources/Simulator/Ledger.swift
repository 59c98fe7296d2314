import MailStore
import Platform

/// What the world knows that a mail system has promised: the oracles judge by it.
struct Ledger {
    struct Mail {
        enum State {
            case sending
            case answered
            case givenUp
        }

        var digest: SHA256Digest
        /// Several, if the one recipient is a group.
        var accounts: [AccountID]
        var sender: [UInt8]
        var state = State.sending
        var attempts = 0
        var token: UInt64 = 0
        var instance: InstanceID?
        /// The acknowledgements of equal mails that the node knew when it was last asked to take this.
        var heard: Set<InstanceID> = []
        /// The node that knows that its `250` was seen.
        var seenBy: (node: Int, life: Int, index: Int)?
    }

    /// One octet string in one account.
    struct Content: Hashable {
        var account: AccountID
        var digest: SHA256Digest
    }

    struct Place: Hashable {
        var mailbox: MailboxID
        var validity: UIDValidity
        var uid: UInt32
    }

    struct Block: Hashable {
        var mailbox: MailboxID
        var number: UIDBlock
    }

    /// What a client asked for and waits for.
    enum Waiting {
        case mail(Int)
        case append(Int, MailboxID)
        case flag(mailbox: MailboxID, [InstanceID])
        /// EXPUNGE or MOVE of these.
        case gone([InstanceID])
        case mark([InstanceID])
        case unmark([InstanceID])
        case subscribe(AccountID, String)
        /// Empty disables the account.
        case verifier(AccountID, [UInt8])
        case other
    }

    var mails: [Mail] = []
    var waiting: [UInt64: Waiting] = [:]
    /// Every message that a client saw, by its place.
    var places: [Place: InstanceID] = [:]
    /// How many messages may be gone, and how many may be there besides the mails.
    var excused: [Content: Int] = [:]
    var copies: [Content: Int] = [:]
    /// The mail for which a node wrote a message, and what was taken for the retry of another mail.
    var mailOf: [InstanceID: Int] = [:]
    var mistaken: Set<InstanceID> = []
    /// What was answered as expunged, and as flagged.
    var expunged: Set<InstanceID> = []
    /// Names that somebody subscribed to, with an answer; and those that anybody unsubscribed from.
    var subscribed: [AccountID: Set<String>] = [:]
    var unsubscribed: [AccountID: Set<String>] = [:]
    var flagged: Set<InstanceID> = []
    /// Where each node's journal has the message, counted from 1.
    var held: [[InstanceID: Int]] = [[:], [:]]
    /// \Answered is set once and removed once on a message, by somebody who saw it set.
    var marking: Set<InstanceID> = []
    var marked: Set<InstanceID> = []
    var unmarked: Set<InstanceID> = []
    /// Where APPEND said that it put a message.
    var appended: [SHA256Digest: MailboxID] = [:]
    /// Where each node's journal places a message, counted from 1.
    var placed: [[Place: Int]] = [[:], [:]]
    var effects: [InstanceID: Int] = [:]
    var healedAt: Int64 = 0
    /// Accounts of which a node's memory lost something, and those that were found so (R27).
    var damaged: Set<AccountID> = []
    var isRepaired: Set<AccountID> = []
    /// Those that were merged in between: what is missing may have been taken for what somebody removed.
    var muddled: Set<AccountID> = []
    /// The delivery that is being made, and those whose ACCEPT was written.
    var accepting: UInt64?
    var written: Set<UInt64> = []
    /// The verifier that was last answered as set; who waits for an answer, or died of it; who was, or is
    /// to be, disabled for good.
    var verifiers: [AccountID: [UInt8]] = [:]
    var settingVerifier: Set<AccountID> = []
    var isRevoked: Set<AccountID> = []
    /// Clocks differed at some time: which of two changes was later is a matter of opinion.
    var hadClockJump = false
    /// Places that a node lost with its disk's tail while apart, in blocks that it remembers: it must not
    /// give them out again (R12).
    var doomed: Set<Place> = []
}
