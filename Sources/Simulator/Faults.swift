import MailStore
import Platform
import Replication

// What breaks.

extension World {
    /// Breaks something, perhaps; true if it did.
    mutating func fault() -> Bool {
        if diskFault() { return true }
        if chance(mood.cut) { return cut() }
        if chance(mood.crash) { return crash() }
        if chance(1) { return replay() }
        if chance(1) { return intrude() }
        if mood.jumps, chance(1) {
            let i = Int(random.below(2))
            hosts[i].clockOffset = Int64(random.below(200)) * 1_000_000_000 - 100_000_000_000
            count("fault clock jump")
            ledger.hadClockJump = true
            return true
        }
        if mood.damages, ledger.damaged.isEmpty, chance(3) { return damage() }
        if mood.queues, queuesSince == nil, chance(3) {
            queuesSince = now
            count("fault queueing link")
            queue.add(.unqueue, at: now + milliseconds(8000...20_000))
            return true
        }
        if mood.lies, chance(2) { return lie() }
        if mood.rollback, chance(1) { return rollBack() }
        return false
    }

    private mutating func cut() -> Bool {
        if isCut != [false, false] {
            isCut = [false, false]
            note("links are whole")
            return true
        }
        cutSince = now
        switch random.below(4) {
        case 0: isCut[0] = true
        case 1: isCut[1] = true
        default: isCut = [true, true]
        }
        count(isCut == [true, true] ? "fault cut" : "fault one-way cut")
        note("cut \(isCut)")
        let length = mood.flap ? milliseconds(100...2000) : milliseconds(500...15_000)
        queue.add(.heal, at: now + length)
        return true
    }

    private mutating func crash() -> Bool {
        let i = Int(random.below(2))
        guard hosts[i].node != nil else { return false }
        count("fault crash")
        stop(i)
        if let disk = hosts[i].disk {
            crashDisk(i, disk)
        } else {
            let lost = hosts[i].journal.count - hosts[i].safe
            keep(i, hosts[i].safe + Int(random.below(UInt64(lost) + 1)))
        }
        queue.add(
            .restart(i),
            at: now + (chance(50) ? milliseconds(10...300) : milliseconds(300...15_000)))
        forgive()
        return true
    }

    /// Forgets the records of host `i` that its disk has lost.
    mutating func keep(_ i: Int, _ kept: Int, rollsBack: Bool = false) {
        note("\(kept) records are left on \(i) of \(hosts[i].journal.count)")
        if kept < hosts[i].journal.count { count("fault lost tail") }
        let losesSynced = min(kept, hosts[i].safe) < hosts[i].durable
        if losesSynced || rollsBack {
            if !rollsBack { count("fault lost what was synced") }
            isDishonest = true
            if !rollsBack { doom(i, min(kept, hosts[i].journal.count)) }
            forgetWhatIsLost(i, kept)
        }
        hosts[i].journal.removeSubrange(min(kept, hosts[i].journal.count)...)
        ledger.held[i] = ledger.held[i].filter { $0.value <= kept }
        ledger.placed[i] = ledger.placed[i].filter { $0.value <= kept }
        // A machine that is down, and whose disk fails again, has lost no more by that.
        hosts[i].durable = min(hosts[i].durable, hosts[i].journal.count)
        hosts[i].safe = min(hosts[i].safe, hosts[i].journal.count)
    }

    /// What a node that was apart gave out and lost, in blocks of its own of which it still knows.
    private mutating func doom(_ i: Int, _ kept: Int) {
        let last = hosts[i].journal[..<kept].last {
            switch $0.entry {
            case .apart, .connected: true
            default: false
            }
        }
        guard let last, case .apart = last.entry else { return }
        let blocks = Set(
            ledger.placed[i].filter { $0.value <= kept }.map {
                Ledger.Block(mailbox: $0.key.mailbox, number: UIDBlock(containing: $0.key.uid))
            })
        for (place, index) in ledger.placed[i] where index > kept {
            let number = UIDBlock(containing: place.uid)
            guard number.owner.rawValue == UInt8(i),
                blocks.contains(.init(mailbox: place.mailbox, number: number))
            else { continue }
            ledger.doomed.insert(place)
            count("R12 place lost while apart")
        }
    }

    mutating func stop(_ i: Int) {
        hosts[i].node = nil
        hosts[i].isSyncing = false
        for token in hosts[i].tokens.keys { ledger.waiting[token] = nil }
        hosts[i].tokens = [:]
        hosts[i].heard = Heard()
    }

    /// A bit flips in a guest's memory; the two meet anew soon after. Not on a disk with bodies: what no
    /// memory knows of is cleared away there, and bodies do not come from the peer yet (R6).
    private mutating func damage() -> Bool {
        let id = pick(accounts)!
        let i = Int(random.below(2))
        guard let node = hosts[i].node, hosts[i].disk == nil, node.link == .connected,
            isCut == [false, false], node.damage(id)
        else { return false }
        count("fault damaged memory")
        note("node \(i) loses a message of \(id.rawValue) from its memory")
        ledger.damaged.insert(id)
        cutSince = now
        isCut = [true, true]
        queue.add(.heal, at: now + milliseconds(6000...9000))
        return true
    }

    /// A frame of long ago comes once more.
    private mutating func replay() -> Bool {
        var choice = oldFrames
        if chance(60) { choice = oldFrames.filter(\.isReady) }
        guard let old = pick(choice), hosts[old.to].node != nil else { return false }
        count("fault frame replayed")
        note("an old frame comes to \(old.to)")
        receive(old.to, old.frame)
        return true
    }

    /// A node of another cluster says hello.
    private mutating func intrude() -> Bool {
        let i = Int(random.below(2))
        guard hosts[i].node != nil else { return false }
        count("R15 foreign hello")
        note("another cluster says hello to \(i)")
        let hello = Hello(
            cluster: 99, slot: Slot(rawValue: UInt8(1 - i))!, generation: 1,
            nonce: random.next64(), echo: nonces[i], wantsStates: false,
            own: [.init(incarnation: random.next64(), last: 9, chain: .zero)], yours: [])
        step(
            i,
            .frame(
                Frame(
                    session: (0, 0), number: 0, beat: clock(i).monotonic,
                    echo: clock(i).monotonic, mark: 0, ack: 0, executed: 0, body: .hello(hello))))
        return true
    }

    private mutating func lie() -> Bool {
        let i = Int(random.below(2))
        guard !hosts[1 - i].isLying, hosts[1 - i].node != nil, !isDishonest else { return false }
        hosts[i].isLying.toggle()
        hosts[i].disk?.lie(hosts[i].isLying)
        if !hosts[i].isLying { hosts[i].safe = hosts[i].durable }
        count("fault lying disk")
        return true
    }

    /// The disk is as it was some time ago.
    private mutating func rollBack() -> Bool {
        let i = Int(random.below(2))
        guard !isDishonest, hosts[1 - i].node != nil, hosts[i].journal.count > 3 else {
            return false
        }
        count("fault rollback")
        isDishonest = true
        stop(i)
        let wipes = chance(20)
        hosts[i].isRestored = chance(50)
        if hosts[i].isRestored { count("R16 restored by hand") }
        if wipes { count("fault wiped disk") }
        if let disk = hosts[i].disk {
            if wipes || !disk.rollBack() { disk.wipe() }
            survey(i, disk, rollsBack: true)
        } else {
            keep(
                i, wipes ? 0 : Int(random.below(UInt64(hosts[i].journal.count))), rollsBack: true)
        }
        queue.add(.restart(i), at: now + milliseconds(10...5000))
        forgive()
        return true
    }

    /// Clients forget the mailboxes of which they saw what no disk holds any more: neither node can know
    /// that it was there, and that somebody saw it, so that nobody can promise that its numbers are not
    /// given again. What the other node still has must come back, and is not forgotten.
    private mutating func forgetWhatIsLost(_ i: Int, _ kept: Int) {
        struct Name: Hashable {
            var origin: Slot
            var incarnation: UInt64
            var sequence: UInt64
        }
        func name(_ record: LogRecord) -> Name? {
            record.origin.map {
                Name(origin: $0, incarnation: record.incarnation, sequence: record.sequence)
            }
        }
        // Orders that a node did not hear to be durable where they come from, it drops (R2).
        var held: Set<Name> = []
        var unheard: [Name] = []
        for record in hosts[1 - i].journal {
            if case .mark(let mark) = record.entry {
                held.formUnion(unheard.filter { $0.sequence <= mark })
                unheard.removeAll { $0.sequence <= mark }
            }
            if case .apart = record.entry { unheard.removeAll() }
            guard let name = name(record) else { continue }
            if Int(name.origin.rawValue) == i { unheard.append(name) } else { held.insert(name) }
        }
        var lost: [AccountID: Int] = [:]
        for (index, record) in hosts[i].journal.enumerated().dropFirst(kept) {
            guard let name = name(record), !held.contains(name) else { continue }
            for account in accounts(of: record.entry) where lost[account] == nil {
                lost[account] = index + 1
            }
        }
        for c in clients.indices {
            guard let first = lost[clients[c].account] else { continue }
            for (id, cache) in clients[c].caches where cache.sources[i] >= first {
                count("cache of what is lost")
                clients[c].caches[id] = nil
            }
        }
    }

    private func accounts(of entry: Entry) -> [AccountID] {
        switch entry {
        case .accept(let op, _, _): op.deliveries.map(\.account)
        case .orders(let account, _, _, _), .branch(let account, _, _): [account]
        case .request(let request): [request.account]
        case .merge(let op, _): [op.account]
        case .line(let state): [state.id]
        case .home(let id, _, _), .check(let id, _): [id]
        case .differs(let id, _): [id]
        case .acknowledged, .mark, .apart, .connected, .diverged, .unknown: []
        }
    }

    /// Mail that no disk holds any more is lost; every other must turn up.
    mutating func forgive() {
        guard isDishonest else { return }
        var held: Set<InstanceID> = []
        for host in hosts {
            for record in host.journal {
                if case .accept(let op, _, _) = record.entry {
                    for delivery in op.deliveries { held.insert(delivery.instance) }
                }
            }
        }
        for mail in ledger.mails where mail.state == .answered {
            if let instance = mail.instance, held.contains(instance) { continue }
            for account in mail.accounts { excuse(mail.digest, account) }
        }
        ledger.flagged.removeAll()
    }
}
