import Platform

/// A batch that was written and waits for its sync.
public struct WrittenBatch: Hashable, Sendable {
    public var start: LocalPosition
    /// What is durable once the sync is done.
    public var end: LocalPosition

    /// Where the op stands.
    public func position(of op: PendingOp) -> LocalPosition {
        LocalPosition(value: start.value + UInt64(op.offsetInBatch))
    }
}

extension Journal {
    /// Writes and syncs what waits. Afterwards all of it is durable.
    ///
    /// - Returns: `durablePosition`.
    /// - Parameter usingReserve: may use the room that is kept for what must work on a full disk: what
    ///   frees space, or makes that possible.
    /// - Throws: `full` if there is no room: nothing is lost, what waits still waits or can be
    ///   discarded; `failed` if the disk failed: the process has to stop.
    @discardableResult
    public func commit(usingReserve: Bool = false) throws(JournalError) -> LocalPosition {
        if try write(usingReserve: usingReserve) != nil { try sync() }
        return durable
    }

    /// Writes what waits as one batch, without syncing: the first half of `commit`. Nothing can be
    /// appended until `sync`.
    ///
    /// - Returns: nil if nothing waits.
    public func write(usingReserve: Bool = false) throws(JournalError) -> WrittenBatch? {
        if let failure { throw .failed(failure) }
        precondition(!isSyncing, "write without the sync of the batch before")
        let buffer = pending.buffer
        if pending.recordCount == 0 { return nil }
        let length = buffer.count
        let filled = (length + alignment - 1) / alignment * alignment
        let kept = usingReserve || preparer.readyCount > 0 ? 0 : tailReserveOctets
        if current == nil || end.offset + filled > configuration.segmentOctets - kept {
            try enterNextSegment()
        }
        guard let segment = current else { preconditionFailure("no segment") }
        let start = end
        let header = BatchHeader(
            number: lastBatch &+ 1, length: UInt32(length), recordCount: pending.recordCount,
            durableMark: durable, previousChecksum: lastChecksum,
            contentChecksum: checksumRecords(seed: segment.seed), position: start)
        let checksum = header.encode(
            into: buffer.mutable(at: 0, count: BatchHeader.octets), seed: segment.seed)
        buffer.appendZeros(filled - length)
        let bytes = buffer.bytes(0..<filled)
        do throws(DiskError) {
            if let head = segment.headerBytes {
                var failed: DiskError?
                head.withUnsafeBytes { raw in
                    do throws(DiskError) { try segment.file.write(at: 0, [raw, bytes]) } catch {
                        failed = error
                    }
                }
                if let failed { throw failed }
            } else {
                try segment.file.write(at: UInt64(start.offset), [bytes])
            }
        } catch {
            // Nobody was promised anything of it, and the next batch is written over whatever of it
            // is there. A full disk refuses even this where it stores what is written over elsewhere.
            if error.code == .full {
                buffer.count = length
                throw .full
            }
            throw fail(error)
        }
        lastBatch &+= 1
        lastChecksum = checksum
        end = LocalPosition(segment: segment.number, offset: start.offset + filled)
        isSyncing = true
        return WrittenBatch(start: start, end: end)
    }

    /// Makes the written batch durable: the second half of `commit`.
    public func sync() throws(JournalError) {
        if let failure { throw .failed(failure) }
        guard isSyncing, let segment = current else { return }
        do throws(DiskError) {
            if !rules.contains(.skipSync) { try syncBatch(segment) }
            if let spare = segment.spareName {
                // Only after its content is durable does the file become a segment: so a segment
                // without a valid first batch is always damage.
                try disk.rename(spare, to: FileName.segmentName(segment.number))
                if !rules.contains(.skipDirectorySync) { try disk.syncDirectory() }
                current?.spareName = nil
                current?.headerBytes = nil
                segments.append(segment.number)
            }
        } catch {
            if !rules.contains(.goOnAfterFailedSync) { throw fail(error) }
        }
        let length = pending.buffer.count
        writtenOctets += UInt64(length)
        let first = end.offset - length
        for body in pending.bodies {
            let position =
                body.offset == 0
                ? LocalPosition.zero
                : LocalPosition(segment: segment.number, offset: first + body.offset)
            if let old = body.movedFrom, table.location(body.number)?.position != old { continue }
            table.set(body.number, BodyLocation(position: position, length: body.length))
        }
        isSyncing = false
        if start == .pending { start = .written }
        durable = end
        committedHeads = heads
        pending.clear()
    }

    private func syncBatch(_ segment: CurrentSegment) throws(DiskError) {
        do throws(DiskError) { try segment.file.sync() } catch {
            // The kernel may have given up on what was written and still show it to readers: the
            // next start must not trust that. A reboot ends it, so this needs no sync. A new
            // segment has not got its name yet: nobody looks into it.
            if segment.spareName == nil {
                _ = try? disk.open(FileName.doubtName(batch: lastBatch), create: true)
            }
            throw error
        }
    }

    func fail(_ error: DiskError) -> JournalError {
        failure = error
        return .failed(error)
    }

    /// Puts each record's CRC in place, now that the salt is known, and returns the CRC over them.
    private func checksumRecords(seed: UInt32) -> UInt32 {
        let buffer = pending.buffer
        var content = seed
        var offset = BatchHeader.octets
        while offset < buffer.count {
            let length = Int(buffer.bytes(offset..<offset + 4).load(0, UInt32.self))
            let record = buffer.bytes(offset..<offset + length)
            let checksum = Record.checksum(record, seed: seed)
            buffer.mutable(at: offset, count: 8).store(checksum, at: 4)
            withUnsafeBytes(of: checksum.littleEndian) {
                content = CRC32C.checksum($0, continuing: content)
            }
            offset += Record.padded(length)
        }
        return content
    }

    /// Takes a spare and makes the header that goes with the next write.
    private func enterNextSegment() throws(JournalError) {
        let number = (segments.last ?? 0) + 1
        let name = try preparer.take()
        let file = try reading { () throws(DiskError) in try disk.open(name, create: false) }
        let salt = rules.contains(.noSalt) ? 0 : salts.next64() ^ configuration.incarnation
        let header = SegmentHeader(
            cluster: configuration.cluster, slot: configuration.slot,
            generation: configuration.generation, incarnation: configuration.incarnation,
            number: number, salt: salt, previousBatch: lastBatch, previousChecksum: lastChecksum,
            segmentOctets: UInt32(configuration.segmentOctets), heads: committedHeads,
            nextBody: table.with { $0.next }, previousEnd: end)
        var bytes = [UInt8](repeating: 0, count: SegmentHeader.octets)
        bytes.withUnsafeMutableBytes { header.encode(into: $0) }
        current = CurrentSegment(
            number: number, file: file, seed: checksumSeed(salt: salt), spareName: name,
            headerBytes: bytes)
        end = LocalPosition(segment: number, offset: SegmentHeader.octets)
    }
}
