import Listening
import Logging
import MailStore
import NIOCore
import NIOPosix
import Node
import Policy
import SMTP
import Synchronization

/// What all SMTP sessions of a node share.
public final class SMTPServiceContext: Sendable {
    public let gateway: any NodeGateway
    public let tls: TLSContexts
    public let connections: ConnectionCounts
    public let logger: Logger
    /// For what blocks: files.
    public let threads: NIOThreadPool
    let queueIDs = QueueIDs()

    private let settings: Mutex<Settings>

    /// What a reload of the configuration exchanges. A session keeps those it began with, except for
    /// the directory, which is looked at for each recipient.
    public struct Settings: Sendable {
        public var server: SMTPServerConfiguration
        public var directory: Directory
        /// What an account may hold that has no quota of its own; nil is no limit.
        public var quotaDefaultOctets: UInt64?

        public init(
            server: SMTPServerConfiguration, directory: Directory, quotaDefaultOctets: UInt64?
        ) {
            self.server = server
            self.directory = directory
            self.quotaDefaultOctets = quotaDefaultOctets
        }
    }

    public init(
        gateway: any NodeGateway, settings: Settings, tls: TLSContexts,
        connections: ConnectionCounts, threads: NIOThreadPool, logger: Logger
    ) {
        self.gateway = gateway
        self.settings = Mutex(settings)
        self.tls = tls
        self.connections = connections
        self.threads = threads
        self.logger = logger
    }

    public var current: Settings { settings.withLock { $0 } }

    public func replace(_ new: Settings) { settings.withLock { $0 = new } }

    /// Exchanges the directory alone: when accounts change.
    public func replace(directory: Directory) { settings.withLock { $0.directory = directory } }

    /// What a recipient is judged by.
    var routing: (directory: Directory, quotaDefaultOctets: UInt64?) {
        settings.withLock { ($0.directory, $0.quotaDefaultOctets) }
    }
}

/// The SMTP service of a node: sets up accepted connections.
public final class SMTPService: Sendable {
    /// What is read from a socket at once.
    private static let readOctetsMin = 8 << 10
    private static let readOctetsMax = 64 << 10

    private let context: SMTPServiceContext
    private let loops = SessionLoops(timerInterval: .seconds(5))

    public init(_ context: SMTPServiceContext) {
        self.context = context
    }

    /// Sets up the pipeline of an accepted connection, on its loop.
    ///
    /// - Parameter implicitTLS: the handshake comes first (port 465's way); otherwise STARTTLS.
    public func initialize(_ channel: any Channel, implicitTLS: Bool) -> EventLoopFuture<Void> {
        let loop = loops.loop(of: channel.eventLoop)
        return channel.eventLoop.makeCompletedFuture {
            // Commands are short and the message that follows them is not: a buffer that shrank to
            // the commands would cost each message several reads.
            try channel.syncOptions?.setOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(
                    minimum: Self.readOctetsMin, initial: Self.readOctetsMin,
                    maximum: Self.readOctetsMax))
            let handler = SMTPHandler(
                context: context, loop: loop, channel: channel, implicitTLS: implicitTLS)
            if implicitTLS {
                // Without a certificate the connection is closed, rather than left in the clear.
                guard let certificates = context.tls.current else {
                    throw SMTPServiceError.noCertificate
                }
                try certificates.secure(channel) { _ in }
            }
            try channel.pipeline.syncOperations.addHandler(handler)
        }
    }

    /// Tells every session to end: with 421 as soon as it would wait for its client.
    public func shutDown() { loops.shutDown() }
}

/// Why a connection could not be set up.
public enum SMTPServiceError: Error, Hashable, Sendable {
    /// The connection was accepted for TLS, but there is no certificate.
    case noCertificate
}
