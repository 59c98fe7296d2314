import Authentication
import Configuration
import Control
import Glibc
import IMAPService
import Listening
import LogOutput
import Logging
import MailStore
import NIOCore
import NIOPosix
import Node
import NodeRuntime
import Platform
import PlatformLinux
import Policy
import SMTP
import SMTPService
import ServiceManager
import Synchronization

/// A running node: its parts, wired together.
final class Daemon: Sendable {
    /// How long open sessions may take to end when the node stops.
    static let graceSeconds = 8

    let configPath: String
    let runtime: NodeRuntime
    let tls: TLSContexts
    let log: LogOutput
    let logger: Logger
    let signals: Signals
    let group: MultiThreadedEventLoopGroup
    let threads: NIOThreadPool
    let smtp: SMTPServiceContext
    let smtpService: SMTPService
    let imap: IMAPServiceContext
    let imapService: IMAPService
    let manager: ServiceManager
    let started = SystemClock().now().monotonic
    let state: Mutex<State>
    let control = Mutex<ControlServer?>(nil)

    struct State {
        var configuration: Configuration
        var directory: Directory
        var notes: [String] = []
        var phase = "starting"
        var failed = false
        var listeners: [(Configuration.Listener, any Channel)] = []
    }

    // MARK: Start

    static func start(configPath: String, signals: Signals) async throws -> Daemon {
        let configuration = try Configuration.load(path: configPath)
        let (log, logger) = makeLogger(configuration)
        defer { log.flush() }
        let tls = try makeTLS(configuration)
        let manager = ServiceManager()
        manager.tell(.status("Reading the journal"))
        let data = try NodeData(path: configuration.dataDirectory, create: true)
        var limits = AccountLimits()
        limits.quotaDefaultOctets = quotaDefault(configuration)
        let runtime = try NodeRuntime(
            data: data, limits: limits,
            report: { logger.notice("\($0)") },
            onFailure: { [signals] reason in
                logger.critical("the node stops", metadata: ["reason": "\(reason)"])
                signals.raise(SIGABRT)
            })
        logRecovery(runtime, logger)
        do {
            let daemon = try Daemon(
                configPath: configPath, configuration: configuration, runtime: runtime,
                secret: data.serverSecret(), tls: tls, log: log, logger: logger, signals: signals,
                manager: manager)
            try await daemon.listen(configuration)
            do {
                try await daemon.serveControl(configuration)
            } catch let problem as SocketProblem {
                throw StartProblem(
                    "the control socket cannot be opened: \(problem); control.socket names it",
                    exitCode: StartProblem.unavailable)
            }
            return daemon
        } catch {
            runtime.stop()
            throw error
        }
    }

    private static func logRecovery(_ runtime: NodeRuntime, _ logger: Logger) {
        let report = runtime.recovery
        logger.info(
            "journal recovered",
            metadata: [
                "from": "\(report.replayedFrom)", "operations": "\(report.opCount)",
                "torn_tail": "\(report.tornTail.map { "\($0)" } ?? "none")",
            ])
        for note in report.notes { logger.notice("\(note)") }
    }

    private static func makeLogger(_ configuration: Configuration) -> (LogOutput, Logger) {
        let output = LogOutput(format: configuration.logFormat == .json ? .json : .text)
        let level = Logger.Level(rawValue: configuration.logLevel.rawValue) ?? .info
        LoggingSystem.bootstrap { _ in output.handler(level: level) }
        return (output, Logger(label: "twinpostd"))
    }

    static func makeTLS(_ configuration: Configuration) throws -> TLSContexts {
        do throws(TLSFileError) {
            return try TLSContexts(tlsFiles(configuration))
        } catch {
            throw StartProblem("\(error)", exitCode: StartProblem.misconfigured)
        }
    }

    static func tlsFiles(_ configuration: Configuration) -> [TLSContexts.Files] {
        configuration.certificates.map {
            TLSContexts.Files(
                certificate: $0.certificatePath, privateKey: $0.keyPath,
                serverNames: $0.serverNames,
                requiresTLS13: configuration.tlsMinVersion == .tls13)
        }
    }

    private init(
        configPath: String, configuration: Configuration, runtime: NodeRuntime, secret: [UInt8],
        tls: TLSContexts, log: LogOutput, logger: Logger, signals: Signals, manager: ServiceManager
    ) throws {
        self.log = log
        self.configPath = configPath
        self.runtime = runtime
        self.tls = tls
        self.logger = logger
        self.signals = signals
        self.manager = manager
        // One loop for two cores: hand-overs between loops cost more than they bring there.
        group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, System.coreCount / 2))
        threads = NIOThreadPool(numberOfThreads: max(2, System.coreCount))
        threads.start()
        let directory = try Self.makeDirectory(configuration, runtime, logger)
        state = Mutex(State(configuration: configuration, directory: directory))
        smtp = SMTPServiceContext(
            gateway: runtime,
            settings: .init(
                server: Self.smtpServer(configuration, tls), directory: directory,
                quotaDefaultOctets: Self.quotaDefault(configuration)), tls: tls,
            connections: ConnectionCounts(Self.smtpConnections(configuration)), threads: threads,
            logger: logger)
        smtpService = SMTPService(smtp)
        let authenticator = Authenticator(
            gateway: runtime, pool: threads,
            configuration: AuthenticatorConfiguration(
                serverSecret: secret, iterations: configuration.passwordIterations))
        imap = IMAPServiceContext(
            gateway: runtime, configuration: Self.imapSettings(configuration),
            authenticator: authenticator, tls: tls,
            connections: ConnectionCounts(Self.imapConnections(configuration)), threads: threads,
            logger: logger)
        imapService = IMAPService(imap)
        runtime.onAddressesChanged { [weak self] in self?.rebuildDirectory() }
    }

    // MARK: Settings of the services

    static func smtpServer(_ configuration: Configuration, _ tls: TLSContexts)
        -> SMTPServerConfiguration
    {
        var limits = SMTPLimits()
        limits.messageMaxOctets = configuration.smtp.messageSizeMaxOctets
        limits.recipientsMax = configuration.smtp.recipientsMax
        limits.errorsMax = configuration.smtp.errorsMax
        limits.hopsMax = configuration.smtp.hopsMax
        limits.timeouts.serverCommand = configuration.smtp.commandTimeout
        limits.timeouts.serverDataBlock = configuration.smtp.dataTimeout
        return SMTPServerConfiguration(
            hostname: Array(configuration.hostname.utf8), limits: limits,
            offersTLS: tls.current != nil)
    }

    static func quotaDefault(_ configuration: Configuration) -> UInt64? {
        configuration.quotaDefaultOctets.map { UInt64(clamping: $0) }
    }

    static func imapSettings(_ configuration: Configuration) -> IMAPServiceConfiguration {
        var settings = IMAPServiceConfiguration(
            hostname: configuration.hostname,
            allowsPlaintextPasswords: configuration.plaintextAuthentication == .loopback)
        settings.limits.badCommandsMax = configuration.imap.errorsMax
        settings.limits.loginTimeout = configuration.imap.loginTimeout
        settings.limits.idleTimeout = configuration.imap.idleTimeout
        settings.grammar.messageMaxOctets = configuration.imap.appendSizeMaxOctets
        settings.grammar.lineMaxOctets = configuration.imap.commandMaxOctets
        return settings
    }

    static func smtpConnections(_ configuration: Configuration)
        -> ConnectionCounts.Limits
    {
        .init(
            total: configuration.smtp.connectionsMax,
            perAddress: configuration.smtp.connectionsPerAddressMax)
    }

    static func imapConnections(_ configuration: Configuration)
        -> ConnectionCounts.Limits
    {
        .init(
            total: configuration.imap.connectionsMax,
            perAddress: configuration.imap.connectionsPerAddressMax)
    }

    // MARK: Addresses

    /// The routes of a configuration and the accounts of now.
    ///
    /// - Throws: what is wrong with the configuration itself. An alias for an account that does not
    ///   exist (yet, or any more) is only logged.
    static func makeDirectory(
        _ configuration: Configuration, _ runtime: NodeRuntime, _ logger: Logger
    ) throws -> Directory {
        let accounts = runtime.accountIDs().compactMap { id in
            runtime.account(id).map {
                RoutingAccount(id: id.rawValue, addresses: $0.addresses)
            }
        }
        let (directory, problems) = Directory.build(configuration.routing, accounts: accounts)
        let faults = problems.filter { !$0.isMissingAccount }
        guard faults.isEmpty else {
            throw StartProblem(
                faults.map(\.description).joined(separator: "\n"),
                exitCode: StartProblem.misconfigured)
        }
        for problem in problems { logger.warning("\(problem)") }
        return directory
    }

    private func rebuildDirectory() {
        let configuration = state.withLock { $0.configuration }
        do {
            let directory = try Self.makeDirectory(configuration, runtime, logger)
            state.withLock { $0.directory = directory }
            smtp.replace(directory: directory)
        } catch {
            logger.error("addresses stay as they were", metadata: ["reason": "\(error)"])
        }
    }

    // MARK: Listening

    private func listen(_ configuration: Configuration) async throws {
        let inherited = InheritedSockets { name in getenv(name).map { String(cString: $0) } }
        let listener = Listener(group: group)
        for name in inherited.sockets.map(\.name)
        where !configuration.listeners.contains(where: { $0.endpoint == .systemd(name: name) }) {
            logger.warning(
                "systemd passed a socket that no listener names: nobody is served on it",
                metadata: ["socket": "\(name)"])
        }
        for entry in configuration.listeners {
            guard let initialize = initializer(for: entry) else {
                logger.warning(
                    "a listener is not served yet",
                    metadata: ["service": "\(entry.service.rawValue)"])
                continue
            }
            for address in try addresses(of: entry.endpoint, inherited) {
                let channel: any Channel
                do {
                    channel = try await listener.listen(on: address, initialize: initialize)
                } catch {
                    throw Self.cannotListen(on: address, entry.service, error)
                }
                state.withLock { $0.listeners.append((entry, channel)) }
                logger.info(
                    "listening",
                    metadata: ["service": "\(entry.service.rawValue)", "on": "\(address)"])
            }
        }
    }

    private static func cannotListen(
        on address: ListenAddress, _ service: Configuration.Service, _ error: any Error
    ) -> StartProblem {
        let code = (error as? IOError)?.errnoCode ?? 0
        let reason = code == 0 ? "\(error)" : String(cString: strerror(code))
        let remedy =
            switch code {
            case EADDRINUSE: ": another program has it; stop that one, or name another port"
            case EACCES:
                ": ports below 1024 are handed over by systemd (systemd-socket, in "
                    + "docs/configuration.md)"
            case EADDRNOTAVAIL: ": this machine does not have that address"
            default: ""
            }
        return StartProblem(
            "cannot listen on \(address) for \(service.rawValue) (\(reason))\(remedy)",
            exitCode: StartProblem.unavailable)
    }

    private func addresses(of endpoint: Configuration.Endpoint, _ inherited: InheritedSockets)
        throws -> [ListenAddress]
    {
        switch endpoint {
        case .address(let host, let port): return [.address(host: host, port: Int(port))]
        case .systemd(let name):
            let descriptors = inherited.descriptors(named: name)
            guard !descriptors.isEmpty else {
                throw StartProblem(
                    "systemd passed no socket named \"\(name)\": set FileDescriptorName=\(name) in "
                        + "its .socket unit, and start twinpost through it",
                    exitCode: StartProblem.misconfigured)
            }
            return descriptors.map { .inherited(descriptor: $0, name: name) }
        }
    }

    private func initializer(for listener: Configuration.Listener)
        -> (@Sendable (any Channel) -> EventLoopFuture<Void>)?
    {
        let implicit = listener.tls == .implicit
        switch listener.service {
        case .smtp:
            return { [smtpService] in smtpService.initialize($0, implicitTLS: implicit) }
        case .imap, .imaps:
            return { [imapService] in imapService.initialize($0, implicitTLS: implicit) }
        case .submission, .submissions: return nil
        }
    }
}
