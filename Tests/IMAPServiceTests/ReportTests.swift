import IMAPService
import MailStore
import NIOCore
import Testing

/// What others changed is told in pieces, however much it is.
@Suite struct ReportTests {
    private static let chunkOctets = 2_048
    private static let count = 1_200

    private func filled() -> Server {
        let server = Server { $0.limits.chunkOctets = Self.chunkOctets }
        server.fill(Self.count)
        return server
    }

    /// - Parameter lineOctets: of one response; a chunk ends with the 512 messages that fill it.
    private func expectSmallWrites(_ client: Client, lineOctets: Int = 40) {
        #expect(client.largestWrite <= Self.chunkOctets + 512 * lineOctets)
    }

    @Test(arguments: [
        "NOOP", "FETCH 2 (UID)", "STORE 2 +FLAGS (\\Seen)", "SEARCH UID 2", "COPY 2 Trash",
        "MOVE 2 Trash", "STATUS INBOX (MESSAGES)",
    ])
    func flagsThatOthersSet(command: String) async throws {
        let server = filled()
        let client = try await server.select()
        server.set(.flagged, Array(1...UInt32(Self.count)))
        let lines = try await client.command(command)
        let reports = lines.filter { $0.hasSuffix("FETCH (FLAGS (\\Flagged))") }
        #expect(reports.count == Self.count)
        #expect(reports.first == "* 1 FETCH (FLAGS (\\Flagged))")
        #expect(lines.last?.hasPrefix("OK") == true)
        expectSmallWrites(client)
        #expect(try await client.ok("NOOP") == [])
    }

    @Test func theCommandSeesTheStateThatWasTold() async throws {
        let server = filled()
        let client = try await server.select()
        server.set(.flagged, Array(1...UInt32(Self.count)))
        let lines = try await client.ok("SEARCH UNFLAGGED")
        #expect(lines.last == "* SEARCH")
        server.set(.flagged, Array(1...UInt32(Self.count)), .remove)
        #expect(
            try await client.ok("FETCH 1 (FLAGS)").suffix(2) == [
                "* \(Self.count) FETCH (FLAGS ())", "* 1 FETCH (FLAGS ())",
            ])
    }

    @Test func whatOthersSetDuringAStoreIsToldBeforeIt() async throws {
        let server = filled()
        let client = try await server.select(after: "ENABLE CONDSTORE")
        server.set(.flagged, Array(1...UInt32(Self.count)))
        let lines = try await client.command("STORE 1:2 (UNCHANGEDSINCE 1) +FLAGS (\\Seen)")
        #expect(lines.last?.hasPrefix("OK [MODIFIED 1:2]") == true)
        #expect(lines.count == Self.count + 1)
        expectSmallWrites(client, lineOctets: 60)
    }

    @Test func messagesThatOthersExpunge() async throws {
        let server = filled()
        let client = try await server.select()
        let gone = (1...UInt32(Self.count)).filter { $0 % 4 != 0 }
        server.expunge(gone)
        server.fill(1)
        let lines = try await client.ok("NOOP")
        var expected = gone.reversed().map { "* \($0) EXPUNGE" }
        expected.append("* \(Self.count / 4 + 1) EXISTS")
        #expect(lines == expected)
        expectSmallWrites(client, lineOctets: 1)
        #expect(try await client.ok("FETCH 2 UID") == ["* 2 FETCH (UID 8)"])
    }

    @Test func idlingClientsHearItInPiecesToo() async throws {
        let server = filled()
        let client = try await server.select()
        #expect(try await client.command("IDLE") == ["+ Waiting for news"])
        server.expunge([1])
        server.set(.answered, Array(2...UInt32(Self.count)))
        let last = "* \(Self.count - 1) FETCH (FLAGS (\\Answered))"
        var lines: [String] = []
        for _ in 0..<1_000 where lines.last != last { lines += try await client.news() }
        // Whether it hears of \Deleted too depends on when it looks.
        if lines.first == "* 1 FETCH (FLAGS (\\Deleted))" { lines.removeFirst() }
        #expect(lines.first == "* 1 EXPUNGE")
        #expect(lines.count == Self.count)
        #expect(lines.last == last)
        expectSmallWrites(client)
        try await client.send("DONE\r\n")
        #expect(try await client.reply().last?.hasPrefix("OK") == true)
    }

    @Test func anIdlingClientThatTakesNothingIsNotPiledUpon() async throws {
        let server = Server()
        server.fill(1)
        let client = try await server.select()
        #expect(try await client.command("IDLE") == ["+ Waiting for news"])
        client.channel.isWritable = false
        for flag in [Flags.seen, .flagged, .answered] { server.set(flag, [1]) }
        #expect(try await client.news() == [])
        client.channel.isWritable = true
        let channel = client.channel
        try await channel.testingEventLoop.executeInContext {
            channel.pipeline.fireChannelWritabilityChanged()
        }
        #expect(
            try await client.news() == ["* 1 FETCH (FLAGS (\\Seen \\Answered \\Flagged))"])
    }
}
