import Platform

/// The adapter's answers. Each may be given only to the action that asked for it.
extension SMTPServerSession {
    /// Answers `checkSender`.
    public mutating func resume(
        sender decision: SMTPSenderDecision, now: Now, into replies: inout [UInt8]
    ) {
        guard case .awaitingSender = state else { preconditionFailure("no sender is awaited") }
        state = .command
        lastCommand = now.monotonic
        switch decision {
        case .accept:
            transactions += 1
            reply(.senderOK, &replies)
        case .refuse(let refusal):
            resetTransaction()
            fail(refusal, &replies)
        }
    }

    /// Answers `checkRecipient`.
    public mutating func resume(
        recipient decision: SMTPRecipientDecision, now: Now, into replies: inout [UInt8]
    ) {
        guard case .awaitingRecipient = state else {
            preconditionFailure("no recipient is awaited")
        }
        state = .command
        lastCommand = now.monotonic
        switch decision {
        case .accept(let route):
            envelope?.recipients.append(SMTPRecipient(path: candidate, route: route))
            reply(.recipientOK, &replies)
        case .refuse(let refusal):
            refuseRecipient(refusal, counts: refusal.isPermanent, &replies)
        }
        candidate = .null
    }

    /// Answers `beginMessage`: writes the trace fields and lets the message in.
    public mutating func resume(
        begin decision: SMTPBeginDecision, now: Now, into replies: inout [UInt8]
    ) {
        guard case .awaitingBegin(let chunk) = state, let envelope else {
            preconditionFailure("no message is about to begin")
        }
        messageStart = now.monotonic
        lastData = now.monotonic
        switch decision {
        case .accept(let id):
            body = SMTPBodyReader(isDotted: chunk == nil, limits: configuration.limits)
            messageID = id
            hasBegun = true
            spooledOctets = 0
            appendTrace(envelope, now)
            state = .body
            if let chunk {
                chunkRemaining = chunk
            } else {
                reply(.startMail, &replies)
            }
        case .refuse(let refusal):
            if let chunk {
                chunkFailed = true
                heldReply = refusal
                state = .swallow(remaining: chunk, isLast: chunkIsLast)
            } else {
                resetTransaction()
                state = .command
                lastCommand = now.monotonic
                reply(refusal, &replies)
            }
        }
    }

    private mutating func appendTrace(_ envelope: SMTPEnvelope, _ now: Now) {
        // A declared size saves the growth of the buffer; it is a claim, so the threshold bounds it.
        let threshold = configuration.limits.spoolThresholdOctets
        let expected = min(envelope.declaredOctets ?? 7_168, threshold)
        content.removeAll(keepingCapacity: true)
        content.reserveCapacity(expected + 1_024)
        TraceHeaders.appendReturnPath(envelope.reversePath, to: &content)
        TraceHeaders.appendReceived(
            TraceHeaders.Hop(
                client: client, hello: hello, isExtended: isExtended, tls: tls,
                isSMTPUTF8: envelope.isSMTPUTF8, hostname: configuration.hostname, id: messageID,
                onlyRecipient: envelope.recipients.count == 1
                    ? envelope.recipients[0].path : nil,
                time: now.wall),
            to: &content)
        traceOctets = content.count
    }

    /// The bytes to be spooled; to be called once for each `spool`.
    public mutating func takeSpool() -> [UInt8] {
        guard case .awaitingSpool = state else { preconditionFailure("nothing is to be spooled") }
        var taken: [UInt8] = []
        swap(&taken, &content)
        spooledOctets += taken.count
        return taken
    }

    /// Answers `spool`. A refusal (disk full) is the reply to the message when its end was read.
    ///
    /// - Parameter recycling: the array of `takeSpool`, so that its memory is used again.
    public mutating func resume(
        spool decision: SMTPSpoolDecision, recycling: consuming [UInt8] = [], now: Now
    ) {
        guard case .awaitingSpool = state else { preconditionFailure("nothing is to be spooled") }
        state = .body
        lastData = now.monotonic
        content = recycling
        content.removeAll(keepingCapacity: true)
        if case .refuse(let refusal) = decision {
            heldReply = refusal
            body?.fail(.spool)
            content = []
        }
    }

    /// The message, whole; to be called once for each `messageComplete`.
    public mutating func takeMessage() -> SMTPReceivedMessage {
        guard case .awaitingMessage = state, let envelope, let body else {
            preconditionFailure("no message is complete")
        }
        self.envelope = nil
        var taken: [UInt8] = []
        swap(&taken, &content)
        return SMTPReceivedMessage(
            id: messageID, envelope: envelope, content: taken, traceOctets: traceOctets,
            spooledOctets: spooledOctets, bodyOctets: body.octets, has8Bit: body.has8Bit,
            hopCount: body.hopCount)
    }

    /// Answers `messageComplete`, when the message is durable or cannot be.
    ///
    /// - Parameter recycling: the content of the message if it is no longer needed, so that its
    ///   memory serves for the next one.
    public mutating func resume(
        message decision: SMTPMessageDecision, recycling: consuming [UInt8] = [], now: Now,
        into replies: inout [UInt8]
    ) {
        guard case .awaitingMessage = state else { preconditionFailure("no message is complete") }
        state = .command
        lastCommand = now.monotonic
        resetTransaction()
        content = recycling
        switch decision {
        case .accept:
            messageCount += 1
            idleCommands = 0
            replies.append("250 2.0.0 Ok: queued as ")
            replies.append(contentsOf: messageID)
            replies.append("\r\n")
        case .refuse(let refusal):
            reply(refusal, &replies)
        }
    }

    /// Frees the memory of a session that waits. Call it when nothing came for a while.
    public mutating func shrink() {
        if case .command = state { content = [] }
    }
}
