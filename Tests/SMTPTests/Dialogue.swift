import Platform
import SMTP
import Testing

/// An adapter for tests: it plays what a client sends, in pieces of any size, and keeps what it saw.
struct Peer {
    var session: SMTPServerSession
    var replies: [UInt8] = []
    var messages: [SMTPReceivedMessage] = []
    var actions: [String] = []
    var spooled: [UInt8] = []
    var isClosed = false
    var now = Now(
        wall: Instant(secondsSinceEpoch: 1_000_000_000), monotonic: MonotonicTime(nanoseconds: 0))
    var spoolDecision = SMTPSpoolDecision.accept
    var beginRefusal: SMTPReply?
    /// Octets that were left when the session wanted TLS or closed.
    var dropped = 0

    init(
        limits: SMTPLimits = SMTPLimits(), offersTLS: Bool = true, requiresTLS: Bool = false,
        tls: SMTPTLS? = nil
    ) {
        session = SMTPServerSession(
            configuration: SMTPServerConfiguration(
                hostname: Array("mx.test".utf8), limits: limits, offersTLS: offersTLS,
                requiresTLS: requiresTLS),
            client: SMTPClient(address: Array("192.0.2.1".utf8)), tls: tls)
        session.open(now: now, into: &replies)
    }

    mutating func send(_ text: String, pieces: Int = .max) {
        send(Array(text.utf8), pieces: pieces)
    }

    mutating func send(_ bytes: [UInt8], pieces: Int = .max) {
        var position = 0
        while position < bytes.count, !isClosed {
            let end = pieces < bytes.count - position ? position + pieces : bytes.count
            show(Array(bytes[position..<end]))
            position = end
        }
    }

    /// The server stops, and nothing more has come.
    mutating func shutDown() {
        session.beginShutdown()
        show([])
    }

    private mutating func show(_ bytes: [UInt8]) {
        var position = 0
        while !isClosed {
            let progress = bytes.withUnsafeBytes {
                session.receive(
                    UnsafeRawBufferPointer(rebasing: $0[position...]), now: now, into: &replies)
            }
            position += progress.consumed
            if progress.action == .needInput { return }
            decide(progress.action)
        }
    }

    private mutating func decide(_ action: SMTPServerAction) {
        switch action {
        case .needInput: break
        case .waiting: Issue.record("the session waits for a decision that was given")
        case .checkSender(let path):
            actions.append("sender \(path)")
            let text = String(decoding: path.localPart, as: UTF8.self)
            session.resume(
                sender: text == "banned" ? .refuse(.policyRefusal) : .accept, now: now,
                into: &replies)
        case .checkRecipient(let path):
            actions.append("recipient \(path)")
            session.resume(recipient: Self.route(path), now: now, into: &replies)
        case .beginMessage:
            actions.append("begin")
            session.resume(
                begin: beginRefusal.map { .refuse($0) } ?? .accept(id: Array("ID1".utf8)),
                now: now, into: &replies)
        case .spool:
            let bytes = session.takeSpool()
            spooled += bytes
            session.resume(spool: spoolDecision, recycling: bytes, now: now)
        case .messageComplete:
            actions.append("complete")
            messages.append(session.takeMessage())
            session.resume(message: .accept, now: now, into: &replies)
        case .messageDiscarded:
            actions.append("discard")
            spooled = []
        case .startTLS:
            actions.append("tls")
            session.tlsEstablished(
                SMTPTLS(
                    version: Array("TLS1_3".utf8), cipher: Array("TLS_AES_256_GCM_SHA384".utf8)),
                now: now)
        case .close:
            isClosed = true
        }
    }

    private static func route(_ path: SMTPPath) -> SMTPRecipientDecision {
        switch String(decoding: path.localPart, as: UTF8.self) {
        case "nobody": .refuse(.unknownUser)
        case "full": .refuse(.mailboxFull)
        case "far": .refuse(.relayDenied)
        default: .accept(route: UInt64(path.bytes.count))
        }
    }

    /// The messages as they came, without trace fields.
    var bodies: [String] {
        messages.map { String(decoding: $0.content[$0.traceOctets...], as: UTF8.self) }
    }

    /// The replies' codes in order, lines of one reply once.
    var codes: [Int] {
        var parser = SMTPReplyParser()
        var out: [Int] = []
        replies.withUnsafeBytes { bytes in
            var position = 0
            while position < bytes.count {
                guard
                    let read = try? parser.receive(
                        UnsafeRawBufferPointer(rebasing: bytes[position...])),
                    let reply = read.reply
                else {
                    Issue.record("malformed reply")
                    return
                }
                out.append(Int(reply.code))
                position += read.consumed
            }
        }
        return out
    }
}

/// A conversation as text: `C:` is what the client sends, `S:` how the reply begins. In what the
/// client sends, `\r`, `\n`, `\0` and `\\` are escapes; every line ends with CRLF by itself,
/// unless it ends with `\c`.
struct Dialogue {
    var client: [[UInt8]] = []
    var server: [String] = []

    init(_ script: String) {
        for line in script.split(separator: "\n") {
            if line.hasPrefix("C: ") {
                client.append(Self.unescape(line.dropFirst(3)))
            } else if line.hasPrefix("S: ") {
                server.append(String(line.dropFirst(3)))
            } else {
                Issue.record("neither C: nor S: in \(line)")
            }
        }
    }

    private static func unescape(_ text: Substring) -> [UInt8] {
        var out: [UInt8] = []
        var bytes = Array(text.utf8)[...]
        while let byte = bytes.popFirst() {
            guard byte == UInt8(ascii: "\\") else {
                out.append(byte)
                continue
            }
            switch bytes.popFirst() {
            case UInt8(ascii: "r"): out.append(13)
            case UInt8(ascii: "n"): out.append(10)
            case UInt8(ascii: "0"): out.append(0)
            case UInt8(ascii: "c"): return out
            default: out.append(UInt8(ascii: "\\"))
            }
        }
        return out + [13, 10]
    }

    /// Plays it with the greeting expected first, in pieces, and compares all replies' lines.
    func play(on peer: inout Peer, pieces: Int = .max) {
        peer.send(Array(client.joined()), pieces: pieces)
        let lines = String(decoding: peer.replies, as: UTF8.self)
            .split(separator: "\r\n").map(String.init)
        #expect(lines.count == server.count, "\(lines)")
        for (line, expected) in zip(lines, server) {
            #expect(line.hasPrefix(expected), "\(line) does not begin with \(expected)")
        }
    }
}
