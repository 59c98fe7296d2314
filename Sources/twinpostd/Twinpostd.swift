import ArgumentParser
import Configuration
import Glibc
import NodeRuntime
import PlatformLinux

/// The node: SMTP, journal and IMAP in one process.
@main
struct Twinpostd: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "twinpostd",
        abstract: "A Twinpost node: takes mail over SMTP, keeps it, and serves it over IMAP.",
        discussion: """
            It runs in the foreground and logs to standard error. SIGHUP makes it read its \
            configuration again, SIGTERM or SIGINT makes it stop. It never needs to be root: \
            ports below 1024 are handed to it by systemd.

            Exit codes: 0 stopped as asked, 64 the command line makes no sense, 65 the data is \
            damaged, 70 the journal failed, 75 the data or a port is in use or cannot be used, 78 \
            the configuration is wrong.
            """)

    @Option(name: .long, help: "The configuration file.")
    var config = "/etc/twinpost/twinpost.toml"

    /// Not asynchronous: the main thread of an asynchronous program waits with no signal blocked, and
    /// a signal to the process takes any thread that does not block it.
    func run() throws {
        // A peer that closes its end must not end the process.
        signal(SIGPIPE, SIG_IGN)
        let signals = Signals([SIGTERM, SIGINT, SIGHUP])
        let codes = WorkQueue<Int32>()
        Task { [self] in codes.put(await serve(signals)) }
        var ended: [Int32] = []
        _ = codes.takeAll(into: &ended)
        throw ExitCode(ended.first ?? 0)
    }

    /// Returns the exit code.
    private func serve(_ signals: Signals) async -> Int32 {
        do {
            let daemon = try await Daemon.start(configPath: config, signals: signals)
            return await daemon.runUntilStopped()
        } catch {
            complain("\(error)")
            return StartProblem.exitCode(of: error)
        }
    }

    private func complain(_ text: String) {
        let line = Array("twinpostd: \(text)\n".utf8)
        _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress!, $0.count) }
    }
}

/// Why a node does not start.
struct StartProblem: Error, CustomStringConvertible {
    var description: String
    var exitCode: Int32

    /// sysexits.h, as `docs/commands.md` lists them.
    static let damaged: Int32 = 65
    static let unavailable: Int32 = 75
    static let misconfigured: Int32 = 78
    static let journalFailed: Int32 = 70

    init(_ description: String, exitCode: Int32) {
        self.description = description
        self.exitCode = exitCode
    }

    static func exitCode(of error: any Error) -> Int32 {
        switch error {
        case let problem as StartProblem: problem.exitCode
        case is ConfigurationError: misconfigured
        case let error as NodeDataError where error.kind == .damaged: damaged
        default: unavailable
        }
    }
}
