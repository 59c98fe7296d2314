import IMAPService
import MailStore
import Testing

@Suite struct MailboxTests {
    @Test func mailboxesAreMadeRenamedAndDeleted() async throws {
        let server = Server()
        let client = try await server.login()
        let made = try await client.status("CREATE Work/2026/")
        #expect(made.hasPrefix("OK [MAILBOXID (F"))
        #expect(try await client.status("CREATE work/2026").hasPrefix("OK"))
        #expect(try await client.status("CREATE inbox").hasPrefix("NO [ALREADYEXISTS]"))
        #expect(
            try await client.ok("LIST \"\" Work*") == [
                "* LIST (\\NonExistent \\Noselect \\HasChildren) \"/\" Work",
                "* LIST (\\HasNoChildren) \"/\" Work/2026",
            ])
        #expect(try await client.ok("LIST Work/ %") == ["* LIST (\\HasNoChildren) \"/\" Work/2026"])
        _ = try await client.ok("RENAME Work/2026 Old/2026")
        #expect(try await client.ok("LIST \"\" Work*") == [])
        #expect(try await client.ok("LIST \"\" Old/*").count == 1)
        _ = try await client.ok("DELETE Old/2026")
        #expect(try await client.status("DELETE Old/2026").hasPrefix("NO [NONEXISTENT]"))
        #expect(try await client.status("DELETE INBOX").hasPrefix("NO [CANNOT]"))
        #expect(try await client.status("RENAME Old/2026 x").hasPrefix("NO [NONEXISTENT]"))
    }

    @Test func namesAreUTF7UntilTheClientReadsUTF8() async throws {
        let server = Server()
        let client = try await server.login()
        _ = try await client.ok("CREATE Entw&APw-rfe")
        #expect(
            try await client.ok("LIST \"\" Entw*") == [
                "* LIST (\\HasNoChildren) \"/\" Entw&APw-rfe"
            ])
        _ = try await client.ok("ENABLE UTF8=ACCEPT")
        #expect(
            try await client.ok("LIST \"\" \"Entwürfe\"")
                == ["* LIST (\\HasNoChildren) \"/\" \"Entwürfe\""])
    }

    @Test func specialUseIsGivenAndListed() async throws {
        let server = Server()
        let client = try await server.login()
        _ = try await client.ok("CREATE Everything (USE (\\All))")
        #expect(try await client.status("CREATE x (USE (\\Bogus))").hasPrefix("NO [USEATTR]"))
        #expect(
            try await client.ok("LIST (SPECIAL-USE) \"\" E*")
                == ["* LIST (\\HasNoChildren \\All) \"/\" Everything"])
        #expect(try await client.ok("LIST (SPECIAL-USE) \"\" *").count == 6)
    }

    @Test func subscriptionsNeedNoMailbox() async throws {
        let server = Server()
        let client = try await server.login()
        _ = try await client.ok("SUBSCRIBE Lists/swift")
        #expect(
            try await client.ok("LIST (SUBSCRIBED) \"\" Lists/*") == [
                "* LIST (\\NonExistent \\Subscribed \\HasNoChildren) \"/\" Lists/swift"
            ])
        #expect(
            try await client.ok("LIST (SUBSCRIBED RECURSIVEMATCH) \"\" Lis%") == [
                "* LIST (\\NonExistent \\HasNoChildren) \"/\" Lists (\"CHILDINFO\" (\"SUBSCRIBED\"))"
            ])
        #expect(try await client.ok("LSUB \"\" Lis%") == ["* LSUB (\\Noselect) \"/\" Lists"])
        #expect(try await client.ok("LSUB \"\" Lists/*") == ["* LSUB () \"/\" Lists/swift"])
        #expect(try await client.ok("LIST \"\" Lists*") == [])
        _ = try await client.ok("UNSUBSCRIBE Lists/swift")
        #expect(try await client.ok("LSUB \"\" Lists*") == [])
    }

    @Test func aRecursiveMatchShowsParentsForTheSakeOfTheirChildren() async throws {
        let server = Server()
        let client = try await server.login()
        _ = try await client.ok("CREATE Work/Everything (USE (\\All))")
        #expect(
            try await client.ok("LIST (SPECIAL-USE RECURSIVEMATCH) \"\" W%") == [
                "* LIST (\\NonExistent \\HasChildren) \"/\" Work "
                    + "(\"CHILDINFO\" (\"SPECIAL-USE\"))"
            ])
        let both = "LIST (SUBSCRIBED SPECIAL-USE RECURSIVEMATCH) \"\" W%"
        #expect(try await client.ok(both) == [])
        _ = try await client.ok("SUBSCRIBE Work/Everything")
        #expect(
            try await client.ok(both) == [
                "* LIST (\\NonExistent \\HasChildren) \"/\" Work "
                    + "(\"CHILDINFO\" (\"SUBSCRIBED\" \"SPECIAL-USE\"))"
            ])
        #expect(
            try await client.ok("LIST (SUBSCRIBED SPECIAL-USE) \"\" W*") == [
                "* LIST (\\Subscribed \\HasNoChildren \\All) \"/\" Work/Everything"
            ])
    }

    @Test func aNameWithoutAMailboxIsRenamedWithThoseBelowIt() async throws {
        let server = Server()
        let client = try await server.login()
        for name in ["Lists/swift", "Lists/swift/nio", "Lists/imap", "Other"] {
            _ = try await client.ok("CREATE \(name)")
        }
        let before = try await client.ok("STATUS Lists/imap (MAILBOXID)")
        #expect(try await client.status("RENAME Lists Lists/x").hasPrefix("NO [CANNOT]"))
        #expect(try await client.status("RENAME Lists Other").hasPrefix("NO [ALREADYEXISTS]"))
        #expect(try await client.ok("LIST \"\" Lists/*").count == 3)
        _ = try await client.ok("RENAME Lists Old/Groups")
        #expect(try await client.ok("LIST \"\" Lists*") == [])
        #expect(try await client.ok("LIST \"\" Old/Groups/*").count == 3)
        let after = try await client.ok("STATUS Old/Groups/imap (MAILBOXID)")
        #expect(after == before.map { $0.replacing("Lists", with: "Old/Groups") })
        #expect(try await client.status("RENAME Lists Any").hasPrefix("NO [NONEXISTENT]"))
    }

    @Test func statusCountsWithoutSelecting() async throws {
        let server = Server()
        server.fill(3)
        server.set([.seen, .deleted], [2])
        let client = try await server.login()
        let inbox = server.node.inbox(server.alice)
        #expect(
            try await client.ok(
                "STATUS inbox (MESSAGES UNSEEN DELETED SIZE UIDNEXT UIDVALIDITY RECENT)") == [
                    "* STATUS INBOX (MESSAGES 3 UNSEEN 2 DELETED 1 SIZE 90 UIDNEXT 4 "
                        + "UIDVALIDITY \(inbox.uidValidity.rawValue) RECENT 0)"
                ])
        #expect(
            try await client.ok("STATUS INBOX (HIGHESTMODSEQ MAILBOXID APPENDLIMIT)") == [
                "* STATUS INBOX (HIGHESTMODSEQ \(inbox.highestModSeq.rawValue) "
                    + "MAILBOXID (F\(inbox.id)) APPENDLIMIT 52428800)"
            ])
        let list = try await client.ok("LIST \"\" INBOX RETURN (STATUS (MESSAGES))")
        #expect(list.last == "* STATUS INBOX (MESSAGES 3)")
        #expect(try await client.status("STATUS Nowhere (MESSAGES)").hasPrefix("NO [NONEXISTENT]"))
    }

    @Test func theSmallCommands() async throws {
        let server = Server()
        let client = try await server.login()
        #expect(try await client.ok("LIST \"\" \"\"") == ["* LIST (\\Noselect) \"/\" \"\""])
        #expect(try await client.ok("NAMESPACE") == ["* NAMESPACE ((\"\" \"/\")) NIL NIL"])
        #expect(
            try await client.ok("ID (\"name\" \"test\")").first?.hasPrefix("* ID (\"name\"") == true
        )
        let capabilities = try await client.ok("CAPABILITY").first ?? ""
        for name in [
            "QRESYNC", "MULTIAPPEND", "LITERAL+", "APPENDLIMIT=52428800", "OBJECTID", "BINARY",
        ] {
            #expect(capabilities.contains(" " + name))
        }
        #expect(!capabilities.contains("AUTH="))
        _ = try await client.ok("SELECT INBOX")
        _ = try await client.ok("UNSELECT")
        #expect(try await client.status("FETCH 1 FLAGS").hasPrefix("BAD"))
    }

    @Test func aFailedSelectLeavesNothingSelected() async throws {
        let server = Server()
        let client = try await server.select()
        #expect(
            try await client.command("SELECT Nowhere") == [
                "* OK [CLOSED] The mailbox before is closed",
                "NO [NONEXISTENT] There is no such mailbox",
            ])
        #expect(try await client.status("CHECK").hasPrefix("BAD"))
    }

    @Test func theNewRevisionAnswersInItsOwnWay() async throws {
        let server = Server()
        server.fill(2)
        let client = try await server.login()
        #expect(try await client.ok("ENABLE IMAP4rev2") == ["* ENABLED IMAP4rev2"])
        let lines = try await client.ok("SELECT INBOX")
        #expect(lines.contains("* LIST () \"/\" INBOX"))
        #expect(!lines.contains { $0.contains("RECENT") || $0.contains("UNSEEN") })
        #expect(
            try await client.ok("UID SEARCH ALL") == ["* ESEARCH (TAG \"t4\") UID ALL 1:2"])
    }

    @Test func patternsMatch() async throws {
        let server = Server()
        let client = try await server.login()
        for name in ["a", "a/b", "a/b/c", "ab"] { _ = try await client.ok("CREATE \(name)") }
        func names(_ pattern: String) async throws -> [String] {
            try await client.ok("LIST \"\" \(pattern)").map {
                String($0.split(separator: " ").last!)
            }
        }
        #expect(
            try await client.ok("LIST \"\" a") == ["* LIST (\\HasChildren) \"/\" a"])
        #expect(try await names("a%") == ["a", "ab"])
        #expect(try await names("a*") == ["a", "a/b", "a/b/c", "ab"])
        #expect(try await names("a/%") == ["a/b"])
        #expect(try await names("%/%") == ["a/b"])
        #expect(try await names("*b") == ["a/b", "ab"])
        #expect(try await names("%/*c") == ["a/b/c"])
        #expect(try await names("inbox") == ["INBOX"])
        #expect(try await names("InB%") == ["INBOX"])
        _ = try await client.ok("CREATE inbox/A")
        #expect(try await names("*box*") == ["INBOX", "INBOX/A"])
        #expect(try await names("*box/a") == [])
        let stars = String(repeating: "*a", count: 40)
        #expect(try await client.status("LIST \"\" \(stars)").hasPrefix("NO [LIMIT]"))
    }
}
