import Control
import Glibc
import Logging
import NIOCore
import NIOPosix
import Policy
import SASL
import Testing

struct ReloadRefused: Error, CustomStringConvertible {
    var description: String { "twinpost.toml:3: nonsense" }
}

/// A control server over a node in memory, and its client.
final class ControlFixture: Sendable {
    let node = MemoryNode()
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let threads = NIOThreadPool(numberOfThreads: 2)
    let path: String
    let server: ControlServer
    let router: ControlRouter
    var client: ControlClient { ControlClient(path: path, timeout: .seconds(20)) }

    init(reload: @escaping @Sendable () throws -> [String] = { ["a note"] }) throws {
        var template = Array("/tmp/twinpost-control-XXXXXX".utf8CString)
        path = String(cString: try #require(mkdtemp(&template))) + "/control.sock"
        let directory = try Directory(
            RoutingConfiguration(domains: [.init(name: "example.test")]), accounts: [])
        let hooks = ControlHooks(
            gateway: node, directory: { directory }, passwordIterations: { 4_096 },
            status: {
                NodeStatus(
                    state: "serving", hostname: "mail.example.test", node: "a", pid: 42,
                    version: "0", uptimeSeconds: 1.5)
            }, reload: reload)
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        router = ControlRouter(hooks, logger: logger)
        threads.start()
        var limits = ControlLimits()
        limits.bodyMaxOctets = 4_096
        server = ControlServer(
            group: group, threads: threads, hooks: hooks, logger: logger, limits: limits)
    }

    /// Runs `body` on a thread that may block, while the server serves.
    func serve<R: Sendable>(_ body: @escaping @Sendable (ControlClient) throws -> R) async throws
        -> R
    {
        try await server.start(path: path)
        let client = client
        let result: Result<R, any Error>
        do {
            result = .success(try await threads.runIfActive { try body(client) })
        } catch {
            result = .failure(error)
        }
        await server.stop()
        #expect(access(path, F_OK) != 0)
        return try result.get()
    }

    func end() async throws {
        rmdir(String(path.dropLast("/control.sock".count)))
        try await threads.shutdownGracefully()
        try await group.shutdownGracefully()
    }
}

/// The code with which a call is refused.
func code(_ body: () throws -> Void) -> String {
    do {
        try body()
        return "none"
    } catch ControlClientError.refused(let error) {
        return error.code
    } catch {
        return "\(error)"
    }
}

@Suite struct ControlTests {
    @Test func accountsAreAddedChangedListedAndRemoved() async throws {
        let fixture = try ControlFixture()
        try await fixture.serve { client in
            let added = try client.add(
                .init(
                    address: "alice@example.test", password: "first", aliases: ["al@example.test"],
                    quotaOctets: 5))
            #expect(added.addresses == ["alice@example.test", "al@example.test"])
            #expect(added.mailboxes == 6 && added.messages == 0 && added.quotaOctets == 5)
            #expect(try client.setPassword("ALICE@example.test", "second").id == added.id)
            let moved = try client.setAddresses(added.id, ["alice@example.test", "a@example.test"])
            #expect(moved.addresses == ["alice@example.test", "a@example.test"])
            #expect(try client.setQuota("a@example.test", octets: nil).quotaOctets == nil)
            #expect(try client.accounts() == [try client.setQuota(added.id, octets: nil)])
            #expect(try client.remove("alice@example.test").id == added.id)
            #expect(try client.accounts() == [])
        }
        try await fixture.end()
    }

    @Test func thePasswordBecomesAVerifier() async throws {
        let fixture = try ControlFixture()
        try await fixture.serve { client in
            _ = try client.add(.init(address: "bob@example.test", password: "first"))
            _ = try client.setPassword("bob@example.test", "second")
        }
        let id = try #require(fixture.node.accountID(address: "bob@example.test"))
        let state = try #require(fixture.node.account(id))
        let verifier = try #require(Verifier(encoded: state.verifier))
        #expect(verifier.verify(password: Array("second".utf8)))
        #expect(!verifier.verify(password: Array("first".utf8)))
        try await fixture.end()
    }

    @Test func whatMakesNoSenseIsRefusedWithACode() async throws {
        let fixture = try ControlFixture()
        try await fixture.serve { client in
            func add(_ address: String, _ password: String = "x", _ aliases: [String]? = nil)
                -> String
            {
                code {
                    _ = try client.add(
                        .init(address: address, password: password, aliases: aliases))
                }
            }
            #expect(add("a@example.test") == "none")
            #expect(add("A@Example.Test") == "address-taken")
            #expect(add("b@example.test", "x", ["a@example.test"]) == "address-taken")
            #expect(add("b@example.test", "x", ["B@example.test"]) == "invalid-address")
            #expect(add("b@example.net") == "foreign-domain")
            #expect(add("b@example.test", "") == "invalid-password")
            #expect(add("b@example.test", "a\u{7}b") == "invalid-password")
            for address in ["", "b", "@example.test", "b@", "b@c@example.test", "b c@example.test"]
            {
                #expect(add(address) == "invalid-address", "\(address)")
            }
            #expect(code { _ = try client.remove("c@example.test") } == "no-such-account")
            #expect(code { _ = try client.setAddresses("a@example.test", []) } == "invalid-address")
        }
        try await fixture.end()
    }

    @Test func aNodeThatStopsSaysSo() async throws {
        let fixture = try ControlFixture()
        fixture.node.isStopping.store(true, ordering: .relaxed)
        try await fixture.serve { client in
            let answer = code {
                _ = try client.add(.init(address: "a@example.test", password: "x"))
            }
            #expect(answer == "unavailable")
        }
        try await fixture.end()
    }

    @Test func aReloadAnswersNotesOrWhatIsWrong() async throws {
        let good = try ControlFixture()
        let notes = try await good.serve { try $0.reload().notes }
        #expect(notes == ["a note"])
        try await good.end()
        let bad = try ControlFixture(reload: { throw ReloadRefused() })
        try await bad.serve { client in
            #expect(code { _ = try client.reload() } == "configuration-refused")
        }
        try await bad.end()
    }

    @Test(arguments: [
        ("GET", "/v1/nothing", "", 404), ("GET", "/v2/status", "", 404), ("GET", "/", "", 404),
        ("POST", "/v1/status", "", 405), ("PUT", "/v1/accounts", "", 405),
        ("POST", "/v1/accounts", "{", 400), ("POST", "/v1/accounts", "{}", 400),
        ("GET", "/v1/accounts/nobody@example.test", "", 404), ("GET", "/v1/status", "", 200),
        ("GET", "/v1/accounts/%zz", "", 404),
    ])
    func requestsGetTheRightStatus(method: String, path: String, body: String, status: Int) throws {
        let fixture = try ControlFixture()
        let answer = fixture.router.answer(.init(method, path, body: Array(body.utf8)))
        #expect(answer.status == status)
        #expect(answer.body.first == UInt8(ascii: "{"))
        rmdir(String(fixture.path.dropLast("/control.sock".count)))
    }
}
