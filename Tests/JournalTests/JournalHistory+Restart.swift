import Journal
import Platform
import TestSupport

extension JournalHistory {
    // MARK: Crashes and recovery

    /// The process dies, or the machine does; then the journal is opened again.
    mutating func restart(power: Bool) throws {
        journal = nil
        if power {
            counters.powerLosses += 1
            disk.restartAfterPowerLoss()
        } else {
            counters.processCrashes += 1
            disk.restartAfterProcessCrash()
        }
        disk.setFaults { $0 = FaultyDisk.Faults() }
        mayFail = false
        // Now and then recovery itself is cut short.
        while random.below(5) == 0 {
            let calls = Int(random.below(12))
            disk.setFaults { $0.crashAfterChanges = calls }
            mayFail = true
            try reopenDespiteFaults()
            if random.below(2) == 0 {
                disk.restartAfterPowerLoss()
            } else {
                disk.restartAfterProcessCrash()
            }
            disk.setFaults { $0 = FaultyDisk.Faults() }
            mayFail = false
        }
        do {
            try reopen()
        } catch JournalError.full where isFull {
            isFull = false
            disk.setCapacity(.max)
            try reopen()
        }
        try checkFiles()
    }

    private mutating func reopenDespiteFaults() throws {
        do {
            try reopen()
        } catch let error as JournalError {
            journal = nil
            switch error {
            case .failed, .disk: return
            case .full where isFull: return
            default: throw error
            }
        }
    }

    func journalConfiguration() -> JournalConfiguration {
        var c = JournalConfiguration(
            cluster: 0x1234, slot: 0, incarnation: incarnation, saltSeed: incarnation &* 77)
        c.segmentOctets = 48 << 10
        c.batchOctetsMax = 32 << 10
        c.recordOctetsMax = 16 << 10
        c.reserveOctets = 0
        c.spareSegments = 1
        c.rules = rules
        return c
    }

    /// What the journal hands out.
    struct Recovered {
        var ops: [OpRecord] = []
        var places: [LocalPosition] = []
        var state: [UInt8] = []

        mutating func take(_ item: RecoveredItem) {
            switch item {
            case .checkpointState(let chunk): state += chunk
            case .body, .note: break
            case .op(let op, let at):
                ops.append(op)
                places.append(at)
            }
        }

        /// How many ops the checkpoint's state covers.
        var covered: Int {
            state.prefix(8).enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
        }
    }

    private func open(_ found: inout Recovered) throws -> Journal {
        do {
            return try tryOpening(&found)
        } catch JournalError.damage(let damage) {
            throw Violation("reported damage where there is none: \(damage)")
        }
    }

    private func tryOpening(_ found: inout Recovered) throws(JournalError) -> Journal {
        try Journal.open(disk: disk, configuration: journalConfiguration()) { found.take($0) }
    }

    /// Opens the journal, compares what it hands out with the model, and takes what was in doubt
    /// and is there as committed.
    mutating func reopen() throws {
        incarnation += 1
        var found = Recovered()
        let opened = try open(&found)
        if disk.isCrashed { throw JournalError.disk(DiskError(.failed, operation: "", file: "")) }
        journal = opened
        try checkState(found.state)
        let isThere = try checkOps(found.ops, from: found.covered, opened)
        if isThere {
            settle(Array(found.places.suffix(waiting.ops.count)))
        } else {
            waiting = Waiting(peerIndex: peerIndex)
        }
        lastBatchOps = 0
        lastBatchBodies = []
        try checkBodies(opened)
    }

    private mutating func checkState(_ state: [UInt8]) throws {
        if state.isEmpty {
            if checkpointed > 0 { throw Violation("a durable checkpoint is gone") }
            return
        }
        var found = Recovered()
        found.state = state
        let count = state.count >= 8 ? found.covered : -1
        guard count == checkpointed || count == inDoubtCheckpoint else {
            throw Violation("the checkpoint is not the one that was finished last")
        }
        checkpointed = count
        inDoubtCheckpoint = nil
    }

    /// Whether what was in doubt is there; it must be there whole or not at all.
    private func checkOps(_ recovered: [OpRecord], from: Int, _ opened: Journal) throws -> Bool {
        let expected = Array(ops[from...])
        let known = waiting.bodies.map { opened.bodies.contains($0.number) }
        guard !known.contains(true) || !known.contains(false) else {
            throw Violation("a part of a batch's bodies is there")
        }
        var isThere = known.contains(true)
        if recovered == expected {
            if isThere, !waiting.ops.isEmpty { throw Violation("bodies without their ops") }
        } else {
            guard recovered == expected + waiting.ops else {
                let why = difference(recovered, expected)
                throw Violation("what was recovered is not what was committed: \(why)")
            }
            if known.contains(false) { throw Violation("ops without their bodies") }
            isThere = true
        }
        if isThere, !waiting.isWritten { throw Violation("what was never written is there") }
        return isThere
    }

    private func difference(_ got: [OpRecord], _ expected: [OpRecord]) -> String {
        if got.count < expected.count, got == Array(expected.prefix(got.count)) {
            return "the last \(expected.count - got.count) ops are missing"
        }
        let at = zip(got, expected).enumerated().first { $1.0 != $1.1 }?.offset
        return "\(got.count) ops instead of \(expected.count), different from \(at ?? -1) on"
    }

    private mutating func settle(_ places: [LocalPosition]) {
        counters.keptInDoubt += 1
        ops += waiting.ops
        positions += places
        for (number, body) in waiting.bodies {
            live[number] = body
            everUsed.insert(number)
        }
        peerIndex = waiting.peerIndex
        waiting = Waiting(peerIndex: peerIndex)
    }

    private mutating func checkBodies(_ opened: Journal) throws {
        for number in live.keys.sorted() {
            guard let body = live[number] else { continue }
            guard opened.bodies.contains(number) else { throw Violation("body \(number) is gone") }
            try check(opened, number, body)
        }
        for number in zombies.keys.sorted() {
            guard let body = zombies[number], opened.bodies.contains(number) else { continue }
            try check(opened, number, body)
        }
        if let retainFrom, retainFrom < ops.count, positions[retainFrom] > opened.durablePosition {
            throw Violation("the journal ends before what was committed")
        }
    }

    private func read(_ opened: Journal, _ number: BodyNumber) throws -> [UInt8] {
        do {
            return try opened.bodies.read(number, verifyDigest: true)
        } catch let error as JournalError {
            throw Violation("body \(number): \(error)")
        }
    }

    private func check(_ opened: Journal, _ number: BodyNumber, _ body: Body) throws {
        let bytes = try read(opened, number)
        if bytes != body.bytes { throw Violation("body \(number) is not what was committed") }
    }

    /// Right after a start nothing lies about that nobody names.
    private func checkFiles() throws {
        guard let opened = journal else { return }
        let known = live.merging(zombies) { a, _ in a }.filter {
            $0.value.isFile && opened.bodies.contains($0.key)
        }
        let files = try disk.list().filter { $0.hasPrefix("body-") || $0.hasPrefix("new-") }
        if files.count != known.count {
            throw Violation("\(files.count) body files, but \(known.count) are named")
        }
    }

    // MARK: The end

    /// Lets everything be read back, then damages something and sees that this does not go by.
    mutating func end() throws {
        isFull = false
        disk.setCapacity(.max)
        try restart(power: random.below(2) == 0)
        let report = Journal.verify(disk: disk, configuration: journalConfiguration())
        // What reads beside recovery goes by the alignment of the format.
        if let damage = report.damage.first, !rules.contains(.unalignedBatches) {
            throw Violation("verify finds damage where there is none: \(damage)")
        }
        try readOnly()
        for _ in 0..<random.below(3) { try endStep() }
        if random.below(3) > 0 { try damageSomething() }
    }

    private mutating func endStep() throws {
        let bytes = random.bytes(Int(random.below(3_000)))
        guard let journal else { return }
        let number = try journal.append(body: bytes, digest: SHA256Digest(hashing: bytes))
        waiting.bodies = []
        let op = try journal.append(OpHeader(type: 1, clock: 1), payload: [1, 2], body: number)
        let written = try journal.write()
        try journal.sync()
        guard let written else { return }
        ops.append(
            OpRecord(
                name: op.name, header: OpHeader(type: 1, clock: 1), chain: op.chain,
                payload: [1, 2], body: number))
        positions.append(written.position(of: op))
        endBodies[number] = bytes
        lastBatchOps = 1
        lastBatchBodies = [number]
    }

    /// What a reader sees that changes nothing is what the journal sees.
    private func readOnly() throws {
        let before = try disk.list().sorted().map { disk.contents(of: $0) }
        var found = Recovered()
        let reader = try Journal.read(disk: disk, configuration: journalConfiguration()) {
            found.take($0)
        }
        if found.ops != Array(ops[found.covered...]) { throw Violation("a reader sees other ops") }
        for number in live.keys.sorted() where !reader.bodies.contains(number) {
            throw Violation("a reader does not see body \(number)")
        }
        let after = try disk.list().sorted().map { disk.contents(of: $0) }
        if before != after { throw Violation("reading changed the disk") }
    }

    private mutating func damageSomething() throws {
        guard let end = journal?.durablePosition else { return }
        journal = nil
        // What was there before is durable: only the damage is to be seen.
        for file in try disk.list() { try disk.open(file, create: false).sync() }
        try disk.syncDirectory()
        let names = try disk.list().filter { !$0.hasPrefix("spare") }.sorted()
        // Now and then it is the last batch, of which this node alone cannot tell.
        let isLast = random.below(8) == 0
        let name =
            isLast
            ? names.last { $0.hasPrefix("segment") } ?? names[0]
            : names[Int(random.below(UInt64(names.count)))]
        guard let content = disk.contents(of: name), !content.isEmpty else { return }
        var size = content.count
        if name.hasSuffix(String(end.segment, radix: 16)), name.hasPrefix("segment") {
            size = min(size, end.offset)
        }
        let at = isLast ? max(0, size - 4_096) : Int(random.below(UInt64(size)))
        let kind = isLast ? 0 : random.below(3)
        let from = Int(random.below(UInt64(size))) / 512 * 512
        disk.modify(name) { bytes in
            switch kind {
            case 0: bytes[at] ^= 1 << UInt8(at & 7)
            case 1:
                // A misdirected write: a sector of the file lands elsewhere in it.
                let to = at / 512 * 512
                for i in 0..<512 where to + i < bytes.count && from + i < bytes.count {
                    bytes[to + i] = bytes[from + i]
                }
            default: bytes.removeLast(min(bytes.count - at, 4_096))
            }
        }
        if disk.contents(of: name) == content { return }
        try judge("\(name) at \(at), kind \(kind)")
    }

    /// What opening a damaged journal gives: the journal with what it handed out, or the damage.
    private enum Outcome {
        case opened(Journal, [OpRecord], from: Int)
        case damage(Damage)
    }

    private func openDamaged() throws -> Outcome {
        var found = Recovered()
        do {
            let opened = try tryOpening(&found)
            return .opened(opened, found.ops, from: found.covered)
        } catch JournalError.damage(let damage) {
            return .damage(damage)
        }
    }

    /// After damage: it is reported, or everything reads as it was committed.
    private mutating func judge(_ what: String) throws {
        incarnation += 1
        let report = Journal.verify(disk: disk, configuration: journalConfiguration())
        switch try openDamaged() {
        case .damage(let damage):
            if report.damage.isEmpty {
                throw Violation("verify does not see \(damage) after \(what)")
            }
            counters.damageFound += 1
        case .opened(let opened, let recovered, let from):
            let isTailLost = try judge(opened, recovered, from, what)
            let bad = try damagedBodies(opened, isTailLost: isTailLost, what)
            if bad > 0, report.damage.isEmpty {
                throw Violation("verify does not see damaged bodies after \(what)")
            }
            if bad > 0 || !report.damage.isEmpty {
                counters.damageFound += 1
            } else {
                counters.damageHarmless += 1
            }
        }
    }

    /// Whether the last batch was taken for a torn write.
    private mutating func judge(
        _ opened: Journal, _ recovered: [OpRecord], _ from: Int, _ what: String
    ) throws -> Bool {
        if from <= ops.count, recovered == Array(ops[from...]) { return false }
        let kept = ops.count - lastBatchOps
        guard from <= kept, recovered == Array(ops[from..<kept])
        else { throw Violation("ops were skipped in silence after \(what)") }
        counters.tailsLost += 1
        return true
    }

    private func damagedBodies(_ opened: Journal, isTailLost: Bool, _ what: String) throws -> Int {
        var bad = 0
        let bodies = live.mapValues(\.bytes).merging(endBodies) { a, _ in a }
        for number in bodies.keys.sorted() {
            if isTailLost, lastBatchBodies.contains(number) { continue }
            if let bytes = try? opened.bodies.read(number, verifyDigest: true) {
                if bytes != bodies[number] { throw Violation("body \(number) changed: \(what)") }
            } else {
                bad += 1
            }
        }
        return bad
    }
}

/// Ops of a peer, made once.
enum PeerOps {
    static let all: [OpRecord] = {
        var configuration = JournalConfiguration(
            cluster: 0x1234, slot: 1, incarnation: 0xB0B, saltSeed: 5)
        configuration.segmentOctets = 1 << 20
        configuration.batchOctetsMax = 1 << 19
        guard
            let journal = try? Journal.open(
                disk: FaultyDisk(seed: 1), configuration: configuration)
        else { return [] }
        return (0..<200).compactMap { i in
            let header = OpHeader(type: 7, clock: UInt64(i))
            let payload = [UInt8](repeating: UInt8(i), count: i)
            return (try? journal.append(header, payload: payload)).map {
                OpRecord(name: $0.name, header: header, chain: $0.chain, payload: payload)
            }
        }
    }()
}
