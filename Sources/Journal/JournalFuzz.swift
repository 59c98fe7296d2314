import Platform
import Synchronization

/// Arbitrary octets as the files of a journal: whatever they are, recovery, verification and reading
/// end with an answer, in bounded memory.
public enum JournalFuzz {
    static let cluster: UInt128 = 0x1234
    static let segmentOctets = 16_384

    /// The first octet says which file the others are, and whether checksums are put right, so that
    /// what lies behind them is reached.
    public static func run(_ bytes: UnsafeRawBufferPointer) {
        guard let choice = bytes.first else { return }
        let content = [UInt8](bytes.dropFirst())
        let disk = MemoryDisk()
        let mends = choice & 0x10 != 0
        switch choice & 3 {
        case 0:
            var segment = content
            if mends { mendSegment(&segment) }
            disk.put(FileName.segmentName(1), segment)
        case 1:
            prepare(disk)
            var checkpoint = content
            if mends { mendCheckpoint(&checkpoint) }
            disk.put("checkpoint-0000000100002000", checkpoint)
        case 2:
            prepare(disk)
            var body = content
            if mends { mendBody(&body) }
            for name in disk.names where name.hasPrefix("body-") { disk.put(name, body) }
        default:
            // Two segments, and names of any kind.
            let half = content.count / 2
            var first = Array(content[..<half])
            var second = Array(content[half...])
            if mends {
                mendSegment(&first)
                mendSegment(&second)
            }
            disk.put(FileName.segmentName(1), first)
            disk.put(FileName.segmentName(2), second)
            disk.put(String(decoding: content.prefix(24), as: UTF8.self), content)
        }
        exercise(disk)
    }

    static func configuration(_ incarnation: UInt64) -> JournalConfiguration {
        var c = JournalConfiguration(
            cluster: cluster, slot: 0, incarnation: incarnation, saltSeed: incarnation)
        c.segmentOctets = segmentOctets
        c.batchOctetsMax = 8_192
        c.recordOctetsMax = 4_096
        c.reserveOctets = 0
        c.spareSegments = 0
        return c
    }

    /// A journal with an op, a body, and a body file.
    private static func prepare(_ disk: MemoryDisk) {
        do throws(JournalError) {
            let journal = try Journal.open(disk: disk, configuration: configuration(1))
            let writer = try journal.bodyFiles.begin()
            try writer.write([1, 2, 3])
            try journal.append(bodyFile: writer.finish())
            let number = try journal.append(body: [4, 5], digest: SHA256Digest(hashing: [4, 5]))
            _ = try journal.append(OpHeader(type: 1, clock: 1), payload: [6], body: number)
            try journal.commit()
        } catch {
            preconditionFailure("a journal in memory: \(error)")
        }
    }

    private static func exercise(_ disk: MemoryDisk) {
        let configuration = configuration(2)
        let report = Journal.verify(disk: disk, configuration: configuration)
        precondition(report.damage.count <= 100_000, "more damage than octets")
        _ = try? Journal.read(disk: disk, configuration: configuration)
        guard let journal = try? Journal.open(disk: disk, configuration: configuration) else {
            return
        }
        try? journal.ops.read(from: .zero, to: journal.durablePosition) { _, _ in true }
        for number in 0..<UInt64(8) {
            _ = try? journal.bodies.read(BodyNumber(rawValue: number), verifyDigest: true)
        }
        _ = try? journal.append(OpHeader(type: 1, clock: 1), payload: [7])
        guard (try? journal.commit()) != nil else { return }
        if let writer = try? journal.beginCheckpoint(isLive: { $0.rawValue % 2 == 0 }),
            let checkpoint = try? writer.finish()
        {
            try? journal.install(checkpoint)
        }
        // What this code wrote itself it must be able to read.
        let again = try? Journal.open(disk: disk, configuration: self.configuration(3))
        precondition(again != nil, "a journal that was opened does not open again")
    }

    // MARK: Checksums

    private static func mendSegment(_ bytes: inout [UInt8]) {
        bytes.withUnsafeMutableBytes { raw in
            guard raw.count >= SegmentHeader.octets else { return }
            let view = UnsafeRawBufferPointer(raw)
            let first = CRC32C.checksum(view.slice(0, 12))
            raw.store(CRC32C.checksum(view.slice(16, 240), continuing: first), at: 12)
            let seed = checksumSeed(salt: view.load(64))
            var previous: UInt32 = view.load(80)
            var at = SegmentHeader.octets
            while at + BatchHeader.octets <= raw.count {
                guard view.load(at, UInt32.self) == BatchHeader.magic else { return }
                let length = Int(view.load(at + 16, UInt32.self))
                guard length >= BatchHeader.octets, at + length <= raw.count else { return }
                raw.store(mendRecords(raw, at, length, seed), at: at + 36)
                raw.store(previous, at: at + 32)
                previous = CRC32C.checksum(view.slice(at + 8, 56), continuing: seed)
                raw.store(previous, at: at + 4)
                at += BatchHeader.aligned(length)
            }
        }
    }

    private static func mendRecords(
        _ raw: UnsafeMutableRawBufferPointer, _ start: Int, _ length: Int, _ seed: UInt32
    ) -> UInt32 {
        let view = UnsafeRawBufferPointer(raw)
        var content = seed
        var at = start + BatchHeader.octets
        while at + 16 <= start + length {
            let count = Int(view.load(at, UInt32.self))
            guard count >= 16, at + count <= start + length else { break }
            let checksum = Record.checksum(view.slice(at, count), seed: seed)
            raw.store(checksum, at: at + 4)
            withUnsafeBytes(of: checksum.littleEndian) {
                content = CRC32C.checksum($0, continuing: content)
            }
            at += Record.padded(count)
        }
        return content
    }

    private static func mendCheckpoint(_ bytes: inout [UInt8]) {
        bytes.withUnsafeMutableBytes { raw in
            guard raw.count >= CheckpointHeader.octets else { return }
            let view = UnsafeRawBufferPointer(raw)
            let first = CRC32C.checksum(view.slice(0, 12))
            raw.store(CRC32C.checksum(view.slice(16, 240), continuing: first), at: 12)
            var at = CheckpointHeader.octets
            while at + 16 <= raw.count {
                let count = Int(view.load(at + 4, UInt32.self))
                guard at + 16 + count <= raw.count else { return }
                let content = Array(view.slice(at + 16, count))
                raw.store(CheckpointHeader.chunkChecksum(view.slice(at, 16), content), at: at + 8)
                at += 16 + count
            }
        }
    }

    private static func mendBody(_ bytes: inout [UInt8]) {
        bytes.withUnsafeMutableBytes { raw in
            guard raw.count >= 96 else { return }
            let view = UnsafeRawBufferPointer(raw)
            let first = CRC32C.checksum(view.slice(0, 12))
            raw.store(CRC32C.checksum(view.slice(16, 80), continuing: first), at: 12)
        }
    }
}

/// A disk that holds everything in memory and never fails.
private final class MemoryDisk: Disk {
    /// An upper bound: no input makes a journal write more.
    static let octetsMax = 1 << 22

    private let files = Mutex<[String: MemoryFile]>([:])

    var names: [String] { files.withLock { $0.keys.sorted() } }

    func put(_ name: String, _ content: [UInt8]) {
        files.withLock { $0[name] = MemoryFile(content) }
    }

    func list() throws(DiskError) -> [String] { names }

    func open(_ name: String, create: Bool) throws(DiskError) -> any DiskFile {
        let file = files.withLock { files -> MemoryFile? in
            if files[name] == nil, create { files[name] = MemoryFile([]) }
            return files[name]
        }
        guard let file else { throw DiskError(.notFound, operation: "open", file: name) }
        return file
    }

    func remove(_ name: String) throws(DiskError) { files.withLock { $0[name] = nil } }

    func rename(_ name: String, to newName: String) throws(DiskError) {
        files.withLock { $0[newName] = $0.removeValue(forKey: name) }
    }

    func syncDirectory() throws(DiskError) {}

    func freeOctets() throws(DiskError) -> UInt64 { UInt64(Self.octetsMax) }
}

private final class MemoryFile: DiskFile {
    private let content: Mutex<[UInt8]>

    init(_ content: [UInt8]) { self.content = Mutex(content) }

    func size() throws(DiskError) -> UInt64 { content.withLock { UInt64($0.count) } }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(DiskError)
        -> Int
    {
        precondition(buffer.count <= MemoryDisk.octetsMax, "memory for octets that are not there")
        let all = content.withLock { $0 }
        guard offset < UInt64(all.count) else { return 0 }
        let count = min(buffer.count, all.count - Int(offset))
        all.withUnsafeBytes { buffer.copyMemory(from: $0.slice(Int(offset), count)) }
        return count
    }

    func write(at offset: UInt64, _ pieces: [UnsafeRawBufferPointer]) throws(DiskError) {
        precondition(offset < UInt64(MemoryDisk.octetsMax), "a write far beyond the end")
        let added = pieces.flatMap { Array($0) }
        content.withLock { all in
            let end = Int(offset) + added.count
            if all.count < end { all += repeatElement(0, count: end - all.count) }
            all.replaceSubrange(Int(offset)..<end, with: added)
        }
    }

    func sync() throws(DiskError) {}

    func truncate(to octets: UInt64) throws(DiskError) {
        content.withLock { all in
            let count = min(Int(octets), MemoryDisk.octetsMax)
            if count < all.count {
                all.removeLast(all.count - count)
            } else {
                all += repeatElement(0, count: count - all.count)
            }
        }
    }
}
