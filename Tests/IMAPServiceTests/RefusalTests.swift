import IMAPService
import MailStore
import NIOCore
import Testing

@Suite struct RefusalTests {
    @Test(arguments: [
        "ENABLE CONDSTORE", "SELECT INBOX", "LIST \"\" *", "IDLE", "FETCH 1 FLAGS", "NOOP x",
        "BOGUS", "LOGIN onlyone", "APPEND INBOX {3+}\r\nabc", "UNSELECT",
    ])
    func beforeLoginIsBad(command: String) async throws {
        let server = Server()
        let client = try await server.connect()
        #expect(try await client.status(command).hasPrefix("BAD"))
        #expect(try await client.ok("NOOP") == [])
    }

    @Test(arguments: [
        "NOOP x", "FETCH", "FETCH 1", "FETCH 0 FLAGS", "STORE 1 FLAGS \\Bogus", "SELECT",
        "SEARCH UNHEARD", "FETCH 1 (FLAGS", "UID NOOP", "LOGIN a b", "AUTHENTICATE PLAIN",
        "STARTTLS", "CAPABILITY now", "FETCH 1 BODY[1",
    ])
    func badSyntaxIsSurvived(command: String) async throws {
        let server = Server()
        server.fill(1)
        let client = try await server.select()
        #expect(try await client.status(command).hasPrefix("BAD"))
        #expect(try await client.ok("NOOP") == [])
    }

    @Test(arguments: ["STORE 1 +FLAGS (\\Seen)", "EXPUNGE", "UID EXPUNGE 1", "MOVE 1 Trash"])
    func aMailboxOpenForReadingIsNotChanged(command: String) async throws {
        let server = Server()
        server.fill(1)
        server.set(.deleted, [1])
        let client = try await server.login()
        #expect(try await client.status("EXAMINE INBOX").hasPrefix("OK [READ-ONLY]"))
        #expect(try await client.status(command).hasPrefix("NO [READ-ONLY]"))
        _ = try await client.ok("CLOSE")
        #expect(server.node.inbox(server.alice).messages[0].flags == .deleted)
    }

    @Test func literalsThatNobodyCouldMeanAreRefusedUnread() async throws {
        let server = Server()
        let client = try await server.connect()
        #expect(try await client.status("LOGIN {99000000000}").hasPrefix("BAD [TOOBIG]"))
        #expect(try await client.ok("NOOP") == [])
        try await client.send("t9 LOGIN {99000000000+}\r\n")
        let reply = try await client.line()
        #expect(reply.hasPrefix("t9 BAD"), "\(reply)")
        #expect(try await client.line().hasPrefix("* BYE"))
        #expect(client.isClosed)
    }

    @Test func tooMuchNonsenseEndsTheSession() async throws {
        let server = Server { $0.limits.badCommandsMax = 3 }
        let client = try await server.connect()
        _ = try await client.status("ONE")
        _ = try await client.status("TWO")
        _ = try await client.ok("NOOP")
        for _ in 0..<2 { _ = try await client.status("MORE") }
        try await client.send("x y\r\n")
        #expect(try await client.line().hasPrefix("x BAD"))
        #expect(try await client.line() == "* BYE Too many invalid commands")
        #expect(client.isClosed)
    }

    @Test func commandsMayComeInAnyPieces() async throws {
        let server = Server()
        server.fill(1)
        let client = try await server.connect()
        let script =
            "a LOGIN {18+}\r\nalice@example.test secret\r\nb SELECT INBOX\r\n"
            + "c FETCH 1 BODY.PEEK[TEXT]\r\nd SEARCH SUBJECT {7}\r\nmessage\r\ne LOGOUT\r\n"
        for byte in script.utf8 { try await client.send([byte]) }
        var lines: [String] = []
        while lines.last?.hasPrefix("e ") != true { lines.append(try await client.line()) }
        #expect(lines.contains("* 1 FETCH (BODY[TEXT] {8}\r\nBody 1\r\n)"))
        #expect(lines.contains("* SEARCH 1"))
        #expect(client.isClosed)
    }

    @Test func pipelinedCommandsAreAnsweredInOrder() async throws {
        let server = Server()
        server.fill(3)
        let client = try await server.select()
        try await client.send(
            "a STORE 1 +FLAGS (\\Seen)\r\nb FETCH 2 BODY.PEEK[TEXT]\r\nc UID SEARCH BODY 3\r\n"
                + "d NOOP\r\n")
        var tags: [String] = []
        while tags.last != "d" {
            let line = try await client.line()
            if !line.hasPrefix("*") { tags.append(String(line.prefix(1))) }
        }
        #expect(tags == ["a", "b", "c", "d"])
    }

    @Test func stoppingSaysGoodbye() async throws {
        let server = Server()
        let client = try await server.select()
        _ = try await client.command("IDLE")
        server.service.shutDown()
        #expect(try await client.line() == "* BYE [UNAVAILABLE] The server is stopping")
        #expect(client.isClosed)
    }

    @Test func silenceEndsTheSession() async throws {
        let server = Server { $0.limits.loginTimeout = .milliseconds(1) }
        let client = try await server.connect()
        try await Task.sleep(for: .milliseconds(5))
        await client.channel.testingEventLoop.advanceTime(by: .seconds(20))
        #expect(try await client.line() == "* BYE Nothing was said for too long")
        #expect(client.isClosed)
    }

    @Test func anAccountThatIsRemovedIsLeft() async throws {
        let server = Server()
        let client = try await server.login()
        server.node.submit(.init(.removeAccount(server.alice)))
        #expect(try await client.command("LIST \"\" *") == ["* BYE The account is gone"])
    }
}
