import Platform
import SMTP
import Testing

@Suite struct TraceTests {
    private func trace(_ peer: Peer) -> String {
        String(decoding: peer.messages[0].content[..<peer.messages[0].traceOctets], as: UTF8.self)
    }

    @Test func plain() {
        var peer = Peer()
        peer.send(
            "EHLO client.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<x@y.test>\r\nDATA\r\nhi\r\n.\r\n")
        #expect(
            trace(peer) == """
                Return-Path: <a@b.test>\r
                Received: from client.test ([192.0.2.1])\r
                \tby mx.test with ESMTP\r
                \tid ID1\r
                \tfor <x@y.test>;\r
                \tSun, 09 Sep 2001 01:46:40 +0000\r

                """)
        #expect(peer.bodies == ["hi\r\n"])
    }

    @Test func overTLSToSeveralInUTF8() {
        var peer = Peer()
        peer.send("EHLO c\r\n")
        peer.send("STARTTLS\r\n")
        peer.send(
            "EHLO c\r\nMAIL FROM:<> SMTPUTF8\r\nRCPT TO:<x@y.test>\r\nRCPT TO:<z@y.test>\r\n"
                + "BDAT 0 LAST\r\n")
        #expect(
            trace(peer) == """
                Return-Path: <>\r
                Received: from c ([192.0.2.1])\r
                \tby mx.test with UTF8SMTPS\r
                \t(version=TLS1_3 cipher=TLS_AES_256_GCM_SHA384)\r
                \tid ID1\r
                \ttls TLS_AES_256_GCM_SHA384;\r
                \tSun, 09 Sep 2001 01:46:40 +0000\r

                """)
    }

    @Test func withHELO() {
        var peer = Peer()
        peer.send("HELO c\r\nMAIL FROM:<>\r\nRCPT TO:<x@y.test>\r\nDATA\r\n.\r\n")
        #expect(trace(peer).contains("by mx.test with SMTP\r\n"))
        #expect(peer.bodies == [""])
    }
}

@Suite struct ReplyTests {
    @Test func textCannotBreakTheLine() {
        let reply = SMTPReply(550, SMTPEnhancedStatus(5, 7, 1), "a\r\n250 b" + "\u{e9}")
        #expect(String(decoding: reply.wire, as: UTF8.self) == "550 5.7.1 a??250 b??\r\n")
        #expect(SMTPReply(550, nil, String(repeating: "x", count: 999)).wire.count == 512)
    }

    @Test func clientReadsRepliesSplitAnywhere() throws {
        let bytes = Array("250-a\r\n250 b c\r\n354\r\n".utf8)
        for split in 0...bytes.count {
            var parser = SMTPReplyParser()
            var seen: [SMTPReplyParser.Reply] = []
            for part in [bytes[..<split], bytes[split...]] {
                var rest = part
                while !rest.isEmpty {
                    let read = try rest.withUnsafeBytes { try parser.receive($0) }
                    rest = rest.dropFirst(read.consumed)
                    if let reply = read.reply { seen.append(reply) }
                }
            }
            #expect(
                seen == [
                    .init(code: 250, lines: [Array("a".utf8), Array("b c".utf8)]),
                    .init(code: 354, lines: [[]]),
                ])
        }
    }

    @Test(arguments: [
        ("250-a\r\n251 b\r\n", SMTPReplyParser.Fault.codesDiffer), ("25 a\r\n", .malformed),
        ("650 a\r\n", .malformed), ("250_a\r\n", .malformed), ("250 a\n", .bareLineFeed),
        ("250 " + String(repeating: "a", count: 3_000), .tooLong),
        (String(repeating: "250-a\r\n", count: 200), .tooLong),
    ])
    func clientRefuses(_ text: String, _ fault: SMTPReplyParser.Fault) {
        var parser = SMTPReplyParser()
        #expect(throws: fault) {
            try Array(text.utf8).withUnsafeBytes { bytes in
                _ = try parser.receive(bytes)
            }
        }
    }
}

@Suite struct FuzzSmokeTests {
    /// A fixed sequence of cuts and pastes of plausible input; the session's promises are
    /// preconditions inside.
    @Test func sessionsHoldTheirPromises() {
        let words = [
            "EHLO c\r\n", "MAIL FROM:<a@b> SIZE=9\r\n", "RCPT TO:<x@y>\r\n", "DATA\r\n", ".\r\n",
            "\r\n.\r\n", "\n.\r\n", "BDAT 5\r\nab\r\nc", "BDAT 9 LAST\r\n", "RSET\r\n", "\0", "\r",
            "Received: x\r\n", "STARTTLS\r\n", "é", "QUIT\r\n", "..", "BDAT 0 LAST\r\n",
            "NOOP x\r\n",
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        ].map { Array($0.utf8) }
        var state: UInt64 = 1
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(bound))
        }
        for _ in 0..<600 {
            var input: [UInt8] = [UInt8(next(20)), UInt8(next(256))]
            input += words[0] + words[1] + words[2] + (next(2) == 0 ? words[3] : [])
            for _ in 0..<next(24) { input += words[next(words.count)] }
            if next(4) == 0 { input[2 + next(input.count - 2)] = UInt8(next(256)) }
            input.withUnsafeBytes { SMTPFuzz.run($0) }
        }
    }
}
