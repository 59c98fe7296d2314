import Journal
import MailStore
import Platform

/// One node of a pair: every change of its accounts, its half of the conversation with the peer, and
/// what may be shown and answered when. An event in, actions out; no I/O, no ambient time.
///
/// Who drives it appends the records it names to the journal in their order, syncs, reports how far
/// they are durable, and carries the frames. After a crash it makes the node anew from the journal.
///
/// It cannot be copied: there is one of it, and it is large.
public struct PairNode: ~Copyable, Sendable {
    public struct Configuration: Sendable {
        public var slot: Slot
        public var cluster: UInt64
        /// 1 for the first machine in the slot; a replaced one has the next.
        public var generation: UInt32 = 1
        /// Of the machine in the other slot.
        public var peerGeneration: UInt32 = 1
        public var limits = AccountLimits()
        /// A session ends when this long nothing came that answers something recent (R1).
        public var deadline = Duration.seconds(5)
        /// A guest that joins holds its clients' changes for so long at most (R3).
        public var holdMax = Duration.seconds(5)
        /// The guest holds them as soon as no more than so many records are missing on either side.
        public var holdLag: UInt64 = 64
        /// The most records, and about the most octets of them, that one frame holds.
        public var frameRecordsMax = 1024
        public var frameOctetsMax = 1 << 20
        /// Keeps both streams from their beginning, for a peer that may lose what it had durable. A
        /// peer that lost what is not kept is refused: handing it a whole state is not built yet (R33).
        public var keepsAllRecords = true
        /// The journal was put back by hand from a backup, and the node has not been connected since, nor
        /// has an operator said that there is no peer to wait for: it takes mail, but serves no clients
        /// (R16). Who drives it keeps this until then.
        public var isRestored = false
        package var switches: RuleSwitches = []

        public init(slot: Slot, cluster: UInt64) {
            self.slot = slot
            self.cluster = cluster
        }
    }

    public enum Event: Sendable {
        /// A client's change at this node; the token comes back with the reply.
        case submit(token: UInt64, AccountID, Change)
        /// A sender's message. If it is accepted, one of the next two follows on the same token.
        case deliver(token: UInt64, Incoming)
        /// The sender that was answered on this token showed that it saw our `250` (R7).
        case acknowledged(token: UInt64)
        /// It went without such a sign, or was not answered after all: it may try again (R7).
        case abandoned(token: UInt64)
        case createAccount(token: UInt64, Op.CreateAccount)
        /// The account's home is to be the other node (R29): only its home does it, while connected.
        case moveHome(token: UInt64, AccountID)
        /// So many records of the journal, counted from its beginning, are durable.
        case durable(Int)
        case frame(Frame)
        case tick
    }

    public enum Action: Sendable {
        case append(LogRecord)
        /// The next record of this stream continues from there: what is beyond was dropped. Stands
        /// among the records in its order, but is not counted as one.
        case rewind(Slot, to: ChainHead)
        case send(Frame)
        case reply(token: UInt64, ChangeResult)
        /// The side effects of an accepted message are due: once, here (R28).
        case effects(InstanceID)
        case alarm(Alarm)
    }

    public enum Alarm: Hashable, Sendable {
        /// The peer is of another cluster, slot or generation, or is a copy of this node (R15).
        case refusedPeer(String)
        /// The peer lost what it had called durable; it gets it back (R16).
        case peerLostRecords(UInt64)
        /// The peer lost records and went on without them (R16).
        case peerDiverged
        /// The peer lost records that are no longer kept here; it needs the state as a whole (R33).
        case peerBelowCheckpoint
        /// This node and its peer had different states of the account, and unite them (R27).
        case statesDiffer(AccountID)
    }

    /// A message from SMTP, as it is to be stored.
    public struct Incoming: Sendable {
        public var digest: SHA256Digest
        public var sizeOctets: UInt32
        public var reversePath: [UInt8]
        public var receivedDigest: SHA256Digest
        public var recipients: [(account: AccountID, forwardPath: [UInt8])]
        /// Where this node's journal has the stored octets.
        public var body: BodyNumber

        public init(
            digest: SHA256Digest, sizeOctets: UInt32, reversePath: [UInt8],
            receivedDigest: SHA256Digest, recipients: [(account: AccountID, forwardPath: [UInt8])],
            body: BodyNumber = BodyNumber(rawValue: 0)
        ) {
            self.digest = digest
            self.body = body
            self.sizeOctets = sizeOctets
            self.reversePath = reversePath
            self.receivedDigest = receivedDigest
            self.recipients = recipients
        }
    }

    public enum Link: Hashable, Sendable {
        case apart
        case joining
        case connected
    }

    public let configuration: Configuration
    let switches: RuleSwitches
    let incarnation: UInt64
    var randomness: any Randomness & Sendable
    public internal(set) var link = Link.apart
    var clock = HybridTime.zero
    var now = Now(
        wall: Instant(secondsSinceEpoch: 0), monotonic: MonotonicTime(nanoseconds: 0))

    // The journal, as far as it matters here.
    var own = StreamState()
    var peer = StreamState()
    /// What is in the journal of both streams, in its order.
    var order: [(isOwn: Bool, sequence: UInt64)] = []
    var logCount = 0
    var durableCount = 0
    /// Not yet durable: position in the journal, and what of the streams it holds.
    var unsynced: [(index: Int, own: UInt64, peer: UInt64, executed: UInt64)] = []
    var ownDurable: UInt64 = 0
    var peerDurable: UInt64 = 0
    var executedDurable: UInt64 = 0
    /// The peer's stream is executed up to here; the journal says so.
    var executed: UInt64 = 0
    /// The peer has so much of this node's stream durable, and has executed so much of it.
    var acknowledgedByPeer: UInt64 = 0
    var executedByPeer: UInt64 = 0
    var apartIndex = 0
    var lastLinkNote = Link.apart

    var accounts = AccountTable()
    /// Those with something that is not shown yet.
    var showing: [AccountID] = []
    var accepted = AcceptedMail()
    var replies: [(gate: Gate, token: UInt64, result: ChangeResult)] = []
    var effects: [(gate: Gate, instance: InstanceID)] = []
    /// By token, what each sender that is there was, or will be, answered for: one instance a recipient.
    var senders: [UInt64: [InstanceID]] = [:]
    var outstanding: [(sequence: UInt64, token: UInt64, request: Request)] = []
    /// With the state in which their clients named messages.
    var held: [(token: UInt64, account: AccountID, change: Change, seen: AccountState)] = []
    var appends: [WaitingAppend] = []
    var session: Session?
    var nonce: UInt64
    var heardNonce: UInt64 = 0
    /// Accounts that the peer has handed over, with its record's number (R29).
    var handed: [(account: AccountID, sequence: UInt64)] = []
    var hasOwnBranches = false
    /// Accounts of which the peer's line is another (R27).
    var differing: [AccountID] = []
    var hasStarted = false
    /// Restored, and not connected since (R16).
    var mustMeetPeer = false
    /// Since the two were last connected (R16).
    var peerHasDiverged = false
    var actions: [Action] = []
    /// Nobody looks yet, and nobody waits.
    var isReplaying = true

    /// An APPEND whose messages wait for their places (R10).
    struct WaitingAppend: Sendable {
        var token: UInt64
        var account: AccountID
        var instances: [InstanceID]
        var placed: [InstanceID: (mailbox: MailboxID, validity: UIDValidity, uid: UInt32)] = [:]
    }

    /// Makes the node from its journal, which begins with `journal`.
    public init(
        _ configuration: Configuration, incarnation: UInt64, journal: [LogRecord],
        randomness: any Randomness & Sendable
    ) {
        self.init(configuration, incarnation, randomness)
        replay(journal)
    }

    /// Makes the node from the state in a checkpoint of its journal, empty if there is none, and the
    /// records behind it.
    ///
    /// - Throws: if the state is none that `checkpoint` made.
    public init(
        _ configuration: Configuration, incarnation: UInt64, checkpoint: [UInt8],
        journal: [LogRecord], randomness: any Randomness & Sendable
    ) throws(DecodingFailure) {
        self.init(configuration, incarnation, randomness)
        if !checkpoint.isEmpty { try restore(checkpoint) }
        replay(journal)
    }

    private init(
        _ configuration: Configuration, _ incarnation: UInt64,
        _ randomness: any Randomness & Sendable
    ) {
        self.configuration = configuration
        self.switches = configuration.switches
        self.incarnation = incarnation
        self.randomness = randomness
        nonce = 0
        nonce = self.randomness.next64() | 1
    }

    private mutating func replay(_ journal: [LogRecord]) {
        for record in journal { replay(record) }
        mustMeetPeer = configuration.isRestored && !switches.contains(.servesRestored)
        isReplaying = false
        logCount += journal.count
        durableCount = logCount
        unsynced.removeAll()
        actions.removeAll()
        (ownDurable, peerDurable, executedDurable) = (own.end, peer.end, executed)
        for id in accounts.keys {
            accounts[known: id].waiting.removeAll()
            accounts[known: id].shown = accounts[known: id].served(at: slot)
            accounts[known: id].shownNumbering = accounts[known: id].numbering
        }
    }

    var slot: Slot { configuration.slot }

    func homeSlot(of id: AccountID) -> Slot? {
        accounts.contains(id) ? accounts[known: id].line.home : nil
    }

    func isHome(of id: AccountID) -> Bool {
        accounts.contains(id) && accounts[known: id].line.home == slot
    }

    // MARK: Reading

    /// What clients of this node are to see of the account.
    public func visible(_ id: AccountID) -> AccountState? {
        accounts.contains(id) && !mustMeetPeer ? accounts[known: id].shown : nil
    }

    public var accountIDs: [AccountID] { accounts.keys }

    /// What the node knows of the account, shown or not: for checks.
    package func served(_ id: AccountID) -> AccountState? {
        accounts.contains(id) ? accounts[known: id].served(at: slot) : nil
    }

    /// Nothing waits: no change, no merge, no frame on its way.
    package var isSettled: Bool {
        link == .connected && outstanding.isEmpty && held.isEmpty && replies.isEmpty
            && acknowledgedByPeer == own.end && executed == peer.end && executedByPeer == own.end
            && showing.isEmpty
            && accounts.keys.allSatisfy { accounts[known: $0].line.pending.isEmpty }
    }

    /// What keeps it from being settled, for a person.
    package var unsettled: String {
        var parts: [String] = ["\(link)"]
        if !outstanding.isEmpty { parts.append("\(outstanding.count) requests") }
        if !held.isEmpty { parts.append("\(held.count) held") }
        if let session {
            parts.append(
                "holds \(session.isHolding) said \(session.saidReady) heard \(session.heardReady)")
        }
        if !replies.isEmpty { parts.append("\(replies.count) replies") }
        parts.append("own \(own.end) acknowledged \(acknowledgedByPeer) executed \(executedByPeer)")
        parts.append("peer \(peer.end) executed \(executed)")
        for id in accounts.keys {
            let pair = accounts[known: id]
            parts.append(
                "\(id.rawValue) \(pair.line.home) branch \(pair.branch != nil) \(pair.branchEnd) \(pair.coveredEnd)"
            )
            if !pair.waiting.isEmpty { parts.append("\(id.rawValue) waits to be shown") }
            if !pair.line.pending.isEmpty {
                parts.append(
                    "\(id.rawValue) has mail without place: \(pair.line.pending.keys.map(\.description))"
                )
            }
        }
        return parts.joined(separator: ", ")
    }

    // MARK: Steps

    public mutating func step(_ event: Event, now: Now) -> [Action] {
        self.now = now
        start()
        switch event {
        case .submit(let token, let account, let change): submit(token, account, change)
        case .deliver(let token, let incoming): deliver(token, incoming)
        case .acknowledged(let token):
            let heard = senders.removeValue(forKey: token) ?? []
            let news = heard.filter { accepted.acknowledge($0) }
            if !news.isEmpty { write(.acknowledged(news)) }
        case .abandoned(let token): senders[token] = nil
        case .createAccount(let token, let create): createAccount(token, create)
        case .moveHome(let token, let id): moveHome(token, id)
        case .durable(let count):
            becameDurable(count)
            join()
        case .frame(let frame): receive(frame)
        case .tick: tick()
        }
        if !differing.isEmpty { repair() }
        if !handed.isEmpty || hasOwnBranches { takeOver() }
        show()
        flush()
        var done: [Action] = []
        swap(&done, &actions)
        return done
    }

    /// What a start does before anything else: the session that the last incarnation may have had is
    /// over (R2), and blocks that it used while apart are left alone (R12).
    private mutating func start() {
        guard !hasStarted else { return }
        hasStarted = true
        // The last incarnation may have dropped something without getting this far.
        actions.append(.rewind(slot.other, to: peer.head))
        if lastLinkNote == .apart, !switches.contains(.keepsBlockAfterCrash) {
            for id in accounts.keys {
                accounts[known: id].line.closeBlocks()
                accounts[known: id].branch?.closeBlocks()
            }
        }
        goApart()
    }

    // MARK: The journal

    /// Writes the next record of this node's stream.
    @discardableResult
    mutating func write(_ entry: Entry, body: BodyNumber = .none) -> UInt64 {
        clock = clock.next(at: now.wall)
        let sequence = own.end + 1
        let record = LogRecord(
            entry, origin: slot, incarnation: incarnation, sequence: sequence, after: own.chain,
            clock: clock, body: body)
        own.append(record)
        order.append((true, sequence))
        log(record, own: sequence)
        session?.outbox.append(record)
        return sequence
    }

    /// Writes a note of this node alone.
    mutating func note(_ entry: Entry, executed: UInt64? = nil) {
        log(LogRecord(note: entry, clock: clock), executed: executed)
    }

    mutating func log(
        _ record: LogRecord, own: UInt64 = 0, peer: UInt64 = 0, executed: UInt64? = nil
    ) {
        logCount += 1
        unsynced.append((logCount, own, peer, executed ?? 0))
        actions.append(.append(record))
    }

    private mutating func becameDurable(_ count: Int) {
        guard count > durableCount else { return }
        durableCount = count
        var done = 0
        for entry in unsynced {
            guard entry.index <= count else { break }
            if entry.own > 0 { ownDurable = entry.own }
            // The peer's stream may have been cut back meanwhile.
            if entry.peer > 0, entry.peer <= peer.end { peerDurable = entry.peer }
            executedDurable = min(max(entry.executed, executedDurable), executed)
            done += 1
        }
        unsynced.removeFirst(done)
    }

    /// Executes a record from the journal as it was executed before.
    private mutating func replay(_ record: LogRecord) {
        clock = max(clock, record.clock)
        switch record.origin {
        case slot:
            own.append(record)
            order.append((true, record.sequence))
            execute(record)
        case nil:
            switch record.entry {
            case .mark(let mark): executePeer(upTo: mark)
            case .apart:
                lastLinkNote = .apart
                cutPeer(to: executed)
            case .connected:
                lastLinkNote = .connected
                peerHasDiverged = false
            case .diverged(let common): _ = noteDivergence(common)
            default: break
            }
        default:
            peer.append(record)
            order.append((false, record.sequence))
        }
    }
}
