import Glibc
import Platform
import Synchronization

/// One directory of a Linux file system.
public final class LinuxDisk: Disk {
    /// The directory's path, as given.
    public let path: String
    private let directory: Int32

    private let isReadOnly: Bool

    /// Opens the directory `path`, which must exist.
    ///
    /// - Parameter readOnly: opens files for reading only, and makes none; works on file systems and
    ///   for users that may not write.
    public init(path: String, readOnly: Bool = false) throws(DiskError) {
        self.path = path
        isReadOnly = readOnly
        directory = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if directory < 0 { throw DiskError.last("open", path) }
    }

    deinit { close(directory) }

    public func list() throws(DiskError) -> [String] {
        let descriptor = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw DiskError.last("list", path) }
        guard let stream = fdopendir(descriptor) else {
            let error = DiskError.last("list", path)
            close(descriptor)
            throw error
        }
        defer { closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                if errno != 0 { throw DiskError.last("list", path) }
                return names
            }
            if entry.pointee.d_type == UInt8(DT_DIR) { continue }
            let capacity = MemoryLayout.size(ofValue: entry.pointee.d_name)
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: capacity) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
    }

    public func open(_ name: String, create: Bool) throws(DiskError) -> any DiskFile {
        let access = isReadOnly ? O_RDONLY : O_RDWR | (create ? O_CREAT : 0)
        let flags = access | O_CLOEXEC | O_NOFOLLOW
        let descriptor = openat(directory, name, flags, 0o600)
        guard descriptor >= 0 else { throw DiskError.last("open", name) }
        return LinuxFile(descriptor: descriptor, name: name)
    }

    public func remove(_ name: String) throws(DiskError) {
        try checkWritable("remove", name)
        if unlinkat(directory, name, 0) != 0 { throw DiskError.last("remove", name) }
    }

    public func rename(_ name: String, to newName: String) throws(DiskError) {
        try checkWritable("rename", name)
        if renameat(directory, name, directory, newName) != 0 {
            throw DiskError.last("rename", name)
        }
    }

    private func checkWritable(_ operation: String, _ name: String) throws(DiskError) {
        if isReadOnly { throw DiskError(.failed, operation: operation, file: name, errno: EROFS) }
    }

    public func syncDirectory() throws(DiskError) {
        if fsync(directory) != 0 { throw DiskError.last("sync", path) }
    }

    public func freeOctets() throws(DiskError) -> UInt64 {
        var status = statvfs()
        if fstatvfs(directory, &status) != 0 { throw DiskError.last("statvfs", path) }
        return UInt64(status.f_bavail) * UInt64(status.f_frsize)
    }
}

/// An open file; positioned reads and writes, so that threads share it without a lock.
final class LinuxFile: DiskFile {
    /// O_DIRECT, which the C library shows only to those who ask for GNU's extensions.
    #if arch(arm64)
        private static let openDirect: Int32 = 0o200000
    #else
        private static let openDirect: Int32 = 0o40000
    #endif

    /// What direct writes have to be a multiple of, in memory and in the file.
    private static let page = 4096

    private let descriptor: Int32
    private let name: String
    /// The same file, opened for writing past the page cache.
    private let direct = Atomic<Int32>(notOpened)
    private static let notOpened: Int32 = -1
    private static let notPossible: Int32 = -2
    private let refusesDirect = Atomic<Bool>(false)

    init(descriptor: Int32, name: String) {
        self.descriptor = descriptor
        self.name = name
    }

    deinit {
        let direct = direct.load(ordering: .relaxed)
        if direct >= 0 { close(direct) }
        close(descriptor)
    }

    func size() throws(DiskError) -> UInt64 {
        var status = stat()
        if fstat(descriptor, &status) != 0 { throw DiskError.last("stat", name) }
        return UInt64(status.st_size)
    }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(DiskError)
        -> Int
    {
        var done = 0
        while done < buffer.count {
            let n = pread(
                descriptor, buffer.baseAddress! + done, buffer.count - done,
                off_t(offset) + off_t(done))
            if n > 0 {
                done += n
            } else if n == 0 {
                break
            } else if errno != EINTR {
                throw DiskError.last("read", name)
            }
        }
        return done
    }

    func write(at offset: UInt64, _ pieces: [UnsafeRawBufferPointer]) throws(DiskError) {
        if pieces.count == 1 {
            let done = try writePages(at: offset, pieces[0])
            if done == pieces[0].count { return }
            return try writeCached(
                at: offset + UInt64(done), [UnsafeRawBufferPointer(rebasing: pieces[0][done...])])
        }
        try writeCached(at: offset, pieces)
    }

    /// Writes whole pages past the page cache, where the file system can: a batch of the journal is
    /// synced at once, and what is in it was seen by all who need it.
    ///
    /// - Returns: how much was written; the rest goes the usual way.
    private func writePages(at offset: UInt64, _ bytes: UnsafeRawBufferPointer) throws(DiskError)
        -> Int
    {
        let mask = Self.page - 1
        guard bytes.count > 0, bytes.count & mask == 0, Int(truncatingIfNeeded: offset) & mask == 0,
            let base = bytes.baseAddress, Int(bitPattern: base) & mask == 0,
            let descriptor = directDescriptor()
        else { return 0 }
        var done = 0
        while done < bytes.count, done & mask == 0 {
            let n = pwrite(descriptor, base + done, bytes.count - done, off_t(offset) + off_t(done))
            if n > 0 {
                done += n
            } else if n == 0 {
                throw DiskError(.failed, operation: "write", file: name)
            } else if errno == EINVAL {
                // A file system that opens the file so and then cannot.
                refusesDirect.store(true, ordering: .relaxed)
                break
            } else if errno != EINTR {
                throw DiskError.last("write", name)
            }
        }
        return done
    }

    private func directDescriptor() -> Int32? {
        if refusesDirect.load(ordering: .relaxed) { return nil }
        let known = direct.load(ordering: .relaxed)
        if known != Self.notOpened { return known >= 0 ? known : nil }
        let opened = openPastCache()
        let (isOurs, now) = direct.compareExchange(
            expected: Self.notOpened, desired: opened >= 0 ? opened : Self.notPossible,
            ordering: .relaxed)
        if isOurs { return opened >= 0 ? opened : nil }
        if opened >= 0 { close(opened) }
        return now >= 0 ? now : nil
    }

    private func openPastCache() -> Int32 {
        Glibc.open("/proc/self/fd/\(descriptor)", O_WRONLY | Self.openDirect | O_CLOEXEC)
    }

    private func writeCached(at offset: UInt64, _ pieces: [UnsafeRawBufferPointer])
        throws(DiskError)
    {
        var vectors: [iovec] = []
        vectors.reserveCapacity(pieces.count)
        for piece in pieces where piece.count > 0 {
            vectors.append(
                iovec(
                    iov_base: UnsafeMutableRawPointer(mutating: piece.baseAddress!),
                    iov_len: piece.count))
        }
        var first = 0
        var position = off_t(offset)
        while first < vectors.count {
            // IOV_MAX is 1,024 on Linux.
            let count = min(vectors.count - first, 1024)
            var n = vectors.withUnsafeBufferPointer {
                pwritev(descriptor, $0.baseAddress! + first, Int32(count), position)
            }
            if n < 0 {
                if errno == EINTR { continue }
                throw DiskError.last("write", name)
            }
            if n == 0 { throw DiskError(.failed, operation: "write", file: name) }
            position += off_t(n)
            while first < vectors.count, n >= vectors[first].iov_len {
                n -= vectors[first].iov_len
                first += 1
            }
            if n > 0 {
                vectors[first].iov_base += n
                vectors[first].iov_len -= n
            }
        }
    }

    /// Past the page cache where the file system can: zeros are not worth a place in it, and flushing
    /// tens of megabytes at once would hold up the syncs that somebody waits for.
    func fill(to octets: UInt64) throws(DiskError) {
        let pieceOctets = 1 << 20
        let direct = openPastCache()
        var offset: UInt64 = 0
        if direct >= 0 {
            defer { close(direct) }
            let zeros = UnsafeMutableRawPointer.allocate(byteCount: pieceOctets, alignment: 4096)
            defer { zeros.deallocate() }
            zeros.initializeMemory(as: UInt8.self, repeating: 0, count: pieceOctets)
            while octets - offset >= UInt64(pieceOctets) {
                let n = pwrite(direct, zeros, pieceOctets, off_t(offset))
                if n < 0 && errno == EINTR { continue }
                // A file system that opens the file so and then cannot: the rest goes the usual way.
                if n < 0 && errno == EINVAL { break }
                if n <= 0 { throw DiskError.last("write", name) }
                offset += UInt64(n)
            }
        }
        let zeros = [UInt8](repeating: 0, count: Int(min(octets - offset, UInt64(pieceOctets))))
        while offset < octets {
            let count = Int(min(UInt64(zeros.count), octets - offset))
            try write(at: offset, count == zeros.count ? zeros : Array(zeros[..<count]))
            offset += UInt64(count)
        }
    }

    func sync() throws(DiskError) {
        if fdatasync(descriptor) != 0 { throw DiskError.last("sync", name) }
    }

    func truncate(to octets: UInt64) throws(DiskError) {
        if ftruncate(descriptor, off_t(octets)) != 0 { throw DiskError.last("truncate", name) }
    }
}

extension DiskError {
    /// What `errno` says now.
    fileprivate static func last(_ operation: String, _ file: String) -> DiskError {
        let number = Glibc.errno
        let code: Code =
            switch number {
            case ENOSPC, EDQUOT: .full
            case ENOENT: .notFound
            default: .failed
            }
        return DiskError(code, operation: operation, file: file, errno: number)
    }
}
