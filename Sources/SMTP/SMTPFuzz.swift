import Platform

/// A whole session driven by arbitrary octets.
///
/// The first octet sets the size of the pieces in which the rest is shown, the second sets limits
/// and decisions. Everything behind them is what the client says.
public enum SMTPFuzz {
    /// Runs one session and stops the process where a promise of the session is broken.
    public static func run(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count > 2 else { return }
        let piece = bytes[0] == 0 ? bytes.count : Int(bytes[0])
        var driver = SMTPFuzzDriver(choices: bytes[1])
        var position = 2
        while position < bytes.count, !driver.isClosed {
            let end = min(bytes.count, position + piece)
            driver.show(bytes.sub(position..<end))
            position = end
        }
        driver.checkReplies()
    }
}

/// An adapter that decides at once.
private struct SMTPFuzzDriver {
    private var session: SMTPServerSession
    private var replies: [UInt8] = []
    private var octetsShown = 0
    private var octetsHeld = 0
    private let choices: UInt8
    private let now = Now(
        wall: Instant(secondsSinceEpoch: 1_000_000_000), monotonic: MonotonicTime(nanoseconds: 0))
    private let limits: SMTPLimits
    private var isOpen = false
    var isClosed = false

    init(choices: UInt8) {
        var limits = SMTPLimits()
        limits.commandLineMaxOctets = 256
        limits.recipientsMax = 8
        limits.errorsMax = 1_000
        limits.idleCommandsMax = 1_000
        if choices & 1 != 0 { limits.spoolThresholdOctets = 600 }
        if choices & 2 != 0 { limits.messageMaxOctets = 400 }
        if choices & 4 != 0 { limits.textLineMaxOctets = 64 }
        self.limits = limits
        self.choices = choices
        session = SMTPServerSession(
            configuration: SMTPServerConfiguration(
                hostname: Array("mx.example.test".utf8), limits: limits,
                requiresTLS: choices & 8 != 0),
            client: SMTPClient(address: Array("192.0.2.1".utf8)))
        session.open(now: now, into: &replies)
    }

    mutating func show(_ bytes: UnsafeRawBufferPointer) {
        octetsShown += bytes.count
        var position = 0
        while !isClosed {
            let rest = bytes.sub(position..<bytes.count)
            let progress = session.receive(rest, now: now, into: &replies)
            precondition((0...rest.count).contains(progress.consumed))
            position += progress.consumed
            precondition(
                session.content.capacity <= 4 * (limits.spoolThresholdOctets + 4_096)
                    && session.partialLine.count < limits.commandLineMaxOctets
                    && (session.envelope?.recipients.count ?? 0) <= limits.recipientsMax,
                "a buffer grew beyond its limit")
            if progress.action == .needInput {
                precondition(position == bytes.count, "input was left")
                return
            }
            decide(progress.action)
        }
    }

    private mutating func decide(_ action: SMTPServerAction) {
        switch action {
        case .needInput, .waiting:
            preconditionFailure("nothing is to be waited for")
        case .checkSender(let path):
            precondition(!isOpen, "MAIL was taken from within a message")
            let isRefused = choices & 16 != 0 && path.bytes.count % 5 == 4
            session.resume(
                sender: isRefused ? .refuse(.policyRefusal) : .accept, now: now, into: &replies)
        case .checkRecipient(let path):
            precondition(!isOpen && !path.isNull, "RCPT was taken from within a message")
            let isRefused = path.bytes.count % 5 == 4
            session.resume(
                recipient: isRefused ? .refuse(.unknownUser) : .accept(route: 7), now: now,
                into: &replies)
        case .beginMessage:
            precondition(!isOpen && session.envelope?.recipients.isEmpty == false)
            if choices & 32 != 0 {
                session.resume(begin: .refuse(.diskFull), now: now, into: &replies)
            } else {
                isOpen = true
                octetsHeld = 0
                session.resume(begin: .accept(id: [0x31]), now: now, into: &replies)
            }
        case .spool:
            let taken = session.takeSpool()
            octetsHeld += taken.count
            session.resume(
                spool: choices & 64 != 0 ? .refuse(.diskFull) : .accept, recycling: taken,
                now: now)
        case .messageComplete:
            complete()
        case .messageDiscarded:
            precondition(isOpen, "what never began cannot be discarded")
            isOpen = false
        case .startTLS:
            session.tlsEstablished(SMTPTLS(version: Array("TLS1_3".utf8)), now: now)
            precondition(session.hello.isEmpty && session.envelope == nil)
        case .close:
            isClosed = true
        }
    }

    private mutating func complete() {
        precondition(isOpen, "what never began cannot be complete")
        isOpen = false
        let message = session.takeMessage()
        precondition(message.spooledOctets == octetsHeld)
        precondition(
            message.traceOctets + message.bodyOctets == message.content.count + octetsHeld)
        precondition(message.bodyOctets <= limits.messageMaxOctets)
        precondition(message.bodyOctets <= octetsShown)
        if message.spooledOctets == 0 { checkLines(message.content) }
        session.resume(
            message: choices & 128 != 0 ? .refuse(.localError) : .accept,
            recycling: message.content, now: now, into: &replies)
    }

    /// What was accepted has no CR without LF, no LF without CR, and no NUL.
    private func checkLines(_ content: [UInt8]) {
        for (index, byte) in content.enumerated() {
            switch byte {
            case Byte.lf: precondition(index > 0 && content[index - 1] == Byte.cr, "bare LF")
            case Byte.cr:
                precondition(
                    index + 1 < content.count && content[index + 1] == Byte.lf, "bare CR")
            default: precondition(byte != Byte.nul, "NUL")
            }
        }
    }

    /// Replies are lines of three digits, a separator and printable text, and a client reads them.
    func checkReplies() {
        var parser = SMTPReplyParser()
        replies.withUnsafeBytes { bytes in
            var position = 0
            while position < bytes.count {
                guard let read = try? parser.receive(bytes.sub(position..<bytes.count)),
                    read.reply != nil
                else { preconditionFailure("a reply is malformed") }
                position += read.consumed
            }
        }
    }
}
