import Journal
import MailStore
import Platform
import Replication

// Histories in which the nodes' records are in the production's journal, on disks that fail. What a node
// named stays in `Host.journal` as well: what the journal gives back must be a part of it from the
// beginning, and no shorter than what was durable.

extension World {
    /// The node of host `i` from what its disk holds; nil if that does not succeed now.
    mutating func open(
        _ i: Int, _ disk: HostDisk, _ configuration: PairNode.Configuration, _ incarnation: UInt64,
        _ randomness: SeededRandomness
    ) -> Running? {
        // Now and then a start is cut short, too.
        if !isHealing, eventCount > 0, disk.chance(8) { disk.arm() }
        do {
            let recovered = try disk.open(incarnation)
            let node = Running(
                try PairNode(
                    configuration, incarnation: incarnation, checkpoint: recovered.checkpoint,
                    journal: recovered.records, randomness: randomness))
            compare(i, recovered)
            if node.recordCount != hosts[i].journal.count {
                fail(
                    "J12: node \(i) starts with \(node.recordCount) records of \(hosts[i].journal.count)"
                )
            }
            return node
        } catch let error as JournalError {
            diskFailed(i, error)
        } catch {
            fail("R33: the checkpoint of node \(i) cannot be read: \(error)")
        }
        return nil
    }

    /// What the disk holds is what was written, from the beginning to somewhere.
    private mutating func compare(_ i: Int, _ recovered: HostDisk.Recovered) {
        let start = recovered.count - recovered.records.count
        guard recovered.count <= hosts[i].journal.count else {
            return fail("J13: node \(i) has \(recovered.count) records, and wrote fewer")
        }
        for (j, record) in recovered.records.enumerated() {
            let written = hosts[i].journal[start + j]
            if record.opRecord != written.opRecord || record.noteRecord != written.noteRecord {
                return fail("J4: record \(start + j + 1) of node \(i) is not what was written")
            }
        }
    }

    /// Looks at what is left on the disk of host `i`, and forgets what is not.
    mutating func survey(_ i: Int, _ disk: HostDisk, rollsBack: Bool = false) {
        var kept = 0
        do throws(JournalError) {
            let recovered = try disk.read()
            compare(i, recovered)
            kept = recovered.count
        } catch {
            // Batches that were said to be durable are missing between others: the node says so, and
            // its machine is replaced.
            guard case .damage = error, hosts[i].isLying else {
                return fail("J3: the journal of node \(i) cannot be read: \(error)")
            }
            count("fault damaged journal")
            note("the journal of \(i) is damaged: \(error)")
            disk.wipe()
        }
        if kept < hosts[i].safe, !hosts[i].isLying, !isDishonest {
            fail("J1: node \(i) has \(kept) records, and \(hosts[i].safe) were durable")
        }
        keep(i, kept, rollsBack: rollsBack)
    }

    /// The process of host `i` ends, and perhaps its power.
    mutating func crashDisk(_ i: Int, _ disk: HostDisk) {
        let losesPower = disk.chance(60)
        count(losesPower ? "fault power loss" : "fault process crash")
        disk.stop(losesPower: losesPower, keepsSome: !hosts[i].isLying || disk.chance(50))
        survey(i, disk)
    }

    /// A call of the disk failed: the process stops.
    mutating func diskFailed(_ i: Int, _ error: JournalError) {
        guard let disk = hosts[i].disk else { return }
        switch error {
        case .failed, .disk: if !disk.mayFail { fail("J6: node \(i): \(error)") }
        case .full:
            if !disk.isFull { fail("R34: node \(i): \(error)") }
            disk.makeRoom()
        default: fail("J: node \(i): \(error)")
        }
        count("fault disk failed")
        note("the disk of \(i) failed: \(error)")
        stop(i)
        crashDisk(i, disk)
        forgive()
        queue.add(.restart(i), at: now + milliseconds(10...3000))
    }

    // MARK: Batches

    /// Writes what node `i` named as one batch, if none is on its way.
    mutating func writeBatch(_ i: Int) {
        guard let disk = hosts[i].disk, hosts[i].node != nil, !hosts[i].isSyncing,
            disk.isWaiting || disk.journal?.pendingOctets ?? 0 > 0
        else { return }
        do throws(JournalError) {
            guard try disk.write() else { return }
        } catch {
            // A full disk loses nothing; what waits still waits.
            guard error == .full, disk.isFull else { return diskFailed(i, error) }
            count("R34 full disk")
            return
        }
        hosts[i].isSyncing = true
        let takes = mood.slowDisk && chance(20) ? milliseconds(50...900) : milliseconds(1...12)
        queue.add(.synced(i, life: hosts[i].life, count: disk.given), at: now + takes)
    }

    /// True if the batch is durable.
    mutating func syncBatch(_ i: Int, _ disk: HostDisk) -> Bool {
        do throws(JournalError) {
            try disk.sync()
            hosts[i].isSyncing = false
            if mood.rollback, disk.chance(4) { disk.takeSnapshot() }
            guard let node = hosts[i].node else { return false }
            // Behind the last record that the node named, or not at all.
            if disk.given == hosts[i].journal.count, try disk.keepHouse(node) {
                count("R33 checkpoint")
            }
            return true
        } catch {
            if error == .full, disk.isFull { return true }
            diskFailed(i, error)
            return false
        }
    }

    // MARK: Bodies

    static func body(_ digest: SHA256Digest) -> [UInt8] {
        var random = SeededRandomness(seed: digest.words.0 &* 31 &+ digest.words.1)
        return random.bytes(Int(random.below(400)))
    }

    /// Stores the body of a message; nil if there is no room or the node is gone.
    mutating func store(_ digest: SHA256Digest, _ i: Int, isPeers: Bool = false) -> BodyNumber? {
        guard let disk = hosts[i].disk else { return BodyNumber(rawValue: 0) }
        guard let journal = disk.journal else { return nil }
        if !isPeers, !journal.canAcceptBody(octets: 1000) {
            count("R34 452")
            return nil
        }
        do throws(JournalError) {
            return try disk.store(
                Self.body(digest), digest: digest, isSyncing: hosts[i].isSyncing)
        } catch {
            if error == .full || error == .batchFull, disk.isFull { return nil }
            diskFailed(i, error)
            return nil
        }
    }

    /// Every message's body is there, octet for octet, on this node too.
    mutating func checkBodies(_ i: Int) {
        guard let journal = hosts[i].disk?.journal else { return }
        for id in accounts {
            guard let state = hosts[i].node?.visible(id) else { continue }
            for mailbox in state.mailboxes {
                for row in mailbox.messages.chunks.flatMap(\.facts) {
                    let bytes = try? journal.bodies.read(row.body)
                    if bytes != Self.body(row.digest) {
                        fail(
                            "J7: body \(row.body) of \(row.instance) on node \(i) is "
                                + (bytes == nil ? "gone" : "another"))
                    }
                }
            }
        }
    }

    /// A start from the disk gives what is served.
    mutating func checkDisk(_ i: Int, _ disk: HostDisk) {
        do {
            let recovered = try disk.read()
            compare(i, recovered)
            let node = try PairNode(
                PairNode.Configuration(slot: Slot(rawValue: UInt8(i))!, cluster: 7),
                incarnation: 1, checkpoint: recovered.checkpoint, journal: recovered.records,
                randomness: SeededRandomness(seed: 1))
            for id in accounts {
                guard let a = hosts[i].node?.visible(id), let b = node.visible(id) else { continue }
                if let difference = Self.difference(a, b) {
                    fail("R33: a start from the checkpoint of node \(i) differs: \(difference)")
                }
            }
        } catch {
            fail("R33: the journal of node \(i) cannot be read: \(error)")
        }
    }

    // MARK: Faults

    /// Breaks something of a disk, perhaps; true if it did.
    mutating func diskFault() -> Bool {
        guard let first = hosts[0].disk else { return false }
        let i = Int(first.random.below(2))
        guard let disk = hosts[i].disk, hosts[i].node != nil else { return false }
        if disk.isFull {
            guard disk.chance(20) else { return false }
            disk.makeRoom()
            note("the disk of \(i) has room")
            writeBatch(i)
            return true
        }
        if disk.chance(2) {
            disk.arm()
            count("fault disk armed")
            return true
        }
        guard disk.chance(1) else { return false }
        disk.fill()
        note("the disk of \(i) is full")
        count("fault full disk")
        return true
    }
}
