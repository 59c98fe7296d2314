import Glibc
import ServiceManager
import Synchronization
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
        manager.notify(.ready, .status("serving\nFORGED=1"))
        #expect(receiver.next() == "READY=1\nSTATUS=servingFORGED=1")
        manager.notify(.watchdog)
        #expect(receiver.next() == "WATCHDOG=1")
        manager.notify(.stopping)
        #expect(receiver.next() == "STOPPING=1")
        manager.notify(.reloading)
        let lines = receiver.next().split(separator: "\n")
        #expect(lines.count == 2 && lines[0] == "RELOADING=1")
        #expect(Int(lines[1].dropFirst("MONOTONIC_USEC=".count)).map { $0 > 0 } == true)
    }

    @Test func theWatchdogIsFedInTimeWhileTheProcessIsWell() throws {
        let receiver = try Receiver(abstract: true)
        let isWell = Atomic<Bool>(true)
        let manager = ServiceManager { name in
            ["NOTIFY_SOCKET": receiver.name, "WATCHDOG_USEC": "100000"][name]
        }
        manager.startWatchdog { isWell.load(ordering: .relaxed) }
        for _ in 0..<2 {
            var seen = ""
            for _ in 0..<300 where seen.isEmpty {
                seen = receiver.next()
                usleep(10_000)
            }
            #expect(seen == "WATCHDOG=1")
        }
        isWell.store(false, ordering: .relaxed)
        usleep(100_000)
        while !receiver.next().isEmpty {}
        usleep(200_000)
        #expect(receiver.next() == "")
    }

    @Test(arguments: ["", "relative", "/", "@", "/" + String(repeating: "x", count: 200)])
    func withoutAManagerNothingHappens(name: String) {
        let manager = ServiceManager { $0 == "NOTIFY_SOCKET" ? name : nil }
        #expect(!manager.isPresent)
        manager.notify(.ready)
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
