import IMAPService
import MailStore
import Testing

/// CONDSTORE and QRESYNC (RFC 7162).
@Suite struct SyncTests {
    private func modSeq(_ server: Server) -> UInt64 {
        server.node.inbox(server.alice).highestModSeq.rawValue
    }

    private func validity(_ server: Server) -> UInt32 {
        server.node.inbox(server.alice).uidValidity.rawValue
    }

    @Test func changedSinceSendsWhatChanged() async throws {
        let server = Server()
        server.fill(3)
        let before = modSeq(server)
        server.set(.seen, [2])
        let client = try await server.select(after: "ENABLE CONDSTORE")
        #expect(
            try await client.ok("UID FETCH 1:* (FLAGS) (CHANGEDSINCE \(before))")
                == ["* 2 FETCH (UID 2 FLAGS (\\Seen) MODSEQ (\(before + 1)))"])
    }

    @Test func aForeignModSeqIsNotTrusted() async throws {
        let server = Server()
        server.fill(3)
        let client = try await server.select(after: "ENABLE QRESYNC")
        // An epoch of the other node that this history has never seen.
        let foreign = ModSeq(epoch: 5, counter: 9).rawValue
        #expect(try await client.ok("FETCH 1:* FLAGS (CHANGEDSINCE \(foreign))").count == 3)
        #expect(
            try await client.command("UID STORE 2 (UNCHANGEDSINCE \(foreign)) +FLAGS (\\Seen)")
                == ["OK [MODIFIED 2] Some messages were changed by others"])
        server.expunge([2])
        let lines = try await client.ok(
            "SELECT INBOX (QRESYNC (\(validity(server)) \(foreign) 1:3,7))")
        #expect(lines.contains("* VANISHED (EARLIER) 2"))
        #expect(lines.filter { $0.contains("FETCH") }.count == 2)
    }

    @Test func storesFailWhereOthersWereFaster() async throws {
        let server = Server()
        server.fill(3)
        let client = try await server.select()
        let before = modSeq(server)
        server.set(.answered, [2])
        let lines = try await client.command(
            "STORE 1:3 (UNCHANGEDSINCE \(before)) +FLAGS (\\Seen)")
        #expect(
            lines.last == "OK [MODIFIED 2] Some messages were changed by others")
        #expect(lines.contains("* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (\(before + 2)))"))
        #expect(
            lines.contains("* 2 FETCH (UID 2 FLAGS (\\Answered) MODSEQ (\(before + 1)))"))
        // In silence the MODSEQ is told all the same.
        #expect(
            try await client.ok("STORE 1 (UNCHANGEDSINCE \(before + 2)) +FLAGS.SILENT (\\Draft)")
                == ["* 1 FETCH (UID 1 MODSEQ (\(before + 3)))"])
    }

    @Test func resynchronisingTellsFlagsAndWhatVanished() async throws {
        let server = Server()
        server.fill(6)
        let before = modSeq(server)
        server.set(.seen, [3])
        server.expunge([1, 5])
        let client = try await server.login()
        #expect(
            try await client.status("SELECT INBOX (QRESYNC (\(validity(server)) \(before)))")
                .hasPrefix("BAD"))
        _ = try await client.ok("ENABLE QRESYNC")
        let lines = try await client.ok(
            "SELECT INBOX (QRESYNC (\(validity(server)) \(before)))")
        #expect(lines.suffix(2).first == "* VANISHED (EARLIER) 1,5")
        #expect(
            lines.last == "* 2 FETCH (UID 3 FLAGS (\\Seen) MODSEQ (\(before + 1)))")
        // Only of what is known.
        let some = try await client.ok(
            "SELECT INBOX (QRESYNC (\(validity(server)) \(before) 4:6))")
        #expect(some.first == "* OK [CLOSED] The mailbox before is closed")
        #expect(some.last == "* VANISHED (EARLIER) 5")
        // Of another UIDVALIDITY nothing is told.
        let none = try await client.ok("SELECT INBOX (QRESYNC (1 \(before)))")
        #expect(!none.contains { $0.contains("VANISHED") || $0.contains("FETCH") })
    }

    @Test func fetchSaysWhatVanished() async throws {
        let server = Server()
        server.fill(4)
        let before = modSeq(server)
        server.expunge([2])
        let client = try await server.select(after: "ENABLE QRESYNC")
        #expect(
            try await client.ok("UID FETCH 1:* (FLAGS) (CHANGEDSINCE \(before) VANISHED)")
                == ["* VANISHED (EARLIER) 2"])
        #expect(
            try await client.status("FETCH 1:* (FLAGS) (CHANGEDSINCE \(before) VANISHED)")
                .hasPrefix("BAD"))
        // What is refused enables nothing.
        let other = try await server.select()
        #expect(
            try await other.command("UID FETCH 1 (FLAGS) (CHANGEDSINCE 1 VANISHED)")
                == ["BAD VANISHED needs QRESYNC and UID FETCH"])
    }

    @Test func expungeSaysTheHighestModSeq() async throws {
        let server = Server()
        server.fill(2)
        let client = try await server.select(after: "ENABLE CONDSTORE")
        _ = try await client.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
        let next = modSeq(server) + 1
        #expect(
            try await client.command("EXPUNGE")
                == ["* 1 EXPUNGE", "OK [HIGHESTMODSEQ \(next)] Expunged"])
    }

    @Test func searchByModSeqSaysTheHighest() async throws {
        let server = Server()
        server.fill(3)
        let before = modSeq(server)
        server.set(.seen, [1])
        let client = try await server.select()
        #expect(
            try await client.ok("SEARCH MODSEQ \(before + 1)")
                == [
                    "* OK [HIGHESTMODSEQ \(before + 1)] CONDSTORE is on",
                    "* SEARCH 1 (MODSEQ \(before + 1))",
                ])
    }
}
