import Platform

/// DATA (RFC 5321 §4.1.1.4), BDAT (RFC 3030 §2), and the octets of the message.
extension SMTPServerSession {
    mutating func data(_ replies: inout [UInt8]) -> SMTPServerAction? {
        if let refusal = transactionIsNotReady {
            fail(refusal, &replies)
            return nil
        }
        state = .awaitingBegin(chunk: nil)
        return .beginMessage
    }

    private var transactionIsNotReady: SMTPReply? {
        guard let envelope else { return .mailFirst }
        guard envelope.recipients.isEmpty else { return nil }
        return refusedInTransaction > 0 ? .noValidRecipients : .recipientFirst
    }

    mutating func chunk(
        _ arguments: UnsafeRawBufferPointer, _ now: Now, _ replies: inout [UInt8]
    ) -> SMTPServerAction? {
        let limits = configuration.limits
        let space = arguments.firstIndex(of: Byte.space, in: 0..<arguments.count)
        let digits = arguments.sub(0..<(space ?? arguments.count))
        var isLast = false
        if let space {
            let word = arguments.sub(space..<arguments.count)
            let start = word.firstIndex { $0 != Byte.space } ?? 0
            isLast = word.sub(start..<word.count).equalsIgnoringCase("last")
        }
        guard let octets = digits.decimalClamped, isLast || space == nil else {
            // Where the octets end is unknown; taking them for commands would be smuggling.
            end(with: .chunkSyntax, &replies)
            return nil
        }
        if octets / 4 > limits.messageMaxOctets {
            // Not worth reading to its end.
            end(with: .tooBig, &replies)
            return nil
        }
        lastData = now.monotonic
        messageStart = isChunked ? messageStart : now.monotonic
        if let refusal = chunkRefusal {
            heldReply = refusal
            state = .swallow(remaining: octets, isLast: isLast)
            return nil
        }
        chunkIsLast = isLast
        if isChunked {
            chunkRemaining = octets
            state = .body
            return nil
        }
        isChunked = true
        state = .awaitingBegin(chunk: octets)
        return .beginMessage
    }

    private var chunkRefusal: SMTPReply? {
        if configuration.requiresTLS && tls == nil { return .tlsRequired }
        if hello.isEmpty { return .helloFirst }
        if chunkFailed { return .chunkAfterFailure }
        return transactionIsNotReady
    }

    /// Drops the octets of a refused BDAT, then gives the reply.
    mutating func swallow(
        _ bytes: UnsafeRawBufferPointer, _ position: inout Int, _ remaining: Int, _ isLast: Bool,
        _ now: Now, _ replies: inout [UInt8]
    ) -> SMTPServerAction? {
        let taken = min(remaining, bytes.count - position)
        position += taken
        if taken > 0 { lastData = now.monotonic }
        guard taken == remaining else {
            state = .swallow(remaining: remaining - taken, isLast: isLast)
            return .needInput
        }
        state = .command
        lastCommand = now.monotonic
        let refusal = heldReply ?? .localError
        heldReply = nil
        if isLast && isChunked { resetTransaction() }
        fail(refusal, &replies)
        return nil
    }

    /// Reads on in the message, never more than the threshold has room for.
    mutating func nextBody(
        _ bytes: UnsafeRawBufferPointer, _ position: inout Int, _ now: Now,
        _ replies: inout [UInt8]
    ) -> SMTPServerAction? {
        if isChunked && chunkRemaining == 0 { return endChunk(now, &replies) }
        guard position < bytes.count else { return .needInput }
        let threshold = configuration.limits.spoolThresholdOctets
        var room = min(max(threshold - content.count, 1), bytes.count - position)
        if isChunked { room = min(room, chunkRemaining) }
        let input = bytes.sub(position..<(position + room))
        guard let (consumed, ended) = body?.read(input, into: &content) else {
            preconditionFailure("a body without a reader")
        }
        position += consumed
        lastData = now.monotonic
        if isChunked { chunkRemaining -= consumed }
        if ended { return endMessage(now, &replies) }
        if body?.faults.isEmpty == false {
            content = []
        } else if content.count >= threshold {
            state = .awaitingSpool
            return .spool
        }
        return nil
    }

    private mutating func endChunk(_ now: Now, _ replies: inout [UInt8]) -> SMTPServerAction? {
        if chunkIsLast {
            body?.finishCounted()
            return endMessage(now, &replies)
        }
        state = .command
        lastCommand = now.monotonic
        guard let refusal = contentRefusal else {
            reply(.chunkOK, &replies)
            return nil
        }
        fail(refusal, &replies)
        chunkFailed = true
        content = []
        hasBegun = false
        return .messageDiscarded
    }

    private mutating func endMessage(_ now: Now, _ replies: inout [UInt8]) -> SMTPServerAction? {
        guard let refusal = contentRefusal else {
            state = .awaitingMessage
            return .messageComplete
        }
        state = .command
        lastCommand = now.monotonic
        fail(refusal, &replies)
        return abandonTransaction()
    }

    /// Why the message is refused: always the same of several reasons.
    private var contentRefusal: SMTPReply? {
        guard let faults = body?.faults, !faults.isEmpty else { return nil }
        if faults.contains(.bareLF) { return .contentBareLineFeed }
        if faults.contains(.bareCR) { return .contentBareCarriageReturn }
        if faults.contains(.nul) { return .contentNUL }
        if faults.contains(.tooBig) { return .tooBig }
        if faults.contains(.lineTooLong) { return .contentLineTooLong }
        if faults.contains(.hops) { return .tooManyHops }
        return heldReply ?? .localError
    }
}
