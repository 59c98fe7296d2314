import Journal
import MailStore
import Platform
import Replication
import TestSupport

/// What one machine keeps: the production journal on a disk in memory that tears, lies, fails and
/// fills up.
final class HostDisk {
    /// What the node named, in its order, and the journal has not got yet: it waits for a sync.
    enum Item {
        case record(LogRecord)
        case rewind(Slot, ChainHead)
        case body(FinishedBody)
    }

    /// What a journal gave back.
    struct Recovered {
        var checkpoint: [UInt8] = []
        /// Those behind the checkpoint.
        var records: [LogRecord] = []

        /// Of the whole journal.
        var count: Int { PairNode.recordCount(ofCheckpoint: checkpoint) + records.count }

        mutating func take(_ item: RecoveredItem) throws(JournalError) {
            do throws(RecordFailure) {
                switch item {
                case .checkpointState(let chunk): checkpoint += chunk
                case .body: break
                case .op(let op, _): records.append(try LogRecord(op))
                case .note(let note, _): records.append(try LogRecord(note))
                }
            } catch {
                throw .foreign("\(error)")
            }
        }
    }

    let slot: Slot
    private(set) var disk: FaultyDisk
    /// Open as long as the node runs.
    private(set) var journal: Journal?
    private var rules: JournalRuleSwitches
    private var waiting: ArraySlice<Item> = []
    /// How many records the journal was given, from its beginning.
    private(set) var given = 0
    private var snapshots: [FaultyDisk.Snapshot] = []
    /// Something was made to go wrong: a failure is no surprise.
    private(set) var mayFail = false
    private(set) var isFull = false
    /// What goes wrong with the disk is chosen apart, so that nothing else of a history depends on it.
    var random: SeededRandomness

    init(slot: Slot, seed: UInt64, rules: JournalRuleSwitches) {
        self.slot = slot
        self.rules = rules
        random = SeededRandomness(seed: seed)
        disk = FaultyDisk(seed: random.next64())
    }

    func chance(_ percent: UInt64) -> Bool { random.below(100) < percent }

    private func configuration(_ incarnation: UInt64) -> JournalConfiguration {
        var c = JournalConfiguration(
            cluster: 7, slot: slot.rawValue, incarnation: incarnation, saltSeed: random.next64())
        c.segmentOctets = 128 << 10
        c.spareSegments = 2
        c.reserveOctets = 256 << 10
        c.rules = rules
        return c
    }

    // MARK: Starting

    func open(_ incarnation: UInt64) throws(JournalError) -> Recovered {
        var recovered = Recovered()
        let configuration = configuration(incarnation)
        journal = try Journal.open(disk: disk, configuration: configuration) {
            (item) throws(JournalError) in try recovered.take(item)
        }
        given = recovered.count
        return recovered
    }

    /// What a start would find; changes nothing.
    func read() throws(JournalError) -> Recovered {
        var recovered = Recovered()
        _ = try Journal.read(disk: disk, configuration: configuration(0)) {
            (item) throws(JournalError) in try recovered.take(item)
        }
        return recovered
    }

    /// The process is gone, and with it perhaps the power.
    func stop(losesPower: Bool, keepsSome: Bool) {
        journal = nil
        waiting = []
        if losesPower {
            disk.restartAfterPowerLoss(keepsSome: keepsSome)
        } else {
            disk.restartAfterProcessCrash()
        }
        calm()
    }

    /// Nothing goes wrong any more, until the next fault.
    func calm() {
        disk.setFaults { $0 = FaultyDisk.Faults() }
        disk.setCapacity(.max)
        (mayFail, isFull) = (disk.isCrashed, false)
    }

    func wipe() {
        journal = nil
        waiting = []
        disk = FaultyDisk(seed: random.next64())
        snapshots = []
        calm()
    }

    // MARK: Writing

    func add(_ item: Item) { waiting.append(item) }

    var isWaiting: Bool { !waiting.isEmpty }

    /// Writes what waits as one batch; false if there is nothing.
    func write() throws(JournalError) -> Bool {
        guard let journal else { return false }
        do throws(JournalError) {
            while let item = waiting.first {
                switch item {
                case .record(let record): try journal.append(record)
                case .body(let body): try journal.append(bodyFile: body)
                case .rewind(let slot, let head):
                    if journal.pendingHead(of: slot.rawValue) != head {
                        try journal.appendChainReset(slot: slot.rawValue, to: head)
                    }
                }
                waiting.removeFirst()
                if case .record = item { given += 1 }
            }
        } catch {
            // The next batch takes the rest.
            guard error == .batchFull else { throw error }
        }
        return try journal.write() != nil
    }

    func sync() throws(JournalError) { try journal?.sync() }

    /// Stores a body as the services do: a short one in the batch, if that is not on its way to the
    /// disk; else in a file of its own.
    func store(_ bytes: [UInt8], digest: SHA256Digest, isSyncing: Bool) throws(JournalError)
        -> BodyNumber
    {
        guard let journal else { throw .full }
        if !isSyncing, !isFull { return try journal.append(body: bytes, digest: digest) }
        let writer = try journal.bodyFiles.begin()
        try writer.write(bytes)
        var finished = try writer.finish()
        // The simulator's mails are named by what they are called, not by what is in them.
        finished.digest = digest
        waiting.append(.body(finished))
        return finished.number
    }

    // MARK: Housekeeping

    /// What a node does beside its work: room ahead, checkpoints, compaction. Nothing waits.
    ///
    /// - Returns: whether it took a checkpoint.
    func keepHouse(_ node: Running) throws(JournalError) -> Bool {
        guard let journal, !isFull else { return false }
        if journal.preparer.isNeeded { try journal.preparer.prepareNextSegment() }
        guard waiting.isEmpty, journal.pendingOctets == 0, chance(3) else { return false }
        var live: Set<BodyNumber> = []
        node.visitBodies { live.insert($0) }
        let writer = try journal.beginCheckpoint { live.contains($0) }
        let state = node.checkpoint()
        for start in stride(from: 0, to: state.count, by: 10_000) {
            try writer.write(Array(state[start..<min(state.count, start + 10_000)]))
        }
        let finished = try writer.finish()
        // Now and then the process dies, or is busy, before it takes it into use.
        if chance(10) { return true }
        try journal.install(finished)
        while try journal.compactStep(octetsMax: 16_000) > 0 { try journal.commit() }
        return true
    }

    // MARK: Faults

    /// Something goes wrong soon; one thing at a time.
    func arm() {
        mayFail = true
        let calls = Int(random.below(12))
        let kind = random.below(6)
        disk.setFaults {
            let lies = $0.dropsSyncs
            $0 = FaultyDisk.Faults()
            $0.dropsSyncs = lies
            switch kind {
            case 0: $0.failNextSync = true
            case 1: $0.failNextWrite = true
            case 2: $0.failNextDirectorySync = true
            default: $0.crashAfterChanges = calls
            }
        }
    }

    func fill() {
        isFull = true
        disk.setCapacity(disk.usedOctets + Int(random.below(60_000)))
    }

    func makeRoom() {
        isFull = false
        disk.setCapacity(.max)
    }

    func lie(_ lies: Bool) {
        if lies { disk.setFaults { $0.dropsSyncs = true } } else { disk.settle() }
    }

    /// Remembers what is durable now, for a time when the disk is put back to it.
    func takeSnapshot() {
        if snapshots.count >= 4 { snapshots.remove(at: Int(random.below(4))) }
        snapshots.append(disk.snapshot())
    }

    /// Puts the disk back to some time ago; false if no time is remembered.
    func rollBack() -> Bool {
        guard !snapshots.isEmpty else { return false }
        journal = nil
        waiting = []
        disk.restore(snapshots[Int(random.below(UInt64(snapshots.count)))])
        calm()
        return true
    }
}
