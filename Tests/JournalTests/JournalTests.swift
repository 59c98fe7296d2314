import Journal
import Platform
import TestSupport
import Testing

func configuration(_ incarnation: UInt64 = 1) -> JournalConfiguration {
    var c = JournalConfiguration(
        cluster: 0x1234, slot: 0, incarnation: incarnation, saltSeed: incarnation &* 77)
    c.segmentOctets = 64 << 10
    c.batchOctetsMax = 32 << 10
    c.recordOctetsMax = 16 << 10
    c.reserveOctets = 0
    c.spareSegments = 1
    return c
}

/// Opens the journal and collects the ops that it hands out.
func reopen(_ disk: FaultyDisk, _ incarnation: UInt64 = 2) throws -> (Journal, [OpRecord]) {
    var ops: [OpRecord] = []
    let journal = try Journal.open(disk: disk, configuration: configuration(incarnation)) {
        if case .op(let op, _) = $0 { ops.append(op) }
    }
    return (journal, ops)
}

func damageOnOpen(_ disk: FaultyDisk) -> Damage? {
    do { _ = try reopen(disk, 9) } catch JournalError.damage(let damage) { return damage } catch {}
    return nil
}

@Suite struct JournalTests {
    @Test func whatWasCommittedIsThereAfterAPowerLoss() throws {
        let disk = FaultyDisk(seed: 1)
        let (journal, _) = try reopen(disk, 1)
        var numbers: [BodyNumber] = []
        for i in 0..<40 {
            let body = [UInt8](repeating: UInt8(i), count: 5_500)
            numbers.append(try journal.append(body: body, digest: SHA256Digest(hashing: body)))
            _ = try journal.append(OpHeader(type: 1, clock: 5), payload: [UInt8(i)])
            try journal.commit()
        }
        disk.restartAfterPowerLoss()
        let (again, ops) = try reopen(disk)
        #expect(ops.map(\.payload) == (0..<40).map { [UInt8($0)] })
        #expect(ops.map(\.name.sequence) == (1...40).map { UInt64($0) })
        for (i, number) in numbers.enumerated() {
            let body = try again.bodies.read(number, verifyDigest: true)
            #expect(body == [UInt8](repeating: UInt8(i), count: 5_500))
        }
        #expect(again.segmentCount > 2)
    }

    @Test func aBitFlipBeforeTheLastBatchIsReportedWithItsPlace() throws {
        let disk = FaultyDisk(seed: 1)
        let (journal, _) = try reopen(disk, 1)
        for i in 0..<3 {
            _ = try journal.append(OpHeader(type: 1, clock: 5), payload: [UInt8(i)])
            try journal.commit()
        }
        disk.flipBit("segment-0000000000000001", at: 8192 + 64 + 30, bit: 3)
        let damage = damageOnOpen(disk)
        #expect(damage?.file == "segment-0000000000000001")
        #expect(damage?.offset == 8192)
    }

    @Test func afterAFailedSyncNothingIsPromisedAnyMore() throws {
        let disk = FaultyDisk(seed: 1)
        let (journal, _) = try reopen(disk, 1)
        disk.setFaults { $0.failNextSync = true }
        _ = try journal.append(OpHeader(type: 1, clock: 5), payload: [1])
        #expect(throws: JournalError.self) { try journal.commit() }
        #expect(throws: JournalError.self) { try journal.commit() }
        #expect(throws: JournalError.self) {
            try journal.append(OpHeader(type: 1, clock: 5), payload: [1])
        }
    }

    /// R34: whatever stands in the segments, and however little room is left in the last one.
    @Test(arguments: 0..<24) func aJournalOnAFullDiskOpensAndTakesWhatFreesSpace(extra: Int) throws
    {
        let disk = FaultyDisk(seed: 1)
        do {
            let (journal, _) = try reopen(disk, 1)
            // As many batches as it takes to end anywhere in the second segment, and no spare.
            for i in 0..<(10 + extra) {
                _ = try journal.append(OpHeader(type: 1, clock: 5), payload: [UInt8(i)])
                try journal.commit()
            }
        }
        for name in try disk.list() where name.hasPrefix("spare-") { try disk.remove(name) }
        disk.setCapacity(disk.usedOctets)
        for start in 0..<4 {
            #expect(try reopen(disk, UInt64(2 + start)).1.count == 10 + extra)
        }
        let (journal, ops) = try reopen(disk, 9)
        // What frees nothing stops short of the room that is kept.
        let taken = fill(journal, usingReserve: false)
        let freeing = fill(journal, usingReserve: true)
        #expect(taken < 16 && freeing < 16)
        #expect(taken == 0 || freeing == 2)
        #expect(try reopen(disk, 10).1.count == ops.count + taken + freeing)
        #expect(journal.verify() == [])
    }

    /// Commits operations until the disk is full; how many it took.
    private func fill(_ journal: Journal, usingReserve: Bool) -> Int {
        for count in 0..<16 {
            guard (try? journal.append(OpHeader(type: 1, clock: 5), payload: [1])) != nil,
                (try? journal.commit(usingReserve: usingReserve)) != nil
            else {
                journal.discardPending()
                return count
            }
        }
        return 16
    }

    @Test func aDiskThatRefusesEveryWriteDoesNotStopTheJournal() throws {
        let disk = FaultyDisk(seed: 1)
        let (first, _) = try reopen(disk, 1)
        _ = try first.append(OpHeader(type: 1, clock: 5), payload: [1])
        try first.commit()
        disk.setFaults { $0.isFull = true }
        let (journal, ops) = try reopen(disk, 2)
        #expect(ops.map(\.payload) == [[1]])
        let body = [UInt8](repeating: 7, count: 9_000)
        _ = try journal.append(body: body, digest: SHA256Digest(hashing: body))
        #expect(throws: JournalError.full) { try journal.commit(usingReserve: true) }
        journal.discardPending()
        disk.setFaults { $0.isFull = false }
        _ = try journal.append(OpHeader(type: 1, clock: 5), payload: [2])
        try journal.commit()
        disk.restartAfterPowerLoss()
        #expect(try reopen(disk, 3).1.map(\.payload) == [[1], [2]])
        #expect(journal.verify() == [])
    }

    @Test func aPeersOpKeepsItsNameAndMustContinueItsChain() throws {
        let peerDisk = FaultyDisk(seed: 2)
        var peerConfiguration = configuration(7)
        peerConfiguration.slot = 1
        let peer = try Journal.open(disk: peerDisk, configuration: peerConfiguration)
        let made = try peer.append(OpHeader(type: 3, clock: 9), payload: [1, 2])
        let op = OpRecord(
            name: made.name, header: OpHeader(type: 3, clock: 9), chain: made.chain,
            payload: [1, 2])
        let disk = FaultyDisk(seed: 1)
        let (journal, _) = try reopen(disk, 1)
        var wrong = op
        wrong.payload = [1, 3]
        #expect(throws: JournalError.chainMismatch(op.name)) { try journal.append(peerOp: wrong) }
        _ = try journal.append(peerOp: op)
        #expect(throws: JournalError.outOfOrder(expected: 2, got: 1)) {
            try journal.append(peerOp: op)
        }
        try journal.commit()
        #expect(try reopen(disk).1 == [op])
    }

    @Test func longBodiesLiveInFilesAndUnnamedOnesAreCleared() throws {
        let disk = FaultyDisk(seed: 1)
        let (journal, _) = try reopen(disk, 1)
        let writer = try journal.bodyFiles.begin()
        try writer.write([UInt8](repeating: 7, count: 100_000))
        let named = try writer.finish()
        try journal.append(bodyFile: named)
        try journal.commit()
        let other = try journal.bodyFiles.begin()
        try other.write([1])
        let unnamed = try other.finish()
        disk.restartAfterPowerLoss()
        let (again, _) = try reopen(disk)
        #expect(try again.bodies.read(named.number, verifyDigest: true).count == 100_000)
        #expect(try again.bodies.read(named.number, range: 5..<9) == [7, 7, 7, 7])
        #expect(!again.bodies.contains(unnamed.number))
        #expect(try disk.list().filter { $0.hasPrefix("body-") }.count == 1)
    }

    @Test func sizeFollowsLiveMail() throws {
        let disk = FaultyDisk(seed: 1)
        let (journal, _) = try reopen(disk, 1)
        var numbers: [BodyNumber] = []
        for i in 0..<300 {
            let body = [UInt8](repeating: UInt8(i & 255), count: 4_000)
            numbers.append(try journal.append(body: body, digest: SHA256Digest(hashing: body)))
            if i % 4 == 3 { try journal.commit() }
        }
        let full = disk.usedOctets
        let live = Set(numbers.enumerated().filter { $0.offset % 10 == 0 }.map(\.element))
        for _ in 0..<3 {
            let writer = try journal.beginCheckpoint { live.contains($0) }
            try writer.write([1, 2, 3])
            try journal.install(writer.finish())
            while try journal.compactStep(octetsMax: 16_000) > 0 { try journal.commit() }
        }
        let octets = 4_000 * live.count
        #expect(full > 1_200_000)
        #expect(disk.usedOctets < 2 * octets + 5 * 65_536)
        disk.restartAfterPowerLoss()
        var state: [UInt8] = []
        let again = try Journal.open(disk: disk, configuration: configuration(2)) {
            if case .checkpointState(let chunk) = $0 { state += chunk }
        }
        #expect(state == [1, 2, 3])
        for (i, number) in numbers.enumerated() {
            if live.contains(number) {
                #expect(
                    try again.bodies.read(number, verifyDigest: true)
                        == [UInt8](repeating: UInt8(i & 255), count: 4_000))
            } else {
                #expect(!again.bodies.contains(number))
            }
        }
    }

    @Test func opsAreReadBackAndDamageIsFoundByVerify() throws {
        let disk = FaultyDisk(seed: 1)
        let (journal, _) = try reopen(disk, 1)
        for i in 0..<30 {
            _ = try journal.append(
                OpHeader(type: 1, clock: 5), payload: [UInt8](repeating: UInt8(i), count: 5_000))
            try journal.commit()
        }
        var seen: [UInt64] = []
        try journal.ops.read(from: .zero, to: journal.durablePosition) { op, _ in
            seen.append(op.name.sequence)
            return true
        }
        #expect(seen == (1...30).map { UInt64($0) })
        #expect(journal.verify() == [])
        disk.flipBit("segment-0000000000000001", at: 8192 + 500, bit: 1)
        #expect(journal.verify().map(\.offset) == [8192])
    }
}
