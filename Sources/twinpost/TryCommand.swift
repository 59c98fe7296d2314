import ArgumentParser
import Control
import Glibc

struct Try: TwinpostCommand {
    static let configuration = CommandConfiguration(
        commandName: "try",
        abstract: "Runs a throwaway node on loopback, with two accounts, until Control-C.",
        discussion: """
            The node is a process of its own: kill it, and start it again by hand with what is \
            printed. Everything is removed at the end, unless --dir names a place to keep it.
            """)

    @Option(help: "A directory that keeps the node's data across runs.")
    var dir: String?

    @Option(help: "Ports are counted from here: SMTP +25, IMAP +43, IMAPS +93.")
    var basePort = 42_000

    @OptionGroup var output: OutputOptions

    func execute() throws(Failure) {
        let signals = Signals()
        let ports = TryDirectory.Ports(base: basePort)
        try check(ports)
        let program = try Files.sibling("twinpostd")
        let directory: TryDirectory
        if let dir {
            directory = try TryDirectory(path: dir)
        } else {
            directory = try TryDirectory(path: try Files.makeTemporaryDirectory())
        }
        defer { directory.cleanUp(keepsData: dir != nil) }
        try directory.makeCertificates()
        try directory.writeConfiguration(ports)
        let argv = [program, "--config", directory.configurationPath]
        let node = try NodeProcess.start(argv)
        let control = ControlClient(path: directory.controlPath)
        let accounts: [TryReport.Account]
        do throws(Failure) {
            guard try waitUntilReady(node, control, signals) else { return }
            accounts = try makeAccounts(directory, control)
        } catch {
            stop(node, control)
            throw error
        }
        let report = TryReport(
            nodes: [
                .init(
                    name: "a", address: TryDirectory.address, pid: node.pid, argv: argv,
                    smtp: ports.smtp, imap: ports.imap, imaps: ports.imaps,
                    control: directory.controlPath, data: directory.dataPath)
            ], accounts: accounts, ca: directory.authorityPath)
        if output.json {
            Console.print(json: report)
        } else {
            Console.print(report.text(keepsData: dir != nil))
        }
        watch(node, argv, signals)
        stop(node, control)
    }

    // MARK: Start

    private func check(_ ports: TryDirectory.Ports) throws(Failure) {
        guard (1...65_000).contains(ports.base) else {
            throw Failure(
                .refused, "bad-port",
                "--base-port \(ports.base) is not possible: choose a number from 1 to 65000.")
        }
        for (service, port) in ports.all {
            guard let problem = Self.problem(binding: port) else { continue }
            throw Failure(
                .unavailable, "port-busy",
                "Port \(port), for \(service), cannot be used: "
                    + "\(String(cString: strerror(problem))). Choose other ports with --base-port.")
        }
    }

    /// The error number of a listener on loopback, if there is one.
    private static func problem(binding port: Int) -> Int32? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        var on: Int32 = 1
        setsockopt(
            descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        inet_pton(AF_INET, TryDirectory.address, &address.sin_addr)
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        // Two may bind while none listens.
        return status == 0 && listen(descriptor, 1) == 0 ? nil : errno
    }

    /// - Returns: false if we are to stop.
    private func waitUntilReady(
        _ node: NodeProcess, _ control: ControlClient, _ signals: Signals
    ) throws(Failure) -> Bool {
        for _ in 0..<6_000 {
            if let status = try? control.status(), status.state == "serving",
                status.pid == node.pid
            {
                return true
            }
            if let end = node.endIfAny() {
                throw Failure(
                    .unavailable, "node-ended",
                    "The node ended with \(end) before it served: its log stands above.")
            }
            if signals.wait(milliseconds: 10) == .stop {
                stop(node, control)
                return false
            }
        }
        throw Failure(
            .unavailable, "node-not-ready",
            "The node does not serve after a minute: its log stands above.")
    }

    private func makeAccounts(_ directory: TryDirectory, _ control: ControlClient)
        throws(Failure) -> [TryReport.Account]
    {
        let accounts = try directory.accounts()
        let existing = try ask { () throws(ControlClientError) in try control.accounts() }
            .flatMap(\.addresses)
        for account in accounts where !existing.contains(account.address) {
            let creation = AccountCreation(
                address: account.address, password: account.password)
            _ = try ask { () throws(ControlClientError) in try control.add(creation) }
        }
        return accounts
    }

    // MARK: End

    /// Until we are told to stop. A node that ends is left alone.
    private func watch(_ node: NodeProcess, _ argv: [String], _ signals: Signals) {
        var isReaped = false
        while true {
            let event = signals.wait(milliseconds: nil)
            if event == .stop { return }
            if !isReaped, let end = node.endIfAny() {
                isReaped = true
                let command = argv.map(TryReport.quoted).joined(separator: " ")
                Console.error(
                    "twinpost: the node ended (\(end)); start it again with\n    \(command)")
            }
        }
    }

    /// Stops the node that serves now, whoever started it, and waits for its end.
    private func stop(_ node: NodeProcess, _ control: ControlClient) {
        var pids: [pid_t] = []
        if waitpid(node.pid, nil, WNOHANG) == 0 { pids.append(node.pid) }
        if let other = try? control.status().pid, !pids.contains(other) { pids.append(other) }
        for pid in pids { kill(pid, SIGTERM) }
        for pid in pids {
            for _ in 0..<6_000 {
                _ = waitpid(pid, nil, WNOHANG)
                if kill(pid, 0) != 0 { break }
                usleep(5_000)
            }
        }
    }
}

/// The signals that end a run, and those of children, taken one after the other.
struct Signals {
    enum Event { case stop, child, nothing }

    private var set = sigset_t()

    /// Blocks them, so that only `wait` sees them. To be made before any thread.
    init() {
        sigemptyset(&set)
        for signal in [SIGINT, SIGTERM, SIGHUP, SIGCHLD] { sigaddset(&set, signal) }
        sigprocmask(SIG_BLOCK, &set, nil)
        signal(SIGPIPE, SIG_IGN)
    }

    /// - Parameter milliseconds: nil is for ever.
    func wait(milliseconds: Int?) -> Event {
        var set = set
        let signal: Int32
        if let milliseconds {
            var time = timespec(
                tv_sec: milliseconds / 1_000, tv_nsec: milliseconds % 1_000 * 1_000_000)
            signal = sigtimedwait(&set, nil, &time)
        } else {
            signal = sigwaitinfo(&set, nil)
        }
        switch signal {
        case SIGINT, SIGTERM, SIGHUP: return .stop
        case SIGCHLD: return .child
        default: return .nothing
        }
    }
}
