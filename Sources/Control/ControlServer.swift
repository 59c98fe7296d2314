import Glibc
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// Bounds of the control channel.
public struct ControlLimits: Hashable, Sendable {
    public var bodyMaxOctets = 256 << 10
    public var connectionsMax = 64
    /// How long a client may take to send a request.
    public var requestTimeout: Duration = .seconds(30)

    public init() {}
}

/// HTTP/1.1 and JSON on a Unix socket that only the node's own user can connect to.
public final class ControlServer: Sendable {
    private let router: ControlRouter
    private let group: any EventLoopGroup
    private let threads: NIOThreadPool
    private let limits: ControlLimits
    private let listening = Mutex<Listening?>(nil)
    private let connections = Atomic<Int>(0)

    private struct Listening {
        var channel: any Channel
        var path: String
    }

    /// - Parameter threads: where requests run; a password's hash takes one for tens of milliseconds.
    public init(
        group: any EventLoopGroup, threads: NIOThreadPool, hooks: ControlHooks, logger: Logger,
        limits: ControlLimits = ControlLimits()
    ) {
        self.group = group
        self.threads = threads
        self.limits = limits
        router = ControlRouter(hooks, logger: logger)
    }

    /// Listens at `path`. A socket that a dead node left there is replaced.
    ///
    /// - Throws: `SocketProblem` in words for people, also if a node that lives listens there.
    public func start(path: String) async throws {
        let descriptor = try UnixSocket.bind(path)
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 64)
            .childChannelInitializer { [self] channel in initialize(channel) }
        do {
            let channel = try await bootstrap.withBoundSocket(descriptor).get()
            listening.withLock { $0 = Listening(channel: channel, path: path) }
        } catch {
            unlink(path)
            throw error
        }
    }

    /// Stops to listen and removes the socket.
    public func stop() async {
        guard let listening = listening.withLock({ $0.take() }) else { return }
        unlink(listening.path)
        // Only an error that the channel is closed already.
        try? await listening.channel.close()
    }

    private func initialize(_ channel: any Channel) -> EventLoopFuture<Void> {
        guard connections.add(1, ordering: .relaxed).newValue <= limits.connectionsMax else {
            connections.subtract(1, ordering: .relaxed)
            return channel.close()
        }
        channel.closeFuture.whenComplete { [self] _ in
            connections.subtract(1, ordering: .relaxed)
        }
        return channel.eventLoop.makeCompletedFuture { [self] in
            let pipeline = channel.pipeline.syncOperations
            try pipeline.configureHTTPServerPipeline()
            try pipeline.addHandler(
                IdleStateHandler(readTimeout: TimeAmount(limits.requestTimeout)))
            try pipeline.addHandler(
                ControlHandler(router: router, threads: threads, limits: limits))
        }
    }
}
