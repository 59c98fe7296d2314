import IMAP
import Testing

private func parse(_ text: String, isUTF8: Bool = false) throws -> IMAPCommand {
    var parser = CommandParser()
    parser.isUTF8 = isUTF8
    return try parser.parse(IMAPFrame(bytes: Array(("a1 " + text).utf8))).command
}

private func refusal(_ text: String) -> String? {
    do {
        _ = try CommandParser().parse(IMAPFrame(bytes: Array(text.utf8)))
        return nil
    } catch {
        return error.text
    }
}

@Suite struct CommandParserTests {
    @Test(arguments: [
        "CAPABILITY", "noop", "Logout", "STARTTLS", "CHECK", "CLOSE", "UNSELECT", "EXPUNGE",
        "IDLE", "NAMESPACE", "AUTHENTICATE PLAIN", "AUTHENTICATE PLAIN =",
        "AUTHENTICATE PLAIN AGEAYg==", "LOGIN a b", "LOGIN \"a\\\"b\" {3}\r\nx y",
        "ID NIL", "ID (\"name\" \"x\" \"version\" NIL)", "ID ()", "ENABLE CONDSTORE UTF8=ACCEPT",
        "SELECT inbox", "EXAMINE INBOX (CONDSTORE)", "SELECT x (QRESYNC (1 2))",
        "SELECT x (QRESYNC (67890007 90060115194045000 41:211,214:541))",
        "SELECT x (QRESYNC (1 2 1:9 (1,3 4,5)))", "SELECT x (QRESYNC (1 2 (1,3 4,5)))",
        "CREATE a/", "CREATE Sent (USE (\\Sent))", "DELETE a", "RENAME a b", "SUBSCRIBE a",
        "UNSUBSCRIBE a", "LIST \"\" *", "LIST \"\" \"\"", "LIST (SUBSCRIBED) \"\" \"*\"",
        "LIST () \"\" (\"INBOX\" \"Drafts\" Sent/%)", "LIST \"\" % RETURN (SUBSCRIBED CHILDREN)",
        "LIST (SUBSCRIBED RECURSIVEMATCH) \"\" * RETURN (STATUS (MESSAGES UNSEEN) SPECIAL-USE)",
        "LSUB \"#news.\" \"comp.mail.*\"", "STATUS a (UIDNEXT MESSAGES SIZE DELETED MAILBOXID)",
        "APPEND a (\\Seen kw) \"17-Jul-1996 02:44:25 -0700\" {3+}\r\nabc {2}\r\nde",
        "APPEND a ~{3}\r\na\0b", "APPEND a UTF8 (~{1}\r\nx)", "APPEND {1}\r\na {1}\r\nb",
        "UID EXPUNGE 1:*", "SEARCH ALL",
        "SEARCH RETURN (MIN COUNT) CHARSET UTF-8 TEXT {2}\r\n\u{e9}",
        "SEARCH RETURN () 1:5,* UID $ NOT SEEN OR (FROM a TO b) LARGER 5",
        "SEARCH RETURN (SAVE) FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\"",
        "SEARCH MODSEQ \"/flags/\\\\draft\" all 620162338",
        "SEARCH MODSEQ 1 EMAILID M1 THREADID T2",
        "SEARCH SAVEDSINCE \"1-Feb-1994\" SAVEDATESUPPORTED HEADER x \"\" UNKEYWORD k",
        "FETCH 1 ALL", "FETCH 1 FULL", "FETCH $ FAST",
        "FETCH 2:4 (FLAGS BODY[HEADER.FIELDS (DATE FROM)])",
        "UID FETCH 1:* (FLAGS) (CHANGEDSINCE 12345 VANISHED)", "FETCH 1 BODY",
        "FETCH 1 BODY[]<0.5>",
        "FETCH 1 (BODY.PEEK[1.2.MIME] BODY[4.2.HEADER.FIELDS.NOT (A)] BINARY.PEEK[1]<1.2> BINARY[])",
        "FETCH 1 (BINARY.SIZE[1.2] MODSEQ SAVEDATE EMAILID THREADID PREVIEW (LAZY) RFC822.SIZE)",
        "STORE 1 +FLAGS.SILENT (\\Deleted)", "UID STORE 1 (UNCHANGEDSINCE 0) FLAGS ()",
        "STORE 1 -FLAGS \\Seen $Junk", "COPY 2:4 x", "UID MOVE 42:69 foo", "MOVE $ x",
    ])
    func takesWhatTheGrammarAllows(_ text: String) throws {
        _ = try parse(text)
    }

    @Test(arguments: [
        "", "a1", "a1 ", "+ NOOP", "a1  NOOP", "a1 NOOP x", "a1 NOOP ", "a1 FOO", "a1 LOGIN a",
        "a1 LOGIN a b c", "a1 LOGIN \"a b", "a1 LOGIN \"a\\b\" c", "a1 LOGIN {2}\r\na\0 b",
        "a1 AUTHENTICATE PLAIN !!", "a1 ID x", "a1 ENABLE", "a1 SELECT", "a1 SELECT a ()",
        "a1 SELECT a (QRESYNC (0 1))", "a1 SELECT a (QRESYNC (1 1 1:*))",
        "a1 SELECT a (CONDSTORE CONDSTORE)", "a1 SELECT a//b", "a1 SELECT &Jjo", "a1 SELECT &AGE-",
        "a1 LIST (RECURSIVEMATCH) \"\" *", "a1 LIST \"\"", "a1 LIST \"\" ()",
        "a1 STATUS a ()", "a1 STATUS a (FOO)", "a1 APPEND a", "a1 APPEND a (\\Recent) {1}\r\na",
        "a1 APPEND a \"32-Jul-1996 02:44:25 -0700\" {1}\r\na", "a1 APPEND a {2}\r\na",
        "a1 UID", "a1 UID NOOP", "a1 UID EXPUNGE", "a1 SEARCH", "a1 SEARCH FOO", "a1 SEARCH (",
        "a1 SEARCH ()", "a1 SEARCH OR SEEN", "a1 SEARCH SINCE 30-Feb-2000", "a1 SEARCH LARGER -1",
        "a1 SEARCH LARGER 99999999999999999999", "a1 FETCH 0 FLAGS", "a1 FETCH 4294967296 FLAGS",
        "a1 FETCH 1:2: FLAGS", "a1 FETCH 1, FLAGS", "a1 FETCH 1 ()", "a1 FETCH 1 (ALL)",
        "a1 FETCH 1 BODY[MIME]", "a1 FETCH 1 BODY[1.]", "a1 FETCH 1 BODY[0]",
        "a1 FETCH 1 BODY[]<0.0>", "a1 FETCH 1 FLAGS (VANISHED)",
        "a1 FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)", "a1 STORE 1 FLAGS",
        "a1 STORE 1 FLAGS (\\Foo)",
        "a1 STORE 1 FLAGS (a  b)", "a1 COPY 1", "a1 EXPUNGE 1", "a1 SELECT \"a\u{1}b\"",
    ])
    func refusesWhatItDoesNot(_ text: String) {
        #expect(refusal(text) != nil)
    }

    @Test func saysWhatIsWrong() {
        #expect(refusal("a1 noop x") == "NOOP takes no arguments")
        #expect(refusal("a1 select") == "SELECT needs arguments")
        #expect(refusal("a1 foo") == "Unknown command FOO")
    }

    @Test func readsValues() throws {
        #expect(
            try parse("select InBoX")
                == .select(mailbox: "INBOX", parameters: SelectParameters(), isReadOnly: false))
        #expect(try parse("delete &U,BTFw-/a") == .delete(mailbox: "\u{53f0}\u{5317}/a"))
        #expect(try parse("delete \"\u{53f0}\"", isUTF8: true) == .delete(mailbox: "\u{53f0}"))
        #expect(
            try parse("copy 4:2,* x")
                == .copy(
                    SequenceSet(ranges: [.init(4, 2), .init(0, 0)]), mailbox: "x", isUID: false))
        guard
            case .append(_, let messages) = try parse(
                "APPEND a (\\Seen) \" 1-Jan-1970 01:00:00 +0100\" {3}\r\nabc")
        else { return #expect(Bool(false)) }
        #expect(messages[0].flags == [.seen])
        #expect(messages[0].date == IMAPDateTime(secondsSinceEpoch: 0, zoneMinutes: 60))
        #expect(messages[0].body == .held(54..<57))
        #expect(
            try parse("SEARCH OR SEEN NOT (1 2)")
                == .search(
                    SearchRequest(
                        returns: nil, charset: nil,
                        keys: [
                            .or(
                                .flag(.seen, isSet: true),
                                .not(
                                    .and([
                                        .sequence(SequenceSet(ranges: [.init(1, 1)])),
                                        .sequence(SequenceSet(ranges: [.init(2, 2)])),
                                    ])))
                        ]), isUID: false))
    }

    @Test func boundsNestingAndCounts() {
        #expect(refusal("a SEARCH " + String(repeating: "(", count: 60_000)) != nil)
        #expect(refusal("a SEARCH " + String(repeating: "NOT ", count: 10_000) + "ALL") != nil)
        let ranges = Array(repeating: "1", count: 100_000).joined(separator: ",")
        #expect(refusal("a FETCH \(ranges) FLAGS") == "Too many ranges in a set")
    }
}
