import Platform

/// An open file of a `FaultyDisk`.
final class FaultyFile: DiskFile {
    private let disk: FaultyDisk
    private let id: Int
    private let name: String

    init(disk: FaultyDisk, id: Int, name: String) {
        self.disk = disk
        self.id = id
        self.name = name
    }

    func size() throws(DiskError) -> UInt64 {
        try disk.with { s throws(DiskError) in
            if s.crashed { throw DiskError(.failed, operation: "stat", file: name) }
            return UInt64(s.contents[id]?.current.count ?? 0)
        }
    }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(DiskError)
        -> Int
    {
        nonisolated(unsafe) let buffer = buffer
        return try disk.with { s throws(DiskError) -> Int in
            let failsOnce = s.faults.failNextRead
            s.faults.failNextRead = false
            if s.crashed || s.faults.failReads || failsOnce {
                s.counters.failedCalls += 1
                throw DiskError(.failed, operation: "read", file: name)
            }
            guard let content = s.contents[id], offset < UInt64(content.current.count) else {
                return 0
            }
            let start = Int(offset)
            let count = min(buffer.count, content.current.count - start)
            content.current.withUnsafeBytes { source in
                buffer.copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: source[start..<start + count]))
            }
            return count
        }
    }

    func write(at offset: UInt64, _ pieces: [UnsafeRawBufferPointer]) throws(DiskError) {
        nonisolated(unsafe) let pieces = pieces
        try disk.with { s throws(DiskError) in
            s.counters.writes += 1
            // The file under the head keeps the range even if the crash is now: it may be torn.
            let total = pieces.reduce(0) { $0 + $1.count }
            let range = Int(offset)..<Int(offset) + total
            let crashedBefore = s.crashed
            var failure: DiskError?
            do throws(DiskError) { try s.change("write", name) } catch { failure = error }
            if crashedBefore { throw DiskError(.failed, operation: "write", file: name) }
            if s.faults.failNextWrite {
                s.faults.failNextWrite = false
                failure = DiskError(.failed, operation: "write", file: name)
            }
            guard var content = s.contents.removeValue(forKey: id) else {
                throw DiskError(.failed, operation: "write", file: name)
            }
            defer { s.contents[id] = content }
            if s.faults.isFull {
                s.counters.refusedFull += 1
                failure = DiskError(.full, operation: "write", file: name)
            }
            let growth = range.upperBound - content.current.count
            if growth > 0 {
                if s.faults.isFull || s.used + growth > s.capacity {
                    s.counters.refusedFull += 1
                    throw DiskError(.full, operation: "write", file: name)
                }
                FaultyDisk.Content.resize(&content.current, to: range.upperBound)
                if content.isNamed { s.used += growth }
            }
            var at = range.lowerBound
            var end = range.upperBound
            if s.faults.isFull {
                // It takes some of the blocks, but never all.
                let blocks = UInt64((total + FaultyDisk.block - 1) / FaultyDisk.block)
                end = at + Int(s.random.below(max(blocks, 1))) * FaultyDisk.block
            }
            for piece in pieces {
                let count = min(piece.count, max(0, end - at))
                let taken = UnsafeRawBufferPointer(rebasing: piece[..<count])
                content.current.withUnsafeMutableBytes {
                    UnsafeMutableRawBufferPointer(rebasing: $0[at..<at + count])
                        .copyMemory(from: taken)
                }
                at += count
            }
            content.markDirty(range)
            content.lastWrite = range
            if let failure { throw failure }
        }
    }

    func sync() throws(DiskError) {
        try disk.with { s throws(DiskError) in
            s.counters.syncs += 1
            try s.change("sync", name)
            if s.faults.dropsSyncs { return }
            guard var content = s.contents.removeValue(forKey: id) else { return }
            defer { s.contents[id] = content }
            if s.faults.failNextSync {
                // What Linux does: the pages are marked clean, so that no later sync writes them.
                s.faults.failNextSync = false
                s.counters.failedSyncs += 1
                for i in content.sectors.indices where content.sectors[i] == .dirty {
                    content.sectors[i] = .abandoned
                }
                throw DiskError(.failed, operation: "sync", file: name)
            }
            let size = FaultyDisk.sector
            let end = content.current.count
            FaultyDisk.Content.resize(&content.durable, to: end)
            for sector in content.sectors.indices where content.sectors[sector] == .dirty {
                content.sectors[sector] = .clean
                content.dirtyCount -= 1
                let range = min(sector * size, end)..<min((sector + 1) * size, end)
                if range.isEmpty { continue }
                content.current.withUnsafeBytes { from in
                    content.durable.withUnsafeMutableBytes { to in
                        UnsafeMutableRawBufferPointer(rebasing: to[range])
                            .copyMemory(from: UnsafeRawBufferPointer(rebasing: from[range]))
                    }
                }
            }
            content.lastWrite = nil
        }
    }

    func truncate(to octets: UInt64) throws(DiskError) {
        try disk.with { s throws(DiskError) in
            try s.change("truncate", name)
            guard var content = s.contents.removeValue(forKey: id) else { return }
            defer { s.contents[id] = content }
            let before = content.current.count
            FaultyDisk.Content.resize(&content.current, to: Int(octets))
            if content.isNamed { s.used += content.current.count - before }
        }
    }
}
