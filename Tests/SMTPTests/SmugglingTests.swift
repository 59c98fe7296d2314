import SMTP
import Testing

/// No sequence but CRLF.CRLF ends DATA. Each of these was taken for an end by some server.
@Suite struct SmugglingTests {
    static let falseEnds = [
        "\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r.\r\n", "\n.\r", "\r.\n", "\n.\n\n",
        "\r\n\0.\r\n", "\r\n.\0\r\n", "\n\n.\r\n", "\r\r.\r\r", "\r\n.\r\r\n", "\r\n.\r\r",
        "\0.\r\n",
        "\r\n.\n\r\n", "\r\r\n.\r\r\n", "\n\r.\n\r", "\r\n \r.\r\n", "\r\n.\r.\r\n", "\r\n.\u{b}\n",
        "\r\n.\r\0\n", "\n.\r\r\n",
    ]
    static let prefix =
        "EHLO c\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<x@y.test>\r\nDATA\r\nSubject: s\r\n\r\nfirst"
    static let smuggled =
        "MAIL FROM:<evil@b.test>\r\nRCPT TO:<victim@y.test>\r\nDATA\r\nevil\r\n"

    @Test(arguments: falseEnds) func falseEndDoesNotEndTheMessage(_ end: String) {
        let text = Self.prefix + end + Self.smuggled + ".\r\nNOOP\r\n"
        let bytes = Array(text.utf8)
        for split in 0...bytes.count {
            var peer = Peer()
            peer.send(Array(bytes[..<split]))
            peer.send(Array(bytes[split...]))
            #expect(
                peer.actions
                    == ["sender <a@b.test>", "recipient <x@y.test>", "begin", "discard"])
            #expect(peer.codes == [220, 250, 250, 250, 354, 554, 250])
            #expect(peer.messages.isEmpty)
        }
        var trickle = Peer()
        trickle.send(bytes, pieces: 1)
        #expect(trickle.codes == [220, 250, 250, 250, 354, 554, 250])
    }

    /// What only looks odd is content, and is kept octet by octet.
    @Test(arguments: [
        "\r\n..\r\n", "\r\n.a\r\n", "\r\n. \r\n", "\r\n.\u{b}\r\n", ".\r\n", "\r\n ..\r\n",
    ])
    func oddLinesAreContent(_ line: String) {
        let text = Self.prefix + line + Self.smuggled + ".\r\nNOOP\r\n"
        let expected =
            "Subject: s\r\n\r\nfirst" + line.replacingDot + Self.smuggled
        let bytes = Array(text.utf8)
        for split in 0...bytes.count {
            var peer = Peer()
            peer.send(Array(bytes[..<split]))
            peer.send(Array(bytes[split...]))
            #expect(peer.bodies == [expected])
            #expect(peer.codes == [220, 250, 250, 250, 354, 250, 250])
        }
    }

    @Test func theTrueEndEndsTheMessage() {
        var peer = Peer()
        peer.send(Self.prefix + "\r\n.\r\n" + Self.smuggled + ".\r\n")
        #expect(peer.messages.count == 2)
    }

    @Test func bareLineFeedIsNamed() {
        var peer = Peer()
        peer.send(Self.prefix + "\n\r\n.\r\n")
        #expect(String(decoding: peer.replies, as: UTF8.self).contains("554 5.6.0 Bare LF"))
    }

    @Test func nothingBehindSTARTTLSIsTaken() {
        var peer = Peer()
        peer.send("EHLO c\r\nSTARTTLS\r\nMAIL FROM:<evil@b.test>\r\n")
        #expect(peer.isClosed && peer.actions.isEmpty)
        #expect(peer.codes == [220, 250, 503])
    }

    @Test func nothingSaidBeforeTLSIsRemembered() {
        var peer = Peer()
        peer.send("EHLO c\r\n")
        peer.send("STARTTLS\r\n")
        #expect(peer.actions == ["tls"])
        peer.send("MAIL FROM:<a@b.test>\r\nEHLO c\r\n")
        peer.send("STARTTLS\r\n")
        #expect(peer.codes == [220, 250, 220, 503, 250, 503])
        let last = String(decoding: peer.replies, as: UTF8.self).split(separator: "250-mx.test")
        #expect(last.count == 3 && !last[2].contains("250 STARTTLS"))
    }
}

extension String {
    /// Dot-unstuffing by the book, for lines that start with CRLF.
    fileprivate var replacingDot: String {
        guard utf8.starts(with: "\r\n.".utf8) else { return self }
        return "\r\n" + String(decoding: utf8.dropFirst(3), as: UTF8.self)
    }
}
