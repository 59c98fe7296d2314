import Platform

/// The state from above at one position, with all that the journal itself must know to go on from
/// there.
///
///     0   8  magic "TPJCKPT1"
///     8   4  version    12 4 CRC-32C of 0..<12 and 16..<256
///     16 16  cluster id    32 1 slot
///     40  8  position to replay from    48 8 number of the batch before it    56 4 its CRC
///     64  8  count of chunks    72 8 count of bodies    80 8 next body number
///     88 96  chain heads    184 .. zeros to 256
///     chunks, one behind the other: 4 kind (1 state, 2 bodies), 4 length, 4 CRC-32C of the other
///     12 octets and the content, 4 index; content. Bodies: 24 octets each: number, position
///     (0 is a file of its own), length.
struct CheckpointHeader: Sendable {
    static let octets = 256
    private static let magic: UInt64 = 0x3154_504B_434A_5054

    var cluster: UInt128
    var slot: UInt8
    var position: LocalPosition
    var lastBatch: UInt64
    var lastChecksum: UInt32
    var chunkCount: UInt64 = 0
    var bodyCount: UInt64 = 0
    var nextBody: UInt64
    var heads: Heads

    func encode() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.octets)
        bytes.withUnsafeMutableBytes { out in
            out.store(Self.magic, at: 0)
            out.store(UInt32(1), at: 8)
            out.store(cluster, at: 16)
            out.store(slot, at: 32)
            out.store(position.value, at: 40)
            out.store(lastBatch, at: 48)
            out.store(lastChecksum, at: 56)
            out.store(chunkCount, at: 64)
            out.store(bodyCount, at: 72)
            out.store(nextBody, at: 80)
            heads.encode(into: out, at: 88)
            out.store(Self.checksum(UnsafeRawBufferPointer(out)), at: 12)
        }
        return bytes
    }

    private static func checksum(_ raw: UnsafeRawBufferPointer) -> UInt32 {
        CRC32C.checksum(raw.slice(16, octets - 16), continuing: CRC32C.checksum(raw.slice(0, 12)))
    }

    static func decode(_ raw: UnsafeRawBufferPointer) -> CheckpointHeader? {
        guard raw.count >= octets, raw.load(0, UInt64.self) == magic,
            raw.load(8, UInt32.self) == 1, raw.load(12, UInt32.self) == checksum(raw)
        else { return nil }
        return CheckpointHeader(
            cluster: raw.load(16), slot: raw.load(32), position: LocalPosition(value: raw.load(40)),
            lastBatch: raw.load(48), lastChecksum: raw.load(56), chunkCount: raw.load(64),
            bodyCount: raw.load(72), nextBody: raw.load(80), heads: Heads(raw, at: 88))
    }

    static func chunkChecksum(_ head: UnsafeRawBufferPointer, _ content: [UInt8]) -> UInt32 {
        var checksum = CRC32C.checksum(head.slice(0, 8))
        checksum = CRC32C.checksum(head.slice(12, 4), continuing: checksum)
        return CRC32C.checksum(content, continuing: checksum)
    }
}

/// A checkpoint that is durable; hand it to `Journal.install`.
public struct FinishedCheckpoint: Sendable {
    /// Recovery replays from here.
    public var position: LocalPosition
    var name: String
    var emptySegments: [UInt64]
    var deadFiles: [UInt64]
}

/// Writes one checkpoint, on any one thread, from the snapshot that was taken when it was begun.
public final class CheckpointWriter: @unchecked Sendable {
    // Sendable because its owner hands it to one thread, which alone uses it; the journal keeps no
    // reference.
    private static let unfinished = FileName.unfinishedName("checkpoint")

    /// What the checkpoint is taken at.
    public let position: LocalPosition
    private let disk: any Disk
    private let rules: JournalRuleSwitches
    private var header: CheckpointHeader
    private let locations: [(number: UInt64, location: BodyLocation)]
    private let emptySegments: [UInt64]
    private let deadFiles: [UInt64]
    private var file: (any DiskFile)?
    private var offset = UInt64(CheckpointHeader.octets)

    init(
        journal: Journal, locations: [(number: UInt64, location: BodyLocation)], nextBody: UInt64,
        emptySegments: [UInt64], deadFiles: [UInt64]
    ) {
        position = journal.durable
        disk = journal.disk
        rules = journal.rules
        header = CheckpointHeader(
            cluster: journal.configuration.cluster, slot: journal.configuration.slot,
            position: journal.durable, lastBatch: journal.lastBatch,
            lastChecksum: journal.lastChecksum, nextBody: nextBody, heads: journal.committedHeads)
        self.locations = locations
        self.emptySegments = emptySegments
        self.deadFiles = deadFiles
    }

    /// Appends state from above, at most 16 MiB at a time; recovery hands out the same chunks.
    public func write(_ state: [UInt8]) throws(JournalError) {
        precondition(state.count <= 16 << 20)
        try writeChunk(kind: 1, state)
    }

    /// Adds the journal's own part and makes the checkpoint durable.
    public func finish() throws(JournalError) -> FinishedCheckpoint {
        var chunk: [UInt8] = []
        for (number, location) in locations {
            for value in [number, location.position.value, location.length] {
                withUnsafeBytes(of: value.littleEndian) { chunk.append(contentsOf: $0) }
            }
            if chunk.count >= 1 << 20 {
                try writeChunk(kind: 2, chunk)
                chunk.removeAll(keepingCapacity: true)
            }
        }
        if !chunk.isEmpty || file == nil { try writeChunk(kind: 2, chunk) }
        header.bodyCount = UInt64(locations.count)
        let head = header.encode()
        let name = FileName.checkpointName(position)
        let (disk, rules, file) = (disk, rules, file)
        try reading { () throws(DiskError) in
            try file?.write(at: 0, head)
            if !rules.contains(.checkpointNotSynced) { try file?.sync() }
            try disk.rename(Self.unfinished, to: name)
            try disk.syncDirectory()
        }
        return FinishedCheckpoint(
            position: position, name: name, emptySegments: emptySegments, deadFiles: deadFiles)
    }

    private func writeChunk(kind: UInt32, _ content: [UInt8]) throws(JournalError) {
        let disk = disk
        if file == nil {
            file = try reading { () throws(DiskError) in
                let file = try disk.open(Self.unfinished, create: true)
                try file.truncate(to: 0)
                return file
            }
        }
        var head = [UInt8](repeating: 0, count: 16)
        let index = UInt32(truncatingIfNeeded: header.chunkCount)
        head.withUnsafeMutableBytes { out in
            out.store(kind, at: 0)
            out.store(UInt32(content.count), at: 4)
            out.store(index, at: 12)
            let checksum = CheckpointHeader.chunkChecksum(UnsafeRawBufferPointer(out), content)
            out.store(checksum, at: 8)
        }
        let (file, at) = (file, offset)
        try reading { () throws(DiskError) in
            try file?.write(at: at, head)
            try file?.write(at: at + 16, content)
        }
        offset += UInt64(16 + content.count)
        header.chunkCount += 1
    }
}

/// Reads a checkpoint back.
struct CheckpointReader {
    var name: String
    var header: CheckpointHeader
    private let file: any DiskFile

    init(_ name: String, _ disk: any Disk) throws(JournalError) {
        self.name = name
        let file = try reading { () throws(DiskError) in try disk.open(name, create: false) }
        self.file = file
        let bytes = try reading { () throws(DiskError) in try file.read(at: 0, count: 256) }
        guard let header = bytes.withUnsafeBytes({ CheckpointHeader.decode($0) }) else {
            throw .damage(Damage(file: name, offset: 0, problem: "no valid checkpoint header"))
        }
        self.header = header
    }

    /// Hands out each chunk in order, checked.
    func forEachChunk(_ body: (UInt32, [UInt8]) throws(JournalError) -> Void) throws(JournalError) {
        var at = UInt64(CheckpointHeader.octets)
        let size = try reading { () throws(DiskError) in try file.size() }
        for index in 0..<header.chunkCount {
            let place = at
            let head = try reading { () throws(DiskError) in try file.read(at: place, count: 16) }
            let (kind, length, checksum, stored) = head.withUnsafeBytes { raw in
                raw.count < 16
                    ? (0, 0, 0, 0)
                    : (
                        raw.load(0, UInt32.self), raw.load(4, UInt32.self),
                        raw.load(8, UInt32.self), raw.load(12, UInt32.self)
                    )
            }
            guard (1...2).contains(kind), UInt64(length) + 16 <= size - min(size, at),
                UInt64(stored) == index & 0xFFFF_FFFF
            else { throw damage(at, "no valid chunk") }
            let content = try reading { () throws(DiskError) in
                try file.read(at: place + 16, count: Int(length))
            }
            guard content.count == Int(length),
                head.withUnsafeBytes({ CheckpointHeader.chunkChecksum($0, content) }) == checksum
            else { throw damage(at, "a chunk's checksum is wrong") }
            try body(kind, content)
            at += 16 + UInt64(length)
        }
    }

    func bodies(_ chunk: [UInt8], _ body: (UInt64, BodyLocation) -> Void) throws(JournalError) {
        var isValid = chunk.count % 24 == 0
        chunk.withUnsafeBytes { raw in
            for i in 0..<raw.count / 24 {
                let number: UInt64 = raw.load(i * 24)
                let length: UInt64 = raw.load(i * 24 + 16)
                let position = LocalPosition(value: raw.load(i * 24 + 8))
                guard number < BodyTable.numberLimit, length < BodyTable.octetsLimit else {
                    isValid = false
                    return
                }
                body(number, BodyLocation(position: position, length: length))
            }
        }
        guard isValid else { throw damage(0, "a body's number or length is out of range") }
    }

    private func damage(_ offset: UInt64, _ problem: String) -> JournalError {
        .damage(Damage(file: name, offset: offset, problem: problem))
    }
}
