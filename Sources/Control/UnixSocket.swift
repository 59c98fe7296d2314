import Glibc

/// Sockets with a name in the file system.
enum UnixSocket {
    /// Octets of a path without its NUL (unix(7)).
    static let pathMaxOctets = MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1

    static func withAddress<R>(
        _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> R
    ) -> R? {
        let bytes = Array(path.utf8)
        guard !bytes.isEmpty, bytes.count <= pathMaxOctets, !bytes.contains(0) else { return nil }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    static func make() throws(SocketProblem) -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw SocketProblem(errno, "No socket can be made") }
        return descriptor
    }

    /// Connects to whoever listens at `path`.
    static func connect(_ path: String) throws(SocketProblem) -> Int32 {
        let descriptor = try make()
        let status = withAddress(path) { Glibc.connect(descriptor, $0, $1) }
        if status == 0 { return descriptor }
        let problem = SocketProblem(
            status == nil ? path.isEmpty ? ENOENT : ENAMETOOLONG : errno,
            "\(path.isEmpty ? "a socket without a name" : path) cannot be connected to")
        close(descriptor)
        throw problem
    }

    /// A bound socket that only this user can connect to. What a server that has died left there is
    /// removed; a server that lives is not disturbed.
    static func bind(_ path: String) throws(SocketProblem) -> Int32 {
        guard path.utf8.count <= pathMaxOctets else {
            throw SocketProblem(
                ENAMETOOLONG,
                "\(path) is too long for a socket: use a path of at most \(pathMaxOctets) octets")
        }
        try removeStale(path)
        let descriptor = try make()
        // Linux takes the new file's mode from the socket's (unix(7)): it never stands open.
        _ = fchmod(descriptor, 0o600)
        guard withAddress(path, { Glibc.bind(descriptor, $0, $1) }) == 0 else {
            let problem = SocketProblem(errno, "\(path) cannot be made")
            close(descriptor)
            throw problem
        }
        _ = chmod(path, 0o600)
        return descriptor
    }

    private static func removeStale(_ path: String) throws(SocketProblem) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw SocketProblem(
                EEXIST, "\(path) exists and is not a socket: remove it or name another path")
        }
        let other: Int32
        do throws(SocketProblem) {
            other = try connect(path)
        } catch {
            guard error.number == ECONNREFUSED else { throw error }
            unlink(path)
            return
        }
        close(other)
        throw SocketProblem(EADDRINUSE, "\(path) is in use by a node that runs: stop that one")
    }
}

/// What a socket call said.
public struct SocketProblem: Error, Hashable, Sendable, CustomStringConvertible {
    /// The operating system's error number.
    public var number: Int32
    public var what: String

    init(_ number: Int32, _ what: String) {
        self.number = number
        self.what = what
    }

    /// Whether another user could.
    public var isPermission: Bool { number == EACCES || number == EPERM }
    /// Whether the time for an answer ran out.
    public var isSilence: Bool { number == EAGAIN || number == ETIMEDOUT }

    public var description: String { "\(what) (\(String(cString: strerror(number))))" }
}
