import Configuration
import Glibc
import Policy
import Testing

private func problems(_ text: String) -> [String] {
    do {
        _ = try Configuration.parse(Array(text.utf8), file: "t.toml")
        return []
    } catch {
        return error.description.split(separator: "\n").map(String.init)
    }
}

@Suite struct Reading {
    /// Shapes at which a parser was once found to end the process.
    @Test(arguments: [
        "[[[tls]]]", "x = 1\n [[ [[tls.certificate]", "[]", "[=]", "[[\t.a]]", "[\na]", "[\u{E9}]",
        "tls = [}", "tls.x = 1.[", "log = {\u{B}", "\u{FEFF}\u{FEFF}", "a.\n", "x = [1, }",
    ])
    func whatIsNotTOMLIsRefusedWithItsPlace(text: String) {
        let found = problems("hostname = \"mail.example.org\"\n" + text)
        #expect(found.count == 1)
        #expect(
            found.allSatisfy { $0.wholeMatch(of: /t\.toml:[2-3]:[0-9]+: .+/) != nil }, "\(found)")
    }

    @Test(arguments: [
        ("hostnam = 1", "t.toml:1:1: hostnam: "),
        ("\n  log.level = \"x\"", "t.toml:2:15: log.level: "),
        ("[[domain]]\n[[domain]]\nname = \"a.b\"", "t.toml:1:3: domain[0].name: "),
        ("[limits.smtp]\nerrors-max = 0", "t.toml:2:14: limits.smtp.errors-max: "),
        (
            "[[domain]]\nname='a.b'\naliases={ a=['b', 1] }",
            "t.toml:3:19: domain[0].aliases.\"a\": "
        ),
    ])
    func wrongValuesAreNamedWithTheirPlace(text: String, place: String) {
        let found = problems(text).filter { $0.hasPrefix(place) }
        #expect(found.count == 1, "\(problems(text))")
    }

    @Test func aHostNameIsEnough() throws {
        let read = try Configuration.parse(
            Array("hostname = \"mail.example.org\"".utf8), file: "t")
        #expect(read.hostname == "mail.example.org")
        #expect(read.dataDirectory == "/var/lib/twinpost")
        #expect(read.controlSocketPath == "/run/twinpost/control.sock")
        #expect(read.plaintextAuthentication == .never)
        #expect(read.smtp == SMTPServiceLimits())
        #expect(read.imap == IMAPServiceLimits())
        #expect(read.routing.detailSeparator == UInt8(ascii: "+"))
        #expect(read.quotaDefaultOctets == nil)
    }

    @Test func everythingIsRead() throws {
        let read = try Configuration.parse(
            Array(
                """
                hostname = "mail.example.org"
                data-directory = "/srv/mail"
                control.socket = "/run/x.sock"
                log = { level = "debug", format = "json" }
                accounts.quota-default = "5 GiB"
                authentication = { allow-plaintext = "loopback", password-iterations = 5000 }
                [tls]
                min-version = "1.3"
                [[tls.certificate]]
                certificate = "/c.pem"
                key = "/k.pem"
                server-names = ["mail.example.org", "bücher.test"]
                [[listener]]
                service = "imaps"
                address = "[::1]:993"
                [[listener]]
                service = "smtp"
                tls = "implicit"
                systemd-socket = "smtp"
                [routing]
                postmaster = "bob@example.org"
                detail-separator = "-"
                address-literals = ["192.0.2.1"]
                [[domain]]
                name = "example.org"
                catch-all = "bob"
                aliases = { team = ["alice", "bob"], info = "alice" }
                [limits.smtp]
                message-size-max = "100 MB"
                command-timeout = "90s"
                [limits.imap]
                idle-timeout = "1h"
                """.utf8), file: "t")
        #expect(read.certificatePaths == ["/c.pem", "/k.pem"])
        #expect(read.certificates.first?.serverNames == ["mail.example.org", "xn--bcher-kva.test"])
        #expect(read.tlsMinVersion == .tls13)
        #expect(
            read.listeners.map(\.endpoint)
                == [.address("::1", port: 993), .systemd(name: "smtp")])
        #expect(read.listeners.map(\.tls) == [.implicit, .implicit])
        #expect(
            read.routing
                == RoutingConfiguration(
                    domains: [
                        .init(
                            name: "example.org",
                            aliases: [
                                .init(localPart: "info", targets: ["alice"]),
                                .init(localPart: "team", targets: ["alice", "bob"]),
                            ], catchAll: "bob")
                    ], postmaster: "bob@example.org", detailSeparator: UInt8(ascii: "-"),
                    addressLiterals: ["192.0.2.1"]))
        #expect(read.quotaDefaultOctets == 5 << 30)
        #expect(read.smtp.messageSizeMaxOctets == 100_000_000)
        #expect(read.smtp.commandTimeout == .seconds(90))
        #expect(read.imap.idleTimeout == .seconds(3600))
        #expect(read.passwordIterations == 5000)
        #expect(read.logLevel == .debug && read.logFormat == .json)
        #expect(read.plaintextAuthentication == .loopback)
    }

    @Test(
        arguments: [
            ("x = ", "t.toml:2:5: A value is expected"),
            ("hostnam = 1", "Did you mean \"hostname\"?"),
            ("data-directory = \"x\"", "absolute path"), ("log.level = \"inf\"", "\"info\""),
            ("log = 3", "write [log]"), ("listener = 1", "[[listener]]"),
            ("limits.smtp.message-size-max = \"5 apples\"", "a size"),
            ("limits.smtp.message-size-max = \"1 B\"", "between 64 KiB and 2 GiB"),
            ("limits.smtp.message-size-max = \"99999999 TiB\"", "a size"),
            ("limits.imap.idle-timeout = 5", "a duration"),
            ("limits.imap.idle-timeout = \"99999999999999999d\"", "a duration"),
            ("limits.smtp.recipients-max = \"5\"", "a whole number"),
            ("routing.detail-separator = \"++\"", "one ASCII character"),
            ("[[listener]]\naddress = \"localhost:25\"", "numeric address"),
            ("[[listener]]\naddress = \"1.2.3.4:99999\"", "numeric address"),
            ("[[listener]]", "Write either"),
            (
                "[[listener]]\naddress = \"[::1]:1\"\ntls = \"on\"",
                "choose one of starttls, implicit"
            ),
            (
                "[[listener]]\nservice = \"imaps\"\naddress = \"[::1]:1\"\ntls = \"starttls\"",
                "service = \"imap\""
            ),
            ("[[listener]]\nservice = \"imaps\"\naddress = \"[::1]:1\"", "[[tls.certificate]]"),
            (
                "tls.certificate = [{certificate='/a', key='/b', server-names=['*.A.b', '*.c.*']}]",
                "\"*.c.*\" is not a host name"
            ),
            (
                "tls.certificate = [{certificate='/a', key='/b', server-names='*.ü.b'},"
                    + "{certificate='/a', key='/b', server-names='*.xn--tda.b'}]",
                "is to get tls.certificate[0] already"
            ), ("[[domain]]", "domain[0].name: This is missing"),
            ("[[tls.certificate]]\nkey = \"k\"", "tls.certificate[0].certificate: This is missing"),
            ("[[domain]]\nname = \"a.b\"\naliases.x = [1]", "aliases.\"x\""),
            ("data-directory = \"/a\\u0000\"", "NUL"),
        ])
    func mistakesAreNamed(text: String, message: String) {
        let found = problems("hostname = \"a.b\"\n" + text)
        #expect(found.count == 1, "\(found)")
        #expect(found.first?.contains(message) == true, "\(found)")
    }

    @Test func allMistakesAreReportedAtOnce() {
        #expect(problems("a = 1\nb = 2\nlog.level = 3").count == 4)
    }

    @Test func aFileThatIsNotThereIsNamed() {
        #expect(throws: ConfigurationError.self) {
            try Configuration.load(path: "/nonexistent/twinpost.toml")
        }
    }
}

@Suite struct Documentation {
    private func document() throws -> String {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let file = try #require(fopen("/\(root)/docs/configuration.md", "r"))
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    /// The document's tables have a row for each key: its first cell is the whole path in backticks.
    @Test func documentAndCodeHaveTheSameKeys() throws {
        let rows = try document().split(separator: "\n").filter { $0.hasPrefix("| `") }
        let documented = rows.compactMap { $0.split(separator: "`").dropFirst().first }
        #expect(documented.map(String.init).sorted() == Configuration.keys)
    }

    @Test func theExampleInTheDocumentIsAccepted() throws {
        let parts = try document().split(separator: "```toml\n")
        let example = try #require(parts.dropFirst().first?.split(separator: "```").first)
        #expect(problems(String(example)) == [])
    }
}
