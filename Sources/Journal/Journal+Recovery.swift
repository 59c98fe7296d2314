import Platform

extension Journal {
    /// Opens the journal in the directory, or begins a new one in an empty directory.
    ///
    /// Everything handed to `recover` is durable when this returns; an error thrown by `recover`
    /// stops recovery and is rethrown as `damage` unless it is a `JournalError`.
    ///
    /// - Throws: `damage` naming file, offset and problem if anything that was once durable is not
    ///   readable; nothing on the disk has been changed then.
    public static func open(
        disk: any Disk, configuration: JournalConfiguration,
        recover: (RecoveredItem) throws(JournalError) -> Void = { _ in }
    ) throws(JournalError) -> Journal {
        let journal = Journal(disk: disk, configuration: configuration)
        let found = try journal.survey()
        try journal.replay(found, recover)
        try journal.settle(found)
        return journal
    }

    /// The files by kind.
    struct Survey {
        var segments: [UInt64] = []
        var spares: [UInt64] = []
        var checkpoints: [UInt64] = []
        var bodies: [UInt64] = []
        var unfinished: [String] = []
        var doubts: [UInt64] = []
    }

    func survey() throws(JournalError) -> Survey {
        var found = Survey()
        let names = try reading { () throws(DiskError) in try disk.list() }
        for name in names.sorted() {
            switch FileName(name) {
            case .segment(let n): found.segments.append(n)
            case .spare(let n): found.spares.append(n)
            case .checkpoint(let n): found.checkpoints.append(n)
            case .body(let n): found.bodies.append(n)
            case .unfinished: found.unfinished.append(name)
            case .doubt(let n): found.doubts.append(n)
            case .other: report.notes.append("\(name) is not a file of the journal; left alone")
            }
        }
        return found
    }

    func replay(_ found: Survey, _ recover: (RecoveredItem) throws(JournalError) -> Void)
        throws(JournalError)
    {
        let from = try loadCheckpoint(found, recover)
        segments = found.segments
        guard let last = found.segments.last else {
            if from != .zero {
                let name = FileName.segmentName(from.segment)
                throw .damage(Damage(file: name, offset: 0, problem: "the segment is missing"))
            }
            return
        }
        if !found.segments.contains(from == .zero ? 1 : from.segment) {
            let name = from == .zero ? "checkpoint" : FileName.segmentName(from.segment)
            throw .damage(
                Damage(file: name, offset: 0, problem: "missing: the journal's start is not here"))
        }
        var number = max(from.segment, 1)
        var offset = from == .zero ? SegmentHeader.octets : from.offset
        while true {
            guard found.segments.contains(number) else {
                let name = FileName.segmentName(number)
                throw .damage(Damage(file: name, offset: 0, problem: "the segment is missing"))
            }
            let segment = try SegmentFile.open(number, on: disk, configuration: configuration)
            guard offset >= SegmentHeader.octets, offset <= Int(segment.header.segmentOctets) else {
                throw .damage(
                    Damage(
                        file: segment.name, offset: UInt64(offset),
                        problem: "the checkpoint's position is not in the segment"))
            }
            if offset == SegmentHeader.octets { try enter(segment) }
            offset = try replay(segment, from: offset, isLast: number == last, recover)
            if number == last {
                current = CurrentSegment(number: number, file: segment.file, seed: segment.seed)
                end = LocalPosition(segment: number, offset: offset)
                return
            }
            end = LocalPosition(segment: number, offset: offset)
            number += 1
            offset = SegmentHeader.octets
        }
    }

    /// Loads the newest checkpoint that is whole, and returns where replay begins.
    private func loadCheckpoint(
        _ found: Survey, _ recover: (RecoveredItem) throws(JournalError) -> Void
    ) throws(JournalError) -> LocalPosition {
        for value in found.checkpoints.sorted(by: >) {
            let name = FileName.checkpointName(LocalPosition(value: value))
            let reader: CheckpointReader
            do throws(JournalError) {
                reader = try CheckpointReader(name, disk)
                // All of it is checked before any of it is used.
                try reader.forEachChunk { (_, _) throws(JournalError) in }
            } catch {
                guard case .damage(let damage) = error else { throw error }
                report.notes.append("Checkpoint not used: \(damage)")
                continue
            }
            if reader.header.cluster != configuration.cluster
                || reader.header.slot != configuration.slot
            {
                throw .foreign("\(name) belongs to another cluster or slot")
            }
            guard reader.header.position.value == value else {
                report.notes.append("Checkpoint not used: \(name) is another's")
                continue
            }
            try reader.forEachChunk { (kind, content) throws(JournalError) in
                if kind == 1 { return try recover(.checkpointState(content)) }
                try reader.bodies(content) { table.set(BodyNumber(rawValue: $0), $1) }
            }
            heads = reader.header.heads
            lastBatch = reader.header.lastBatch
            lastChecksum = reader.header.lastChecksum
            let next = min(reader.header.nextBody, BodyTable.numberLimit)
            if !rules.contains(.bodyNumbersRestart) {
                table.with { $0.next = max($0.next, next) }
            } else {
                table.with { $0.next = 1 }
            }
            end = reader.header.position
            checkpointPosition = end
            report.replayedFrom = end
            return end
        }
        return .zero
    }

    /// Checks that a segment follows what came before it.
    private func enter(_ segment: SegmentFile) throws(JournalError) {
        if rules.contains(.segmentLinkNotVerified) {
            lastBatch = segment.header.previousBatch
            lastChecksum = segment.header.previousChecksum
            heads = segment.header.heads
            return
        }
        guard segment.header.previousBatch == lastBatch,
            segment.header.previousChecksum == lastChecksum, segment.header.previousEnd == end,
            segment.header.heads == heads || rules.contains(.chainNotVerified)
        else {
            throw .damage(
                Damage(
                    file: FileName.segmentName(max(end.segment, 1)), offset: UInt64(end.offset),
                    problem: "the journal ends here at batch \(lastBatch), but \(segment.name)"
                        + " follows batch \(segment.header.previousBatch)"))
        }
        if !rules.contains(.bodyNumbersRestart) {
            let next = min(segment.header.nextBody, BodyTable.numberLimit)
            table.with { $0.next = max($0.next, next) }
        }
    }

    /// Applies the batches of a segment from `start` on and returns where they end.
    private func replay(
        _ segment: SegmentFile, from start: Int, isLast: Bool,
        _ recover: (RecoveredItem) throws(JournalError) -> Void
    ) throws(JournalError) -> Int {
        var offset = start
        while true {
            let found = try segment.batch(
                at: offset, number: lastBatch &+ 1, previous: lastChecksum, rules: rules)
            switch found {
            case .batch(let header, let checksum, let bytes):
                try apply(segment, offset, bytes, recover)
                lastBatch = header.number
                lastChecksum = checksum
                if isLast { tail = (header.number, offset, bytes) }
                offset += (Int(header.length) + alignment - 1) / alignment * alignment
            case .none(let problem, let torn):
                // Of a segment that is not the last, the next one's header says whether this is
                // its end.
                guard isLast else { return offset }
                if offset == SegmentHeader.octets {
                    throw .damage(
                        Damage(file: segment.name, offset: UInt64(offset), problem: problem))
                }
                try checkTail(segment, offset, problem)
                if torn {
                    report.tornTail = LocalPosition(
                        segment: segment.header.number, offset: offset)
                }
                return offset
            }
        }
    }

    /// A tail is only cut off where nothing valid follows: then it was never committed.
    private func checkTail(_ segment: SegmentFile, _ offset: Int, _ problem: String)
        throws(JournalError)
    {
        if rules.contains(.truncateBeyondValidBatch) { return }
        let later = try segment.laterBatch(beyond: offset, after: lastBatch, alignment: alignment)
        guard let later else { return }
        throw .damage(
            Damage(
                file: segment.name, offset: UInt64(offset),
                problem: "\(problem), but a later batch stands at offset \(later)"))
    }

    private func apply(
        _ segment: SegmentFile, _ offset: Int, _ bytes: [UInt8],
        _ recover: (RecoveredItem) throws(JournalError) -> Void
    ) throws(JournalError) {
        do {
            try SegmentFile.forEachRecord(bytes, seed: segment.seed, rules: rules) { record in
                let position = LocalPosition(
                    segment: segment.header.number, offset: offset + record.offset)
                switch record.kind {
                case .op: try recover(.op(verified(record, segment, position), position))
                case .body:
                    let location = BodyLocation(position: position, length: record.bodyLength)
                    table.set(record.bodyNumber, location)
                    try recover(.body(record.bodyNumber, record.bodyDigest))
                case .bodyFile:
                    let location = BodyLocation(position: .zero, length: record.bodyLength)
                    table.set(record.bodyNumber, location)
                    try recover(.body(record.bodyNumber, record.bodyDigest))
                case .chainReset: heads[record.slot] = record.chainHead
                case .start: break
                case .note: try recover(.note(record.noteRecord, position))
                }
            }
        } catch let error as JournalError {
            throw error
        } catch {
            throw .damage(Damage(file: segment.name, offset: UInt64(offset), problem: "\(error)"))
        }
    }

    /// The op, if it continues its origin's chain.
    private func verified(_ record: Record, _ segment: SegmentFile, _ position: LocalPosition)
        throws(JournalError) -> OpRecord
    {
        let op = record.opRecord
        let head = heads[op.name.slot]
        if !rules.contains(.chainNotVerified) {
            let chain = Record.chain(after: head.hash, op: record.bytes)
            guard op.name.sequence == head.sequence &+ 1, chain == op.chain else {
                throw .damage(
                    Damage(
                        file: segment.name, offset: UInt64(position.offset),
                        problem: "op \(op.name) does not continue its chain"))
            }
        }
        heads[op.name.slot] = ChainHead(
            incarnation: op.name.incarnation, sequence: op.name.sequence, hash: op.chain)
        report.opCount += 1
        return op
    }

    /// The numbers of the bodies in files of their own, all of which must be there.
    @discardableResult
    func checkBodyFiles(_ found: Survey) throws(JournalError) -> Set<UInt64> {
        let named = table.with { state in
            Set(state.locations.filter { $0.value.isFile }.keys)
        }
        if let gone = named.subtracting(found.bodies).min() {
            let name = FileName.bodyName(BodyNumber(rawValue: gone))
            throw .damage(Damage(file: name, offset: 0, problem: "the file is missing"))
        }
        return named
    }

    /// After everything has been read: makes what was found durable, clears away what no one
    /// names, and begins this incarnation.
    private func settle(_ found: Survey) throws(JournalError) {
        committedHeads = heads
        durable = end
        let named = try checkBodyFiles(found)
        do throws(DiskError) {
            if let tail, found.doubts.contains(tail.batch),
                !rules.contains(.recoveredTailNotRewritten)
            {
                // A sync that failed may have dropped it though it can be read; it was not
                // answered, so nothing is lost if the disk fails again in the midst of this.
                try current?.file.write(at: UInt64(tail.offset), tail.bytes)
            }
            tail = nil
            if !rules.contains(.recoveredTailNotSynced) {
                do throws(DiskError) { try current?.file.sync() } catch {
                    // As after a commit: what can be read may be nowhere but in memory.
                    if lastBatch > 0 {
                        _ = try? disk.open(FileName.doubtName(batch: lastBatch), create: true)
                    }
                    throw error
                }
                try disk.syncDirectory()
            }
            for name in found.unfinished { try disk.remove(name) }
            if !found.doubts.isEmpty {
                for n in found.doubts { try disk.remove(FileName.doubtName(batch: n)) }
                // Its number is soon another batch's.
                try disk.syncDirectory()
            }
            if !rules.contains(.keepUnreferencedBodyFiles) {
                for number in found.bodies where !named.contains(number) {
                    try disk.remove(FileName.bodyName(BodyNumber(rawValue: number)))
                }
            }
            for value in found.checkpoints where value < checkpointPosition.value {
                try disk.remove(FileName.checkpointName(LocalPosition(value: value)))
            }
            for number in found.spares {
                let name = FileName.spareName(number)
                let size = try disk.open(name, create: false).size()
                if size == UInt64(configuration.segmentOctets) {
                    preparer.add(name)
                } else {
                    try disk.remove(name)
                }
            }
        } catch {
            if error.code == .full { throw .full }
            throw fail(error)
        }
        try appendStart()
        do throws(JournalError) {
            try commit(usingReserve: true)
        } catch {
            // Nothing depends on this record. Mail can be read on a disk that is full, and expunged.
            guard error == .full, !segments.isEmpty else { throw error }
            discardPending()
        }
    }
}
