import IMAP
import Testing

private func encoded(_ body: (ResponseEncoder, inout [UInt8]) -> Void) -> String {
    var out: [UInt8] = []
    body(ResponseEncoder(), &out)
    return String(decoding: out, as: UTF8.self)
}

@Suite struct ResponseEncoderTests {
    @Test(arguments: [
        (ResponseCode.tryCreate, "[TRYCREATE]"), (.uidNext(5), "[UIDNEXT 5]"),
        (
            .copyUID(
                validity: 38_505, from: NumberSet(numbers: [304, 319, 320]),
                to: NumberSet(3956...3958)), "[COPYUID 38505 304,319:320 3956:3958]"
        ),
        (.appendUID(validity: 1, uids: NumberSet(3...3)), "[APPENDUID 1 3]"),
        (.highestModSeq(.max), "[HIGHESTMODSEQ 18446744073709551615]"),
        (.permanentFlags(["\\Seen", "\\*"]), "[PERMANENTFLAGS (\\Seen \\*)]"),
        (.capability(["IMAP4rev1", "IDLE"]), "[CAPABILITY IMAP4rev1 IDLE]"),
        (.badCharset([]), "[BADCHARSET]"), (.mailboxID("F1"), "[MAILBOXID (F1)]"),
    ])
    func writesCodes(_ code: ResponseCode, _ text: String) {
        #expect(
            encoded { $0.status(.no, tag: [0x61], code: code, text: "x\r\ny", to: &$1) }
                == "a NO \(text) x  y\r\n")
    }

    @Test func writesLines() {
        #expect(
            encoded {
                $0.list(
                    ListResponse(
                        attributes: ["\\HasNoChildren"], mailbox: "b\u{e9} c", oldName: "NIL",
                        childInfo: ["SUBSCRIBED"]), to: &$1)
            }
                == "* LIST (\\HasNoChildren) \"/\" \"b&AOk- c\" (\"CHILDINFO\" (\"SUBSCRIBED\") "
                + "\"OLDNAME\" (\"NIL\"))\r\n")
        #expect(
            encoded { $0.status(of: "a", [.messages(3), .appendLimit(nil)], to: &$1) }
                == "* STATUS a (MESSAGES 3 APPENDLIMIT NIL)\r\n")
        #expect(encoded { $0.search([2, 3], modSeq: 9, to: &$1) } == "* SEARCH 2 3 (MODSEQ 9)\r\n")
        #expect(
            encoded { $0.vanished(NumberSet(3...5), isEarlier: true, to: &$1) }
                == "* VANISHED (EARLIER) 3:5\r\n")
        var result = ExtendedSearchResult()
        result.minimum = 2
        result.all = NumberSet()
        result.count = 0
        #expect(
            encoded { $0.extendedSearch(tag: [0x61], isUID: true, result, to: &$1) }
                == "* ESEARCH (TAG \"a\") UID MIN 2 COUNT 0\r\n")
    }

    @Test func writesFetchLines() {
        let flags = Array("\\Seen".utf8)
        #expect(
            encoded { _, out in
                flags.withUnsafeBytes {
                    ResponseEncoder.fetchLine(100, uid: .max, flags: $0, modSeq: .max, to: &out)
                }
            } == "* 100 FETCH (UID 4294967295 FLAGS (\\Seen) MODSEQ (18446744073709551615))\r\n")
        #expect(
            encoded {
                ResponseEncoder.append(
                    IMAPDateTime(secondsSinceEpoch: 837_596_665, zoneMinutes: -420), to: &$1)
                _ = $0
            }
                == "\"17-Jul-1996 02:44:25 -0700\"")
    }

    @Test(arguments: [0, 9, 10, 99, 100, 1_000_000, UInt64(UInt32.max), .max - 1, .max])
    func writesNumbers(_ number: UInt64) {
        #expect(
            encoded {
                ResponseEncoder.append(number, to: &$1)
                _ = $0
            } == "\(number)")
    }

    @Test(arguments: ["INBOX", "a&b", "\u{53f0}\u{5317}/x \u{65e5}", "\u{1f600}~", "\u{e9}&"])
    func namesSurviveTheWire(_ name: String) throws {
        var bytes: [UInt8] = []
        MailboxName.appendUTF7(name, to: &bytes)
        let back = try bytes.withUnsafeBytes {
            try MailboxName.decode($0, isUTF8: false, limits: IMAPLimits())
        }
        #expect(back == name)
    }

    @Test func setsAreNormalised() {
        let set = SequenceSet(ranges: [.init(7, 7), .init(5, 1), .init(6, 6), .init(0, 90)])
        let resolved = set.resolved(largest: 80)
        #expect(resolved.ranges == [1...7, 80...90])
        #expect(resolved.contains(7) && !resolved.contains(8) && resolved.count == 18)
        #expect(set.resolved(largest: 0).ranges == [1...7])
        let uids: [UInt32] = [2, 4, 8, 85, 99]
        var found: [Range<Int>] = []
        uids.withUnsafeBufferPointer { resolved.forEachIndexRange(in: $0) { found.append($0) } }
        #expect(found == [0..<2, 3..<4])
        #expect(resolved.intersection(NumberSet(6...81)).ranges == [6...7, 80...81])
        #expect(NumberSet([1...UInt32.max, 5...9]).count == Int(UInt32.max))
    }
}
