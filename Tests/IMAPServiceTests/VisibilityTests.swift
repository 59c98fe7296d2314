import IMAPService
import MailStore
import Testing

/// What sessions see of each other (RFC 9051 §5.2, §5.5, §7.5.1; RFC 7162).
@Suite struct VisibilityTests {
    @Test func newMailAndFlagsShowAtTheNextCommand() async throws {
        let server = Server()
        server.fill(2)
        let client = try await server.select()
        server.fill(1)
        server.set(.flagged, [1])
        #expect(
            try await client.ok("NOOP") == ["* 3 EXISTS", "* 1 FETCH (FLAGS (\\Flagged))"])
        #expect(try await client.ok("NOOP") == [])
    }

    @Test func expungesWaitWhileNumbersAreInUse() async throws {
        let server = Server()
        server.fill(5)
        let client = try await server.select()
        server.expunge([2, 4])
        // The numbers are still the old ones, and what is gone is said to be.
        #expect(
            try await client.command("FETCH 1:5 UID") == [
                "* 1 FETCH (UID 1)", "* 3 FETCH (UID 3)", "* 5 FETCH (UID 5)",
                "NO [EXPUNGEISSUED] Some of the messages are expunged",
            ])
        #expect(try await client.ok("SEARCH ALL") == ["* SEARCH 1 3 5"])
        #expect(
            try await client.ok("STORE 5 +FLAGS (\\Seen)") == ["* 5 FETCH (FLAGS (\\Seen))"])
        server.fill(1)
        #expect(try await client.ok("FETCH 3 UID") == ["* 6 EXISTS", "* 3 FETCH (UID 3)"])
        #expect(try await client.ok("FETCH 6 UID") == ["* 6 FETCH (UID 6)"])
        #expect(try await client.ok("NOOP") == ["* 4 EXPUNGE", "* 2 EXPUNGE"])
        #expect(
            try await client.ok("FETCH 1:* UID") == [
                "* 1 FETCH (UID 1)", "* 2 FETCH (UID 3)", "* 3 FETCH (UID 5)",
                "* 4 FETCH (UID 6)",
            ])
    }

    @Test func commandsByUIDMayTellOfExpunges() async throws {
        let server = Server()
        server.fill(3)
        let client = try await server.select()
        server.expunge([1])
        #expect(
            try await client.ok("UID FETCH 1:* UID") == [
                "* 2 FETCH (UID 2)", "* 3 FETCH (UID 3)", "* 1 EXPUNGE",
            ])
    }

    @Test func whoKnowsQResyncHearsOfUIDs() async throws {
        let server = Server()
        server.fill(4)
        let client = try await server.select(after: "ENABLE QRESYNC")
        server.expunge([1, 2, 4])
        let modSeq = server.node.inbox(server.alice).highestModSeq.rawValue
        #expect(try await client.ok("NOOP") == ["* VANISHED 1:2,4"])
        server.set(.seen, [3])
        #expect(
            try await client.ok("NOOP")
                == ["* 1 FETCH (UID 3 FLAGS (\\Seen) MODSEQ (\(modSeq + 1)))"])
    }

    @Test func idleTellsAtOnce() async throws {
        let server = Server()
        server.fill(2)
        let client = try await server.select()
        #expect(try await client.command("IDLE") == ["+ Waiting for news"])
        server.fill(1)
        #expect(try await client.news() == ["* 3 EXISTS"])
        server.set(.answered, [3])
        #expect(try await client.news() == ["* 3 FETCH (FLAGS (\\Answered))"])
        server.expunge([1])
        #expect(try await client.news() == ["* 1 EXPUNGE"])
        try await client.send("DONE\r\n")
        #expect(try await client.reply().last?.hasPrefix("OK") == true)
        #expect(try await client.ok("NOOP") == [])
    }

    @Test func idleTellsWhatCameBefore() async throws {
        let server = Server()
        let client = try await server.select()
        server.fill(1)
        #expect(try await client.command("IDLE") == ["+ Waiting for news"])
        #expect(try await client.news() == ["* 1 EXISTS"])
        try await client.send("nonsense\r\n")
        #expect(try await client.reply().last?.hasPrefix("BAD") == true)
        #expect(try await client.ok("NOOP") == [])
    }

    @Test func ownSilentStoresAreNoNewsUnlessOthersMeddled() async throws {
        let server = Server()
        server.fill(3)
        let client = try await server.select()
        #expect(try await client.ok("STORE 1:3 +FLAGS.SILENT (\\Seen)") == [])
        #expect(try await client.ok("NOOP") == [])
        server.set(.flagged, [2])
        #expect(
            try await client.ok("STORE 1:3 FLAGS.SILENT (\\Draft)")
                == ["* 2 FETCH (FLAGS (\\Seen \\Flagged))"])
        #expect(
            try await client.ok("FETCH 2 FLAGS") == ["* 2 FETCH (FLAGS (\\Draft))"])
        server.set(.flagged, [2])
        #expect(
            try await client.ok("STORE 1:3 +FLAGS.SILENT (\\Seen)")
                == ["* 2 FETCH (FLAGS (\\Flagged \\Draft))"])
    }

    @Test func newKeywordsAreListedBeforeTheyAreUsed() async throws {
        let server = Server()
        server.fill(1)
        let client = try await server.select()
        let other = try await server.select()
        let lines = try await other.ok("STORE 1 +FLAGS ($Work)")
        #expect(lines.last == "* 1 FETCH (FLAGS ($Work))")
        let news = try await client.ok("NOOP")
        #expect(
            news.first == "* FLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft $Work)")
        #expect(news.last == "* 1 FETCH (FLAGS ($Work))")
    }

    @Test func aMailboxThatOthersDeleteEndsTheSession() async throws {
        let server = Server()
        let client = try await server.select("Trash")
        let other = try await server.login()
        _ = try await other.ok("DELETE Trash")
        #expect(try await client.command("NOOP") == ["* BYE The mailbox was deleted"])
        #expect(client.isClosed)
    }

    @Test func aMailboxThatIDeleteIsClosed() async throws {
        let server = Server()
        let client = try await server.select("Trash")
        #expect(
            try await client.ok("DELETE Trash") == ["* OK [CLOSED] The mailbox was deleted"])
        #expect(try await client.status("CHECK").hasPrefix("BAD"))
    }

    @Test func manyChangesStayConsistent() async throws {
        let server = Server()
        server.fill(40)
        let client = try await server.select()
        var numbers = (1...40).map { UInt32($0) }
        var seed: UInt64 = 1
        for _ in 0..<60 {
            seed = seed &* 6_364_136_223_846_793_005 &+ 1
            let live = server.node.inbox(server.alice).messages.allUIDs
            switch (seed >> 33) % 3 {
            case 0: server.fill(1)
            case 1 where !live.isEmpty:
                server.expunge([live[Int(seed >> 40) % live.count]])
            default: server.set(.flagged, [live.last ?? 1])
            }
            let keeps = (seed >> 50) % 2 == 0
            let lines = try await client.command(keeps ? "FETCH 1 UID" : "NOOP")
            for line in lines {
                let words = line.split(separator: " ")
                if words.count == 3, words[2] == "EXPUNGE" {
                    #expect(!keeps)
                    numbers.remove(at: Int(words[1])! - 1)
                }
                if words.count == 3, words[2] == "EXISTS" {
                    let next = (server.node.inbox(server.alice).uidNext - 1)
                    while numbers.count < Int(words[1])! {
                        numbers.append(next + 1 - UInt32(Int(words[1])! - numbers.count))
                    }
                }
            }
        }
        _ = try await client.ok("NOOP")
        let uids = try await client.ok("FETCH 1:* UID").map { line in
            UInt32(line.split(separator: " ").last!.dropLast())!
        }
        #expect(uids == server.node.inbox(server.alice).messages.allUIDs)
    }
}
