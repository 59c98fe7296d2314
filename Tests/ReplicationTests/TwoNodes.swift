import MailStore
import Platform
import Replication

/// Two nodes on disks that lose nothing, with a link that a test cuts where it wants: for histories
/// that are told step by step.
struct TwoNodes {
    static let account = AccountID(rawValue: 7)
    /// Of the same home.
    static let other = AccountID(rawValue: 8)

    /// Holds a node, which cannot be copied.
    private final class Machine {
        var node: PairNode
        init(_ node: consuming PairNode) { self.node = node }
    }

    private var machines: [Machine] = []
    private var journals: [[LogRecord]] = [[], []]
    private var wires: [[Frame]] = [[], []]
    /// Frames to this node are lost.
    var isCut = [false, false]
    private var clock: Int64 = 1_000_000_000_000
    private var replies: [UInt64: ChangeResult] = [:]
    private var nextToken: UInt64 = 0

    /// An account with its home on node 0, both nodes connected.
    init() {
        for i in 0...1 { machines.append(Machine(Self.node(i, incarnation: UInt64(i + 1), []))) }
        nextToken = 2
        for (token, id) in [(1, Self.account), (2, Self.other)] as [(UInt64, AccountID)] {
            step(
                0,
                .createAccount(
                    token: token,
                    Accounts.creating(
                        id, home: .a, addresses: ["\(token)@example.test"], quotaOctets: nil,
                        at: now.wall)))
        }
        meet()
    }

    private static func node(
        _ i: Int, incarnation: UInt64, _ journal: [LogRecord]
    ) -> PairNode {
        PairNode(
            PairNode.Configuration(slot: Slot(rawValue: UInt8(i))!, cluster: 1),
            incarnation: incarnation, journal: journal,
            randomness: SeededRandomness(seed: incarnation))
    }

    func journalCount(_ i: Int) -> Int { journals[i].count }

    /// The node starts again on a disk that has lost all but so many records.
    mutating func rollBack(_ i: Int, to count: Int) {
        journals[i].removeSubrange(count...)
        machines[i].node = Self.node(i, incarnation: UInt64(100 + clock % 1_000_000), journals[i])
        step(i, .tick)
    }

    /// The node starts again from a checkpoint of all that it has; what the checkpoint says then.
    mutating func restartFromCheckpoint(_ i: Int) throws -> (before: [UInt8], after: [UInt8]) {
        let before = machines[i].node.checkpoint()
        machines[i].node = try Self.node(i, checkpoint: before)
        let after = machines[i].node.checkpoint()
        step(i, .tick)
        return (before, after)
    }

    static func node(_ i: Int, checkpoint: [UInt8]) throws -> PairNode {
        try PairNode(
            PairNode.Configuration(slot: Slot(rawValue: UInt8(i))!, cluster: 1),
            incarnation: UInt64(200 + checkpoint.count), checkpoint: checkpoint, journal: [],
            randomness: SeededRandomness(seed: UInt64(checkpoint.count)))
    }

    /// An operator gives the account to the other node.
    mutating func moveHome(_ i: Int) -> UInt64 {
        nextToken += 1
        step(i, .moveHome(token: nextToken, Self.account))
        return nextToken
    }

    private var now: Now {
        Now(
            wall: Instant(nanosecondsSinceEpoch: clock + 1_700_000_000_000_000_000),
            monotonic: MonotonicTime(nanoseconds: clock))
    }

    /// One event, and the sync of what it wrote.
    private mutating func step(_ i: Int, _ event: PairNode.Event) {
        var written = perform(machines[i].node.step(event, now: now), i)
        while written {
            written = perform(machines[i].node.step(.durable(journals[i].count), now: now), i)
        }
    }

    private mutating func perform(_ actions: [PairNode.Action], _ i: Int) -> Bool {
        let before = journals[i].count
        for action in actions {
            switch action {
            case .append(let record): journals[i].append(record)
            case .send(let frame): if !isCut[1 - i] { wires[1 - i].append(frame) }
            case .reply(let token, let result): replies[token] = result
            case .rewind, .effects, .alarm: break
            }
        }
        return journals[i].count > before
    }

    /// Carries frames until none is on its way, or so many.
    mutating func exchange(atMost count: Int = .max) {
        var carried = 0
        while carried < count, let to = (0...1).first(where: { !wires[$0].isEmpty }) {
            step(to, .frame(wires[to].removeFirst()))
            carried += 1
        }
    }

    /// The link is whole, but only so many frames have passed.
    mutating func beginToMeet(frames: Int) {
        isCut = [false, false]
        clock += 1_000_000_000
        for i in 0...1 { step(i, .tick) }
        exchange(atMost: frames)
    }

    /// Time passes.
    mutating func wait(seconds: Int64) {
        for _ in 0..<seconds {
            clock += 1_000_000_000
            for i in 0...1 { step(i, .tick) }
            exchange()
        }
    }

    /// The link is whole until both are connected.
    mutating func meet() {
        isCut = [false, false]
        for _ in 0..<20 where !isConnected { wait(seconds: 1) }
    }

    /// Nothing passes until both have gone apart.
    mutating func part() {
        isCut = [true, true]
        wires = [[], []]
        wait(seconds: 12)
    }

    var isConnected: Bool { machines.allSatisfy { $0.node.link == .connected } }

    /// A client's change; the answer, if it has come by itself.
    @discardableResult
    mutating func submit(_ i: Int, _ change: Change) -> UInt64 {
        nextToken += 1
        step(i, .submit(token: nextToken, Self.account, change))
        return nextToken
    }

    /// A message from a sender, told by its number.
    mutating func deliver(
        _ i: Int, _ number: UInt64, to accounts: [AccountID] = [Self.account]
    ) -> UInt64 {
        nextToken += 1
        let digest = SHA256Digest(words: (number, 1, 0, 0))
        step(
            i,
            .deliver(
                token: nextToken,
                .init(
                    digest: digest, sizeOctets: 1, reversePath: [1], receivedDigest: digest,
                    recipients: accounts.map { ($0, [1]) })))
        return nextToken
    }

    /// The sender that was answered on this token shows that it saw that.
    mutating func acknowledge(_ i: Int, _ token: UInt64) {
        step(i, .acknowledged(token: token))
    }

    func reply(_ token: UInt64) -> ChangeResult? { replies[token] }

    func account(_ i: Int, _ id: AccountID = Self.account) -> AccountState {
        machines[i].node.visible(id)!
    }

    func inbox(_ i: Int, _ id: AccountID = Self.account) -> Mailbox {
        account(i, id).mailbox(account(i, id).inboxID)!
    }

    mutating func append(_ i: Int, _ number: UInt64, flags: NamedFlags = .none) {
        let message = NewMessage(
            digest: SHA256Digest(words: (number, 0, 0, 0)), body: BodyNumber(rawValue: 0),
            sizeOctets: 1, internalDate: now.wall, flags: flags)
        submit(i, .append(mailbox: account(i).inboxID, [message]))
    }

    mutating func store(_ i: Int, _ change: FlagChange, _ flags: Flags) -> UInt64 {
        let inbox = inbox(i)
        return submit(
            i,
            .setFlags(
                mailbox: inbox.id, uids: UIDSet(inbox.messages.allUIDs), change: change,
                flags: NamedFlags(system: flags), unchangedSince: nil))
    }
}
