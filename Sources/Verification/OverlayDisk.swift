import Platform
import Synchronization

/// A directory that can be written to without being changed: what is written stays in memory and
/// covers what is on the disk. Recovery can run on it, and leaves no trace.
public final class OverlayDisk: Disk {
    private let base: any Disk
    private let state = Mutex(State())

    private struct State {
        var files: [String: OverlayFile] = [:]
        var removed: Set<String> = []
    }

    public init(over base: any Disk) { self.base = base }

    public func list() throws(DiskError) -> [String] {
        let names = try base.list()
        return state.withLock { state in
            let kept = names.filter { !state.removed.contains($0) && state.files[$0] == nil }
            return (kept + state.files.keys).sorted()
        }
    }

    public func open(_ name: String, create: Bool) throws(DiskError) -> any DiskFile {
        let (known, isRemoved) = state.withLock { ($0.files[name], $0.removed.contains(name)) }
        if let known { return known }
        var covered: (any DiskFile)?
        if !isRemoved {
            do throws(DiskError) {
                covered = try base.open(name, create: false)
            } catch {
                guard create, error.code == .notFound else { throw error }
            }
        } else if !create {
            throw DiskError(.notFound, operation: "open", file: name)
        }
        let file = OverlayFile(over: covered, octets: try covered?.size() ?? 0)
        return state.withLock { state in
            if let raced = state.files[name] { return raced }
            state.files[name] = file
            return file
        }
    }

    public func remove(_ name: String) throws(DiskError) {
        _ = try open(name, create: false)
        state.withLock {
            $0.files[name] = nil
            $0.removed.insert(name)
        }
    }

    public func rename(_ name: String, to newName: String) throws(DiskError) {
        _ = try open(name, create: false)
        state.withLock {
            $0.files[newName] = $0.files.removeValue(forKey: name)
            $0.removed.insert(name)
        }
    }

    public func syncDirectory() throws(DiskError) {}

    public func freeOctets() throws(DiskError) -> UInt64 { try base.freeOctets() }
}

/// A file whose written pages are in memory.
final class OverlayFile: DiskFile {
    private static let page: UInt64 = 4_096

    private let base: (any DiskFile)?
    private let state: Mutex<State>

    private struct State {
        var octets: UInt64
        /// Up to here the base is visible.
        var baseOctets: UInt64
        /// By number; each of `page` octets.
        var pages: [UInt64: [UInt8]] = [:]
    }

    init(over base: (any DiskFile)?, octets: UInt64) {
        self.base = base
        state = Mutex(State(octets: octets, baseOctets: octets))
    }

    func size() throws(DiskError) -> UInt64 { state.withLock { $0.octets } }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(DiskError)
        -> Int
    {
        let (octets, baseOctets, hasPages) = state.withLock {
            ($0.octets, $0.baseOctets, !$0.pages.isEmpty)
        }
        guard offset < octets else { return 0 }
        let count = Int(min(UInt64(buffer.count), octets - offset))
        let target = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
        var covered = 0
        if let base, offset < baseOctets {
            let visible = Int(min(UInt64(count), baseOctets - offset))
            covered = try base.read(
                at: offset, into: UnsafeMutableRawBufferPointer(rebasing: target[..<visible]))
        }
        target[covered...].initializeMemory(as: UInt8.self, repeating: 0)
        if hasPages { cover(target, at: offset) }
        return count
    }

    private func cover(_ target: UnsafeMutableRawBufferPointer, at offset: UInt64) {
        let end = offset + UInt64(target.count)
        for number in offset / Self.page...(end - 1) / Self.page {
            guard let bytes = state.withLock({ $0.pages[number] }) else { continue }
            let start = max(offset, number * Self.page)
            let stop = min(end, (number + 1) * Self.page)
            let from = Int(start - number * Self.page)
            bytes.withUnsafeBytes { page in
                UnsafeMutableRawBufferPointer(
                    rebasing: target[Int(start - offset)..<Int(stop - offset)]
                ).copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: page[from..<(from + Int(stop - start))]))
            }
        }
    }

    func write(at offset: UInt64, _ pieces: [UnsafeRawBufferPointer]) throws(DiskError) {
        var position = offset
        for piece in pieces {
            var rest = piece
            while !rest.isEmpty {
                let number = position / Self.page
                let within = Int(position - number * Self.page)
                let count = min(rest.count, Int(Self.page) - within)
                var page = try self.page(number)
                page.replaceSubrange(within..<(within + count), with: rest[..<count])
                let written = page
                position += UInt64(count)
                let end = position
                state.withLock {
                    $0.pages[number] = written
                    $0.octets = max($0.octets, end)
                }
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            }
        }
    }

    /// The page as it is now.
    private func page(_ number: UInt64) throws(DiskError) -> [UInt8] {
        if let known = state.withLock({ $0.pages[number] }) { return known }
        let bytes = try read(at: number * Self.page, count: Int(Self.page))
        return bytes + [UInt8](repeating: 0, count: Int(Self.page) - bytes.count)
    }

    func sync() throws(DiskError) {}

    /// Zeros take no memory.
    func fill(to octets: UInt64) throws(DiskError) {
        if octets < (try size()) {
            return try write(at: 0, [UInt8](repeating: 0, count: Int(octets)))
        }
        try truncate(to: 0)
        try truncate(to: octets)
    }

    func truncate(to octets: UInt64) throws(DiskError) {
        let last = octets / Self.page
        let tail = octets % Self.page == 0 ? nil : try page(last)
        state.withLock { state in
            state.octets = octets
            state.baseOctets = min(state.baseOctets, octets)
            state.pages = state.pages.filter { $0.key < last }
            if var tail {
                for i in Int(octets % Self.page)..<tail.count { tail[i] = 0 }
                state.pages[last] = tail
            }
        }
    }
}
