import IMAPService
import MailStore
import Testing

private let letter = """
    From: Ann <ann@example.org>\r
    To: alice@example.test\r
    Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r
    Date: Mon, 2 Mar 2026 10:00:00 +0100\r
    X-Other: some thing\r
    MIME-Version: 1.0\r
    Content-Type: multipart/mixed; boundary=b\r
    \r
    --b\r
    Content-Type: text/plain; charset=utf-8\r
    Content-Transfer-Encoding: base64\r
    \r
    aGVsbG8=\r
    --b\r
    Content-Type: message/rfc822\r
    \r
    Subject: inner\r
    \r
    text inside\r
    --b\r
    Content-Type: application/x; name=y\r
    Content-Transfer-Encoding: x-unheard-of\r
    \r
    zzz\r
    --b--\r

    """

@Suite struct FetchTests {
    /// Whether the index has what was parsed at delivery, or lags behind.
    @Test(arguments: [true, false])
    func partsOfMessages(keepsSummaries: Bool) async throws {
        let server = Server(keepsSummaries: keepsSummaries)
        server.node.deliver(letter, to: server.alice)
        let client = try await server.login()
        _ = try await client.ok("EXAMINE INBOX")
        func fetch(_ items: String) async throws -> String {
            let lines = try await client.ok("FETCH 1 \(items)")
            #expect(lines.count == 1)
            return lines.first ?? ""
        }
        #expect(
            try await fetch("ENVELOPE")
                == "* 1 FETCH (ENVELOPE (\"Mon, 2 Mar 2026 10:00:00 +0100\" "
                + "\"=?utf-8?q?Gr=C3=BC=C3=9Fe?=\" ((\"Ann\" NIL \"ann\" \"example.org\")) "
                + "((\"Ann\" NIL \"ann\" \"example.org\")) ((\"Ann\" NIL \"ann\" \"example.org\")) "
                + "((NIL NIL \"alice\" \"example.test\")) NIL NIL NIL NIL))")
        let structure = try await fetch("BODYSTRUCTURE")
        #expect(structure.hasPrefix("* 1 FETCH (BODYSTRUCTURE ((\"text\" \"plain\""))
        let body = try await fetch("BODY")
        #expect(body.hasPrefix("* 1 FETCH (BODY ((\"text\" \"plain\""))
        #expect(body.hasSuffix("\"mixed\"))"))
        #expect(
            try await fetch("BODY.PEEK[HEADER.FIELDS (SUBJECT \"To\")]")
                == "* 1 FETCH (BODY[HEADER.FIELDS (SUBJECT To)] {64}\r\n"
                + "To: alice@example.test\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\n)")
        #expect(
            try await fetch("BODY[HEADER.FIELDS (X-OTHER)]")
                == "* 1 FETCH (BODY[HEADER.FIELDS (X-OTHER)] {23}\r\nX-Other: some thing\r\n\r\n)")
        #expect(
            try await fetch(
                "BODY[HEADER.FIELDS.NOT (FROM TO SUBJECT DATE MIME-VERSION CONTENT-TYPE)]"
            )
            .hasSuffix("{23}\r\nX-Other: some thing\r\n\r\n)"))
        #expect(try await fetch("BODY[1]") == "* 1 FETCH (BODY[1] {8}\r\naGVsbG8=)")
        #expect(try await fetch("BODY[1]<2.3>") == "* 1 FETCH (BODY[1]<2> {3}\r\nVsb)")
        #expect(try await fetch("BODY[1]<99.3>") == "* 1 FETCH (BODY[1]<99> {0}\r\n)")
        #expect(try await fetch("BINARY[1]") == "* 1 FETCH (BINARY[1] {5}\r\nhello)")
        #expect(try await fetch("BINARY.SIZE[1]") == "* 1 FETCH (BINARY.SIZE[1] 5)")
        #expect(
            try await fetch("BODY[2.HEADER]")
                == "* 1 FETCH (BODY[2.HEADER] {18}\r\nSubject: inner\r\n\r\n)")
        #expect(try await fetch("BODY[2.TEXT]") == "* 1 FETCH (BODY[2.TEXT] {11}\r\ntext inside)")
        #expect(try await fetch("BODY[9]") == "* 1 FETCH (BODY[9] NIL)")
        #expect(try await fetch("(BODY[9] UID)") == "* 1 FETCH (UID 1 BODY[9] NIL)")
        #expect(try await fetch("PREVIEW") == "* 1 FETCH (PREVIEW \"hello\")")
        #expect(
            try await fetch("PREVIEW (LAZY)")
                == "* 1 FETCH (PREVIEW \(keepsSummaries ? "\"hello\"" : "NIL"))")
        #expect(try await fetch("RFC822").contains("RFC822 {\(letter.utf8.count)}\r\nFrom: Ann"))
        #expect(try await fetch("RFC822.TEXT").contains("RFC822.TEXT {"))
        #expect(try await fetch("BODY[HEADER]<0.4>") == "* 1 FETCH (BODY[HEADER]<0> {4}\r\nFrom)")
        #expect(
            try await client.command("FETCH 1 (UID BINARY[3])").last
                == "NO [UNKNOWN-CTE] 1 parts could not be decoded")
        // Open for reading only: nothing was marked as seen.
        #expect(try await client.ok("FETCH 1 FLAGS") == ["* 1 FETCH (FLAGS ())"])
    }

    @Test func factsOfMessages() async throws {
        let server = Server()
        server.fill(1)
        let client = try await server.select()
        let row = server.node.inbox(server.alice).messages[0]
        let lines = try await client.ok("FETCH 1 ALL")
        #expect(lines.first?.contains("FLAGS () INTERNALDATE \"") == true)
        #expect(lines.first?.contains("RFC822.SIZE 30 ENVELOPE (NIL") == true)
        #expect(
            try await client.ok("FETCH 1 (EMAILID THREADID)")
                == ["* 1 FETCH (EMAILID (M\(row.facts.emailID)) THREADID NIL)"])
        #expect(
            try await client.ok("FETCH 1 SAVEDATE").first?.hasPrefix(
                "* 1 FETCH (SAVEDATE \"") == true)
        #expect(
            try await client.ok("FETCH 1 MODSEQ").last
                == "* 1 FETCH (MODSEQ (\(row.modSeq.rawValue)))")
    }

    @Test func readingMarksAsSeenAndPeekingDoesNot() async throws {
        let server = Server()
        server.fill(2)
        let client = try await server.select()
        #expect(try await client.ok("FETCH 1 BODY.PEEK[TEXT]").count == 1)
        #expect(
            try await client.ok("FETCH 1:2 BODY[TEXT]").suffix(2) == [
                "* 1 FETCH (FLAGS (\\Seen))", "* 2 FETCH (FLAGS (\\Seen))",
            ])
        #expect(try await client.ok("FETCH 1 BODY[TEXT]").count == 1)
    }

    @Test func hugeMessagesAreSentInPieces() async throws {
        let server = Server { $0.limits.chunkOctets = 1_000 }
        let line = String(repeating: "0123456789abcdef", count: 4) + "\r\n"
        let text = "Subject: big\r\n\r\n" + String(repeating: line, count: 400)
        server.node.deliver(text, to: server.alice)
        server.fill(1)
        let client = try await server.select()
        let size = text.utf8.count
        #expect(
            try await client.ok("FETCH 1:2 (UID BODY.PEEK[] BODY.PEEK[TEXT] BODY.PEEK[HEADER])")
                == [
                    "* 1 FETCH (UID 1 BODY[] {\(size)}\r\n\(text) "
                        + "BODY[TEXT] {\(size - 16)}\r\n\(text.dropFirst(14)) "
                        + "BODY[HEADER] {16}\r\nSubject: big\r\n\r\n)",
                    "* 2 FETCH (UID 2 BODY[] {30}\r\nSubject: message 1\r\n\r\nBody 1\r\n "
                        + "BODY[TEXT] {8}\r\nBody 1\r\n BODY[HEADER] {22}\r\n"
                        + "Subject: message 1\r\n\r\n)",
                ])
        #expect(
            try await client.ok("FETCH 1 BODY.PEEK[]<20.5000>")
                == [
                    "* 1 FETCH (BODY[]<20> {5000}\r\n\(text.utf8.dropFirst(20).prefix(5000).map { String(UnicodeScalar($0)) }.joined()))"
                ])
    }

    @Test func manyMessagesAreSentInChunks() async throws {
        let server = Server { $0.limits.chunkOctets = 500 }
        server.fill(700)
        let client = try await server.select()
        #expect(
            try await client.ok("FETCH 1:* (UID FLAGS)")
                == (1...700).map { "* \($0) FETCH (UID \($0) FLAGS ())" })
        let envelopes = try await client.ok("FETCH 1:* ENVELOPE")
        #expect(envelopes.count == 700)
        for (i, line) in envelopes.enumerated() {
            #expect(line.hasPrefix("* \(i + 1) FETCH (ENVELOPE (NIL \"message \(i + 1)\""))
        }
        #expect(try await client.ok("FETCH 3,600:602,9 UID").count == 5)
        // STORE's answers come the same way.
        let stored = try await client.ok("STORE 1:* +FLAGS (\\Seen)")
        #expect(stored == (1...700).map { "* \($0) FETCH (FLAGS (\\Seen))" })
    }

    @Test func aMessageThatCannotBeReadIsLeftOut() async throws {
        let server = Server(keepsSummaries: false)
        server.fill(3)
        let broken = server.node.inbox(server.alice).messages[1].facts.body
        server.node.state.withLock { _ = $0.broken.insert(broken) }
        let client = try await server.select()
        let lines = try await client.command("FETCH 1:3 BODY.PEEK[TEXT]")
        #expect(lines.count == 3)
        #expect(lines.last == "NO [UNAVAILABLE] 1 messages could not be read")
        #expect(try await client.status("SEARCH BODY x").hasPrefix("NO [UNAVAILABLE]"))
        #expect(try await client.ok("NOOP") == [])
    }

    @Test func numbersThatNobodyHasAreRefused() async throws {
        let server = Server()
        let client = try await server.select()
        #expect(try await client.status("FETCH 1:* FLAGS").hasPrefix("BAD"))
        #expect(try await client.ok("UID FETCH 1:* FLAGS") == [])
        server.fill(2)
        _ = try await client.ok("NOOP")
        #expect(try await client.status("FETCH 3 FLAGS").hasPrefix("BAD"))
        #expect(try await client.ok("UID FETCH 3:5 FLAGS") == [])
        #expect(try await client.ok("UID FETCH 7:* FLAGS").count == 1)
    }
}
