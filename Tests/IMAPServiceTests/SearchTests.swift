import IMAPService
import MailStore
import Testing

@Suite struct SearchTests {
    private func filled(keepsSummaries: Bool) -> Server {
        let server = Server(keepsSummaries: keepsSummaries)
        server.node.deliver(
            "From: ann@example.org\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
                + "Date: Mon, 2 Mar 2026 23:00:00 -0500\r\n\r\nerste\r\n", to: server.alice)
        server.node.deliver(
            "From: bob@example.org\r\nSubject: plain\r\nX-Thing: odd\r\n\r\nThe second\r\n",
            to: server.alice)
        server.node.deliver(
            "From: ann@example.org\r\nSubject: third\r\nContent-Type: text/plain; charset=iso-8859-1\r\n"
                + "Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=DFe\r\n",
            to: server.alice)
        server.set(.seen, [2])
        return server
    }

    @Test(arguments: [true, false])
    func keys(keepsSummaries: Bool) async throws {
        let server = filled(keepsSummaries: keepsSummaries)
        let client = try await server.select()
        func search(_ keys: String) async throws -> [Int] {
            let lines = try await client.ok("SEARCH \(keys)")
            #expect(lines.count == 1)
            return lines[0].split(separator: " ").dropFirst(2).map { Int($0)! }
        }
        #expect(try await search("ALL") == [1, 2, 3])
        #expect(try await search("SEEN") == [2])
        #expect(try await search("UNSEEN") == [1, 3])
        #expect(try await search("NOT 1") == [2, 3])
        #expect(try await search("UID 2:9") == [2, 3])
        #expect(try await search("OR SEEN 3") == [2, 3])
        #expect(try await search("KEYWORD $Never") == [])
        #expect(try await search("UNKEYWORD $Never SEEN") == [2])
        #expect(try await search("RECENT") == [])
        #expect(try await search("FROM ANN") == [1, 3])
        #expect(try await search("SUBJECT PLA") == [2])
        #expect(try await search("CHARSET UTF-8 SUBJECT {6+}\r\nGRÜß") == [1])
        #expect(try await search("BODY second") == [2])
        #expect(try await search("TEXT odd") == [2])
        #expect(try await search("CHARSET UTF-8 BODY {8+}\r\ngrüße ").isEmpty)
        #expect(try await search("CHARSET UTF-8 BODY {7+}\r\ngrüße") == [3])
        #expect(try await search("HEADER X-Thing \"\"") == [2])
        #expect(try await search("HEADER X-Thing even") == [])
        #expect(try await search("SENTON 2-Mar-2026") == [1])
        #expect(try await search("SENTSINCE 3-Mar-2026") == [])
        #expect(try await search("SENTBEFORE 3-Mar-2026") == [1])
        #expect(try await search("SINCE 1-Jan-2000 BEFORE 1-Jan-2100") == [1, 2, 3])
        #expect(try await search("LARGER 100 SMALLER 110") == [1])
        #expect(try await search("NOT (FROM ann SUBJECT third)") == [1, 2])
        #expect(try await search("OR (BODY erste) (HEADER X-Thing odd)") == [1, 2])
    }

    @Test func emailIDsAreFound() async throws {
        let server = filled(keepsSummaries: true)
        let client = try await server.select()
        let id = server.node.inbox(server.alice).messages[1].facts.emailID
        #expect(try await client.ok("SEARCH EMAILID M\(id)") == ["* SEARCH 2"])
        #expect(try await client.ok("SEARCH EMAILID nonsense") == ["* SEARCH"])
    }

    @Test func theExtendedAnswer() async throws {
        let server = filled(keepsSummaries: true)
        let client = try await server.select()
        #expect(
            try await client.ok("SEARCH RETURN (MIN MAX COUNT) UNSEEN")
                == ["* ESEARCH (TAG \"t3\") MIN 1 MAX 3 COUNT 2"])
        #expect(
            try await client.ok("UID SEARCH RETURN () UNSEEN")
                == ["* ESEARCH (TAG \"t4\") UID ALL 1,3"])
        #expect(
            try await client.ok("SEARCH RETURN (COUNT) SUBJECT nothing")
                == ["* ESEARCH (TAG \"t5\") COUNT 0"])
    }

    @Test func resultsAreSaved() async throws {
        let server = filled(keepsSummaries: true)
        let client = try await server.select()
        #expect(try await client.ok("SEARCH RETURN (SAVE) FROM ann") == [])
        #expect(
            try await client.ok("FETCH $ UID") == ["* 1 FETCH (UID 1)", "* 3 FETCH (UID 3)"])
        #expect(try await client.ok("SEARCH $ SUBJECT third") == ["* SEARCH 3"])
        #expect(
            try await client.ok("SEARCH RETURN (SAVE MIN) ALL")
                == ["* ESEARCH (TAG \"t6\") MIN 1"])
        #expect(try await client.ok("UID STORE $ +FLAGS.SILENT (\\Flagged)") == [])
        #expect(try await client.ok("SEARCH FLAGGED") == ["* SEARCH 1"])
    }

    @Test func unknownCharsetsAreRefused() async throws {
        let server = filled(keepsSummaries: true)
        let client = try await server.select()
        #expect(
            try await client.status("SEARCH CHARSET X-NEVER SUBJECT x")
                .hasPrefix("NO [BADCHARSET (UTF-8 US-ASCII)]"))
    }

    @Test func aSearchThatFailsLeavesNothingSaved() async throws {
        let server = filled(keepsSummaries: true)
        let client = try await server.select()
        _ = try await client.ok("SEARCH RETURN (SAVE) ALL")
        _ = try await client.status("SEARCH RETURN (SAVE) NONSENSE")
        #expect(try await client.ok("SEARCH $") == ["* SEARCH 1 2 3"])
        _ = try await client.status("SEARCH RETURN (SAVE) CHARSET X-NEVER SUBJECT x")
        #expect(try await client.ok("SEARCH $") == ["* SEARCH"])
    }

    @Test func whoHasEnabledUTF8NamesNoCharset() async throws {
        let server = filled(keepsSummaries: true)
        let client = try await server.select(after: "ENABLE UTF8=ACCEPT")
        #expect(try await client.status("SEARCH CHARSET UTF-8 ALL").hasPrefix("BAD"))
        #expect(try await client.ok("SEARCH ALL") == ["* SEARCH 1 2 3"])
    }

    @Test func aSearchOfHeadersReadsNoBodies() async throws {
        let server = Server(keepsSummaries: false)
        let text = String(repeating: "All the long body.\r\n", count: 40_000)
        let long = String(repeating: "X-Long: and more of it\r\n", count: 2_000)
        server.node.deliver("X-Odd: one\r\n\r\n\(text)", to: server.alice)
        server.node.deliver("\(long)X-Odd: two\r\n\r\nX-Odd: no\r\n", to: server.alice)
        let client = try await server.select()
        server.node.state.withLock { $0.octetsRead = 0 }
        #expect(try await client.ok("SEARCH HEADER X-Odd one") == ["* SEARCH 1"])
        #expect(server.node.state.withLock { $0.octetsRead } < 200_000)
        #expect(try await client.ok("SEARCH HEADER X-Odd two") == ["* SEARCH 2"])
        #expect(try await client.ok("SEARCH HEADER X-Odd no") == ["* SEARCH"])
        #expect(try await client.ok("SEARCH NOT HEADER X-Odd one BODY body") == ["* SEARCH"])
    }

    @Test func manyMessagesAreSearchedInSteps() async throws {
        let server = Server(keepsSummaries: false)
        server.fill(1_500)
        let client = try await server.select()
        let lines = try await client.ok("SEARCH BODY \"Body 77\"")
        #expect(
            lines == ["* SEARCH 77 " + (770...779).map { "\($0)" }.joined(separator: " ")])
    }
}
