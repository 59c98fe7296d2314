import Glibc
import Journal
import Platform
import TestSupport
import Testing

/// What no random history reaches, by name.
@Suite struct JournalScenarioTests {
    private let segment = "segment-0000000000000001"

    private func configuration(
        _ incarnation: UInt64, _ rules: JournalRuleSwitches = []
    ) -> JournalConfiguration {
        var c = JournalConfiguration(
            cluster: 0x1234, slot: 0, incarnation: incarnation, saltSeed: incarnation &* 77)
        c.segmentOctets = 64 << 10
        c.batchOctetsMax = 32 << 10
        c.recordOctetsMax = 16 << 10
        c.reserveOctets = 0
        c.spareSegments = 1
        c.rules = rules
        return c
    }

    private func store(_ value: some FixedWidthInteger, _ bytes: inout [UInt8], at offset: Int) {
        withUnsafeBytes(of: value.littleEndian) {
            bytes.replaceSubrange(offset..<offset + $0.count, with: $0)
        }
    }

    private func seed(_ salt: [UInt8]) -> UInt32 { CRC32C.checksum(salt) }

    private func checksum(_ first: [UInt8], _ second: [UInt8] = [], seeded seed: UInt32)
        -> UInt32
    {
        CRC32C.checksum(second, continuing: CRC32C.checksum(first, continuing: seed))
    }

    /// J5: a sender who puts the picture of a later batch into a mail must not make a torn write
    /// look like damage.
    @Test(arguments: [false, true]) func aForgedBatchInAMailIsNoBatch(saltIsOff: Bool) throws {
        let rules: JournalRuleSwitches = saltIsOff ? .noSalt : []
        let disk = FaultyDisk(seed: 1)
        let journal = try Journal.open(disk: disk, configuration: configuration(1, rules))
        // The next batch stands at 8,192; its first body begins 128 octets behind that.
        var body = [UInt8](repeating: 0, count: 6_000)
        var forged = [UInt8](repeating: 0, count: 64)
        store(UInt32(0x424A_5054), &forged, at: 0)
        store(UInt64(1_000), &forged, at: 8)
        store(UInt64(1) << 32 | 12_288, &forged, at: 40)
        let guessed = seed([UInt8](repeating: 0, count: 8))
        store(checksum(Array(forged[8...]), seeded: guessed), &forged, at: 4)
        body.replaceSubrange(12_288 - 8_320..<12_288 - 8_320 + 64, with: forged)
        _ = try journal.append(body: body, digest: SHA256Digest(hashing: body))
        _ = try journal.write()
        disk.modify(segment) {
            $0.replaceSubrange(8_192..<8_704, with: repeatElement(0, count: 512))
        }
        let opened = try? Journal.open(disk: disk, configuration: configuration(2, rules))
        #expect((opened == nil) == saltIsOff)
    }

    /// J11: an op that was changed with all checksums put right breaks its chain.
    @Test(arguments: [false, true]) func aChangedOpBreaksItsChain(chainIsOff: Bool) throws {
        let disk = FaultyDisk(seed: 1)
        let journal = try Journal.open(disk: disk, configuration: configuration(1))
        _ = try journal.append(OpHeader(type: 1, clock: 5), payload: [1, 2, 3])
        try journal.commit()
        disk.modify(segment) { bytes in
            let seed = self.seed(Array(bytes[64..<72]))
            let record = 8_192 + 64
            bytes[record + 88] = 9
            let sum = checksum(
                Array(bytes[record..<record + 4]), Array(bytes[record + 8..<record + 91]),
                seeded: seed)
            store(sum, &bytes, at: record + 4)
            let content = checksum(Array(bytes[record + 4..<record + 8]), seeded: seed)
            store(content, &bytes, at: 8_192 + 36)
            store(checksum(Array(bytes[8_200..<8_256]), seeded: seed), &bytes, at: 8_192 + 4)
        }
        var payloads: [[UInt8]] = []
        let report = Journal.verify(disk: disk, configuration: configuration(2))
        #expect(report.damage.map(\.offset) == [8_256])
        let rules: JournalRuleSwitches = chainIsOff ? .chainNotVerified : []
        let opened = try? Journal.open(disk: disk, configuration: configuration(2, rules)) {
            if case .op(let op, _) = $0 { payloads.append(op.payload) }
        }
        #expect((opened != nil) == chainIsOff)
        #expect(payloads == (chainIsOff ? [[9, 2, 3]] : []))
    }

    /// A note stands between the ops, in their order, in no chain, and is lost or kept with its batch.
    @Test func aNoteIsHandedOutWhereItWasWritten() throws {
        let disk = FaultyDisk(seed: 1)
        let journal = try Journal.open(disk: disk, configuration: configuration(1))
        let header = OpHeader(type: 1, clock: 1)
        let note = NoteRecord(type: 48, mustUnderstand: false, clock: 7, payload: [1, 2, 3])
        let first = try journal.append(header, payload: [1])
        try journal.append(note: note)
        let second = try journal.append(header, payload: [2])
        try journal.append(note: NoteRecord(type: 49, clock: 8, payload: []))
        try journal.commit()
        #expect(
            second.chain
                == OpRecord.chain(after: first.chain, second.name, header, payload: [2]))
        try journal.append(note: note)
        _ = try journal.write()
        disk.modify(segment) { $0[$0.startIndex + 12_288 + 64 + 25] ^= 1 }
        var found: [String] = []
        _ = try Journal.open(disk: disk, configuration: configuration(2)) {
            if case .op(let op, _) = $0 { found.append("op \(op.payload)") }
            if case .note(let note, _) = $0 {
                found.append(
                    "note \(note.type) \(note.mustUnderstand) \(note.clock) \(note.payload)")
            }
        }
        #expect(
            found == ["op [1]", "note 48 false 7 [1, 2, 3]", "op [2]", "note 49 true 8 []"])
        #expect(Journal.verify(disk: disk, configuration: configuration(3)).damage.isEmpty)
    }

    @Test func equalBodiesOfOneBatchKeepTheirNumbers() throws {
        let disk = FaultyDisk(seed: 1)
        let journal = try Journal.open(disk: disk, configuration: configuration(1))
        let digest = SHA256Digest(hashing: [7])
        let numbers = try (0..<3).map { _ in try journal.append(body: [7], digest: digest) }
        for number in numbers {
            _ = try journal.append(OpHeader(type: 1, clock: 1), payload: [1], body: number)
        }
        try journal.commit()
        var named: [BodyNumber] = []
        _ = try Journal.open(disk: disk, configuration: configuration(2)) {
            if case .op(let op, _) = $0 { named.append(op.body) }
        }
        #expect(named == numbers)
    }

    @Test func aReaderOfOpsDoesNotTakeDamageForTheEnd() throws {
        let disk = FaultyDisk(seed: 1)
        let journal = try Journal.open(disk: disk, configuration: configuration(1))
        for _ in 0..<4 {
            _ = try journal.append(OpHeader(type: 1, clock: 5), payload: [1])
            try journal.commit()
        }
        disk.flipBit(segment, at: 12_288 + 70, bit: 1)
        #expect(throws: JournalError.self) {
            try journal.ops.read(from: .zero, to: journal.durablePosition) { _, _ in true }
        }
    }

    @Test func verifyGoesOnBehindDamage() throws {
        let disk = FaultyDisk(seed: 1)
        let journal = try Journal.open(disk: disk, configuration: configuration(1))
        for i in 0..<30 {
            let body = [UInt8](repeating: UInt8(i), count: 5_000)
            let number = try journal.append(body: body, digest: SHA256Digest(hashing: body))
            _ = try journal.append(OpHeader(type: 1, clock: 5), payload: [1], body: number)
            try journal.commit()
        }
        #expect(journal.verify() == [])
        disk.flipBit(segment, at: 8_192 + 300, bit: 0)
        disk.flipBit(segment, at: 24_576 + 300, bit: 0)
        disk.flipBit("segment-0000000000000002", at: 8_192 + 300, bit: 0)
        let damage = journal.verify().filter { !$0.problem.contains("body") }
        #expect(
            damage.map { "\($0.file.suffix(1)):\($0.offset)" } == ["1:8192", "1:24576", "2:4096"])
    }

    /// A journal's own files, and each with one octet changed, through the fuzzer's entry.
    @Test func theFuzzersEntryTakesAJournalsFiles() throws {
        let disk = FaultyDisk(seed: 1)
        var c = configuration(1)
        c.segmentOctets = 16_384
        c.batchOctetsMax = 8_192
        c.recordOctetsMax = 4_096
        c.spareSegments = 0
        let journal = try Journal.open(disk: disk, configuration: c)
        let writer = try journal.bodyFiles.begin()
        try writer.write([1, 2, 3])
        try journal.append(bodyFile: writer.finish())
        let number = try journal.append(body: [4, 5], digest: SHA256Digest(hashing: [4, 5]))
        _ = try journal.append(OpHeader(type: 1, clock: 1), payload: [6], body: number)
        try journal.commit()
        let checkpoint = try journal.beginCheckpoint { _ in true }
        try checkpoint.write([1, 2, 3])
        try journal.install(checkpoint.finish())
        let kinds: [(prefix: String, choice: UInt8)] = [
            ("segment-", 0), ("checkpoint-", 1), ("body-", 2),
        ]
        for (prefix, choice) in kinds {
            let name = try #require(try disk.list().first { $0.hasPrefix(prefix) })
            let content = try #require(disk.contents(of: name))
            let input = [choice | 0x10] + content
            if let directory = getenv("TWINPOST_CORPUS") { try write(input, prefix, directory) }
            for at in stride(from: 0, to: min(input.count, 8_500), by: 37) {
                var changed = input
                changed[at] ^= 0x41
                changed.withUnsafeBytes { JournalFuzz.run($0) }
            }
        }
    }

    private func write(_ bytes: [UInt8], _ name: String, _ directory: UnsafeMutablePointer<CChar>)
        throws
    {
        let path = String(cString: directory) + "/" + name + "seed"
        let file = try #require(fopen(path, "w"))
        defer { fclose(file) }
        #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
    }
}
