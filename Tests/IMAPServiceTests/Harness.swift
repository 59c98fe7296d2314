import Authentication
import IMAP
import IMAPService
import Listening
import Logging
import MailStore
import NIOCore
import NIOEmbedded
import NIOPosix
import Node
import Platform
import SASL

/// A node with its IMAP service, and clients whose connections are not of this world.
final class Server: Sendable {
    let node: TestNode
    let service: IMAPService
    let alice: AccountID
    private let threads: NIOThreadPool

    init(
        keepsSummaries: Bool = true, quota: UInt64? = nil, refusalDelay: Duration = .zero,
        configure: (inout IMAPServiceConfiguration) -> Void = { _ in }
    ) {
        node = TestNode(keepsSummaries: keepsSummaries)
        alice = node.makeAccount("alice@example.test", password: "secret", quota: quota)
        threads = NIOThreadPool(numberOfThreads: 1)
        threads.start()
        var configuration = IMAPServiceConfiguration(
            hostname: "imap.example.test", allowsPlaintextPasswords: true)
        configure(&configuration)
        var throttle = AuthThrottleLimits()
        throttle.delayFirst = .milliseconds(1)
        let authenticator = Authenticator(
            gateway: node, pool: threads,
            configuration: AuthenticatorConfiguration(
                serverSecret: Array("secret".utf8), iterations: 4096, throttle: throttle,
                refusalDelay: refusalDelay))
        var logger = Logger(label: "imap")
        logger.logLevel = .critical
        service = IMAPService(
            IMAPServiceContext(
                gateway: node, configuration: configuration, authenticator: authenticator,
                tls: TLSContexts(),
                connections: ConnectionCounts(.init(total: 100, perAddress: 100)),
                threads: threads, logger: logger))
    }

    deinit { threads.shutdownGracefully { _ in } }

    /// A client that has read the greeting.
    func connect() async throws -> Client {
        let channel = NIOAsyncTestingChannel()
        let service = service
        try await channel.testingEventLoop.executeInContext {
            _ = service.initialize(channel, implicitTLS: false)
        }
        try await channel.connect(to: SocketAddress(unixDomainSocketPath: "/client"))
        let client = Client(channel)
        client.greeting = try await client.line()
        return client
    }

    /// A client that is logged in as alice.
    func login() async throws -> Client {
        let client = try await connect()
        _ = try await client.ok("LOGIN alice@example.test secret")
        return client
    }

    /// A client that has selected INBOX.
    func select(_ mailbox: String = "INBOX", after commands: String...) async throws -> Client {
        let client = try await login()
        for command in commands { _ = try await client.ok(command) }
        _ = try await client.ok("SELECT \(mailbox)")
        return client
    }

    /// Fills INBOX with short messages.
    func fill(_ count: Int) {
        for i in 1...max(count, 1) where count > 0 {
            node.deliver("Subject: message \(i)\r\n\r\nBody \(i)\r\n", to: alice)
        }
    }

    /// Changes flags behind the sessions' backs.
    func set(_ flags: Flags, _ uids: [UInt32], _ change: FlagChange = .add) {
        node.change(
            alice,
            .setFlags(
                mailbox: node.inbox(alice).id, uids: UIDSet(uids), change: change,
                flags: NamedFlags(system: flags), unchangedSince: nil))
    }

    func expunge(_ uids: [UInt32]) {
        set(.deleted, uids)
        node.change(alice, .expunge(mailbox: node.inbox(alice).id, uids: UIDSet(uids)))
    }
}

/// One connection as its client sees it.
final class Client {
    let channel: NIOAsyncTestingChannel
    var greeting = ""
    private var received: [UInt8] = []
    /// What was taken of it.
    private var taken = 0
    private var tags = 0
    /// Octets of the largest buffer that the server has written.
    private(set) var largestWrite = 0

    init(_ channel: NIOAsyncTestingChannel) { self.channel = channel }

    // MARK: Octets

    func send(_ text: String) async throws { try await send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) async throws {
        try await channel.writeInbound(ByteBuffer(bytes: bytes))
    }

    private func pump() async throws {
        await channel.testingEventLoop.run()
        while var buffer = try await channel.readOutbound(as: ByteBuffer.self) {
            largestWrite = max(largestWrite, buffer.readableBytes)
            received += buffer.readBytes(length: buffer.readableBytes) ?? []
        }
    }

    /// Waits until `found` finds what it looks for.
    private func wait<T>(_ found: () -> T?) async throws -> T {
        for round in 0..<20_000 {
            if let result = found() { return result }
            try await pump()
            if let result = found() { return result }
            if round > 5 { try await Task.sleep(for: .microseconds(200)) }
        }
        throw TestFailure.timeout(String(decoding: received, as: UTF8.self))
    }

    /// The next line without its CRLF, and the literals within it in place.
    func line() async throws -> String {
        try await wait {
            guard let end = Self.end(of: received, from: taken) else { return nil }
            let line = String(decoding: received[taken..<(end - 2)], as: UTF8.self)
            taken = end
            if taken == received.count {
                received.removeAll()
                taken = 0
            }
            return line
        }
    }

    private static func end(of bytes: [UInt8], from start: Int) -> Int? {
        var from = start
        while let feed = bytes[from...].firstIndex(of: 10) {
            guard feed >= 2, bytes[feed - 2] == UInt8(ascii: "}"),
                let open = bytes[..<feed].lastIndex(of: UInt8(ascii: "{")),
                let size = Int(String(decoding: bytes[open + 1..<feed - 2], as: UTF8.self))
            else { return feed + 1 }
            guard feed + 1 + size <= bytes.count else { return nil }
            from = feed + 1 + size
        }
        return nil
    }

    /// What has come without being asked for.
    func news() async throws -> [String] {
        var lines: [String] = []
        for _ in 0..<3 { try await pump() }
        while Self.end(of: received, from: taken) != nil { lines.append(try await line()) }
        return lines
    }

    var isClosed: Bool { !channel.isActive }

    // MARK: Commands

    /// Sends a command and returns its responses, the tagged one last and without its tag.
    func command(_ text: String) async throws -> [String] {
        tags += 1
        try await send("t\(tags) \(text)\r\n")
        return try await reply()
    }

    /// The responses up to the tagged one of the last command.
    func reply() async throws -> [String] {
        var lines: [String] = []
        while true {
            let line = try await line()
            if line.hasPrefix("t\(tags) ") {
                lines.append(String(line.dropFirst("t\(tags) ".count)))
                return lines
            }
            lines.append(line)
            if line.hasPrefix("+") || line.hasPrefix("* BYE") { return lines }
        }
    }

    /// Sends a command that has to succeed; returns the untagged responses.
    func ok(_ text: String) async throws -> [String] {
        let lines = try await command(text)
        guard lines.last?.hasPrefix("OK") == true else {
            throw TestFailure.timeout("\(text): \(lines)")
        }
        return lines.dropLast()
    }

    /// The tagged reply alone.
    func status(_ text: String) async throws -> String { try await command(text).last ?? "" }
}
