import Platform

/// Which segment is being emptied.
struct CompactionState {
    var segment: UInt64?
    var queue: [UInt64] = []
    /// Segments in which something could not be read: left as they are.
    var refused: Set<UInt64> = []
    var retainFrom = LocalPosition(value: .max)
    /// Of dead bodies: gone from the table, but not yet from the disk.
    var deadFiles: Set<UInt64> = []
}

extension Journal {
    /// Begins a checkpoint at `durablePosition`: takes a snapshot of the journal's own tables and
    /// drops the bodies that are dead. The caller writes the state it has at this very position.
    ///
    /// - Parameters:
    ///   - isLive: whether the body is still named by that state. A body that is not is gone at
    ///     once for readers, and never comes back.
    ///   - retainOpsFrom: ops from here on are kept readable, for a peer that lacks them.
    /// - Precondition: nothing waits for a commit.
    public func beginCheckpoint(
        retainOpsFrom: LocalPosition = LocalPosition(value: .max),
        isLive: (BodyNumber) -> Bool
    ) throws(JournalError) -> CheckpointWriter {
        if let failure { throw .failed(failure) }
        precondition(pending.recordCount == 0 && !isSyncing)
        compaction.retainFrom = retainOpsFrom
        let numbers = table.with { Array($0.locations.keys) }
        let dead = numbers.filter { !isLive(BodyNumber(rawValue: $0)) }
        let deadFiles = table.with { state in
            var files: [UInt64] = []
            for number in dead {
                if state.locations[number]?.isFile == true { files.append(number) }
                state.remove(number)
            }
            return files
        }
        // A checkpoint that fails leaves its dead files to the next.
        compaction.deadFiles.formUnion(deadFiles)
        let (locations, liveOctets, next) = table.with { state in
            (
                state.locations.map { (number: $0.key, location: $0.value) },
                state.liveOctets, state.next
            )
        }
        let empty = segments.filter { $0 < durable.segment && liveOctets[$0, default: 0] == 0 }
        let writer = CheckpointWriter(
            journal: self, locations: locations.sorted { $0.number < $1.number }, nextBody: next,
            emptySegments: empty, deadFiles: compaction.deadFiles.sorted())
        if rules.contains(.reclaimBeforeCheckpoint) {
            try reclaim(empty, compaction.deadFiles.sorted())
        }
        return writer
    }

    /// Takes a durable checkpoint into use: older ones are removed, dead segments recycled.
    public func install(_ checkpoint: FinishedCheckpoint) throws(JournalError) {
        if let failure { throw .failed(failure) }
        checkpointPosition = checkpoint.position
        do throws(DiskError) {
            for name in try disk.list() {
                if case .checkpoint(let value) = FileName(name),
                    value < checkpoint.position.value
                {
                    try disk.remove(name)
                }
            }
            // An older checkpoint that came back would name what is reclaimed now.
            try disk.syncDirectory()
        } catch { throw .disk(error) }
        if !rules.contains(.reclaimBeforeCheckpoint) {
            try reclaim(checkpoint.emptySegments, checkpoint.deadFiles)
        }
    }

    private func reclaim(_ empty: [UInt64], _ deadFiles: [UInt64]) throws(JournalError) {
        let retained = rules.contains(.ignoreRetainedOps) ? .max : compaction.retainFrom.segment
        for number in empty where number < retained && segments.contains(number) {
            files.forget(number)
            try preparer.recycle(FileName.segmentName(number))
            segments.removeAll { $0 == number }
            table.with { $0.liveOctets[number] = nil }
        }
        for number in deadFiles where compaction.deadFiles.remove(number) != nil {
            try reading { () throws(DiskError) in
                try disk.remove(FileName.bodyName(BodyNumber(rawValue: number)))
            }
        }
        try reading { () throws(DiskError) in try disk.syncDirectory() }
    }

    /// Moves live bodies out of a segment that is mostly dead into the waiting batch. Commit, and
    /// call again until it returns 0; the next checkpoint but one frees the segment.
    ///
    /// - Returns: the octets that were appended.
    /// - Throws: `damage` if a body cannot be read; its segment is left alone from then on.
    public func compactStep(octetsMax: Int = 4 << 20) throws(JournalError) -> Int {
        var moved = 0
        while moved < octetsMax {
            if compaction.queue.isEmpty, !chooseSegment() { break }
            guard let number = compaction.queue.last else { break }
            guard let location = table.location(BodyNumber(rawValue: number)),
                location.position.segment == compaction.segment
            else {
                compaction.queue.removeLast()
                continue
            }
            do throws(JournalError) {
                moved += try move(BodyNumber(rawValue: number), location)
            } catch {
                if error == .batchFull { break }
                if case .damage = error, let segment = compaction.segment {
                    compaction.refused.insert(segment)
                    compaction.queue = []
                }
                throw error
            }
            compaction.queue.removeLast()
        }
        return moved
    }

    private func move(_ number: BodyNumber, _ location: BodyLocation) throws(JournalError) -> Int {
        let digest = try bodies.digest(of: number)
        let body = try bodies.read(number)
        let offset = try begin(.body, length: 64 + body.count)
        body.withUnsafeBytes { pending.buffer.append($0) }
        finishBody(
            offset, number, octets: body.count, digest: digest, movedFrom: location.position)
        return body.count + 64
    }

    /// The emptiest segment that is worth it.
    private func chooseSegment() -> Bool {
        let limit = configuration.segmentOctets * (100 - configuration.compactionDeadPercent) / 100
        let live = table.with { $0.liveOctets }
        var best: (number: UInt64, octets: Int)?
        for number in segments
        where number < checkpointPosition.segment && number < compaction.retainFrom.segment
            && !compaction.refused.contains(number) && number != compaction.segment
        {
            let octets = live[number, default: 0]
            if octets > 0, octets < limit, octets < best?.octets ?? .max { best = (number, octets) }
        }
        guard let best else { return false }
        compaction.segment = best.number
        compaction.queue = table.with { state in
            state.locations.filter { $0.value.position.segment == best.number }.keys.sorted(by: >)
        }
        return true
    }
}
