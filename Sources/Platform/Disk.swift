/// A directory of files on one disk: all that the journal needs of an operating system.
///
/// Usable from several threads at once. Calls block; they never run on an event loop. `PlatformLinux` has the real one, the simulator one
/// that tears, loses, reorders and fails. A `write` is durable only after `sync` of the file, a
/// created, renamed or removed name only after `syncDirectory`.
public protocol Disk: AnyObject, Sendable {
    /// The names of the files in the directory, in no particular order.
    func list() throws(DiskError) -> [String]

    /// Opens `name` for reading and writing; with `create`, makes it when it does not exist.
    func open(_ name: String, create: Bool) throws(DiskError) -> any DiskFile

    /// Removes the name. A file that is still open stays readable.
    func remove(_ name: String) throws(DiskError)

    /// Gives the file another name, replacing what had that name, atomically.
    func rename(_ name: String, to newName: String) throws(DiskError)

    /// Makes created, renamed and removed names durable.
    func syncDirectory() throws(DiskError)

    /// Octets that can still be written before the disk is full.
    func freeOctets() throws(DiskError) -> UInt64
}

/// An open file of a `Disk`. Closed when it is released.
public protocol DiskFile: AnyObject, Sendable {
    /// The file's length in octets.
    func size() throws(DiskError) -> UInt64

    /// Reads up to `buffer.count` octets at `offset`; fewer only at the end of the file.
    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(DiskError)
        -> Int

    /// Writes all of `pieces`, one behind the other, at `offset`. After an error any part of them
    /// may have been written.
    func write(at offset: UInt64, _ pieces: [UnsafeRawBufferPointer]) throws(DiskError)

    /// Makes everything written to this file durable (`fdatasync`). An error is final: what was
    /// written may be lost, and a later `sync` that succeeds proves nothing.
    func sync() throws(DiskError)

    /// Sets the length; new octets read as zero.
    func truncate(to octets: UInt64) throws(DiskError)

    /// Writes zeros from the start up to `octets`, so that later writes find their blocks allocated
    /// and written. A real disk may do this past its cache.
    func fill(to octets: UInt64) throws(DiskError)
}

extension DiskFile {
    public func fill(to octets: UInt64) throws(DiskError) {
        let zeros = [UInt8](repeating: 0, count: Int(min(octets, 1 << 20)))
        var offset: UInt64 = 0
        while offset < octets {
            let count = Int(min(UInt64(zeros.count), octets - offset))
            try write(at: offset, count == zeros.count ? zeros : Array(zeros[..<count]))
            offset += UInt64(count)
        }
    }

    public func write(at offset: UInt64, _ bytes: [UInt8]) throws(DiskError) {
        var failure: DiskError?
        bytes.withUnsafeBytes { raw in
            do throws(DiskError) { try write(at: offset, [raw]) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    /// Reads exactly `count` octets, or as many as there are before the end of the file.
    public func read(at offset: UInt64, count: Int) throws(DiskError) -> [UInt8] {
        var out = [UInt8](repeating: 0, count: count)
        var failure: DiskError?
        var got = 0
        out.withUnsafeMutableBytes { raw in
            do throws(DiskError) { got = try read(at: offset, into: raw) } catch { failure = error }
        }
        if let failure { throw failure }
        if got < count { out.removeLast(count - got) }
        return out
    }
}

/// Why a disk could not do what it was asked.
public struct DiskError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: Hashable, Sendable {
        /// No space, or over quota (ENOSPC, EDQUOT). Nothing is damaged.
        case full
        case notFound
        /// The device failed (EIO) or something as bad: the file's state is unknown.
        case failed
    }

    public var code: Code
    public var operation: String
    public var file: String
    /// The operating system's error number, 0 if there is none.
    public var errno: Int32

    public init(_ code: Code, operation: String, file: String, errno: Int32 = 0) {
        self.code = code
        self.operation = operation
        self.file = file
        self.errno = errno
    }

    public var description: String {
        let cause =
            switch code {
            case .full: "no space left"
            case .notFound: "no such file"
            case .failed: "input/output error"
            }
        return "\(operation) \(file): \(cause)" + (errno == 0 ? "" : " (errno \(errno))")
    }
}
