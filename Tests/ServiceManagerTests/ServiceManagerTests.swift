import Glibc
import ServiceManager
import Testing

/// What a service manager would receive.
final class Receiver {
    let descriptor: Int32
    let name: String

    init(abstract: Bool) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        name = "\(abstract ? "@" : "/tmp/")twinpost-notify-\(getpid())-\(descriptor)"
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(name.utf8)
        if abstract { bytes[0] = 0 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let length = socklen_t(2 + bytes.count)
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length)
            }
        }
        try #require(status == 0)
    }

    deinit {
        close(descriptor)
        if name.hasPrefix("/") { unlink(name) }
    }

    func next() -> String {
        var bytes = [UInt8](repeating: 0, count: 4_096)
        let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        return String(decoding: bytes[..<max(0, count)], as: UTF8.self)
    }
}

@Suite struct ServiceManagerTests {
    @Test(arguments: [true, false])
    func statesArriveAtPathsAndAbstractNames(abstract: Bool) throws {
        let receiver = try Receiver(abstract: abstract)
        let manager = ServiceManager { $0 == "NOTIFY_SOCKET" ? receiver.name : nil }
        #expect(manager.isPresent && manager.watchdogInterval == nil)
        manager.tell(.ready, .status("serving\nFORGED=1"))
        #expect(receiver.next() == "READY=1\nSTATUS=servingFORGED=1")
        manager.tell(.watchdog)
        #expect(receiver.next() == "WATCHDOG=1")
        manager.tell(.stopping)
        #expect(receiver.next() == "STOPPING=1")
        manager.tell(.reloading)
        let lines = receiver.next().split(separator: "\n")
        #expect(lines.count == 2 && lines[0] == "RELOADING=1")
        #expect(Int(lines[1].dropFirst("MONOTONIC_USEC=".count)).map { $0 > 0 } == true)
    }

    @Test(arguments: ["", "relative", "/", "@", "/" + String(repeating: "x", count: 200)])
    func withoutAManagerNothingHappens(name: String) {
        let manager = ServiceManager { $0 == "NOTIFY_SOCKET" ? name : nil }
        #expect(!manager.isPresent)
        manager.tell(.ready)
    }

    @Test(arguments: [
        ("30000000", "7", Duration.seconds(30)), ("30000000", "8", nil), ("0", "7", nil),
        ("soon", "7", nil),
    ])
    func theWatchdogIsOursOnlyByItsProcessID(microseconds: String, pid: String, is: Duration?) {
        let manager = ServiceManager(processID: 7) { name in
            ["WATCHDOG_USEC": microseconds, "WATCHDOG_PID": pid][name]
        }
        #expect(manager.watchdogInterval == `is`)
    }
}
