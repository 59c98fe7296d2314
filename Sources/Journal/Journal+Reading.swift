import Platform

/// Reads ops back, for streaming to the peer and for tracing; usable from any thread.
public struct OpReader: Sendable {
    let files: SegmentFiles

    /// Hands out the ops in batches that end beyond `start`, up to `end`, a position that is
    /// durable. Ops of a batch that begins before `start` may come again.
    ///
    /// - Parameter body: returns false to stop.
    /// - Throws: `positionGone` if a segment was recycled; `damage` where a batch is missing.
    public func read(
        from start: LocalPosition, to end: LocalPosition, slot: UInt8? = nil,
        _ body: (OpRecord, LocalPosition) -> Bool
    ) throws(JournalError) {
        var number = max(1, start.segment)
        while number <= end.segment {
            let segment = try file(number)
            var batch = segment.header.previousBatch &+ 1
            var previous: UInt32? = segment.header.previousChecksum
            var offset = SegmentHeader.octets
            while LocalPosition(segment: number, offset: offset) < end {
                let found = try segment.batch(
                    at: offset, number: batch, previous: previous, rules: [])
                switch found {
                case .none(let problem, _):
                    guard number < end.segment else {
                        throw try refusal(segment, offset, problem)
                    }
                    let next = try file(number + 1).header
                    if next.previousBatch &+ 1 != batch
                        || next.previousEnd != LocalPosition(segment: number, offset: offset)
                    {
                        throw try refusal(segment, offset, problem)
                    }
                case .batch(let header, let checksum, let bytes):
                    let next = offset + BatchHeader.aligned(Int(header.length))
                    if LocalPosition(segment: number, offset: next) > start {
                        if !hand(out: bytes, segment, offset, slot, body) { return }
                    }
                    batch &+= 1
                    previous = checksum
                    offset = next
                    continue
                }
                break
            }
            number += 1
        }
    }

    private func file(_ number: UInt64) throws(JournalError) -> SegmentFile {
        do throws(JournalError) { return try files.file(number) } catch {
            if case .disk(let cause) = error, cause.code == .notFound {
                throw .positionGone(LocalPosition(segment: number, offset: 0))
            }
            throw error
        }
    }

    /// Why a batch that must be there is not: the segment was recycled meanwhile, or it is damaged.
    private func refusal(_ segment: SegmentFile, _ offset: Int, _ problem: String)
        throws(JournalError) -> JournalError
    {
        files.forget(segment.header.number)
        let now = try file(segment.header.number)
        if now.header != segment.header {
            return .positionGone(LocalPosition(segment: segment.header.number, offset: offset))
        }
        return .damage(Damage(file: segment.name, offset: UInt64(offset), problem: problem))
    }

    private func hand(
        out bytes: [UInt8], _ segment: SegmentFile, _ offset: Int, _ slot: UInt8?,
        _ body: (OpRecord, LocalPosition) -> Bool
    ) -> Bool {
        var goesOn = true
        // The batch was checked: no record of it fails to decode.
        try? SegmentFile.forEachRecord(bytes, seed: segment.seed) { record in
            guard goesOn, record.kind == .op, slot == nil || slot == record.slot else { return }
            let position = LocalPosition(
                segment: segment.header.number, offset: offset + record.offset)
            goesOn = body(record.opRecord, position)
        }
        return goesOn
    }
}

extension BatchHeader {
    /// Where the next batch starts, in octets from the start of one of this length.
    static func aligned(_ length: Int) -> Int { (length + alignment - 1) / alignment * alignment }
}

extension Journal {
    /// Reads ops back; see `durablePosition` for how far.
    public var ops: OpReader { OpReader(files: files) }

    /// Reads every batch and every live body back; see `verify(disk:configuration:)`.
    public func verify() -> [Damage] {
        Self.verify(disk: disk, configuration: configuration).damage
    }
}

/// A journal that is only read: nothing on its disk is changed.
public struct ReadOnlyJournal: Sendable {
    /// Reads bodies.
    public let bodies: BodyReader
    /// Reads ops back, up to `end`.
    public let ops: OpReader
    /// Where the journal ends.
    public let end: LocalPosition
    /// What recovery found.
    public let report: RecoveryReport
}

extension Journal {
    /// Recovers the state as `open` does, but opens nothing for writing, clears nothing away and
    /// appends nothing. What it hands out is readable; whether the last batch is durable is unknown.
    ///
    /// - Throws: as `open`.
    public static func read(
        disk: any Disk, configuration: JournalConfiguration,
        recover: (RecoveredItem) throws(JournalError) -> Void = { _ in }
    ) throws(JournalError) -> ReadOnlyJournal {
        let journal = Journal(disk: disk, configuration: configuration)
        let found = try journal.survey()
        try journal.replay(found, recover)
        try journal.checkBodyFiles(found)
        return ReadOnlyJournal(
            bodies: journal.bodies, ops: journal.ops, end: journal.end, report: journal.report)
    }
}
