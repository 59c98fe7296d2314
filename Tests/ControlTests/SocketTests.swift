import Control
import Glibc
import Testing

@Suite struct SocketTests {
    @Test func onlyItsOwnerMayConnect() async throws {
        let fixture = try ControlFixture()
        let path = fixture.path
        try await fixture.serve { client in
            var status = stat()
            #expect(stat(path, &status) == 0)
            #expect(status.st_mode & 0o777 == 0o600)
            let pid = try client.status().pid
            #expect(pid == 42)
        }
        try await fixture.end()
    }

    @Test func aLiveServerIsNotDisturbed() async throws {
        let first = try ControlFixture()
        let second = try ControlFixture()
        try await first.server.start(path: first.path)
        await #expect(throws: SocketProblem.self) {
            try await second.server.start(path: first.path)
        }
        #expect(access(first.path, F_OK) == 0)
        await first.server.stop()
        try await first.end()
        try await second.end()
    }

    @Test func aDeadSocketIsReplacedAndAFileIsNot() async throws {
        let fixture = try ControlFixture()
        // Bound, never listening: what a killed process leaves.
        let left = try ControlFixture()
        try await left.server.start(path: left.path)
        #expect(rename(left.path, fixture.path) == 0)
        await left.server.stop()
        let state = try await fixture.serve { try $0.status().state }
        #expect(state == "serving")
        let file = open(fixture.path, O_CREAT | O_WRONLY, 0o600)
        close(file)
        await #expect(throws: SocketProblem.self) {
            try await fixture.server.start(path: fixture.path)
        }
        #expect(access(fixture.path, F_OK) == 0)
        unlink(fixture.path)
        try await fixture.end()
        try await left.end()
    }

    @Test func aLongRequestIsRefusedBeforeItIsRead() async throws {
        let fixture = try ControlFixture()
        try await fixture.serve { client in
            let long = String(repeating: "x", count: 8_000)
            let answer = code {
                _ = try client.add(.init(address: "a@example.test", password: long))
            }
            #expect(answer == "too-large")
        }
        try await fixture.end()
    }

    @Test func withoutANodeTheErrorSaysWhatToDo() {
        let client = ControlClient(path: "/nonexistent/control.sock")
        do {
            _ = try client.status()
            Issue.record("something answered")
        } catch {
            #expect("\(error)".contains("/nonexistent/control.sock"))
            #expect("\(error)".contains("--control"))
        }
    }

    @Test func aPathThatIsTooLongIsNamed() async throws {
        let fixture = try ControlFixture()
        let path = "/tmp/" + String(repeating: "x", count: 120)
        await #expect(throws: SocketProblem.self) { try await fixture.server.start(path: path) }
        try await fixture.end()
        rmdir(String(fixture.path.dropLast("/control.sock".count)))
    }
}
