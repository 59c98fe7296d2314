import IMAP
import MailStore
import Node
import Platform
import SASL

/// What a session has been told it may rely on (RFC 5161).
struct Enabled: OptionSet, Sendable {
    let rawValue: UInt8
    static let condstore = Enabled(rawValue: 1)
    static let qresync = Enabled(rawValue: 2)
    static let utf8 = Enabled(rawValue: 4)
    static let rev2 = Enabled(rawValue: 8)
}

/// The mailbox that a session has open.
struct SelectedMailbox: Sendable {
    var view: MailboxView
    var isReadOnly: Bool

    var id: MailboxID { view.mailbox.id }
}

/// What has to be done outside of the session before it goes on.
enum Effect: Sendable {
    /// The command is complete.
    case done
    /// Ask the node; goes on in `receive(_: ChangeResult)`.
    case submit(NodeRequest.Work)
    /// Send what this makes; goes on in `produced(_:)`.
    case fetch(FetchProducer)
    /// Look for messages; goes on in `found(_:)`.
    case search(SearchJob)
    /// Goes on in `authenticated(_:)`.
    case authenticate(SASLMechanism, initialResponse: [UInt8]?)
    case login(user: [UInt8], password: [UInt8])
    case startTLS
    /// Lines and changes come until the client says DONE.
    case idle
    /// Say what there is to say and close the connection.
    case close
}

/// What a command waits for.
enum Waiting: Sendable {
    case nothing
    case change(PendingChange)
    /// A FETCH whose messages become \Seen when they have been sent.
    case fetch(PendingFetch)
    case search(PendingSearch)
    /// A STORE's FETCH responses.
    case storeReport(PendingStore)
    /// The changes that others made.
    case report(then: AfterReport)
    case authentication
    case idle
}

/// What comes when the changes that others made have been told.
enum AfterReport: Sendable {
    /// The tagged reply.
    case reply([UInt8])
    /// Waiting for more of them.
    case idle
    /// The command that had to see them first.
    indirect case command(IMAPCommand)
    /// The answer to a STORE.
    case stored(PendingStore)
}

/// A change that the node is making for this session.
enum PendingChange: Sendable {
    case store(PendingStore)
    case markSeen(PendingFetch)
    case expunge
    case close
    case copy(isMove: Bool)
    case append(MailboxID)
    /// Nothing but success or a refusal is of interest.
    case plain(StaticString)
    case create
    case delete(MailboxID)
}

/// One client's session: commands in, responses and effects out. It does no I/O of its own; who drives
/// it (`IMAPHandler`) carries out one effect at a time.
struct Session {
    let service: IMAPShared
    var isTLS: Bool
    /// nil before login.
    var account: AccountID?
    var selected: SelectedMailbox?
    var enabled: Enabled = []
    /// The result of the last SEARCH RETURN (SAVE) as UIDs (RFC 5182).
    var savedSearch = UIDSet()
    /// Responses that are not written to the channel yet.
    var out: [UInt8] = []
    /// Of the command that is being executed.
    var tag: [UInt8] = []
    var waiting = Waiting.nothing
    /// Consecutive commands that were refused as BAD.
    var badCommands = 0
    var loginFailures = 0
    /// Of this connection; empty without TLS.
    var channelBindings: [ChannelBinding] = []

    init(service: IMAPShared, isTLS: Bool) {
        self.service = service
        self.isTLS = isTLS
    }

    var gateway: any NodeGateway { service.gateway }

    /// The account as it is now; nil if it is gone.
    var accountState: AccountState? { account.flatMap { gateway.account($0) } }

    var isUTF8: Bool { !enabled.isDisjoint(with: [.utf8, .rev2]) }

    /// Whether a password may cross this connection.
    var allowsPasswords: Bool { isTLS || service.configuration.allowsPlaintextPasswords }

    var encoder: ResponseEncoder { ResponseEncoder(isUTF8: isUTF8) }

    // MARK: Replies

    /// `* OK [CODE] text`
    mutating func untagged(_ status: IMAPStatus, _ code: ResponseCode?, _ text: String) {
        encoder.status(status, code: code, text: text, to: &out)
    }

    /// A tagged NO: nothing was done.
    mutating func no(_ code: ResponseCode?, _ text: String) -> Effect {
        badCommands = 0
        encoder.status(.no, tag: tag, code: code, text: text, to: &out)
        return .done
    }

    /// Refuses a command as wrong; too many in a row end the session.
    mutating func bad(_ text: String, code: ResponseCode? = nil) -> Effect {
        encoder.status(.bad, tag: tag, code: code, text: text, to: &out)
        return countBad()
    }

    mutating func countBad() -> Effect {
        badCommands += 1
        guard badCommands >= service.configuration.limits.badCommandsMax else { return .done }
        return bye(nil, "Too many invalid commands")
    }

    mutating func bye(_ code: ResponseCode?, _ text: String) -> Effect {
        untagged(.bye, code, text)
        return .close
    }

    /// NO with the code that fits (RFC 5530, RFC 9051 §7.1).
    mutating func refuse(_ refusal: Refusal) -> Effect {
        let (code, text) = Self.words(refusal)
        return no(code, text)
    }

    static func words(_ refusal: Refusal) -> (ResponseCode, String) {
        switch refusal {
        case .noSuchAccount: (.unavailable, "The account is gone")
        case .noSuchMailbox: (.nonExistent, "There is no such mailbox")
        case .mailboxExists: (.alreadyExists, "There is a mailbox of that name already")
        case .inboxStays: (.cannot, "INBOX cannot be deleted")
        case .invalidName(let why): (.cannot, "The name is not allowed: \(why)")
        case .tooManyKeywords: (.limit, "The mailbox has no room for more keywords")
        case .tooManyMailboxes: (.limit, "The account has no room for more mailboxes")
        case .overQuota: (.overQuota, "The account is full")
        case .uidsExhausted: (.limit, "The mailbox has no room for more messages")
        case .addressTaken: (.cannot, "The address is taken")
        case .diskFull: (.unavailable, "The server has no room for new mail")
        case .unavailable: (.unavailable, "The server is stopping")
        }
    }
}
