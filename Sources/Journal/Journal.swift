import Platform

/// The append-only, checksummed log of one node, and the store of its bodies.
///
/// One thread opens it, appends and commits; `bodies`, `bodyFiles`, `preparer` and a
/// `CheckpointWriter` may be used on any other. Layout, rules and legal states: `docs/journal.md`.
public final class Journal {
    public let configuration: JournalConfiguration
    /// Reads bodies; usable from any thread.
    public let bodies: BodyReader
    /// Makes files of long bodies; usable from any thread.
    public let bodyFiles: BodyFiles
    /// Makes segments ready; usable from any thread.
    public let preparer: SegmentPreparer
    /// What recovery found.
    public internal(set) var report = RecoveryReport()

    let disk: any Disk
    let table: BodyTable
    let files: SegmentFiles
    var current: CurrentSegment?
    var pending: PendingBatch
    var heads = Heads()
    var committedHeads = Heads()
    /// The last written batch.
    var lastBatch: UInt64 = 0
    var lastChecksum: UInt32 = 0
    /// Where the last written batch ends.
    var end = LocalPosition.zero
    var durable = LocalPosition.zero
    var isSyncing = false
    var failure: DiskError?
    var salts: SeededRandomness
    /// Numbers of the segments that exist, in order.
    var segments: [UInt64] = []
    var checkpointPosition = LocalPosition.zero
    var compaction = CompactionState()
    /// The last batch that recovery accepted, to be written again if a sync failed before.
    var tail: (batch: UInt64, offset: Int, bytes: [UInt8])?
    /// The record of this start: with the next batch, if there was no room for one of its own.
    var start = StartRecord.written

    enum StartRecord {
        case due, pending, written
    }

    struct CurrentSegment {
        var number: UInt64
        var file: any DiskFile
        var seed: UInt32
        /// The name it still has, if it is not yet a segment of the journal.
        var spareName: String?
        var headerBytes: [UInt8]?
    }

    struct PendingBatch {
        let buffer: BatchBuffer
        var recordCount: UInt32 = 0
        var bodies: [PendingBody] = []
        /// What the disk said when the batch was begun.
        var freeOctets: UInt64?

        mutating func clear() {
            buffer.count = 0
            recordCount = 0
            freeOctets = nil
            bodies.removeAll(keepingCapacity: true)
        }
    }

    struct PendingBody {
        var number: BodyNumber
        /// Octets from the start of the batch; 0 for a file.
        var offset: Int
        var length: UInt64
        /// Where compaction found it: it is only moved if it is still there.
        var movedFrom: LocalPosition?
    }

    init(disk: any Disk, configuration: JournalConfiguration) {
        precondition(configuration.segmentOctets % 4096 == 0)
        precondition(configuration.segmentOctets >= 16_384)
        precondition(configuration.segmentOctets < 1 << 32)
        self.disk = disk
        self.configuration = configuration
        table = BodyTable()
        files = SegmentFiles(disk: disk, configuration: configuration)
        bodies = BodyReader(table: table, files: files)
        bodyFiles = BodyFiles(disk: disk, configuration: configuration, table: table)
        preparer = SegmentPreparer(disk: disk, configuration: configuration)
        pending = PendingBatch(buffer: BatchBuffer(capacity: 1 << 16))
        salts = SeededRandomness(seed: configuration.saltSeed)
    }

    var rules: JournalRuleSwitches { configuration.rules }

    var alignment: Int { rules.contains(.unalignedBatches) ? 64 : BatchHeader.alignment }

    /// The position up to which everything is durable here.
    public var durablePosition: LocalPosition { durable }

    /// The last durable op of a slot.
    public func head(of slot: UInt8) -> ChainHead { committedHeads[slot] }

    /// The last appended op of a slot, durable or not.
    public func pendingHead(of slot: UInt8) -> ChainHead { heads[slot] }

    /// Octets of records that wait for a commit.
    public var pendingOctets: Int { pending.buffer.count }

    /// Octets of the journal's segments that this run has written batches to.
    public internal(set) var writtenOctets: UInt64 = 0

    /// Segments that exist, without spares.
    public var segmentCount: Int { segments.count }

    /// Whether a body of this length may still be taken, or the space that is left is kept for what
    /// must work on a full disk: expunges, tombstones, checkpoints, recovery (R34).
    public func canAcceptBody(octets: UInt64) -> Bool {
        guard failure == nil, let free = freeOctets() else { return false }
        if octets + 80 > UInt64(bodyInlineMax) {
            return free >= configuration.reserveOctets + octets
        }
        let left =
            configuration.segmentOctets - tailReserveOctets - (current == nil ? 0 : end.offset)
        let needed = Int(octets) + pending.buffer.count + 8192
        // One spare always stays for what must work on a full disk.
        let spares = max(0, preparer.readyCount - 1)
        if needed <= left || spares > 0 { return free >= configuration.reserveOctets }
        return free >= configuration.reserveOctets + UInt64(configuration.segmentOctets)
    }

    /// Asked once for a batch: what the batch takes is in segments that exist, and a disk that others
    /// fill up in between refuses the write.
    private func freeOctets() -> UInt64? {
        if pending.recordCount > 0, let known = pending.freeOctets { return known }
        pending.freeOctets = try? disk.freeOctets()
        return pending.freeOctets
    }

    /// The end of the current segment, which is kept while no spare is ready for what must work on a
    /// full disk; there it is the only room that is left (R34).
    var tailReserveOctets: Int {
        min(
            1 << 20, configuration.segmentOctets / 8 / BatchHeader.alignment * BatchHeader.alignment
        )
    }

    /// The longest body that fits into a segment; longer ones need a file.
    public var bodyInlineMax: Int {
        min(
            configuration.recordOctetsMax, configuration.batchOctetsMax,
            configuration.segmentOctets - SegmentHeader.octets - 4096) - 64
    }
}

/// What recovery found and did.
public struct RecoveryReport: Hashable, Sendable {
    /// Where a batch that was never committed was cut off.
    public var tornTail: LocalPosition?
    /// Where replay began.
    public var replayedFrom = LocalPosition.zero
    public var opCount = 0
    /// Things a person should know, each a sentence.
    public var notes: [String] = []

    public init() {}
}
