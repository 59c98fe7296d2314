import Platform
import Synchronization

/// A disk in memory that tears, loses, reorders, fails and fills up, from a seed.
///
/// What was written but not synced is a set of dirty 512-octet sectors; at a power loss each of
/// them, on its own, keeps its old content or gets the new one, and the 4,096-octet block that was
/// under the head at that moment may be garbage. Names that were created, renamed or removed
/// without a directory sync are kept or lost one by one.
public final class FaultyDisk: Disk {
    /// What goes wrong, and when.
    public struct Faults: Sendable {
        /// Every call fails once this many more calls that change something have been made.
        public var crashAfterChanges: Int?
        /// The next sync fails, and what it should have made durable stays in doubt, though the
        /// following sync "succeeds".
        public var failNextSync = false
        public var failNextWrite = false
        public var failNextRead = false
        public var failNextDirectorySync = false
        public var failReads = false
        /// No write finds room, not even where something stands already: a file system that never
        /// writes in place, and is full. A part of what was to be written may be there afterwards.
        public var isFull = false
        /// Every call that changes something fails, until the power goes.
        public var failChanges = false
        /// Syncs and directory syncs "succeed", but make nothing durable, until `settle`.
        public var dropsSyncs = false
        /// Whether a power loss may leave garbage in a block that was being written.
        public var scrambleBlocks = true

        public init() {}
    }

    /// How often each thing was done or went wrong.
    public struct Counters: Sendable {
        public var writes = 0
        public var syncs = 0
        public var directorySyncs = 0
        public var tornSectors = 0
        public var scrambledBlocks = 0
        public var lostNames = 0
        public var refusedFull = 0
        public var failedSyncs = 0
        public var failedCalls = 0

        public init() {}
    }

    struct Content {
        var current: [UInt8] = []
        var durable: [UInt8] = []
        /// By sector, as far as any was written: in which `current` may differ from `durable`.
        var sectors: [Sector] = []
        var dirtyCount = 0
        var lastWrite: Range<Int>?
        var isNamed = true

        enum Sector: UInt8 {
            case clean, dirty
            /// A failed sync gave it up: later syncs do not write it unless it is written again.
            case abandoned
        }

        mutating func markDirty(_ range: Range<Int>) {
            if range.isEmpty { return }
            let last = (range.upperBound - 1) / FaultyDisk.sector
            if sectors.count <= last {
                sectors.append(contentsOf: repeatElement(.clean, count: last + 1 - sectors.count))
            }
            for sector in range.lowerBound / FaultyDisk.sector...last {
                if sectors[sector] == .clean { dirtyCount += 1 }
                sectors[sector] = .dirty
            }
        }

        /// Sets a length that is durable at once, or lets octets go.
        static func resize(_ bytes: inout [UInt8], to count: Int) {
            if bytes.count < count {
                bytes += [UInt8](repeating: 0, count: count - bytes.count)
            } else {
                bytes.removeLast(bytes.count - count)
            }
        }
    }

    enum NameChange {
        case link(String, Int)
        case rename(String, String, Int)
        case unlink(String)
    }

    struct State {
        var contents: [Int: Content] = [:]
        var nextFile = 1
        var names: [String: Int] = [:]
        var durableNames: [String: Int] = [:]
        var nameChanges: [NameChange] = []
        var faults = Faults()
        var counters = Counters()
        var crashed = false
        var random: SeededRandomness
        var capacity: Int
        /// The sum of the lengths of all named files.
        var used = 0
    }

    static let sector = 512
    static let block = 4096

    private let state: Mutex<State>

    /// - Parameter capacityOctets: the sum of all files' lengths at which the disk is full.
    public init(seed: UInt64, capacityOctets: Int = .max) {
        state = Mutex(State(random: SeededRandomness(seed: seed), capacity: capacityOctets))
    }

    func with<R: Sendable>(
        _ body: (inout sending State) throws(DiskError) -> sending R
    ) throws(DiskError) -> R {
        let result: Result<R, DiskError> = state.withLock { state in
            do throws(DiskError) { return .success(try body(&state)) } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    public func list() throws(DiskError) -> [String] {
        try with { s throws(DiskError) in
            if s.crashed { throw DiskError(.failed, operation: "list", file: "") }
            return s.names.keys.sorted()
        }
    }

    public func open(_ name: String, create: Bool) throws(DiskError) -> any DiskFile {
        let id = try with { s throws(DiskError) -> Int in
            if s.crashed { throw DiskError(.failed, operation: "open", file: name) }
            if let id = s.names[name] { return id }
            guard create else { throw DiskError(.notFound, operation: "open", file: name) }
            try s.change("create", name)
            if s.faults.isFull {
                s.counters.refusedFull += 1
                throw DiskError(.full, operation: "create", file: name)
            }
            let id = s.nextFile
            s.nextFile += 1
            s.contents[id] = Content()
            s.names[name] = id
            s.nameChanges.append(.link(name, id))
            return id
        }
        return FaultyFile(disk: self, id: id, name: name)
    }

    public func remove(_ name: String) throws(DiskError) {
        try with { s throws(DiskError) in
            try s.change("remove", name)
            guard let id = s.names.removeValue(forKey: name) else {
                throw DiskError(.notFound, operation: "remove", file: name)
            }
            s.unname(id)
            s.nameChanges.append(.unlink(name))
        }
    }

    public func rename(_ name: String, to newName: String) throws(DiskError) {
        try with { s throws(DiskError) in
            try s.change("rename", name)
            guard let id = s.names.removeValue(forKey: name) else {
                throw DiskError(.notFound, operation: "rename", file: name)
            }
            if let replaced = s.names.updateValue(id, forKey: newName) { s.unname(replaced) }
            s.nameChanges.append(.rename(name, newName, id))
        }
    }

    public func syncDirectory() throws(DiskError) {
        try with { s throws(DiskError) in
            try s.change("sync directory", "")
            if s.faults.failNextDirectorySync {
                s.faults.failNextDirectorySync = false
                s.counters.failedSyncs += 1
                throw DiskError(.failed, operation: "sync directory", file: "")
            }
            s.counters.directorySyncs += 1
            if s.faults.dropsSyncs { return }
            s.durableNames = s.names
            s.nameChanges = []
        }
    }

    public func freeOctets() throws(DiskError) -> UInt64 {
        try with { s throws(DiskError) in s.faults.isFull ? 0 : UInt64(max(0, s.capacity - s.used))
        }
    }

    // MARK: What the test does to it

    public func setFaults(_ change: (inout Faults) -> Void) {
        state.withLock { change(&$0.faults) }
    }

    public func setCapacity(_ octets: Int) {
        state.withLock { $0.capacity = octets }
    }

    public var counters: Counters { state.withLock { $0.counters } }
    public var isCrashed: Bool { state.withLock { $0.crashed } }
    /// The sum of the lengths of all named files.
    public var usedOctets: Int { state.withLock { $0.used } }

    /// The process died, the kernel did not: everything written is there, nothing more durable.
    public func restartAfterProcessCrash() {
        state.withLock { s in
            s.crashed = false
            s.faults.crashAfterChanges = nil
        }
    }

    /// The machine lost its power: see the type's description.
    ///
    /// - Parameter keepsSome: false if nothing is kept that was not durable.
    public func restartAfterPowerLoss(keepsSome: Bool = true) {
        state.withLock { $0.losePower(keepsSome: keepsSome) }
    }

    /// Everything that was written is durable, whatever became of its syncs.
    public func settle() {
        state.withLock { s in
            for id in s.contents.keys.sorted() {
                guard var content = s.contents.removeValue(forKey: id) else { continue }
                content.durable = content.current
                content.sectors = []
                content.dirtyCount = 0
                content.lastWrite = nil
                s.contents[id] = content
            }
            s.durableNames = s.names
            s.nameChanges = []
            s.faults.dropsSyncs = false
        }
    }

    /// All that is on the disk at one moment.
    public struct Snapshot: Sendable {
        fileprivate var contents: [Int: Content]
        fileprivate var names: [String: Int]
    }

    /// What is durable now.
    public func snapshot() -> Snapshot {
        state.withLock { s in
            var contents: [Int: Content] = [:]
            for id in s.durableNames.values.sorted() {
                guard let content = s.contents[id] else { continue }
                contents[id] = Content(current: content.durable, durable: content.durable)
            }
            return Snapshot(contents: contents, names: s.durableNames)
        }
    }

    /// Puts the disk back to what it was: a backup that was restored, a snapshot that was reverted.
    public func restore(_ snapshot: Snapshot) {
        state.withLock { s in
            s.contents = snapshot.contents
            (s.names, s.durableNames) = (snapshot.names, snapshot.names)
            s.nameChanges = []
            s.faults = Faults()
            s.crashed = false
            s.recount()
        }
    }

    /// Flips one bit, in what is durable too.
    public func flipBit(_ name: String, at offset: Int, bit: Int) {
        modify(name) { $0[offset] ^= 1 << UInt8(bit & 7) }
    }

    /// Changes a file behind everyone's back, in what is durable too.
    public func modify(_ name: String, _ body: (inout [UInt8]) -> Void) {
        state.withLock { s in
            guard let id = s.names[name], var content = s.contents[id] else { return }
            body(&content.current)
            content.durable = content.current
            content.sectors = []
            content.dirtyCount = 0
            s.contents[id] = content
            s.recount()
        }
    }

    /// The file's content as a reader sees it now, nil if there is no such file.
    public func contents(of name: String) -> [UInt8]? {
        state.withLock { s in s.names[name].flatMap { s.contents[$0]?.current } }
    }
}

extension FaultyDisk.State {
    mutating func unname(_ id: Int) {
        used -= contents[id]?.current.count ?? 0
        contents[id]?.isNamed = false
    }

    /// After changes that did not keep `used`.
    mutating func recount() {
        used = 0
        for id in names.values.sorted() {
            used += contents[id]?.current.count ?? 0
            contents[id]?.isNamed = true
        }
    }

    /// Counts a call that changes something, and fails it when the crash is due.
    mutating func change(_ operation: String, _ file: String) throws(DiskError) {
        if let left = faults.crashAfterChanges {
            if left <= 0 { crashed = true } else { faults.crashAfterChanges = left - 1 }
        }
        if faults.failChanges, !crashed {
            counters.failedCalls += 1
            throw DiskError(.failed, operation: operation, file: file)
        }
        if crashed { throw DiskError(.failed, operation: operation, file: file) }
    }

    mutating func losePower(keepsSome: Bool) {
        var names = durableNames
        for change in nameChanges {
            if random.below(2) == 0 || !keepsSome {
                counters.lostNames += 1
                continue
            }
            switch change {
            case .link(let name, let id): names[name] = id
            case .unlink(let name): names[name] = nil
            case .rename(let old, let new, let id):
                names[old] = nil
                names[new] = id
            }
        }
        self.names = names
        durableNames = names
        nameChanges = []
        let reachable = Set(names.values)
        for id in contents.keys.sorted() {
            guard reachable.contains(id), var content = contents[id] else {
                contents[id] = nil
                continue
            }
            tear(&content, keepsSome: keepsSome)
            contents[id] = content
        }
        crashed = false
        faults.crashAfterChanges = nil
        let scrambleBlocks = faults.scrambleBlocks
        faults = FaultyDisk.Faults()
        faults.scrambleBlocks = scrambleBlocks
        recount()
    }

    private mutating func tear(_ content: inout FaultyDisk.Content, keepsSome: Bool) {
        let size = FaultyDisk.sector
        if !keepsSome {
            content = FaultyDisk.Content(current: content.durable, durable: content.durable)
            return
        }
        if content.durable.count < content.current.count, random.below(2) == 0 {
            let missing = content.current.count - content.durable.count
            content.durable.append(contentsOf: repeatElement(0, count: missing))
        } else if content.durable.count > content.current.count, random.below(2) == 0 {
            content.durable.removeLast(content.durable.count - content.current.count)
        }
        for sector in content.sectors.indices where content.sectors[sector] != .clean {
            let length = content.durable.count
            let range = min(sector * size, length)..<min((sector + 1) * size, length)
            if range.isEmpty || random.below(2) == 0 { continue }
            counters.tornSectors += 1
            let end = min(range.upperBound, content.current.count)
            if range.lowerBound < end {
                content.durable.replaceSubrange(
                    range.lowerBound..<end, with: content.current[range.lowerBound..<end])
            }
        }
        if faults.scrambleBlocks, let last = content.lastWrite, content.dirtyCount > 0,
            random.below(3) == 0
        {
            // Firmware with 4,096-octet sectors writes whole blocks: one of them may be garbage.
            let first = last.lowerBound / FaultyDisk.block
            let count = max(1, (last.upperBound + FaultyDisk.block - 1) / FaultyDisk.block - first)
            let start = (first + Int(random.below(UInt64(count)))) * FaultyDisk.block
            for i in start..<max(start, min(start + FaultyDisk.block, content.durable.count)) {
                content.durable[i] = UInt8(truncatingIfNeeded: random.next64())
            }
            counters.scrambledBlocks += 1
        }
        content.current = content.durable
        content.sectors = []
        content.dirtyCount = 0
        content.lastWrite = nil
    }
}
