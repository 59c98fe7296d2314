import Journal
import Platform
import TestSupport

/// What a history found: a sentence. The seed replays it.
struct Violation: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

/// One journal on a disk that tears, fails and fills up, driven at random from a seed and compared
/// with a model: what was committed is there, what was not never half-appears, damage is reported.
struct JournalHistory {
    /// How often each thing happened.
    struct Counters {
        var events = 0
        var commits = 0
        var checkpoints = 0
        var moves = 0
        var processCrashes = 0
        var powerLosses = 0
        var failedSyncs = 0
        var fullDisks = 0
        var keptInDoubt = 0
        var droppedInDoubt = 0
        var damageFound = 0
        var damageHarmless = 0
        var tailsLost = 0
        var disk = FaultyDisk.Counters()

        mutating func add(_ other: Counters) {
            events += other.events
            commits += other.commits
            checkpoints += other.checkpoints
            moves += other.moves
            processCrashes += other.processCrashes
            powerLosses += other.powerLosses
            failedSyncs += other.failedSyncs
            fullDisks += other.fullDisks
            keptInDoubt += other.keptInDoubt
            droppedInDoubt += other.droppedInDoubt
            damageFound += other.damageFound
            damageHarmless += other.damageHarmless
            tailsLost += other.tailsLost
            disk.tornSectors += other.disk.tornSectors
            disk.scrambledBlocks += other.disk.scrambledBlocks
            disk.lostNames += other.disk.lostNames
        }
    }

    struct Body {
        var seed: UInt64
        var octets: Int
        var isFile: Bool

        var bytes: [UInt8] {
            var random = SeededRandomness(seed: seed)
            return random.bytes(octets)
        }
    }

    /// What waits for a commit, or was written when the crash came.
    struct Waiting {
        var ops: [OpRecord] = []
        var pending: [PendingOp] = []
        var bodies: [(number: BodyNumber, body: Body)] = []
        var peerIndex: Int
        var isWritten = false
        var isEmpty: Bool { ops.isEmpty && bodies.isEmpty }
    }

    let rules: JournalRuleSwitches
    var random: SeededRandomness
    let disk: FaultyDisk
    var journal: Journal?
    var incarnation: UInt64 = 0
    var counters = Counters()

    // The model.
    var ops: [OpRecord] = []
    var positions: [LocalPosition] = []
    var live: [BodyNumber: Body] = [:]
    /// Dead, but a checkpoint that says so is not durable yet: they may come back.
    var zombies: [BodyNumber: Body] = [:]
    var everUsed: Set<BodyNumber> = []
    var waiting = Waiting(peerIndex: 0)
    var peerIndex = 0
    /// How many ops the durable checkpoint covers; one that was being finished may count too.
    var checkpointed = 0
    var inDoubtCheckpoint: Int?
    var retainFrom: Int?
    /// Of the last batch: a flip in it cannot be told from a torn write.
    var lastBatchOps = 0
    var lastBatchBodies: [BodyNumber] = []
    var endBodies: [BodyNumber: [UInt8]] = [:]
    var mayFail = false
    var isFull = false

    init(seed: UInt64, rules: JournalRuleSwitches = []) {
        self.rules = rules
        random = SeededRandomness(seed: seed)
        disk = FaultyDisk(seed: seed ^ 0xD15C)
    }

    static func run(seed: UInt64, rules: JournalRuleSwitches = []) throws -> Counters {
        var history = JournalHistory(seed: seed, rules: rules)
        try history.reopen()
        if history.random.below(2) == 0, !rules.contains(.unalignedBatches) {
            history.retainFrom = 0
        }
        let length = 40 + Int(history.random.below(80))
        for _ in 0..<length { try history.step() }
        try history.end()
        history.counters.disk = history.disk.counters
        return history.counters
    }

    // MARK: Steps

    mutating func step() throws {
        counters.events += 1
        do {
            switch random.below(100) {
            case 0..<22: try appendOp()
            case 22..<40: try appendBody()
            case 40..<46: try appendBodyFile()
            case 46..<50: try appendPeerOp()
            case 50..<72: try commit()
            case 72..<77: try checkpoint()
            case 77..<81: try compact()
            case 81..<84: try journal?.preparer.prepareNextSegment()
            case 84..<85: discard()
            case 85..<88: try readBack()
            case 88..<90: try restart(power: random.below(2) == 0)
            case 90..<96: arm()
            default: toggleFull()
            }
        } catch let error as JournalError {
            try recover(from: error)
        }
    }

    /// What a caller does about an error; one without a cause is a violation.
    private mutating func recover(from error: JournalError) throws {
        switch error {
        case .batchFull:
            try commitAgain()
        case .full where isFull:
            counters.fullDisks += 1
            if random.below(2) == 0 { discard() } else { toggleFull() }
        case .positionGone(let position): throw Violation("retained ops are gone: \(position)")
        case .failed where mayFail, .disk where mayFail:
            try restart(power: random.below(2) == 0)
        default: throw Violation("unexpected error: \(error)")
        }
    }

    private mutating func commitAgain() throws {
        do {
            try commit()
        } catch let error as JournalError {
            try recover(from: error)
        }
    }

    /// Makes something go wrong soon.
    private mutating func arm() {
        mayFail = true
        // One at a time: no start can know of a sync that failed if the process died before it
        // could leave a mark.
        disk.setFaults { $0 = FaultyDisk.Faults() }
        let calls = Int(random.below(14))
        switch random.below(8) {
        case 0...3: disk.setFaults { $0.crashAfterChanges = calls }
        case 4: disk.setFaults { $0.failNextSync = true }
        case 5: disk.setFaults { $0.failNextWrite = true }
        case 6:
            let pick = random.below(3)
            disk.setFaults {
                if pick == 0 { $0.failNextRead = true }
                if pick == 1 { $0.failNextDirectorySync = true }
                if pick == 2 { $0.failChanges = true }
            }
        default: disk.setFaults { $0.failNextSync = true }
        }
    }

    private mutating func toggleFull() {
        isFull.toggle()
        disk.setCapacity(isFull ? disk.usedOctets + Int(random.below(30_000)) : .max)
    }

    private mutating func discard() {
        journal?.discardPending()
        waiting = Waiting(peerIndex: peerIndex)
    }

    private mutating func appendOp(naming body: BodyNumber = BodyNumber(rawValue: 0)) throws {
        guard let journal else { return }
        let most: UInt64 = random.below(12) == 0 ? 6_000 : 300
        let payload = random.bytes(Int(random.below(most)))
        let header = OpHeader(
            type: UInt16(random.below(50)), mustUnderstand: random.below(4) > 0,
            clock: random.next64())
        let op = try journal.append(header, payload: payload, body: body)
        waiting.pending.append(op)
        waiting.ops.append(
            OpRecord(name: op.name, header: header, chain: op.chain, payload: payload, body: body))
    }

    private mutating func appendPeerOp() throws {
        guard let journal, waiting.peerIndex < PeerOps.all.count - 8 else { return }
        if random.below(8) == 0 {
            // The peer's chain goes on from elsewhere, as after a state transfer.
            let skipped = PeerOps.all[waiting.peerIndex + 3]
            try journal.appendChainReset(
                slot: 1,
                to: ChainHead(
                    incarnation: skipped.name.incarnation, sequence: skipped.name.sequence,
                    hash: skipped.chain))
            waiting.peerIndex += 4
        }
        let op = PeerOps.all[waiting.peerIndex]
        waiting.pending.append(try journal.append(peerOp: op))
        waiting.ops.append(op)
        waiting.peerIndex += 1
    }

    private mutating func appendBody() throws {
        guard let journal else { return }
        let body = Body(
            seed: random.next64(), octets: Int(random.below(random.below(6) == 0 ? 9_000 : 2_000)),
            isFile: false)
        let bytes = body.bytes
        let number = try journal.append(body: bytes, digest: SHA256Digest(hashing: bytes))
        try take(number, body)
        if random.below(5) > 0 { try appendOp(naming: number) }
    }

    private mutating func appendBodyFile() throws {
        guard let journal else { return }
        let body = Body(seed: random.next64(), octets: Int(random.below(15_000)), isFile: true)
        let bytes = body.bytes
        let writer = try journal.bodyFiles.begin()
        let cut = Int(random.below(UInt64(bytes.count + 1)))
        try writer.write(Array(bytes[..<cut]))
        if random.below(8) == 0 { return }
        try writer.write(Array(bytes[cut...]))
        let finished = try writer.finish()
        // Finished, but never named: gone after the next start.
        if random.below(6) == 0 { return }
        try journal.append(bodyFile: finished)
        try take(finished.number, body)
        if random.below(5) > 0 { try appendOp(naming: finished.number) }
    }

    private mutating func take(_ number: BodyNumber, _ body: Body) throws {
        waiting.bodies.append((number, body))
        if everUsed.contains(number) { throw Violation("body number \(number) is used again") }
    }

    mutating func commit() throws {
        guard let journal else { return }
        waiting.isWritten = true
        let batch = try write(journal)
        try journal.sync()
        guard let batch else {
            waiting.isWritten = false
            return
        }
        counters.commits += 1
        let places = waiting.pending.map { batch.position(of: $0) }
        accept(places)
        if journal.head(of: 0) != journal.pendingHead(of: 0) {
            throw Violation("a commit leaves an op behind")
        }
    }

    private mutating func write(_ journal: Journal) throws -> WrittenBatch? {
        do {
            return try journal.write()
        } catch JournalError.full {
            waiting.isWritten = false
            throw JournalError.full
        }
    }

    /// What waited is committed.
    private mutating func accept(_ places: [LocalPosition]) {
        ops += waiting.ops
        positions += places
        for (number, body) in waiting.bodies {
            live[number] = body
            everUsed.insert(number)
        }
        lastBatchOps = waiting.ops.count
        lastBatchBodies = waiting.bodies.map(\.number)
        peerIndex = waiting.peerIndex
        waiting = Waiting(peerIndex: peerIndex)
    }

    private mutating func checkpoint() throws {
        guard let journal else { return }
        try commit()
        for number in live.keys.sorted() where random.below(3) == 0 {
            zombies[number] = live.removeValue(forKey: number)
        }
        if let retain = retainFrom, random.below(2) == 0 {
            retainFrom = retain + Int(random.below(UInt64(ops.count - retain + 1)))
        }
        let retain =
            retainFrom.map { $0 < positions.count ? positions[$0] : journal.durablePosition }
            ?? LocalPosition(value: .max)
        let stillLive = live
        let writer = try journal.beginCheckpoint(retainOpsFrom: retain) { stillLive[$0] != nil }
        let covered = ops.count
        // Whoever serves goes on meanwhile.
        for _ in 0..<random.below(4) {
            try appendOp()
            if random.below(2) == 0 { try appendBody() }
            try commit()
        }
        inDoubtCheckpoint = covered
        try writer.write(Self.state(covered))
        let finished = try writer.finish()
        checkpointed = covered
        inDoubtCheckpoint = nil
        if random.below(5) == 0 { return }
        try journal.install(finished)
        zombies = [:]
        counters.checkpoints += 1
        try readRetained()
    }

    /// The state of the layer above: how many ops it has seen, and some more octets.
    private static func state(_ covered: Int) -> [UInt8] {
        var random = SeededRandomness(seed: UInt64(covered))
        return withUnsafeBytes(of: UInt64(covered).littleEndian) { Array($0) }
            + random.bytes(covered * 37 % 5_000)
    }

    private func readRetained() throws {
        guard let journal, let retainFrom, retainFrom < ops.count else { return }
        let start = positions[retainFrom]
        var read: [OpRecord] = []
        try journal.ops.read(from: start, to: journal.durablePosition) { op, at in
            if at >= start { read.append(op) }
            return true
        }
        if read != Array(ops[retainFrom...]) {
            throw Violation("ops that the peer lacks are not what was committed")
        }
    }

    private mutating func compact() throws {
        guard let journal else { return }
        try commit()
        let moved = try journal.compactStep(octetsMax: 8_000)
        if moved > 0 { counters.moves += 1 }
        // Nothing of the model waits, but a batch may be half written.
        _ = try journal.commit()
        lastBatchOps = 0
        lastBatchBodies = []
    }

    private mutating func readBack() throws {
        guard let journal else { return }
        try readRetained()
        for number in live.keys.sorted() where random.below(6) == 0 {
            guard let body = live[number] else { continue }
            let bytes = try journal.bodies.read(number, verifyDigest: true)
            if bytes != body.bytes { throw Violation("body \(number) is not what was committed") }
            let low = random.below(UInt64(body.octets + 1))
            let range = low..<low + random.below(400)
            let part = try journal.bodies.read(number, range: range)
            let end = min(Int(range.upperBound), body.octets)
            if part != Array(body.bytes[min(Int(low), end)..<end]) {
                throw Violation("a part of body \(number) is not what was committed")
            }
        }
    }
}
