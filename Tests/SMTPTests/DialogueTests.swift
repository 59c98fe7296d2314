import SMTP
import Testing

/// Conversations, one behaviour each; every one is played whole and split at every octet.
@Suite struct DialogueTests {
    @Test(arguments: Conversations.all) func conversation(_ script: Conversation) {
        let dialogue = Dialogue(script.text)
        var whole = Peer()
        dialogue.play(on: &whole)
        let octets = dialogue.client.joined().count
        for pieces in [1, 2, 3, 7] {
            var cut = Peer()
            dialogue.play(on: &cut, pieces: pieces)
            #expect(cut.actions == whole.actions && cut.messages == whole.messages)
        }
        let all = Array(dialogue.client.joined())
        for split in 0..<octets {
            var cut = Peer()
            cut.send(Array(all[..<split]))
            cut.send(Array(all[split...]))
            #expect(cut.replies == whole.replies, "split at \(split)")
            #expect(cut.messages == whole.messages, "split at \(split)")
        }
    }

    @Test func replyToEHLONamesEveryExtension() {
        var peer = Peer()
        peer.send("EHLO client.test\r\n")
        #expect(
            String(decoding: peer.replies, as: UTF8.self) == """
                220 mx.test ESMTP Twinpost\r
                250-mx.test\r
                250-PIPELINING\r
                250-SIZE 52428800\r
                250-8BITMIME\r
                250-SMTPUTF8\r
                250-CHUNKING\r
                250-ENHANCEDSTATUSCODES\r
                250-LIMITS MAILMAX=100000 RCPTMAX=1000\r
                250 STARTTLS\r

                """)
    }

    @Test func envelopeHoldsWhatWasDecided() throws {
        var peer = Peer()
        peer.send(
            "EHLO c\r\nMAIL FROM:<a@b.test> SIZE=12 BODY=8BITMIME SMTPUTF8\r\n"
                + "RCPT TO:<x@y.test>\r\nRCPT TO:<nobody@y.test>\r\nRCPT TO:<zz@y.test>\r\n"
                + "DATA\r\nA: é\r\n\r\n.\r\n")
        let message = try #require(peer.messages.first)
        #expect(message.envelope.reversePath == SMTPPath("<a@b.test>"))
        #expect(message.envelope.recipients.map(\.route) == [8, 9])
        #expect(message.envelope.isSMTPUTF8 && message.envelope.is8BitMIME)
        #expect(message.envelope.declaredOctets == 12)
        #expect(message.has8Bit && message.bodyOctets == 9 && message.hopCount == 0)
        #expect(message.id == Array("ID1".utf8))
    }
}

struct Conversation: CustomTestStringConvertible, Sendable {
    var name: String
    var text: String
    var testDescription: String { name }

    init(_ name: String, _ text: String) {
        self.name = name
        self.text = text
    }
}
