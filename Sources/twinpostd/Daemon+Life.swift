import Configuration
import Control
import Glibc
import Listening
import Logging
import NIOCore
import Node
import Platform
import PlatformLinux
import Policy
import ServiceManager

/// What a node does between its start and its end.
extension Daemon {
    // MARK: Control

    func serveControl(_ configuration: Configuration) async throws {
        let hooks = ControlHooks(
            gateway: runtime,
            directory: { [self] in state.withLock { $0.directory } },
            passwordIterations: { [self] in
                state.withLock { $0.configuration.passwordIterations }
            },
            status: { [self] in status() },
            reload: { [self] in try reload() })
        let server = ControlServer(group: group, threads: threads, hooks: hooks, logger: logger)
        try await server.start(path: configuration.controlSocketPath)
        control.withLock { $0 = server }
    }

    func status() -> NodeStatus {
        let uptime = SystemClock().now().monotonic.since(started)
        let (configuration, phase, notes, listeners) = state.withLock {
            ($0.configuration, $0.phase, $0.notes, $0.listeners)
        }
        return NodeStatus(
            state: phase, hostname: configuration.hostname, node: runtime.slotName, pid: getpid(),
            version: Version.current,
            uptimeSeconds: Double(uptime.wholeNanoseconds) / 1_000_000_000,
            listeners: listeners.map { entry, channel in
                .init(
                    service: entry.service.rawValue,
                    address: channel.localAddress.map(ListenAddress.text) ?? "",
                    implicitTLS: entry.tls == .implicit)
            },
            accounts: runtime.accountIDs().count,
            connections: ["smtp": smtp.connections.total, "imap": imap.connections.total],
            counters: [
                "batches": runtime.counters.batches.load(ordering: .relaxed),
                "records": runtime.counters.records.load(ordering: .relaxed),
                "messages": runtime.counters.messages.load(ordering: .relaxed),
                "checkpoints": runtime.counters.checkpoints.load(ordering: .relaxed),
            ], notes: notes)
    }

    // MARK: Reload

    /// Reads the configuration again. If anything is wrong with it, nothing changes.
    func reload() throws -> [String] {
        let new = try Configuration.load(path: configPath)
        let old = state.withLock { $0.configuration }
        let directory = try Self.makeDirectory(new, runtime, logger)
        do throws(TLSFileError) {
            try tls.reload(Self.tlsFiles(new))
        } catch {
            throw StartProblem("\(error)", exitCode: StartProblem.misconfigured)
        }
        smtp.replace(
            .init(
                server: Self.smtpServer(new, tls), directory: directory,
                quotaDefaultOctets: Self.quotaDefault(new)))
        smtp.connections.setLimits(Self.smtpConnections(new))
        imap.replace(Self.imapSettings(new))
        imap.connections.setLimits(Self.imapConnections(new))
        imapService.reload()
        runtime.submit(NodeRequest(.setQuotaDefault(octets: Self.quotaDefault(new))))
        var notes: [String] = []
        if new.listeners != old.listeners { notes.append(note("listeners")) }
        if new.dataDirectory != old.dataDirectory { notes.append(note("data-directory")) }
        if new.controlSocketPath != old.controlSocketPath { notes.append(note("control.socket")) }
        state.withLock {
            $0.configuration = new
            $0.directory = directory
            $0.notes = notes
        }
        return notes
    }

    private func note(_ key: String) -> String {
        "\(key) changed: this takes effect when the node is started again"
    }

    private func reloadOnSignal() {
        manager.tell(.reloading, .status("Reading the configuration"))
        do {
            let notes = try reload()
            logger.notice("configuration reloaded")
            for note in notes { logger.notice("\(note)") }
        } catch {
            logger.error(
                "configuration refused, the last good one stays", metadata: ["reason": "\(error)"])
            state.withLock { $0.notes = ["the configuration file is wrong: \(error)"] }
        }
        tellReady()
    }

    /// What `systemctl status` shows while the node serves.
    private func tellReady() {
        let (listeners, notes) = state.withLock { ($0.listeners.count, $0.notes) }
        let text = "Serving \(runtime.accountIDs().count) accounts on \(listeners) listeners"
        manager.tell(.ready, .status(([text] + notes).joined(separator: "; ")))
    }

    // MARK: Life

    /// Serves until a signal or a failure ends it. Returns the exit code.
    func runUntilStopped() async -> Int32 {
        state.withLock { $0.phase = "serving" }
        tellReady()
        startWatchdog()
        logger.notice("serving", metadata: ["version": "\(Version.current)"])
        for await number in signals.stream {
            switch number {
            case SIGHUP: reloadOnSignal()
            case SIGABRT:
                state.withLock { $0.phase = "failed" }
                manager.tell(.status("The journal failed: see the log"))
                log.flush()
                return StartProblem.journalFailed
            default:
                logger.notice("stopping", metadata: ["signal": "\(number)"])
                await stop()
                return 0
            }
        }
        return 0
    }

    /// Tells the service manager that the event loop turns, twice as often as it asks to hear it.
    private func startWatchdog() {
        guard let interval = manager.watchdogInterval else { return }
        let half = TimeAmount.nanoseconds(interval.wholeNanoseconds / 2)
        group.next().scheduleRepeatedTask(initialDelay: half, delay: half) { [manager] _ in
            manager.tell(.watchdog)
        }
    }

    /// Ends the sessions, then the node: what was answered is durable already, so nothing waits for
    /// long.
    private func stop() async {
        state.withLock { $0.phase = "stopping" }
        manager.tell(.stopping, .status("Letting messages under way reach the disk"))
        let listeners = state.withLock { state in
            defer { state.listeners.removeAll() }
            return state.listeners
        }
        for (_, channel) in listeners {
            // It is closed already if this fails.
            try? await channel.close()
        }
        smtpService.shutDown()
        imapService.shutDown()
        for _ in 0..<Self.graceSeconds * 20
        where smtp.connections.total + imap.connections.total > 0 {
            try? await Task.sleep(for: .milliseconds(50))
        }
        if let server = control.withLock({ $0.take() }) { await server.stop() }
        runtime.stop()
        logger.notice("stopped")
        log.flush()
    }
}

/// The version of this build.
enum Version {
    static let current = "0.1.0"
}
