import Journal
import MailStore
import Platform
import Replication

/// Two nodes, their disks, the network between them, senders and clients: all of one history.
///
/// The nodes are the production's; only what surrounds them is pretended.
struct World {
    struct Options {
        var switches: RuleSwitches = []
        /// How many events happen before everything is healed.
        var events = 300
        var traces = false
        /// Disks lose nothing that they synced.
        var hasHonestDisks = false
        /// Records are in the production's journal on a disk that fails, not in an array.
        var usesJournal = false
        var journalRules: JournalRuleSwitches = []
    }

    enum Event {
        case work
        case tick(Int, life: Int)
        case synced(Int, life: Int, count: Int)
        case arrive(Int, [UInt8])
        case restart(Int)
        case retry(Int)
        case heal
        case unqueue
        case create(Int, Op.CreateAccount)
        /// The sender showed that it saw its answer, or never will.
        case seen(mail: Int, node: Int, life: Int, token: UInt64)
        case lost(node: Int, life: Int, token: UInt64)
    }

    /// One machine.
    struct Host {
        var node: Running?
        var life = 0
        var journal: [LogRecord] = []
        /// What a sync covered, and what is really safe: less, if the disk lies.
        var durable = 0
        var safe = 0
        var isLying = false
        var isSyncing = false
        var clockOffset: Int64 = 0
        /// What clients wait for, since when.
        var tokens: [UInt64: Int64] = [:]
        /// nil if the records are in `journal` alone.
        var disk: HostDisk?
        /// Put back from a backup, and not connected since.
        var isRestored = false
        /// What its journal says of mails that are no retries.
        var heard = Heard()
    }

    let options: Options
    let seed: UInt64
    var random: SeededRandomness
    var now: Int64 = 1_000_000_000_000
    var queue = EventQueue<Event>()
    var hosts = [Host(), Host()]
    /// Frames to this host do not arrive.
    var isCut = [false, false]
    /// How long each journal was when its node was last connected.
    var connectedAt = [0, 0]
    var cutSince: Int64 = 0
    /// Since then, frames queue up somewhere on the way.
    var queuesSince: Int64?
    var lastArrival: [Int64] = [0, 0]
    /// Each node's nonce as it last said hello.
    var nonces: [UInt64] = [0, 0]
    var oldFrames: [(to: Int, frame: [UInt8], isReady: Bool)] = []
    var isHealing = false
    var isDishonest = false
    var eventCount = 0
    var stepCount = 0
    var counters = Counters()
    /// What each node's clients saw last, and was checked.
    var checked: [[MailboxID: Mailbox]] = [[:], [:]]
    var failure: String?
    let trace = Trace()

    var ledger = Ledger()
    var clients: [Client] = []
    var accounts: [AccountID] = []
    var nextToken: UInt64 = 1
    /// The mail that a sender hands over just now.
    var attempting: Int?

    /// How often this history does what, in percent, so that histories differ in kind.
    var mood = Mood()

    /// What happened, for who looks into a failure.
    final class Trace {
        var lines: [String] = []
    }

    struct Mood {
        var cut: UInt64 = 3
        var crash: UInt64 = 2
        var flap = false
        var loss: UInt64 = 0
        var lies = false
        var rollback = false
        var structure: UInt64 = 10
        var slowDisk = false
        var holdLag: UInt64 = 64
        var queues = false
        var damages = false
        var moves = false
        var jumps = true
    }

    init(seed: UInt64, options: Options) {
        self.seed = seed
        self.options = options
        random = SeededRandomness(seed: seed &* 0x9E37_79B9 &+ 12345)
    }

    // MARK: Small things

    mutating func chance(_ percent: UInt64) -> Bool { random.below(100) < percent }

    mutating func pick<T>(_ items: [T]) -> T? {
        items.isEmpty ? nil : items[Int(random.below(UInt64(items.count)))]
    }

    mutating func count(_ name: StaticString) { counters.add(name) }

    mutating func fail(_ text: String) {
        if failure == nil {
            failure = (isDishonest ? "(after a disk lost what it had synced) " : "") + text
            note("FAILED: \(text)")
        }
    }

    func note(_ text: @autoclosure () -> String) {
        if options.traces { trace.lines.append("\(now / 1_000_000) \(text())") }
    }

    func clock(_ i: Int) -> Now {
        Now(
            wall: Instant(
                nanosecondsSinceEpoch: now + hosts[i].clockOffset + 1_700_000_000_000_000_000),
            monotonic: MonotonicTime(nanoseconds: now))
    }

    static let millisecond: Int64 = 1_000_000

    mutating func milliseconds(_ range: ClosedRange<UInt64>) -> Int64 {
        Int64(range.lowerBound + random.below(range.upperBound - range.lowerBound + 1))
            * Self.millisecond
    }

    // MARK: Nodes

    mutating func start(_ i: Int) {
        var configuration = PairNode.Configuration(slot: Slot(rawValue: UInt8(i))!, cluster: 7)
        configuration.switches = options.switches
        configuration.holdLag = mood.holdLag
        // A peer whose disk loses nothing lacks nothing that it once had.
        configuration.keepsAllRecords = mood.lies || mood.rollback
        configuration.isRestored = hosts[i].isRestored
        hosts[i].life += 1
        let incarnation = random.next64()
        let randomness = SeededRandomness(seed: random.next64())
        if let disk = hosts[i].disk {
            guard let node = open(i, disk, configuration, incarnation, randomness) else { return }
            hosts[i].node = node
            if hosts[i].isLying { disk.lie(true) }
        } else {
            hosts[i].node = Running(
                PairNode(
                    configuration, incarnation: incarnation, journal: hosts[i].journal,
                    randomness: randomness))
        }
        hosts[i].isSyncing = false
        hosts[i].durable = hosts[i].journal.count
        hosts[i].safe = hosts[i].journal.count
        hosts[i].tokens = [:]
        note("start \(i) with \(hosts[i].journal.count) records")
        step(i, .tick)
        queue.add(.tick(i, life: hosts[i].life), at: now + milliseconds(300...700))
    }

    mutating func step(_ i: Int, _ event: PairNode.Event) {
        guard let node = hosts[i].node else { return }
        stepCount += 1
        let before = node.link
        let actions = node.step(event, now: clock(i))
        let after = node.link
        for action in actions { perform(action, i) }
        if before != after {
            switch after {
            case .apart: count("link apart")
            case .joining: count("link joining")
            case .connected:
                count("link connected")
                connectedAt[i] = hosts[i].journal.count
                hosts[i].isRestored = false
            }
            note("node \(i) is \(after)")
        }
        writeBatch(i)
    }

    private mutating func perform(_ action: PairNode.Action, _ i: Int) {
        switch action {
        case .append(let record):
            noteMail(record, i)
            hosts[i].journal.append(record)
            if options.traces { note("  \(i) writes \(describe(record))") }
            countEntry(record.entry)
            if case .accept(_, false, _) = record.entry, let token = ledger.accepting {
                ledger.written.insert(token)
            }
            hold(record, i)
            if let disk = hosts[i].disk { disk.add(.record(record)) } else { startSync(i) }
        case .rewind(let slot, let head): hosts[i].disk?.add(.rewind(slot, head))
        case .send(let frame): send(frame, from: i)
        case .reply(let token, let result): replied(token, result, at: i)
        case .effects(let instance):
            ledger.effects[instance, default: 0] += 1
            if ledger.effects[instance]! > 1 { fail("R28: side effects of \(instance) twice") }
        case .alarm(let alarm):
            count("alarm")
            if case .statesDiffer(let id) = alarm {
                count("R27 difference found")
                ledger.isRepaired.insert(id)
                if !ledger.damaged.contains(id), !isDishonest {
                    fail("R27: states of account \(id.rawValue) differ")
                }
            } else if !isDishonest, alarm != .refusedPeer("another cluster") {
                fail("R15: \(alarm)")
            }
            note("node \(i) alarms: \(alarm)")
        }
    }

    private mutating func hold(_ record: LogRecord, _ i: Int) {
        let index = hosts[i].journal.count
        func place(_ mailbox: MailboxID, _ uid: UInt32) {
            let place = Ledger.Place(
                mailbox: mailbox, validity: UIDValidity(rawValue: 0), uid: uid)
            if ledger.placed[i][place] == nil { ledger.placed[i][place] = index }
        }
        switch record.entry {
        case .accept(let op, _, _):
            for delivery in op.deliveries where ledger.held[i][delivery.instance] == nil {
                ledger.held[i][delivery.instance] = index
            }
        case .orders(_, let ops, _, _):
            for op in ops {
                if case .assign(let op) = op {
                    for item in op.items { place(item.mailbox, item.uid) }
                }
                if case .copy(let op) = op {
                    for item in op.items { place(op.destination, item.uid) }
                }
            }
        case .merge(let op, _):
            for mailbox in op.mailboxes {
                for message in mailbox.additions { place(mailbox.mailbox, message.uid) }
            }
        default: break
        }
    }

    private mutating func countEntry(_ entry: Entry) {
        switch entry {
        case .accept(_, let kept, _): count(kept ? "R2 kept mail" : "R4 accept")
        case .orders(_, _, let answers, _):
            count(answers > 0 ? "R10 answered request" : "R9 orders")
        case .request: count("R10 request")
        case .branch(_, _, let state): count(state == nil ? "R17 branch" : "R16 branch by state")
        case .merge(let op, _):
            count("R20 merge")
            if ledger.damaged.contains(op.account), !ledger.isRepaired.contains(op.account) {
                ledger.muddled.insert(op.account)
            }
        case .line: count("R16 line by state")
        case .acknowledged: count("R7 acknowledged")
        case .mark: count("R2 mark")
        case .apart: count("R2 apart")
        case .connected: count("R3 connected")
        case .diverged: count("R16 diverged")
        case .unknown: fail("R36: a record of a type that nobody writes")
        case .home(_, _, let takes): count(takes == 0 ? "R29 handed over" : "R29 taken over")
        case .check: count("R27 check")
        case .differs: count("R27 repair")
        }
    }

    // MARK: Disks

    private mutating func startSync(_ i: Int) {
        guard !hosts[i].isSyncing else { return }
        hosts[i].isSyncing = true
        let takes = mood.slowDisk && chance(20) ? milliseconds(50...900) : milliseconds(1...12)
        queue.add(
            .synced(i, life: hosts[i].life, count: hosts[i].journal.count), at: now + takes)
    }

    private mutating func synced(_ i: Int, _ life: Int, _ count: Int) {
        guard hosts[i].life == life, hosts[i].node != nil else { return }
        hosts[i].isSyncing = false
        if let disk = hosts[i].disk {
            guard syncBatch(i, disk) else { return }
        }
        hosts[i].durable = count
        if !hosts[i].isLying { hosts[i].safe = count }
        step(i, .durable(count))
        if hosts[i].disk == nil, hosts[i].journal.count > count { startSync(i) }
    }

    // MARK: Network

    private mutating func send(_ frame: Frame, from i: Int) {
        let to = 1 - i
        if case .hello(let hello) = frame.body { nonces[i] = hello.nonce }
        if isCut[to] { return count("fault frame cut") }
        if mood.loss > 0, !isHealing, chance(mood.loss) { return count("fault frame lost") }
        var arrival = max(lastArrival[to], now + milliseconds(1...15))
        if let queuesSince { arrival = max(arrival, now + (now - queuesSince) * 8 / 10) }
        if !isHealing, chance(1) {
            arrival += milliseconds(10...2000)
            count("fault frame delayed")
        }
        if !isHealing, mood.loss > 0, chance(1) {
            count("fault frame reordered")
        } else {
            lastArrival[to] = arrival
        }
        let bytes = frame.encoded
        queue.add(.arrive(to, bytes), at: arrival)
        if !isHealing, chance(2) {
            count("fault frame doubled")
            queue.add(.arrive(to, bytes), at: arrival + milliseconds(0...50))
        }
        if case .ready = frame.body { oldFrames.append((to, bytes, true)) }
        if chance(15) { oldFrames.append((to, bytes, false)) }
        if oldFrames.count > 40 { oldFrames.removeFirst() }
    }

    private mutating func arrive(_ i: Int, _ frame: [UInt8]) {
        // What is on its way when the link is cut is lost with it, more often than not.
        if isCut[i], chance(70) { return count("fault frame cut") }
        receive(i, frame)
    }

    mutating func receive(_ i: Int, _ bytes: [UInt8]) {
        guard hosts[i].node != nil else { return }
        do throws(FrameFailure) {
            var frame = try Frame(decoding: bytes)
            // Stands for the flow of bodies (R6): a record is heard of when its body is here.
            if hosts[i].disk != nil, case .records(var records) = frame.body {
                for j in records.indices {
                    guard case .accept(let op, _, _) = records[j].entry,
                        let slot = records[j].origin, let node = hosts[i].node,
                        records[j].sequence > node.end(of: slot)
                    else { continue }
                    guard let body = store(op.digest, i, isPeers: true) else { return }
                    records[j].body = body
                }
                frame.body = .records(records)
            }
            step(i, .frame(frame))
        } catch {
            fail("R36: \(error)")
        }
    }

    // MARK: The loop

    mutating func run() {
        setUp()
        while failure == nil, let (time, event) = queue.next() {
            now = max(now, time)
            handle(event)
            if isHealing, isSettled { break }
            if isHealing, now > ledger.healedAt + 120_000 * Self.millisecond {
                fail(
                    "R3: the nodes do not settle: "
                        + hosts.map { $0.node?.unsettled ?? "down" }.joined(separator: " | "))
            }
        }
        if failure == nil { checkEnd() }
    }

    private mutating func handle(_ event: Event) {
        switch event {
        case .work:
            eventCount += 1
            work()
            if eventCount < options.events {
                queue.add(.work, at: now + milliseconds(1...150))
            } else {
                heal()
            }
        case .tick(let i, let life):
            guard hosts[i].life == life, hosts[i].node != nil else { return }
            step(i, .tick)
            if isCut != [false, false], now - cutSince > 9000 * Self.millisecond,
                hosts[i].node?.link == .connected
            {
                fail("R1: node \(i) is connected over a link that is cut")
            }
            checkPatience(i)
            queue.add(.tick(i, life: life), at: now + milliseconds(300...700))
        case .synced(let i, let life, let count): synced(i, life, count)
        case .arrive(let i, let frame): arrive(i, frame)
        case .restart(let i):
            if hosts[i].node == nil { start(i) }
        case .retry(let mail): attempt(mail)
        case .heal:
            isCut = [false, false]
            note("links are whole")
        case .unqueue: queuesSince = nil
        case .create(let number, let op): create(number, op)
        case .seen(let mail, let node, let life, let token): seen(mail, node, life, token)
        case .lost(let node, let life, let token):
            if hosts[node].node != nil, hosts[node].life == life {
                step(node, .abandoned(token: token))
            }
        }
    }

    /// A node that does not hear from its peer in time answers alone.
    private mutating func checkPatience(_ i: Int) {
        guard let since = hosts[i].tokens.values.min() else { return }
        if now - since > 16_000 * Self.millisecond {
            fail("R1: a client waits for its answer for more than 16 s on node \(i)")
        }
    }

    private var isSettled: Bool {
        hosts.indices.allSatisfy {
            hosts[$0].node?.isSettled ?? false && hosts[$0].journal.count == hosts[$0].durable
        }
            && ledger.mails.allSatisfy { $0.state == .answered || $0.state == .givenUp }
    }

    private mutating func heal() {
        isHealing = true
        ledger.healedAt = now
        isCut = [false, false]
        queuesSince = nil
        note("heal")
        for i in 0...1 {
            hosts[i].isLying = false
            hosts[i].clockOffset = 0
            hosts[i].disk?.lie(false)
            hosts[i].disk?.calm()
            if hosts[i].node == nil { start(i) }
        }
    }
}
