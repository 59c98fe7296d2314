import Platform
import SMTP
import Testing

@Suite struct LimitTests {
    static let opening = "HELO c\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<x@y.test>\r\n"

    @Test(arguments: [1, 7, 4_096, Int.max]) func commandLine(pieces: Int) {
        var limits = SMTPLimits()
        limits.commandLineMaxOctets = 100
        var peer = Peer(limits: limits)
        peer.send("NOOP " + String(repeating: "x", count: 93) + "\r\n", pieces: pieces)
        peer.send("NOOP " + String(repeating: "x", count: 94) + "\r\n", pieces: pieces)
        peer.send("NOOP " + String(repeating: "x", count: 9_999) + "\r\nNOOP\r\n", pieces: pieces)
        #expect(peer.codes == [220, 250, 500, 500, 250])
    }

    @Test func aThousandRecipientsAndNoMore() {
        var peer = Peer()
        peer.send("HELO c\r\nMAIL FROM:<>\r\n")
        for index in 0..<1_001 { peer.send("RCPT TO:<u\(index)@y.test>\r\n") }
        peer.send("DATA\r\n\r\n.\r\n")
        #expect(peer.codes.count { $0 == 452 } == 1)
        #expect(peer.messages.first?.envelope.recipients.count == 1_000)
    }

    @Test(arguments: [1, 5, Int.max]) func messageSize(pieces: Int) {
        var limits = SMTPLimits()
        limits.messageMaxOctets = 100
        var peer = Peer(limits: limits)
        let line = String(repeating: "y", count: 98) + "\r\n"
        peer.send(Self.opening + "DATA\r\n" + line + ".\r\n", pieces: pieces)
        peer.send(Self.opening.dropHello + "DATA\r\n" + "x" + line + ".\r\n", pieces: pieces)
        peer.send(Self.opening.dropHello + "BDAT 101 LAST\r\nx" + line, pieces: pieces)
        #expect(peer.codes.filter { $0 != 250 } == [220, 354, 354, 552, 552])
        #expect(peer.messages.count == 1 && peer.messages[0].bodyOctets == 100)
    }

    @Test(arguments: [(999, 250), (1_000, 250), (1_001, 554)]) func textLine(
        octets: Int, code: Int
    ) {
        var limits = SMTPLimits()
        limits.textLineMaxOctets = 1_000
        for pieces in [1, 400, Int.max] {
            var peer = Peer(limits: limits)
            let line = String(repeating: "x", count: octets - 2) + "\r\n"
            peer.send(Self.opening + "DATA\r\n" + line + ".\r\n", pieces: pieces)
            #expect(peer.codes.last == code)
        }
    }

    @Test(arguments: [(50, 250), (51, 554)]) func hops(count: Int, code: Int) {
        let fields = String(repeating: "rEceived: from x\r\n\tby y\r\n", count: count)
        let text =
            Self.opening + "DATA\r\nReceivedX: 1\r\n" + fields
            + "\r\nReceived: not a field\r\n.\r\n"
        for pieces in [1, 3, 100, Int.max] {
            var peer = Peer()
            peer.send(text, pieces: pieces)
            #expect(peer.codes.last == code)
            #expect(code != 250 || peer.messages.first?.hopCount == 50)
        }
    }

    @Test func errorsEndTheSession() {
        var peer = Peer()
        peer.send(String(repeating: "BOO\r\n", count: 30))
        #expect(peer.isClosed)
        #expect(peer.codes == [220] + Array(repeating: 500, count: 20) + [421])
    }

    @Test func harvestingEndsTheSession() {
        var peer = Peer()
        peer.send("HELO c\r\nMAIL FROM:<>\r\n")
        peer.send(String(repeating: "RCPT TO:<nobody@y.test>\r\n", count: 200))
        #expect(peer.isClosed)
        #expect(peer.codes.count { $0 == 550 } == 100 && peer.codes.last == 421)
    }

    @Test(arguments: ["NOOP", "RSET", "VRFY x", "HELO x", "HELP"])
    func commandsThatLeadNowhereEndTheSession(_ command: String) {
        var peer = Peer()
        peer.send(String(repeating: command + "\r\n", count: 150))
        #expect(peer.isClosed && peer.codes.count == 102 && peer.codes.last == 421)
    }

    @Test func messagesPerSession() {
        var limits = SMTPLimits()
        limits.messagesPerSessionMax = 2
        var peer = Peer(limits: limits)
        peer.send(Self.opening + "DATA\r\n.\r\n")
        for _ in 0..<2 { peer.send(Self.opening.dropHello + "DATA\r\n.\r\n") }
        #expect(peer.messages.count == 2 && peer.isClosed && peer.codes.last == 421)
    }

    @Test(arguments: [1, 1_000, 1 << 20], [false, true]) func largeMessagesAreSpooled(
        threshold: Int, isChunked: Bool
    ) {
        var limits = SMTPLimits()
        limits.spoolThresholdOctets = threshold
        let line = String(repeating: "z", count: 70) + "\r\n"
        let text = String(repeating: line, count: 100)
        var peer = Peer(limits: limits)
        if isChunked {
            peer.send(Self.opening + "BDAT 72\r\n" + line)
            peer.send("BDAT \(text.utf8.count) LAST\r\n" + text)
        } else {
            peer.send(Self.opening + "DATA\r\n" + line + text + ".\r\n")
        }
        let message = peer.messages[0]
        let whole = peer.spooled + message.content
        #expect(message.spooledOctets == peer.spooled.count)
        #expect((message.spooledOctets > 0) == (threshold < 1 << 20))
        #expect(whole[message.traceOctets...].elementsEqual((line + text).utf8))
    }

    @Test func fullDiskWhileSpooling() {
        var limits = SMTPLimits()
        limits.spoolThresholdOctets = 1_000
        var peer = Peer(limits: limits)
        peer.spoolDecision = .refuse(.diskFull)
        peer.send(Self.opening + "DATA\r\n" + String(repeating: "a\r\n", count: 2_000) + ".\r\n")
        peer.send("NOOP\r\n")
        #expect(Array(peer.codes.suffix(3)) == [354, 452, 250])
        #expect(peer.actions.last == "discard")
    }

    @Test func fullDiskAtTheBeginning() {
        var peer = Peer()
        peer.beginRefusal = .diskFull
        peer.send(Self.opening + "DATA\r\n" + Self.opening.dropHello + "BDAT 6 LAST\r\nQUIT\r\n")
        peer.send("NOOP\r\n")
        #expect(peer.codes == [220, 250, 250, 250, 452, 250, 250, 452, 250])
        #expect(!peer.actions.contains("discard"))
    }
}

extension String {
    fileprivate var dropHello: String {
        String(decoding: utf8.dropFirst(8), as: UTF8.self)
    }
}
