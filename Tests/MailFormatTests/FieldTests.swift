import MailFormat
import Platform
import Testing

@Suite struct DateParserTests {
    @Test(arguments: [
        ("Fri, 21 Nov 1997 09:55:06 -0600", 880_127_706, 1997, 11, 21),
        ("21 Nov 97 09:55:06 GMT", 880_106_106, 1997, 11, 21),
        ("Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", 880_127_706, 1997, 11, 21),
        ("Fri, 21-Nov-1997 09:55 EST", 880_124_100, 1997, 11, 21),
        ("Sun Nov 22 16:46:24 2026", 1_795_365_984, 2026, 11, 22),
        ("1 Jan 70 00:00:00 +0000 (UTC)", 0, 1970, 1, 1),
        ("Thursday, 01 January 2015 12:00:00 +05:30", 1_420_093_800, 2015, 1, 1),
        ("Thu, 1 Jan 2015 23:59:60 Z", 1_420_156_800, 2015, 1, 1),
        ("1 Jan 2015", 1_420_070_400, 2015, 1, 1),
    ])
    func datesAreRead(text: String, seconds: Int64, year: Int, month: Int, day: Int) {
        let date = withBytes(text) { DateParser.parse($0, ByteRange(0, $0.count)) }
        #expect(
            date
                == SentDate(
                    instant: Instant(secondsSinceEpoch: seconds), year: year, month: month,
                    day: day))
    }

    @Test(arguments: ["", "yesterday", "32 Jan 2020", "1 Foo 2020", "Mon, 1", "Jan", "1 Jan x"])
    func nonsenseIsNoDate(text: String) {
        #expect(withBytes(text) { DateParser.parse($0, ByteRange(0, $0.count)) } == nil)
    }
}

@Suite struct AddressParserTests {
    private func parse(_ text: String) -> [String] {
        withBytes(text) { bytes in
            var parser = AddressParser()
            parser.start(bytes, ByteRange(0, bytes.count))
            var result: [String] = []
            func string(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
            while let element = parser.next() {
                switch element {
                case .groupStart: result.append("[\(string(parser.mailbox))")
                case .groupEnd: result.append("]")
                case .mailbox:
                    let name = parser.hasName ? "\(string(parser.name))|" : ""
                    let route = parser.route.isEmpty ? "" : "\(string(parser.route))|"
                    result.append(
                        "\(name)\(route)\(string(parser.mailbox))@\(string(parser.host))")
                }
            }
            return result
        }
    }

    @Test(arguments: [
        ("a@b", ["a@b"]),
        ("John Q. Public <jq@x.example>, b@c", ["John Q. Public|jq@x.example", "b@c"]),
        ("\"Smith, J\\\"\" <j@x>", ["Smith, J\"|j@x"]),
        ("j@x (J (the) S)", ["J (the) S|j@x"]),
        ("Group: a@b, C <c@d>; e@f", ["[Group", "a@b", "C|c@d", "]", "e@f"]),
        ("undisclosed-recipients:;", ["[undisclosed-recipients", "]"]),
        ("open: a@b", ["[open", "a@b", "]"]),
        ("<@a,@b:c@d>", ["@a,@b|c@d"]),
        ("\"q q\"@x", ["q q@x"]),
        ("a . b @ c . d", ["a.b@c.d"]),
        ("root", ["root@"]),
        ("me@here.example <me@here.example>", ["me@here.example|me@here.example"]),
        ("<>", ["@"]),
        ("a <b@c", ["a|b@c"]),
        ("\"open <a@b>", ["open <a@b>@"]),
        ("a@[1.2.3.4]", ["a@[1.2.3.4]"]),
        (",, ;a@b,", ["a@b"]),
        ("J\u{FC}rgen <j@\u{FC}.example>", ["J\u{FC}rgen|j@\u{FC}.example"]),
        ("=?utf-8?q?a?= <b@c>", ["=?utf-8?q?a?=|b@c"]),
    ])
    func addressesAreRead(text: String, expected: [String]) {
        #expect(parse(text) == expected)
    }

    @Test func identifiersAreFoundAmongJunk() {
        let ids = withBytes("<a@b> x <c <d@e>\r\n <> <f g> <h@i") { bytes in
            var scanner = MessageIDScanner(bytes, ByteRange(0, bytes.count))
            var ids: [String] = []
            while let id = scanner.next() { ids.append(id.text(bytes)) }
            return ids
        }
        #expect(ids == ["<a@b>", "<d@e>"])
    }
}

@Suite struct EncodedWordTests {
    @Test(arguments: ["utf-8&", "utf-16be", "utf-32be", "utf-7"])
    func whatAConverterGivesIsAlwaysUTF8(charset: String) {
        var charsets = CharsetDecoder()
        var out: [UInt8] = []
        charsets.start(charset: Array(charset.utf8))
        let input: [UInt8] = [0xF5, 0xB4, 0xAB, 0x90, 0xD8, 0x00, 0x00, 0x41]
        input.withUnsafeBytes { charsets.decode($0, to: &out) }
        charsets.finish(to: &out)
        #expect(String(validating: out, as: UTF8.self) != nil)
    }

    private func decode(_ bytes: [UInt8]) -> String {
        var charsets = CharsetDecoder()
        var out: [UInt8] = []
        bytes.withUnsafeBytes { EncodedWord.decode($0, using: &charsets, to: &out) }
        return String(decoding: out, as: UTF8.self)
    }

    @Test(arguments: [
        ("plain", "plain"),
        ("a\r\n b", "a b"),
        ("=?ISO-8859-1?Q?Keld_J=F8rn?= <k@x>", "Keld J\u{F8}rn <k@x>"),
        ("=?utf-8?b?w6k=?=  =?utf-8?Q?=C3=A9?= x", "\u{E9}\u{E9} x"),
        ("=?utf-8?b?w6k=?=\r\n =?utf-8?q?_x?=", "\u{E9} x"),
        ("=?utf-8?q?=C3?= =?utf-8?q?=A9?=", "\u{E9}"),
        ("=?us-ascii*en?q?hi?=", "hi"),
        ("=?koi8-r?B?8NLJ18XU?=", "\u{41F}\u{440}\u{438}\u{432}\u{435}\u{442}"),
        ("=?iso-2022-jp?B?GyRCJCIbKEI=?=", "\u{3042}"),
        ("=?gb18030?Q?=C4=E3?=", "\u{4F60}"),
        ("=?big5?Q?=A7A?=", "\u{4F60}"),
        ("=?windows-1252?Q?=80?=", "\u{20AC}"),
        ("=?nonsense?Q?=80a?=", "\u{FFFD}a"),
        ("=?utf-8?x?a?=", "=?utf-8?x?a?="),
        ("=?utf-8?q?open", "=?utf-8?q?open"),
        ("a =?utf-8?q?b?=c", "a bc"),
        ("=?utf-8?q?=FF?=", "\u{FFFD}"),
    ])
    func wordsAreDecoded(text: String, expected: String) {
        #expect(decode(Array(text.utf8)) == expected)
    }

    @Test func parametersAreJoinedAndDecoded() {
        let text =
            "; title*0*=us-ascii'en'This%20is%20; title*1*=%2A%2A; title*2=\"fun\"; x=\"=?utf-8?q?y?=\""
        withBytes(text) { bytes in
            let all = MIMEParameter.all(bytes, ByteRange(0, bytes.count), maximum: 10)
            var charsets = CharsetDecoder()
            #expect(all.count == 2)
            #expect(all[0].isNamed("title") && all[0].isEncoded)
            #expect(all[0].decodedValue(using: &charsets) == Array("This is **fun".utf8))
            #expect(all[1].decodedValue(using: &charsets) == Array("y".utf8))
        }
    }
}

@Suite struct DecoderTests {
    private func decode(_ text: String, _ encoding: TransferEncoding, split: Int) -> String {
        var decoder = TransferDecoder(encoding)
        var out: [UInt8] = []
        let bytes = Array(text.utf8)
        bytes[..<split].withUnsafeBytes { decoder.decode($0, to: &out) }
        bytes[split...].withUnsafeBytes { decoder.decode($0, to: &out) }
        decoder.finish(to: &out)
        return String(decoding: out, as: UTF8.self)
    }

    @Test(arguments: [
        ("aGVs\r\nbG8=", TransferEncoding.base64, "hello"),
        ("aGk=aGk=", .base64, "hihi"),
        ("a!G k", .base64, "hi"),
        ("=C3=BC=\r\nx", .quotedPrintable, "\u{FC}x"),
        ("a  \r\nb= \t\r\nc", .quotedPrintable, "a\r\nbc"),
        ("a=3Db=3d", .quotedPrintable, "a=b="),
        ("=ZZ =4 ==41", .quotedPrintable, "=ZZ =4 =A"),
        ("a=\nb", .quotedPrintable, "ab"),
        ("=C3  ", .identity, "=C3  "),
    ])
    func splitAnywhereItIsTheSame(text: String, encoding: TransferEncoding, expected: String) {
        for split in 0...text.utf8.count {
            #expect(decode(text, encoding, split: split) == expected)
        }
    }

    @Test(arguments: ["utf-8", "gb18030", "iso-2022-jp", "windows-1251", "utf-16be"])
    func charsetsAreSplitAnywhere(charset: String) {
        let bytes: [UInt8] = Array("a\u{E9}\u{1F600}".utf8) + [0x1B, 0x24, 0x42, 0x24, 0x22, 0xFF]
        func decode(_ split: Int) -> [UInt8] {
            var decoder = CharsetDecoder()
            var out: [UInt8] = []
            decoder.start(charset: charset.utf8)
            bytes[..<split].withUnsafeBytes { decoder.decode($0, to: &out) }
            bytes[split...].withUnsafeBytes { decoder.decode($0, to: &out) }
            decoder.finish(to: &out)
            return out
        }
        let whole = decode(bytes.count)
        #expect(String(validating: whole, as: UTF8.self) != nil)
        for split in 0..<bytes.count { #expect(decode(split) == whole) }
    }
}
