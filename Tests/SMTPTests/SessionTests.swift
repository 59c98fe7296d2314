import Platform
import SMTP
import Testing

@Suite struct SessionTests {
    let now = Now(
        wall: Instant(secondsSinceEpoch: 1_000_000_000), monotonic: MonotonicTime(nanoseconds: 0))

    private func receive(
        _ session: inout SMTPServerSession, _ text: String, at seconds: Int64 = 0
    ) -> SMTPProgress {
        var replies: [UInt8] = []
        var now = now
        now.monotonic = MonotonicTime(nanoseconds: seconds * 1_000_000_000)
        return Array(text.utf8).withUnsafeBytes {
            session.receive($0, now: now, into: &replies)
        }
    }

    @Test func consumesNothingWhileADecisionIsAwaited() throws {
        var session = Peer().session
        var replies: [UInt8] = []
        #expect(
            receive(&session, "HELO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<x@y>\r\n")
                == SMTPProgress(consumed: 25, action: .checkSender(try #require(SMTPPath("<a@b>"))))
        )
        #expect(
            receive(&session, "RCPT TO:<x@y>\r\n") == SMTPProgress(consumed: 0, action: .waiting))
        #expect(session.deadline == nil)
        session.resume(sender: .accept, now: now, into: &replies)
        #expect(
            receive(&session, "RCPT TO:<x@y>\r\nDATA\r\n")
                == SMTPProgress(
                    consumed: 15, action: .checkRecipient(try #require(SMTPPath("<x@y>")))))
        session.resume(recipient: .accept(route: 1), now: now, into: &replies)
        #expect(
            receive(&session, "DATA\r\nA") == SMTPProgress(consumed: 6, action: .beginMessage))
        session.resume(begin: .accept(id: [65]), now: now, into: &replies)
        #expect(
            receive(&session, "A\r\n.\r\nQUIT\r\n")
                == SMTPProgress(consumed: 6, action: .messageComplete))
        #expect(receive(&session, "QUIT\r\n") == SMTPProgress(consumed: 0, action: .waiting))
        _ = session.takeMessage()
        session.resume(message: .refuse(.localError), now: now, into: &replies)
        #expect(receive(&session, "QUIT\r\nX") == SMTPProgress(consumed: 7, action: .close))
        #expect(
            replies.suffix(SMTPReply.localError.wire.count).elementsEqual(SMTPReply.localError.wire)
        )
    }

    @Test func deadlinesFollowTheState() {
        var session = Peer().session
        func seconds() -> Int64? { session.deadline.map { $0.nanoseconds / 1_000_000_000 } }
        _ = receive(&session, "NOOP\r\n", at: 10)
        #expect(seconds() == 310)
        _ = receive(&session, "NOO", at: 100)
        #expect(seconds() == 310)
        var replies: [UInt8] = []
        _ = receive(&session, "P\r\nHELO c\r\nMAIL FROM:<>\r\n", at: 200)
        session.resume(sender: .accept, now: now, into: &replies)
        _ = receive(&session, "RCPT TO:<x@y>\r\n", at: 200)
        session.resume(recipient: .accept(route: 0), now: now, into: &replies)
        _ = receive(&session, "DATA\r\n", at: 200)
        session.resume(begin: .accept(id: [65]), now: now, into: &replies)
        _ = receive(&session, "x", at: 1_000)
        #expect(seconds() == 1_180)
        _ = receive(&session, "x", at: 3_599)
        #expect(seconds() == 3_600)
        session.timedOut(into: &replies)
        #expect(receive(&session, "x").action == .messageDiscarded)
        #expect(receive(&session, "").action == .close)
    }

    @Test func shutdownLetsAMessageThatIsThereEnd() {
        var peer = Peer()
        peer.send("HELO c\r\nMAIL FROM:<>\r\nRCPT TO:<x@y>\r\nDATA\r\nx\r\n")
        peer.session.beginShutdown()
        peer.send(".\r\nMAIL FROM:<>\r\n")
        #expect(peer.codes == [220, 250, 250, 250, 354, 250, 421])
        #expect(peer.isClosed && peer.messages.count == 1)
    }

    @Test(arguments: [
        "", "NOO", "EHLO c\r\n", "NOOP\n",
        "EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<x@y>\r\nDATA\r\nx\r\n.",
        "EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<x@y>\r\nBDAT 10\r\nabc",
        "EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<x@y>\r\nBDAT 3\r\nabc", "EHLO c\r\nBDAT 9\r\nx",
    ])
    func shutdownDoesNotWaitForTheClient(said: String) {
        var peer = Peer()
        peer.send(said)
        peer.shutDown()
        #expect(peer.codes.last == 421)
        #expect(peer.isClosed && peer.messages.isEmpty)
    }

    @Test func mailWithoutTLSIsRefusedWhereItIsRequired() {
        var peer = Peer(requiresTLS: true)
        peer.send("NOOP\r\nEHLO c\r\nMAIL FROM:<>\r\nBDAT 6 LAST\r\nQUIT\r\nVRFY x\r\n")
        #expect(peer.codes == [220, 250, 250, 530, 530, 530])
        peer.send("STARTTLS\r\n")
        peer.send("EHLO c\r\nMAIL FROM:<>\r\n")
        #expect(Array(peer.codes.suffix(3)) == [220, 250, 250])
    }

    @Test func noTLSWhereThereIsNone() {
        var peer = Peer(offersTLS: false)
        peer.send("EHLO c\r\nSTARTTLS\r\n")
        #expect(peer.codes == [220, 250, 502])
        #expect(!String(decoding: peer.replies, as: UTF8.self).contains("STARTTLS"))
    }

    @Test(arguments: [
        ("<a@b.test>", "<a@b.test>"), ("<\"alice\"@b.test>", "<alice@b.test>"),
        ("<\"a b\"@b.test>", "<\"a b\"@b.test>"), ("<\"a\\\"b\"@c>", "<\"a\\\"b\"@c>"),
        ("<@x.test,@y.test:a@b>", "<a@b>"), ("<Postmaster>", "<Postmaster>"), ("<>", "<>"),
        ("<a@[192.0.2.1]>", "<a@[192.0.2.1]>"),
        ("<a@[IPv6:2001:db8::1]>", "<a@[IPv6:2001:db8::1]>"),
        ("<a@[IPv6:::ffff:192.0.2.1]>", "<a@[IPv6:::ffff:192.0.2.1]>"),
        ("<a..b@c>", "<\"a..b\"@c>"), ("<a+tag@c_d.test>", "<a+tag@c_d.test>"),
        ("<\"a@b\"@c>", "<\"a@b\"@c>"), ("<jürgen@exämple.test>", "<jürgen@exämple.test>"),
    ])
    func pathsAreReadAndWritten(_ text: String, _ canonical: String) throws {
        #expect(try #require(SMTPPath(text)).description == canonical)
    }

    @Test(arguments: [
        "<a@[1.2.3]>", "<a@[IPv6:1:2:3:4:5:6:7:8:9]>", "<a@[IPv6::]>", "<a@[x]>", "<a@b.>", "<a@",
        "<\"a\\", "<\"\"@b>", "<a@-é\u{0}>", "<a>", "<@a:>", "<a@b>>",
    ])
    func badPathsAreRefused(_ text: String) {
        #expect(SMTPPath(text) == nil)
    }

    @Test func pathsThatAreNotUTF8AreRefused() {
        var peer = Peer()
        peer.send(Array("EHLO c\r\nMAIL FROM:<a".utf8) + [0xFF] + Array("@b> SMTPUTF8\r\n".utf8))
        #expect(peer.codes.last == 501)
    }

    @Test func labelsAndPartsHaveTheirLength() {
        let label = String(repeating: "a", count: 63)
        #expect(SMTPPath("<a@\(label).\(label)>") != nil && SMTPPath("<a@\(label)a>") == nil)
        #expect(SMTPPath("<\(String(repeating: "l", count: 255))@b>") != nil)
        #expect(SMTPPath("<\(String(repeating: "l", count: 256))@b>") == nil)
        let domain = [label, label, label, label].joined(separator: ".")
        #expect(SMTPPath("<a@\(domain)>") != nil && SMTPPath("<a@\(domain).b>") == nil)
    }
}
