import Journal
import MailStore
import Node
import Platform
import TestSupport

extension NodeHistory {
    mutating func restart() throws {
        journal = nil
        loseProcess()
        // Now and then recovery itself is cut short.
        while random.below(6) == 0 {
            let calls = Int(random.below(10))
            disk.setFaults { $0.crashAfterChanges = calls }
            try reopenDespiteFaults()
            journal = nil
            loseProcess()
        }
        // On a disk that is wholly full, too, a node starts and shows what it has.
        let staysFull = isFull && random.below(2) == 0
        if staysFull {
            disk.setFaults { $0.isFull = true }
            counters.fullStarts += 1
        } else {
            setFull(false)
        }
        do { try reopen() } catch JournalError.full where staysFull {
            // A batch that must be written again, or a journal that is to be begun, needs room.
            let names = try disk.list()
            guard
                names.contains(where: { $0.hasPrefix("doubt-") })
                    || !names.contains(where: { $0.hasPrefix("segment-") })
            else { throw Violation("a full disk keeps the node from starting") }
            setFull(false)
            try reopen()
        }
    }

    private mutating func loseProcess() {
        if random.below(2) == 0 {
            counters.powerLosses += 1
            disk.restartAfterPowerLoss()
        } else {
            counters.crashes += 1
            disk.restartAfterProcessCrash()
        }
        disk.setFaults { $0 = FaultyDisk.Faults() }
        mayFail = false
    }

    private mutating func reopenDespiteFaults() throws {
        do {
            try reopen()
        } catch let error as JournalError {
            switch error {
            case .failed, .disk: return
            case .full where isFull: return
            default: throw Violation("unexpected error at a start: \(error)")
            }
        }
    }

    /// What recovery hands out, turned into a node as `NodeData` does.
    struct Recovery {
        var node: Node
        var state: [UInt8] = []
        var isStateDone = false

        mutating func take(_ item: RecoveredItem) throws(JournalError) {
            switch item {
            case .checkpointState(let chunk): state += chunk
            case .body, .note: try finishState()
            case .op(let record, _):
                try finishState()
                guard let op = try? Op(type: record.header.type, payload: record.payload) else {
                    throw .foreign("an operation cannot be read")
                }
                node.replay(
                    op, clock: HybridTime(rawValue: record.header.clock), body: record.body)
            }
        }

        mutating func finishState() throws(JournalError) {
            guard !isStateDone else { return }
            isStateDone = true
            guard !state.isEmpty else { return }
            do throws(DecodingFailure) { try node.restore(state) } catch {
                throw .foreign("\(error)")
            }
        }
    }

    private func open(_ recovery: inout Recovery) throws(JournalError) -> Journal {
        var c = JournalConfiguration(
            cluster: 0x77, slot: 0, incarnation: incarnation, saltSeed: incarnation &* 77)
        c.segmentOctets = 96 << 10
        c.batchOctetsMax = 64 << 10
        c.recordOctetsMax = 32 << 10
        c.reserveOctets = 0
        c.spareSegments = 1
        let journal = try Journal.open(disk: disk, configuration: c) {
            item throws(JournalError) in try recovery.take(item)
        }
        try recovery.finishState()
        return journal
    }

    /// Starts the node again; what it knows must be what was shown, and what was in doubt wholly or
    /// not at all.
    mutating func reopen() throws {
        incarnation += 1
        var recovery = Recovery(
            node: Node(slot: .a, randomness: SeededRandomness(seed: seed &+ incarnation &* 999)))
        let opened = try open(&recovery)
        journal = opened
        let got = encode(recovery.node)
        let isKept = opened.head(of: 0).sequence != committed
        if let batch = inDoubt {
            if isKept {
                try fold(batch.records)
                counters.keptInDoubt += 1
            }
            unanswered += batch.mails.map(\.mail)
            for copy in batch.retried { lost[copy, default: 0] += 1 }
            if isKept {
                for (copy, growth) in batch.growth { lost[copy, default: 0] += growth }
                acknowledging = []
            }
        }
        inDoubt = nil
        committed = opened.head(of: 0).sequence
        // No session outlives the process, nor does what was not journalled.
        for (mail, _) in answered { lose(mail) }
        for mail in acknowledging { lose(mail) }
        unanswered += answered.filter { _ in random.below(2) == 0 }.map(\.mail)
        (answered, acknowledging) = ([], [])
        if got != encode(reference) {
            throw Violation("the state after a start is not what was durable before")
        }
        node = recovery.node
        node.finishRecovery(now: now)
        visible = node
        try checkBodies(opened)
        do { try commit() } catch JournalError.full where isFull { return }
        try checkVisible(node.accounts.keys.sorted())
    }

    func encode(_ node: Node) -> [UInt8] {
        var w = ByteWriter(reserving: 1 << 14)
        for id in node.accounts.keys.sorted() { node.accounts[id]?.encode(into: &w) }
        return w.bytes
    }

    /// Every message that is shown can be read as it was written.
    private func checkBodies(_ journal: Journal) throws {
        var checked: Set<BodyNumber> = []
        for id in visible.accounts.keys.sorted() {
            for mailbox in visible.accounts[id]?.mailboxes ?? [] {
                try mailbox.messages.visit { row in
                    guard checked.insert(row.facts.body).inserted else { return }
                    let bytes = try journal.bodies.read(row.facts.body)
                    if SHA256Digest(hashing: bytes) != row.facts.digest {
                        throw Violation("a message's body is another's")
                    }
                }
            }
        }
    }

    /// What clients were shown stays true: UIDs, UIDNEXT, HIGHESTMODSEQ; and counters are a recount.
    mutating func checkVisible(_ touched: [AccountID]) throws {
        for id in touched {
            guard let account = visible.accounts[id] else { continue }
            var used: UInt64 = 0
            for mailbox in account.mailboxes {
                let key = MailboxKey(id: mailbox.id, validity: mailbox.uidValidity)
                try check(mailbox, key)
                used += mailbox.sizeOctets
            }
            if used != account.usedOctets { throw Violation("the quota's counter is wrong") }
            if !account.pending.isEmpty { throw Violation("a message has no place") }
        }
    }

    private mutating func check(_ mailbox: Mailbox, _ key: MailboxKey) throws {
        if let last = numbers[key] {
            if mailbox.uidNext < last.uidNext { throw Violation("UIDNEXT went down") }
            if mailbox.highestModSeq < last.highest {
                throw Violation("HIGHESTMODSEQ went down")
            }
        }
        numbers[key] = (mailbox.uidNext, mailbox.highestModSeq)
        var octets: UInt64 = 0
        var unseen = 0
        var deleted = 0
        var last: UInt32 = 0
        for position in 0..<mailbox.messages.count {
            let row = mailbox.messages[position]
            octets += UInt64(row.facts.sizeOctets)
            if !row.flags.contains(.seen) { unseen += 1 }
            if row.flags.contains(.deleted) { deleted += 1 }
            if row.uid <= last || row.uid >= mailbox.uidNext {
                throw Violation("UID \(row.uid) is out of order")
            }
            if row.modSeq > mailbox.highestModSeq {
                throw Violation("a MODSEQ above HIGHESTMODSEQ")
            }
            last = row.uid
            let known = bound.updateValue(
                row.facts.instance, forKey: UIDKey(mailbox: key, uid: row.uid))
            if let known, known != row.facts.instance {
                throw Violation("UID \(row.uid) means another message")
            }
        }
        if octets != mailbox.sizeOctets || unseen != mailbox.unseenCount
            || deleted != mailbox.deletedCount
        {
            throw Violation("a mailbox's counters are not a recount")
        }
    }

    /// The senders come again until every mail is answered; then nothing may be missing.
    mutating func end() throws {
        try restart()
        try attempt { try $0.commit() }
        try restart()
        guard let journal else { return }
        if let damage = journal.verify().first { throw Violation("verify: \(damage)") }
    }
}
