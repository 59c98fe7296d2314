import Platform

/// The server's side of one SMTP connection (RFC 5321), without any I/O.
///
/// The adapter shows what it has read to `receive`, which consumes what it can, appends replies, and
/// names one thing to do. It calls again with the rest until it is told `needInput`, `waiting` or
/// `close`. Decisions come back by `resume`, at once or later; until then nothing is consumed, and
/// that is the back-pressure. Replies are to be flushed when input is exhausted (RFC 2920 §3.2).
///
/// Framing is strict: only CRLF ends a line. Memory is bounded by a command line, the recipients and
/// `spoolThresholdOctets`.
public struct SMTPServerSession: Sendable {
    /// What the session waits for. A state holds only what is legal in it.
    enum State {
        /// A command line.
        case command
        /// The rest of a line that was refused; whether the last octet was a CR.
        case refusedLine(endsInCR: Bool)
        /// The octets of a message.
        case body
        /// The octets of a BDAT that was refused.
        case swallow(remaining: Int, isLast: Bool)
        case awaitingSender
        case awaitingRecipient
        /// The octets of the chunk that began the message, or nil for DATA.
        case awaitingBegin(chunk: Int?)
        case awaitingSpool
        case awaitingMessage
        case awaitingTLS
        case closing
    }

    public let configuration: SMTPServerConfiguration
    public let client: SMTPClient
    /// The TLS of the connection, if there is any.
    public internal(set) var tls: SMTPTLS?
    /// What the client called itself; empty before HELO or EHLO.
    public internal(set) var hello: [UInt8] = []
    /// Whether the client said EHLO.
    public internal(set) var isExtended = false
    /// The transaction that is open.
    public internal(set) var envelope: SMTPEnvelope?
    /// Messages that were accepted.
    public internal(set) var messageCount = 0

    var state = State.command
    /// An unfinished command line.
    var partialLine: [UInt8] = []
    /// The path that a decision is awaited for.
    var candidate = SMTPPath.null
    /// Recipients of this transaction that were refused.
    var refusedInTransaction = 0
    var refusedRecipients = 0
    var errors = 0
    var idleCommands = 0
    var transactions = 0
    var isDraining = false

    /// Whether the adapter holds a message that is not whole.
    var hasBegun = false
    var body: SMTPBodyReader?
    var content: [UInt8] = []
    var messageID: [UInt8] = []
    /// Octets of the trace fields in front of the message at hand.
    public internal(set) var traceOctets = 0
    var spooledOctets = 0
    /// What is left of the chunk, and whether it is the last. Without meaning for DATA.
    var chunkRemaining = 0
    var chunkIsLast = false
    var isChunked = false
    /// BDAT was answered with an error (RFC 3030 §2): nothing but RSET helps.
    var chunkFailed = false
    /// The reply to a BDAT whose octets are being dropped, or to a message that cannot be spooled.
    var heldReply: SMTPReply?

    var lastCommand = MonotonicTime(nanoseconds: 0)
    var lastData = MonotonicTime(nanoseconds: 0)
    var messageStart = MonotonicTime(nanoseconds: 0)

    /// - Parameter tls: the TLS that was there before the first octet (implicit TLS).
    public init(
        configuration: SMTPServerConfiguration, client: SMTPClient, tls: SMTPTLS? = nil
    ) {
        self.configuration = configuration
        self.client = client
        self.tls = tls
    }

    /// Appends the greeting. To be called once, first.
    public mutating func open(now: Now, into replies: inout [UInt8]) {
        lastCommand = now.monotonic
        replies.append(contentsOf: configuration.greeting)
    }

    /// Appends a refusal in place of the greeting and closes.
    public mutating func refuseConnection(_ reply: SMTPReply, into replies: inout [UInt8]) {
        replies.append(contentsOf: reply.wire)
        state = .closing
    }

    /// Consumes what it can of `bytes` and says what to do next.
    public mutating func receive(
        _ bytes: UnsafeRawBufferPointer, now: Now, into replies: inout [UInt8]
    ) -> SMTPProgress {
        var position = 0
        while true {
            let action: SMTPServerAction?
            switch state {
            case .command:
                action = nextCommand(bytes, &position, now, &replies)
            case .refusedLine(let endsInCR):
                action = skipLine(bytes, &position, endsInCR: endsInCR)
            case .body:
                action = nextBody(bytes, &position, now, &replies)
            case .swallow(let remaining, let isLast):
                action = swallow(bytes, &position, remaining, isLast, now, &replies)
            case .closing:
                position = bytes.count
                // The adapter learns first that what it holds of a message is void.
                action = hasBegun ? .messageDiscarded : .close
                if hasBegun { resetTransaction() }
            case .awaitingTLS where isDraining:
                // During a handshake nothing can be said any more.
                state = .closing
                action = nil
            case .awaitingSender, .awaitingRecipient, .awaitingBegin, .awaitingSpool,
                .awaitingMessage, .awaitingTLS:
                action = .waiting
            }
            if isDraining, case .needInput? = action {
                end(with: .shuttingDown, &replies)
                continue
            }
            if let action { return SMTPProgress(consumed: position, action: action) }
        }
    }

    /// When to call `timedOut`, unless more comes. Nil while the next move is ours.
    public var deadline: MonotonicTime? {
        let timeouts = configuration.limits.timeouts
        switch state {
        case .command, .refusedLine, .awaitingTLS:
            return lastCommand.advanced(by: timeouts.serverCommand)
        case .body, .swallow:
            return min(
                lastData.advanced(by: timeouts.serverDataBlock),
                messageStart.advanced(by: timeouts.serverMessage))
        case .awaitingSender, .awaitingRecipient, .awaitingBegin, .awaitingSpool,
            .awaitingMessage, .closing:
            return nil
        }
    }

    /// The deadline has passed: 421, and `receive` will say `close`.
    public mutating func timedOut(into replies: inout [UInt8]) {
        // During a handshake nothing can be said any more.
        if case .awaitingTLS = state {} else { replies.append(contentsOf: SMTPReply.timeout.wire) }
        state = .closing
    }

    /// The server stops: 421 as soon as the session would wait for its client, in the middle of a
    /// message too (RFC 5321 §3.8). A message that came whole is still stored and answered. Call
    /// `receive` after it, if need be with no input.
    public mutating func beginShutdown() { isDraining = true }

    /// The handshake is done: everything that was said before it is forgotten (RFC 3207 §4.2).
    public mutating func tlsEstablished(_ tls: SMTPTLS, now: Now) {
        guard case .awaitingTLS = state else { preconditionFailure("no handshake is awaited") }
        self.tls = tls
        hello = []
        isExtended = false
        resetTransaction()
        state = .command
        lastCommand = now.monotonic
    }

    // MARK: The ways out of a step

    /// Appends a reply that is no fault of the client's.
    mutating func reply(_ reply: SMTPReply, _ replies: inout [UInt8]) {
        replies.append(contentsOf: reply.wire)
    }

    /// Appends a reply to a faulty command, or ends the session if there were too many.
    mutating func fail(_ fault: SMTPReply, _ replies: inout [UInt8]) {
        errors += 1
        if errors > configuration.limits.errorsMax {
            end(with: .tooManyErrors, &replies)
        } else {
            reply(fault, &replies)
        }
    }

    mutating func end(with last: SMTPReply, _ replies: inout [UInt8]) {
        reply(last, &replies)
        state = .closing
    }

    mutating func resetTransaction() {
        envelope = nil
        body = nil
        content = []
        hasBegun = false
        isChunked = false
        chunkFailed = false
        heldReply = nil
        spooledOctets = 0
        refusedInTransaction = 0
    }

    /// Forgets the transaction; the adapter has to be told if it holds a part of it.
    mutating func abandonTransaction() -> SMTPServerAction? {
        let held = hasBegun
        resetTransaction()
        return held ? .messageDiscarded : nil
    }
}
