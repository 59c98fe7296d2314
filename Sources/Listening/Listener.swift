import Glibc
import Logging
import NIOCore
import NIOPosix

/// Where a service listens: an address of its own, or a socket that systemd opened for it.
public enum ListenAddress: Hashable, Sendable, CustomStringConvertible {
    case address(host: String, port: Int)
    /// A socket handed over at start (sd_listen_fds(3)).
    case inherited(descriptor: Int32, name: String)

    public var description: String {
        switch self {
        case .address(let host, let port): "\(host.contains(":") ? "[\(host)]" : host):\(port)"
        case .inherited(_, let name): "socket \(name)"
        }
    }
}

extension ListenAddress {
    /// An address as people and configuration files write it: `192.0.2.1:25`, `[::]:25`.
    public static func text(_ address: SocketAddress) -> String {
        guard let host = address.ipAddress, let port = address.port else {
            return address.pathname ?? "\(address)"
        }
        return Self.address(host: host, port: port).description
    }
}

/// Opens listening sockets and hands each accepted connection to its service.
public struct Listener: Sendable {
    public let group: any EventLoopGroup
    public let backlog: Int32

    public init(group: any EventLoopGroup, backlog: Int32 = 1024) {
        self.group = group
        self.backlog = backlog
    }

    /// Binds and starts to accept. `initialize` sets up each connection's pipeline, on its loop.
    public func listen(
        on address: ListenAddress,
        initialize: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws -> any Channel {
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: backlog)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.maxMessagesPerRead, value: 16)
            // Accepted sockets inherit it: that saves each connection a system call.
            .serverChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer(initialize)
        switch address {
        case .address(let host, let port):
            return try await bootstrap.bind(host: host, port: port).get()
        case .inherited(let descriptor, _):
            return try await bootstrap.withBoundSocket(descriptor).get()
        }
    }
}

/// Sockets that systemd passed to this process, by name (`FileDescriptorName=`), as sd_listen_fds(3)
/// describes: descriptors from 3 on, `LISTEN_PID`, `LISTEN_FDS` and `LISTEN_FDNAMES`.
public struct InheritedSockets: Sendable {
    public private(set) var sockets: [(name: String, descriptor: Int32)] = []

    /// - Parameter environment: the process's, as a function so that tests can give their own.
    public init(processID: Int32 = getpid(), environment: (String) -> String?) {
        guard let pid = environment("LISTEN_PID").flatMap({ Int32($0) }), pid == processID,
            let count = environment("LISTEN_FDS").flatMap({ Int32($0) }), count > 0, count <= 256
        else { return }
        let names = (environment("LISTEN_FDNAMES") ?? "").split(
            separator: ":", omittingEmptySubsequences: false)
        for i in 0..<count {
            let name = Int(i) < names.count ? String(names[Int(i)]) : "unknown"
            sockets.append((name, 3 + i))
            // Programs that we start must not inherit them again.
            _ = fcntl(3 + i, F_SETFD, FD_CLOEXEC)
        }
    }

    public func descriptors(named name: String) -> [Int32] {
        sockets.filter { $0.name == name }.map(\.descriptor)
    }
}
