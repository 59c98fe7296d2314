import Glibc
import Synchronization

/// Tells the service manager how this process is (sd_notify(3)); does nothing where there is none.
/// Safe from any thread.
public final class ServiceManager: Sendable {
    /// A state that the manager is told.
    public enum State: Hashable, Sendable {
        /// All listeners are open.
        case ready
        /// A line for people in `systemctl status`.
        case status(String)
        /// The configuration is being read again; `.ready` says that this is over.
        case reloading
        case stopping
        /// The process lives: to be sent at least once in `watchdogInterval`.
        case watchdog
    }

    private let descriptor: Int32
    private let address: [UInt8]
    /// How often the manager wants to hear `.watchdog`; nil if it does not care. Send it twice as
    /// often.
    public let watchdogInterval: Duration?

    /// Looks at `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`.
    ///
    /// - Parameter environment: the process's, as a function so that tests can give their own.
    public init(
        processID: Int32 = getpid(),
        environment: (String) -> String? = { getenv($0).map { String(cString: $0) } }
    ) {
        address = Self.address(environment("NOTIFY_SOCKET") ?? "")
        descriptor =
            address.isEmpty
            ? -1 : socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        let isOurs = environment("WATCHDOG_PID").map { Int32($0) == processID } ?? true
        watchdogInterval = environment("WATCHDOG_USEC").flatMap { Int64($0) }.flatMap {
            isOurs && $0 > 0 ? .microseconds($0) : nil
        }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Whether anybody listens.
    public var isPresent: Bool { descriptor >= 0 }

    /// Tells the manager the states, together. An error is not reported: nobody could act on it.
    public func tell(_ states: State...) {
        guard descriptor >= 0, !states.isEmpty else { return }
        let text = states.map(Self.text).joined(separator: "\n")
        var target = sockaddr_un()
        target.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &target.sun_path) { $0.copyBytes(from: address) }
        // Without the NULs behind: an abstract name is as long as it says (unix(7)).
        let length =
            socklen_t(MemoryLayout<sockaddr_un>.offset(of: \.sun_path)! + address.count)
        let bytes = Array(text.utf8)
        withUnsafePointer(to: &target) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = sendto(
                    descriptor, bytes, bytes.count,
                    Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT), $0, length)
            }
        }
    }

    private static func text(_ state: State) -> String {
        switch state {
        case .ready: "READY=1"
        case .status(let line): "STATUS=" + line.filter { !$0.isNewline }
        case .reloading: "RELOADING=1\nMONOTONIC_USEC=\(monotonicMicroseconds())"
        case .stopping: "STOPPING=1"
        case .watchdog: "WATCHDOG=1"
        }
    }

    private static func monotonicMicroseconds() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1_000_000 + time.tv_nsec / 1_000
    }

    /// The socket's name as the kernel takes it: `@` stands for the NUL of an abstract one. Empty if
    /// it is none that we can speak to.
    private static func address(_ text: String) -> [UInt8] {
        var bytes = Array(text.utf8)
        guard bytes.count > 1, bytes.count < MemoryLayout.size(ofValue: sockaddr_un().sun_path),
            bytes[0] == UInt8(ascii: "/") || bytes[0] == UInt8(ascii: "@")
        else { return [] }
        if bytes[0] == UInt8(ascii: "@") { bytes[0] = 0 }
        return bytes
    }
}
