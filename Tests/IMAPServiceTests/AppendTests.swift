import IMAPService
import MailStore
import Testing

@Suite struct AppendTests {
    @Test func anAppendedMessageHasItsFlagsAndDate() async throws {
        let server = Server()
        let client = try await server.select()
        try await client.send(
            "t2 APPEND INBOX (\\Seen $Work) \"17-Jul-1996 02:44:25 -0700\" {10}\r\n")
        _ = try await client.line()
        try await client.send("A: b\r\n\r\nhi\r\n".utf8.map { $0 }.prefix(10) + Array("\r\n".utf8))
        let validity = server.node.inbox(server.alice).uidValidity.rawValue
        var lines: [String] = []
        while lines.last?.hasPrefix("t2 ") != true { lines.append(try await client.line()) }
        #expect(lines.first == "* 1 EXISTS")
        #expect(lines.last == "t2 OK [APPENDUID \(validity) 1] Stored")
        let fetched = try await client.ok("FETCH 1 (FLAGS INTERNALDATE BODY.PEEK[])")
        #expect(
            fetched == [
                "* 1 FETCH (FLAGS (\\Seen $Work) INTERNALDATE \"17-Jul-1996 09:44:25 +0000\" "
                    + "BODY[] {10}\r\nA: b\r\n\r\nhi)"
            ])
    }

    @Test func severalAreStoredTogetherOrNotAtAll() async throws {
        let server = Server(quota: 100)
        let client = try await server.select()
        let reply = try await client.command("APPEND INBOX {5+}\r\nA: b\n {5+}\r\nC: d\n")
        #expect(reply.last?.contains(" 1:2] Stored") == true)
        let big = String(repeating: "x", count: 60)
        #expect(
            try await client.status("APPEND INBOX {60+}\r\n\(big) {60+}\r\n\(big)")
                .hasPrefix("NO [OVERQUOTA]"))
        #expect(try await client.status("APPEND INBOX {2+}\r\nhi {0+}\r\n").hasPrefix("NO"))
        #expect(server.node.inbox(server.alice).messages.count == 2)
    }

    @Test func largeMessagesGoToTheDiskWhileTheyCome() async throws {
        let server = Server()
        let client = try await server.select()
        let text = "A: b\r\n\r\n" + String(repeating: "0123456789\r\n", count: 30_000)
        let size = text.utf8.count
        try await client.send("t2 APPEND INBOX {\(size)}\r\n")
        #expect(try await client.line() == "+ Go ahead")
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            try await client.send(Array(rest.prefix(50_000)))
            rest = rest.dropFirst(50_000)
        }
        try await client.send(" {3+}\r\nabc (\\Seen) {\(size)}\r\n")
        // Syntax: flags come before the literal they belong to.
        #expect(try await client.line() == "+ Go ahead")
        try await client.send(text + "\r\n")
        let reply = try await client.line()
        #expect(reply.hasPrefix("* 3 EXISTS") || reply.hasPrefix("t2 OK"), "\(reply)")
        let other = try await server.select()
        let fetched = try await other.ok("FETCH 1 BODY.PEEK[]")
        #expect(fetched == ["* 1 FETCH (BODY[] {\(size)}\r\n\(text))"])
        #expect(try await other.ok("FETCH 1:* RFC822.SIZE").last?.contains("\(size)") == true)
    }

    @Test func whatIsNotWantedIsRefusedBeforeItIsSent() async throws {
        let server = Server()
        let client = try await server.login()
        #expect(
            try await client.command("APPEND Nowhere {100000}")
                == ["NO [TRYCREATE] There is no such mailbox"])
        #expect(try await client.status("APPEND INBOX {99000000000}").hasPrefix("NO [TOOBIG]"))
        #expect(
            try await client.status("APPEND Nowhere {2+}\r\nhi").hasPrefix("NO [TRYCREATE]"))
        server.node.state.withLock { $0.hasRoom = false }
        #expect(
            try await client.command("APPEND INBOX {100000}")
                == ["NO [UNAVAILABLE] The server has no room for new mail"])
        #expect(try await client.ok("NOOP") == [])
    }

    @Test func copiesAndMovesSayWhereTheyWent() async throws {
        let server = Server()
        server.fill(4)
        let client = try await server.select()
        let trash = try await client.ok("STATUS Trash (UIDVALIDITY)").first ?? ""
        let validity = trash.split(separator: " ").last!.dropLast()
        #expect(
            try await client.command("COPY 2:3 Trash") == [
                "OK [COPYUID \(validity) 2:3 1:2] Copied"
            ])
        #expect(
            try await client.command("UID MOVE 1,4 Trash") == [
                "* OK [COPYUID \(validity) 1,4 3:4] Moved", "* 4 EXPUNGE", "* 1 EXPUNGE",
                "OK Moved",
            ])
        #expect(try await client.status("COPY 1 Nowhere").hasPrefix("NO [TRYCREATE]"))
        #expect(try await client.command("UID COPY 77 Trash") == ["OK Copied"])
        server.expunge([2])
        #expect(try await client.status("COPY 1 Trash").hasPrefix("NO [EXPUNGEISSUED]"))
        #expect(
            try await client.ok("STATUS Trash (MESSAGES)").first == "* STATUS Trash (MESSAGES 4)")
    }

    @Test func expungeRemovesWhatIsDeleted() async throws {
        let server = Server()
        server.fill(5)
        let client = try await server.select()
        _ = try await client.ok("STORE 1,3,5 +FLAGS.SILENT (\\Deleted)")
        #expect(try await client.ok("UID EXPUNGE 3:4") == ["* 3 EXPUNGE"])
        #expect(try await client.ok("EXPUNGE") == ["* 4 EXPUNGE", "* 1 EXPUNGE"])
        _ = try await client.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
        #expect(try await client.ok("CLOSE") == [])
        #expect(server.node.inbox(server.alice).messages.count == 1)
    }
}
