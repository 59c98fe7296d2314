import Authentication
import IMAPService
import MailStore
import Platform
import SASL
import Testing

@Suite struct LoginTests {
    private func base64(_ text: String) -> String {
        String(decoding: Base64.encode(Array(text.utf8)), as: UTF8.self)
    }

    @Test func plainWithAndWithoutAnInitialResponse() async throws {
        let server = Server()
        let response = base64("\0alice@example.test\0secret")
        let first = try await server.connect()
        #expect(
            try await first.status("AUTHENTICATE PLAIN \(response)").hasPrefix("OK [CAPABILITY"))
        let second = try await server.connect()
        #expect(try await second.command("AUTHENTICATE plain") == ["+ "])
        try await second.send(response + "\r\n")
        #expect(try await second.reply().last?.hasPrefix("OK") == true)
        _ = try await second.ok("SELECT INBOX")
        #expect(try await second.status("LOGIN a b").hasPrefix("BAD"))
    }

    @Test func scram() async throws {
        let server = Server()
        let client = try await server.connect()
        var exchange = try SASLClient(
            mechanism: .scramSHA256, username: Array("alice@example.test".utf8),
            password: Array("secret".utf8), randomness: Array("0123456789abcdefgh".utf8))
        let first = String(decoding: Base64.encode(exchange.initialResponse() ?? []), as: UTF8.self)
        var line = try await client.command("AUTHENTICATE SCRAM-SHA-256 \(first)").last ?? ""
        while line.hasPrefix("+ ") {
            let challenge = Base64.decode(Array(line.dropFirst(2).utf8)) ?? []
            guard case .send(let answer) = exchange.receive(challenge) else { break }
            try await client.send(Base64.encode(answer) + Array("\r\n".utf8))
            line = try await client.reply().last ?? ""
        }
        #expect(line.hasPrefix("OK"))
    }

    @Test func failuresSayNothingOfWhatWasWrong() async throws {
        let server = Server()
        let client = try await server.connect()
        let wrong = try await client.status("LOGIN alice@example.test wrong")
        let unknown = try await client.status("LOGIN nobody@example.test secret")
        #expect(wrong == "NO [AUTHENTICATIONFAILED] The user name or the password is wrong")
        #expect(unknown == wrong)
        _ = try await client.status("AUTHENTICATE PLAIN \(base64("\0x\0y"))")
        #expect(try await client.line() == "* BYE Too many failed logins")
        #expect(client.isClosed)
    }

    @Test func exchangesAreCancelledAndBroken() async throws {
        let server = Server()
        let client = try await server.connect()
        _ = try await client.command("AUTHENTICATE PLAIN")
        try await client.send("*\r\n")
        #expect(try await client.reply() == ["BAD Cancelled"])
        _ = try await client.command("AUTHENTICATE PLAIN")
        try await client.send("no base64 at all!\r\n")
        #expect(try await client.reply().last?.hasPrefix("BAD") == true)
        #expect(try await client.status("AUTHENTICATE CRAM-MD5").hasPrefix("NO"))
        #expect(try await client.status("LOGIN alice@example.test secret").hasPrefix("OK"))
    }

    @Test func passwordsNeedTLS() async throws {
        let server = Server { $0.allowsPlaintextPasswords = false }
        let client = try await server.connect()
        #expect(client.greeting.contains(" LOGINDISABLED "))
        #expect(!client.greeting.contains("AUTH=PLAIN"))
        #expect(client.greeting.contains("AUTH=SCRAM-SHA-256"))
        #expect(
            try await client.status("LOGIN alice@example.test secret")
                .hasPrefix("NO [PRIVACYREQUIRED]"))
        #expect(
            try await client.status("AUTHENTICATE PLAIN AGEAYg==")
                .hasPrefix("NO [PRIVACYREQUIRED]"))
    }

    @Test func guessingCostsTime() async throws {
        let server = Server()
        for _ in 0..<3 {
            let client = try await server.connect()
            _ = try await client.status("LOGIN alice@example.test wrong")
        }
        let client = try await server.connect()
        try await client.send("t1 LOGIN alice@example.test secret\r\n")
        // The delay is taken before the password is looked at: even the right one waits.
        #expect(try await client.news() == [])
        await client.channel.testingEventLoop.advanceTime(by: .seconds(1))
        #expect(try await client.line().hasPrefix("t1 OK"))
    }

    @Test func aRefusalTakesItsTime() async throws {
        let server = Server(refusalDelay: .seconds(2))
        let client = try await server.connect()
        try await client.send("t1 LOGIN alice@example.test wrong\r\n")
        try await Task.sleep(for: .milliseconds(50))
        #expect(try await client.news() == [])
        await client.channel.testingEventLoop.advanceTime(by: .seconds(2))
        #expect(try await client.line().hasPrefix("t1 NO [AUTHENTICATIONFAILED]"))
    }
}
