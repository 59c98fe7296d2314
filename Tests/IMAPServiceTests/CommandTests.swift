import IMAPService
import MailStore
import Testing

@Suite struct CommandTests {
    @Test func aSessionFromGreetingToLogout() async throws {
        let server = Server()
        server.fill(2)
        let client = try await server.connect()
        #expect(client.greeting.hasPrefix("* OK [CAPABILITY IMAP4rev1 IMAP4rev2 "))
        _ = try await client.ok("LOGIN alice@example.test secret")
        let lines = try await client.ok("LIST \"\" *")
        #expect(lines.contains("* LIST (\\HasNoChildren) \"/\" INBOX"))
        #expect(lines.contains("* LIST (\\HasNoChildren \\Sent) \"/\" Sent"))
        let select = try await client.command("SELECT INBOX")
        #expect(select.contains("* 2 EXISTS"))
        #expect(select.contains("* 0 RECENT"))
        #expect(select.last?.hasPrefix("OK [READ-WRITE]") == true)
        #expect(
            try await client.ok("FETCH 1:* FLAGS") == [
                "* 1 FETCH (FLAGS ())", "* 2 FETCH (FLAGS ())",
            ])
        let body = try await client.ok("FETCH 2 BODY[]")
        #expect(
            body == [
                "* 2 FETCH (BODY[] {30}\r\nSubject: message 2\r\n\r\nBody 2\r\n)",
                "* 2 FETCH (FLAGS (\\Seen))",
            ])
        #expect(try await client.command("LOGOUT").first?.hasPrefix("* BYE") == true)
        #expect(client.isClosed)
    }
}
