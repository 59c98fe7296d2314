import Platform

/// Reads ops back, for streaming to the peer and for tracing; usable from any thread.
public struct OpReader: Sendable {
    let files: SegmentFiles

    /// Hands out the ops in batches that end beyond `start`, up to `end`, a position that is
    /// durable. Ops of a batch that begins before `start` may come again.
    ///
    /// - Parameter body: returns false to stop.
    /// - Throws: `positionGone` if a segment was recycled; `damage`.
    public func read(
        from start: LocalPosition, to end: LocalPosition, slot: UInt8? = nil,
        _ body: (OpRecord, LocalPosition) -> Bool
    ) throws(JournalError) {
        var number = max(1, start.segment)
        while number <= end.segment {
            let segment: SegmentFile
            do throws(JournalError) { segment = try files.file(number) } catch {
                if case .disk(let cause) = error, cause.code == .notFound {
                    throw .positionGone(LocalPosition(segment: number, offset: 0))
                }
                throw error
            }
            var batch = segment.header.previousBatch + 1
            var previous: UInt32? = segment.header.previousChecksum
            var offset = SegmentHeader.octets
            while LocalPosition(segment: number, offset: offset) < end {
                let found = try segment.batch(
                    at: offset, number: batch, previous: previous, rules: [])
                guard case .batch(let header, let checksum, let bytes) = found else { break }
                let next = offset + (Int(header.length) + 4095) / 4096 * 4096
                if LocalPosition(segment: number, offset: next) > start {
                    if !hand(out: bytes, segment, offset, slot, body) { return }
                }
                batch += 1
                previous = checksum
                offset = next
            }
            number += 1
        }
    }

    private func hand(
        out bytes: [UInt8], _ segment: SegmentFile, _ offset: Int, _ slot: UInt8?,
        _ body: (OpRecord, LocalPosition) -> Bool
    ) -> Bool {
        var goesOn = true
        try? SegmentFile.forEachRecord(bytes, seed: segment.seed) { record in
            guard goesOn, record.kind == .op, slot == nil || slot == record.slot else { return }
            let position = LocalPosition(
                segment: segment.header.number, offset: offset + record.offset)
            goesOn = body(record.opRecord, position)
        }
        return goesOn
    }
}

extension Journal {
    /// Reads ops back; see `durablePosition` for how far.
    public var ops: OpReader { OpReader(files: files) }

    /// Reads every batch of every segment and every live body back, checking CRCs, the batches'
    /// chain and SHA-256. The ops' chains were checked when the journal was opened.
    ///
    /// - Returns: what is damaged; empty if all is well.
    public func verify() throws(JournalError) -> [Damage] {
        var findings: [Damage] = []
        for number in segments {
            try collect(&findings) { () throws(JournalError) in
                if let damage = try verifySegment(number) { throw .damage(damage) }
            }
        }
        for number in table.with({ $0.locations.keys.sorted() }) {
            try collect(&findings) { () throws(JournalError) in
                _ = try bodies.read(BodyNumber(rawValue: number), verifyDigest: true)
            }
        }
        return findings
    }

    private func collect(_ findings: inout [Damage], _ check: () throws(JournalError) -> Void)
        throws(JournalError)
    {
        do throws(JournalError) { try check() } catch {
            guard case .damage(let damage) = error else { throw error }
            findings.append(damage)
        }
    }

    private func verifySegment(_ number: UInt64) throws(JournalError) -> Damage? {
        let segment = try SegmentFile.open(number, on: disk, configuration: configuration)
        var batch = segment.header.previousBatch + 1
        var previous = segment.header.previousChecksum
        var offset = SegmentHeader.octets
        while case .batch(let header, let checksum, _) = try segment.batch(
            at: offset, number: batch, previous: previous, rules: [])
        {
            batch += 1
            previous = checksum
            offset += (Int(header.length) + 4095) / 4096 * 4096
        }
        var expected: (batch: UInt64, end: Int)?
        if number == durable.segment {
            expected = (lastBatch + 1, end.offset)
        } else if segments.contains(number + 1) {
            let next = try SegmentFile.open(number + 1, on: disk, configuration: configuration)
            expected = (next.header.previousBatch + 1, next.header.previousEnd.offset)
        }
        if let expected, expected.batch != batch || expected.end != offset {
            return Damage(
                file: segment.name, offset: UInt64(offset),
                problem: "no valid batch \(batch), though the journal goes on")
        }
        return nil
    }
}
