import Journal
import MailStore
import Node
import Platform
import TestSupport

/// What a history found: a sentence. The seed replays it.
struct Violation: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

/// A whole node as it runs, but for threads and the index: the production `Node` and `Journal` on a
/// disk that tears, fails and fills up, driven as `NodeRuntime` drives them, at random from a seed.
struct NodeHistory {
    struct Counters {
        var events = 0
        var deliveries = 0
        var absorbed = 0
        var overQuota = 0
        var acknowledged = 0
        var appends = 0
        var changes = 0
        var refusedChanges = 0
        var fullDisks = 0
        var fullStarts = 0
        var crashes = 0
        var powerLosses = 0
        var keptInDoubt = 0
        var checkpoints = 0
        var moves = 0

        mutating func add(_ o: Counters) {
            events += o.events
            deliveries += o.deliveries
            absorbed += o.absorbed
            overQuota += o.overQuota
            acknowledged += o.acknowledged
            appends += o.appends
            changes += o.changes
            refusedChanges += o.refusedChanges
            fullDisks += o.fullDisks
            fullStarts += o.fullStarts
            crashes += o.crashes
            powerLosses += o.powerLosses
            keptInDoubt += o.keptInDoubt
            checkpoints += o.checkpoints
            moves += o.moves
        }

        var all: [Int] {
            [
                events, deliveries, absorbed, overQuota, acknowledged, appends, changes,
                refusedChanges,
                fullDisks, fullStarts, crashes, powerLosses, keptInDoubt, checkpoints, moves,
            ]
        }
    }

    /// A mail that a sender has in its queue.
    struct Mail {
        var bytes: [UInt8]
        var recipients: [AccountID]
        var digest: SHA256Digest { SHA256Digest(hashing: bytes) }
    }

    /// What is executed and not yet durable.
    struct Batch {
        var before: Node
        var mails: [(mail: Mail, result: ChangeResult)] = []
        var records: [Node.Record] = []
        /// How many more copies there must be afterwards.
        var growth: [Copy: Int] = [:]
        var retried: [Copy] = []
        var acknowledged: [Mail] = []
    }

    /// One mail in one account.
    struct Copy: Hashable {
        var digest: SHA256Digest
        var account: AccountID
    }

    var random: SeededRandomness
    let disk: FaultyDisk
    let seed: UInt64
    var incarnation: UInt64 = 0
    var journal: Journal?
    var node: Node
    /// What is durable and shown.
    var visible: Node
    /// Every durable operation, executed one after the other, without any checkpoint.
    var reference: Node
    /// The batch that was being made durable when the crash came.
    var inDoubt: Batch?
    /// The last operation that was known to be durable.
    var committed: UInt64 = 0
    var counters = Counters()
    var clock: Int64 = 1_000_000
    var mailNumber = 0
    /// Sent, but never answered: the sender comes again.
    var unanswered: [Mail] = []
    /// Answered, but nothing shows yet that the sender saw it; its session is there.
    var answered: [(mail: Mail, ticket: InstanceID)] = []
    /// Copies whose sender's session ended so: each absorbs a retry, and this alone.
    var lost: [Copy: Int] = [:]
    /// Acknowledged in a batch that is not durable yet.
    var acknowledging: [Mail] = []
    var bound: [UIDKey: InstanceID] = [:]
    var numbers: [MailboxKey: (uidNext: UInt32, highest: ModSeq)] = [:]
    var mayFail = false
    var isFull = false

    struct UIDKey: Hashable {
        var mailbox: MailboxKey
        var uid: UInt32
    }

    struct MailboxKey: Hashable {
        var id: MailboxID
        var validity: UIDValidity
    }

    var now: Now {
        Now(
            wall: Instant(secondsSinceEpoch: clock),
            monotonic: MonotonicTime(nanoseconds: clock * 1_000_000_000))
    }

    init(seed: UInt64) {
        self.seed = seed
        random = SeededRandomness(seed: seed)
        disk = FaultyDisk(seed: seed ^ 0xD15C)
        node = Node(slot: .a, randomness: SeededRandomness(seed: seed))
        visible = node
        reference = Node(slot: .a, randomness: SeededRandomness(seed: seed))
    }

    static func run(seed: UInt64, events: Int = 300) throws -> Counters {
        var history = NodeHistory(seed: seed)
        try history.reopen()
        try history.attempt { h in
            for i in 0..<2 { h.create("u\(i)@example.test") }
            try h.commit()
        }
        while history.counters.events < events { try history.attempt { try $0.step() } }
        try history.end()
        return history.counters
    }

    /// Runs a step; a disk that fails ends the process, which is started again.
    mutating func attempt(_ body: (inout NodeHistory) throws -> Void) throws {
        do {
            try body(&self)
        } catch let error as JournalError {
            switch error {
            case .full where isFull: counters.fullDisks += 1
            case .failed where mayFail, .disk where mayFail: try restart()
            default: throw Violation("unexpected error: \(error)")
            }
        }
    }

    mutating func step() throws {
        counters.events += 1
        clock += Int64(random.below(40))
        switch random.below(100) {
        case 0..<35: try mailBatch()
        case 35..<75: try changeBatch()
        case 75..<80: try checkpoint()
        case 80..<84: try compact()
        case 84..<86: try journal?.preparer.prepareNextSegment()
        case 86..<90: try restart()
        case 90..<95: arm()
        default:
            setFull(!isFull)
        }
    }

    /// A disk that fills up soon, or one on which nothing can be written any more.
    mutating func setFull(_ full: Bool) {
        isFull = full
        let isWhole = full && random.below(2) == 0
        disk.setCapacity(full && !isWhole ? disk.usedOctets + Int(random.below(60_000)) : .max)
        disk.setFaults { $0.isFull = isWhole }
    }

    private mutating func arm() {
        mayFail = true
        disk.setFaults { $0 = FaultyDisk.Faults() }
        let calls = Int(random.below(10))
        let kind = random.below(6)
        disk.setFaults {
            switch kind {
            case 0: $0.failNextSync = true
            case 1: $0.failNextWrite = true
            case 2: $0.failNextDirectorySync = true
            default: $0.crashAfterChanges = calls
            }
        }
    }

    // MARK: Mail

    private mutating func mailBatch() throws {
        var batch = Batch(before: node)
        for _ in 0...random.below(4) {
            counters.events += 1
            switch random.below(10) {
            case 0..<2 where !unanswered.isEmpty: deliver(widened(unanswered.removeFirst()), &batch)
            case 2 where !answered.isEmpty:
                // The answer got lost: the sender comes again.
                let gone = answered.remove(at: Int(random.below(UInt64(answered.count))))
                _ = node.step(.abandoned(gone.ticket), now: now)
                lose(gone.mail)
                deliver(widened(gone.mail), &batch)
            case 3 where !answered.isEmpty:
                // The sender saw the answer; now and then it sends an equal mail on purpose.
                let seen = answered.removeFirst()
                _ = node.step(.acknowledged(seen.ticket), now: now)
                acknowledging.append(seen.mail)
                counters.acknowledged += 1
                if random.below(2) == 0 { deliver(seen.mail, &batch) }
            case 4 where !answered.isEmpty:
                // An equal mail at the same time.
                deliver(answered[Int(random.below(UInt64(answered.count)))].mail, &batch)
            default: if let mail = newMail() { deliver(mail, &batch) }
            }
        }
        try commit(&batch)
    }

    private mutating func newMail() -> Mail? {
        let all = node.accounts.keys.sorted()
        let recipients = all.filter { _ in random.below(2) == 0 }
        guard !recipients.isEmpty else { return nil }
        mailNumber += 1
        let size = Int(random.below(random.below(8) == 0 ? 9_000 : 1_500))
        return Mail(
            bytes: Array("mail \(mailNumber)\r\n".utf8) + random.bytes(size),
            recipients: recipients)
    }

    /// A sender may have more recipients to tell when it comes again.
    private mutating func widened(_ mail: Mail) -> Mail {
        var mail = mail
        for id in node.accounts.keys.sorted()
        where random.below(4) == 0 && !mail.recipients.contains(id) { mail.recipients.append(id) }
        return mail
    }

    /// The mail's session ended without a sign that its answer was seen.
    mutating func lose(_ mail: Mail) {
        for id in mail.recipients { lost[Copy(digest: mail.digest, account: id), default: 0] += 1 }
    }

    private mutating func deliver(_ mail: Mail, _ batch: inout Batch) {
        var mail = mail
        // Others are refused at RCPT.
        mail.recipients.removeAll { node.accounts[$0] == nil }
        guard !mail.recipients.isEmpty else { return }
        let delivery = MailDelivery(
            body: .bytes(mail.bytes, digest: mail.digest), receivedDigest: mail.digest,
            reversePath: Array("s@example.org".utf8),
            recipients: mail.recipients.map { .init(account: $0, forwardPath: Array("\($0)".utf8)) }
        )
        var result = node.answer(to: delivery)
        if case .accepted? = result { counters.absorbed += 1 }
        if result == .refused(.overQuota) {
            counters.overQuota += 1
            return
        }
        if result == nil {
            guard let body = try? store(mail.bytes) else { return unanswered.append(mail) }
            result = node.step(.deliver(delivery, body: body), now: now)
            counters.deliveries += 1
        }
        for id in mail.recipients {
            let copy = Copy(digest: mail.digest, account: id)
            if let count = lost[copy], count > 0 {
                lost[copy] = count - 1
                batch.retried.append(copy)
            } else {
                batch.growth[copy, default: 0] += 1
            }
        }
        if let result { batch.mails.append((mail, result)) }
    }

    /// Long bodies go to files of their own, as in the services.
    private mutating func store(_ bytes: [UInt8]) throws -> BodyNumber {
        guard let journal, journal.canAcceptBody(octets: UInt64(bytes.count)) else {
            throw JournalError.full
        }
        guard bytes.count > 6_000 else {
            return try journal.append(body: bytes, digest: SHA256Digest(hashing: bytes))
        }
        let writer = try journal.bodyFiles.begin()
        try writer.write(bytes)
        let finished = try writer.finish()
        try journal.append(bodyFile: finished)
        return finished.number
    }

    func count(_ digest: SHA256Digest, in account: AccountState?) -> Int {
        var count = 0
        for mailbox in account?.mailboxes ?? [] {
            mailbox.messages.visit { if $0.facts.digest == digest { count += 1 } }
        }
        for message in account?.pending.values ?? [:].values where message.facts.digest == digest {
            count += 1
        }
        return count
    }

    // MARK: Batches, as NodeRuntime's writer makes them

    mutating func commit() throws {
        var batch = Batch(before: visible)
        try commit(&batch)
    }

    mutating func commit(_ batch: inout Batch) throws {
        guard let journal else { return }
        let (records, touched) = node.takeBatch(now: now)
        batch.records = records
        inDoubt = batch
        guard try write(records, journal) else {
            // All of it is taken back, and every answer is a refusal.
            node.revertBatch()
            if encode(node) != encode(batch.before) {
                throw Violation("a batch that was taken back left something")
            }
            journal.discardPending()
            inDoubt = nil
            for copy in batch.retried { lost[copy, default: 0] += 1 }
            unanswered += batch.mails.map(\.mail)
            throw JournalError.full
        }
        inDoubt = nil
        acknowledging = []
        committed = journal.head(of: 0).sequence
        node.keepBatch(now: now)
        try fold(records)
        visible = node
        try checkVisible(touched)
        for (mail, result) in batch.mails {
            if case .accepted(let ticket) = result { answered.append((mail, ticket)) }
        }
        try checkGrowth(batch)
    }

    /// Every answered mail is there once more than before, and a retry is not; nobody is beyond the
    /// quota by more than one message.
    private func checkGrowth(_ batch: Batch) throws {
        for (copy, growth) in batch.growth {
            let before = count(copy.digest, in: batch.before.accounts[copy.account])
            let after = count(copy.digest, in: node.accounts[copy.account])
            if after - before != growth {
                throw Violation("\(growth) mails were answered, \(after - before) are there")
            }
        }
        for copy in Set(batch.retried) where batch.growth[copy] == nil {
            let before = count(copy.digest, in: batch.before.accounts[copy.account])
            if count(copy.digest, in: node.accounts[copy.account]) != before {
                throw Violation("a retry was delivered again")
            }
        }
        let longest = UInt64(batch.mails.map(\.mail.bytes.count).max() ?? 0)
        for id in Set(batch.growth.keys.map(\.account)) {
            guard let state = node.accounts[id], let quota = state.quotaOctets else { continue }
            if state.usedOctets >= quota + longest {
                throw Violation("an account is beyond its quota by more than a message")
            }
        }
    }

    /// Whether there was room.
    private func write(_ records: [Node.Record], _ journal: Journal) throws -> Bool {
        do {
            for record in records {
                let header = OpHeader(type: record.op.type, clock: record.clock.rawValue)
                _ = try journal.append(header, payload: record.op.encoded, body: record.body)
            }
            try journal.commit()
            return true
        } catch let error as JournalError {
            if error == .full { return false }
            throw error
        }
    }

    mutating func fold(_ records: [Node.Record]) throws {
        for record in records {
            guard let op = try Op(type: record.op.type, payload: record.op.encoded) else {
                throw Violation("an operation that was written is not known")
            }
            reference.replay(op, clock: record.clock, body: record.body)
        }
    }

    func liveBodies(_ node: Node) -> Set<BodyNumber> {
        var all: Set<BodyNumber> = []
        for id in node.accounts.keys.sorted() {
            guard let account = node.accounts[id] else { continue }
            for message in account.pending.values { all.insert(message.facts.body) }
            for mailbox in account.mailboxes {
                mailbox.messages.visit { all.insert($0.facts.body) }
            }
        }
        return all
    }

    private mutating func checkpoint() throws {
        guard let journal else { return }
        try commit()
        let live = liveBodies(node)
        let writer = try journal.beginCheckpoint { live.contains($0) }
        let snapshot = node
        // The node goes on meanwhile.
        for _ in 0..<random.below(3) { try mailBatch() }
        let state = snapshot.encodedState()
        var start = 0
        while start < state.count {
            let end = min(state.count, start + 20_000)
            try writer.write(Array(state[start..<end]))
            start = end
        }
        let finished = try writer.finish()
        if random.below(6) == 0 { return }
        try journal.install(finished)
        counters.checkpoints += 1
    }

    private mutating func compact() throws {
        guard let journal else { return }
        try commit()
        let moved = try journal.compactStep(octetsMax: 16_000)
        if moved > 0 { counters.moves += 1 }
        if try !write([], journal) {
            journal.discardPending()
            throw JournalError.full
        }
    }
}
