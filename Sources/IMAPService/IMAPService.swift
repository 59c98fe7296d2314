import Authentication
import IMAP
import Listening
import Logging
import MailFormat
import NIOCore
import NIOPosix
import Node
import Platform
import Synchronization

/// What one IMAP session may cost, beyond the grammar's limits.
public struct IMAPServiceLimits: Hashable, Sendable {
    /// Commands refused as BAD in a row, before the session is ended.
    public var badCommandsMax = 20
    /// Failed logins of one connection, before it is ended.
    public var loginFailuresMax = 3
    /// Octets that are made and sent at a time.
    public var chunkOctets = 256 << 10
    /// Silence before login.
    public var loginTimeout: Duration = .seconds(60)
    /// Silence after login, within IDLE too (RFC 9051 §5.4: 30 minutes at least).
    public var idleTimeout: Duration = .seconds(31 * 60)
    /// A client that takes nothing of what is being sent to it.
    public var writeTimeout: Duration = .seconds(5 * 60)

    public init() {}
}

/// How the IMAP service behaves. A session keeps what it began with.
public struct IMAPServiceConfiguration: Sendable {
    /// Named in the greeting.
    public var hostname: String
    public var version: String
    /// Passwords without TLS: only for a node that is tried out on loopback.
    public var allowsPlaintextPasswords: Bool
    public var limits: IMAPServiceLimits
    /// Of the grammar, after login; `messageMaxOctets` is what APPENDLIMIT says.
    public var grammar: IMAPLimits
    /// Of the grammar, before login.
    public var grammarBeforeLogin: IMAPLimits
    public var mime: MIMELimits

    public init(
        hostname: String, version: String = "1", allowsPlaintextPasswords: Bool = false,
        limits: IMAPServiceLimits = IMAPServiceLimits(), grammar: IMAPLimits = IMAPLimits(),
        mime: MIMELimits = MIMELimits()
    ) {
        self.hostname = hostname
        self.version = version
        self.allowsPlaintextPasswords = allowsPlaintextPasswords
        self.limits = limits
        self.grammar = grammar
        grammarBeforeLogin = .beforeLogin
        // LITERAL- until the client is known, LITERAL+ after (RFC 7888 §4).
        grammarBeforeLogin.nonSynchronisingMaxOctets = 4096
        self.mime = mime
    }
}

/// What all IMAP sessions of a node share.
public final class IMAPServiceContext: Sendable {
    public let gateway: any NodeGateway
    public let authenticator: Authenticator
    public let tls: TLSContexts
    public let connections: ConnectionCounts
    /// For what blocks: files, the index, searching.
    public let threads: NIOThreadPool
    public let logger: Logger
    private let settings: Mutex<IMAPServiceConfiguration>

    public init(
        gateway: any NodeGateway, configuration: IMAPServiceConfiguration,
        authenticator: Authenticator, tls: TLSContexts, connections: ConnectionCounts,
        threads: NIOThreadPool, logger: Logger
    ) {
        self.gateway = gateway
        settings = Mutex(configuration)
        self.authenticator = authenticator
        self.tls = tls
        self.connections = connections
        self.threads = threads
        self.logger = logger
    }

    public var current: IMAPServiceConfiguration { settings.withLock { $0 } }

    /// Exchanges the configuration for sessions to come.
    public func replace(_ new: IMAPServiceConfiguration) { settings.withLock { $0 = new } }
}

/// What a session knows of the node: the same object for all sessions that began with one
/// configuration.
final class IMAPShared: Sendable {
    let context: IMAPServiceContext
    let configuration: IMAPServiceConfiguration

    init(_ context: IMAPServiceContext, _ configuration: IMAPServiceConfiguration) {
        self.context = context
        self.configuration = configuration
    }

    var gateway: any NodeGateway { context.gateway }
}

/// The IMAP service of a node: sets up accepted connections (RFC 9051, RFC 3501).
public final class IMAPService: Sendable {
    private let context: IMAPServiceContext
    private let loops: SessionLoops
    /// Of sessions to come.
    private let shared: Mutex<IMAPShared>

    public init(_ context: IMAPServiceContext) {
        self.context = context
        let gateway = context.gateway
        loops = SessionLoops(timerInterval: .seconds(15)) { gateway.addListener($0) }
        shared = Mutex(IMAPShared(context, context.current))
    }

    /// Sets up the pipeline of an accepted connection, on its loop.
    ///
    /// - Parameter implicitTLS: the handshake comes first (port 993's way); otherwise STARTTLS.
    public func initialize(_ channel: any Channel, implicitTLS: Bool) -> EventLoopFuture<Void> {
        let loop = loops.loop(of: channel.eventLoop)
        let shared = shared.withLock { $0 }
        return channel.eventLoop.makeCompletedFuture {
            let handler = IMAPHandler(
                shared: shared, loop: loop, channel: channel, implicitTLS: implicitTLS)
            if implicitTLS {
                // Without a certificate the connection is closed, rather than left in the clear.
                guard let certificates = context.tls.current else {
                    throw IMAPServiceError.noCertificate
                }
                try handler.addTLS(certificates, to: channel)
            }
            try channel.pipeline.syncOperations.addHandler(handler)
        }
    }

    /// Takes over the context's configuration for sessions to come.
    public func reload() {
        let new = IMAPShared(context, context.current)
        shared.withLock { $0 = new }
    }

    /// Ends every session with BYE, after the command it is at.
    public func shutDown() { loops.shutDown() }
}

/// Why a connection could not be set up.
public enum IMAPServiceError: Error, Hashable, Sendable {
    /// The connection was accepted for TLS, but there is no certificate.
    case noCertificate
}
