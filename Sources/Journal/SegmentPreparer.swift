import Platform
import Synchronization

/// Keeps segments ready, written full of zeros, so that an append never waits for blocks to be
/// allocated. Usable from any thread.
public final class SegmentPreparer: Sendable {
    private struct State {
        var ready: [String] = []
        var next: UInt64 = 1
    }

    private let disk: any Disk
    private let segmentOctets: Int
    private let wanted: Int
    private let state = Mutex(State())

    init(disk: any Disk, configuration: JournalConfiguration) {
        self.disk = disk
        segmentOctets = configuration.segmentOctets
        wanted = configuration.spareSegments
    }

    /// Segments that are ready.
    public var readyCount: Int { state.withLock { $0.ready.count } }

    /// Whether `prepareNextSegment` has something to do.
    public var isNeeded: Bool { readyCount < wanted }

    /// Writes one segment of zeros and syncs it, if fewer are ready than wanted. Takes long: call
    /// it on a thread of its own after each commit that made `isNeeded` true.
    ///
    /// - Returns: whether it prepared one.
    /// - Throws: `JournalError.full` if the disk has no room; nothing is lost by that.
    @discardableResult
    public func prepareNextSegment() throws(JournalError) -> Bool {
        guard isNeeded else { return false }
        add(try make())
        return true
    }

    /// A segment to write to; makes one if none is ready.
    func take() throws(JournalError) -> String {
        if let name = state.withLock({ $0.ready.isEmpty ? nil : $0.ready.removeFirst() }) {
            return name
        }
        return try make()
    }

    /// Adds a file that has the right length already.
    func add(_ name: String) {
        state.withLock { state in
            state.ready.append(name)
            if case .spare(let n) = FileName(name) { state.next = max(state.next, n &+ 1) }
        }
    }

    /// Takes over a segment whose content is dead: renames it, or removes it if enough are ready.
    func recycle(_ name: String) throws(JournalError) {
        let spare = isNeeded ? newName() : nil
        try reading { () throws(DiskError) in
            if let spare {
                try disk.rename(name, to: spare)
            } else {
                try disk.remove(name)
            }
        }
        if let spare { add(spare) }
    }

    private func newName() -> String {
        state.withLock { state in
            defer { state.next &+= 1 }
            return FileName.spareName(state.next)
        }
    }

    private func make() throws(JournalError) -> String {
        let name = newName()
        let octets = segmentOctets
        do throws(DiskError) {
            // Filling the disk up to find that out would take the room from others for a while.
            if try disk.freeOctets() < UInt64(octets) {
                throw DiskError(.full, operation: "fill", file: name)
            }
            let file = try disk.open(name, create: true)
            try file.fill(to: UInt64(octets))
            try file.sync()
            try disk.syncDirectory()
        } catch {
            try? disk.remove(name)
            throw error.code == .full ? .full : .disk(error)
        }
        return name
    }
}
