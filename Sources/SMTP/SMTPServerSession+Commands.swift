import Platform

/// The commands: check by the rule of the verb, then proceed.
extension SMTPServerSession {
    /// Runs one line, without its CRLF.
    mutating func run(
        _ line: UnsafeRawBufferPointer, isInputLeft: Bool, _ now: Now, _ replies: inout [UInt8]
    ) -> SMTPServerAction? {
        if line.firstIndex(of: Byte.cr, in: 0..<line.count) != nil {
            fail(.bareCarriageReturn, &replies)
            return nil
        }
        var length = line.count
        while length > 0, line[length - 1] == Byte.space || line[length - 1] == Byte.tab {
            length -= 1
        }
        guard let (verb, argumentStart) = SMTPVerb.parse(line.sub(0..<length)) else {
            fail(.commandUnrecognized, &replies)
            return nil
        }
        let arguments = line.sub(min(argumentStart, length)..<length)
        if let refusal = check(verb, arguments) {
            fail(refusal, &replies)
            return nil
        }
        if verb.rule.isIdle {
            idleCommands += 1
            if idleCommands > configuration.limits.idleCommandsMax {
                end(with: .tooManyIdleCommands, &replies)
                return nil
            }
        }
        switch verb {
        case .helo: return sayHello(arguments, isExtended: false, &replies)
        case .ehlo: return sayHello(arguments, isExtended: true, &replies)
        case .mail: return mail(arguments, &replies)
        case .rcpt: return recipient(arguments, &replies)
        case .data: return data(&replies)
        case .bdat: return chunk(arguments, now, &replies)
        case .rset:
            reply(.ok, &replies)
            return abandonTransaction()
        case .noop: reply(.ok, &replies)
        case .vrfy: reply(.cannotVerify, &replies)
        case .help: reply(.help, &replies)
        case .expn, .auth: fail(.notImplemented, &replies)
        case .quit: end(with: .goodbye, &replies)
        case .starttls: return startTLS(isInputLeft: isInputLeft, &replies)
        }
        return nil
    }

    /// The reply that keeps the command from running, if there is one.
    private func check(_ verb: SMTPVerb, _ arguments: UnsafeRawBufferPointer) -> SMTPReply? {
        let rule = verb.rule
        if !rule.takesArguments && !arguments.isEmpty { return .noArgumentsAllowed }
        if rule.needsTLSWherePolicy && configuration.requiresTLS && tls == nil {
            return .tlsRequired
        }
        if rule.needsHello && hello.isEmpty { return .helloFirst }
        if isChunked && !rule.allowedAmidChunks { return .chunksOpen }
        return nil
    }

    private mutating func sayHello(
        _ name: UnsafeRawBufferPointer, isExtended: Bool, _ replies: inout [UInt8]
    ) -> SMTPServerAction? {
        guard Self.isHelloName(name) else {
            fail(.helloSyntax, &replies)
            return nil
        }
        hello = Array(name)
        self.isExtended = isExtended
        if !isExtended {
            replies.append(contentsOf: configuration.helloReply)
        } else if tls == nil {
            replies.append(contentsOf: configuration.extendedHelloPlain)
        } else {
            replies.append(contentsOf: configuration.extendedHelloTLS)
        }
        // RFC 5321 §4.1.4: it resets like RSET.
        return abandonTransaction()
    }

    /// Real clients call themselves many things; only what could not stand in a trace field is
    /// refused.
    private static func isHelloName(_ name: UnsafeRawBufferPointer) -> Bool {
        guard (1...255).contains(name.count) else { return false }
        var isASCII = true
        for byte in name {
            switch byte {
            case Byte.dot, Byte.hyphen, 0x5F, Byte.colon, Byte.openBracket, Byte.closeBracket:
                continue
            case 0x80...: isASCII = false
            default:
                if !Byte.isAlphanumeric(byte) { return false }
            }
        }
        return isASCII || String(validating: name, as: UTF8.self) != nil
    }

    private mutating func mail(
        _ arguments: UnsafeRawBufferPointer, _ replies: inout [UInt8]
    ) -> SMTPServerAction? {
        if envelope != nil {
            fail(.nestedMail, &replies)
            return nil
        }
        let limits = configuration.limits
        if transactions >= limits.messagesPerSessionMax {
            end(with: .tooManyMessages, &replies)
            return nil
        }
        guard arguments.hasPrefixIgnoringCase("from:") else {
            fail(.mailSyntax, &replies)
            return nil
        }
        let (path, parameters) = Self.path(in: arguments, after: 5, limits)
        guard let path, path.isNull || !path.domain.isEmpty else {
            fail(.senderSyntax, &replies)
            return nil
        }
        var opened = SMTPEnvelope(reversePath: path)
        if let refusal = SMTPMailParameters.read(parameters, into: &opened, limits: limits) {
            fail(refusal, &replies)
            return nil
        }
        if !path.isASCII && !opened.isSMTPUTF8 {
            fail(.needsSMTPUTF8, &replies)
            return nil
        }
        envelope = opened
        state = .awaitingSender
        return .checkSender(path)
    }

    private mutating func recipient(
        _ arguments: UnsafeRawBufferPointer, _ replies: inout [UInt8]
    ) -> SMTPServerAction? {
        guard let envelope else {
            fail(.mailFirst, &replies)
            return nil
        }
        let limits = configuration.limits
        guard arguments.hasPrefixIgnoringCase("to:") else {
            fail(.recipientSyntax, &replies)
            return nil
        }
        let (path, parameters) = Self.path(in: arguments, after: 3, limits)
        guard let path, !path.isNull else {
            fail(.recipientAddressSyntax, &replies)
            return nil
        }
        // Nothing of ours has parameters here yet; RFC 3461 brings NOTIFY and ORCPT.
        guard parameters.isEmpty else {
            fail(.parameterUnknown, &replies)
            return nil
        }
        if !path.isASCII && !envelope.isSMTPUTF8 {
            fail(.needsSMTPUTF8, &replies)
            return nil
        }
        if envelope.recipients.count >= limits.recipientsMax {
            // RFC 5321 §4.5.3.1.10: no fault; the rest is to be sent in another transaction.
            refuseRecipient(.tooManyRecipients, counts: false, &replies)
            return nil
        }
        candidate = path
        state = .awaitingRecipient
        return .checkRecipient(path)
    }

    mutating func refuseRecipient(
        _ refusal: SMTPReply, counts: Bool, _ replies: inout [UInt8]
    ) {
        refusedInTransaction += 1
        if counts { refusedRecipients += 1 }
        if refusedRecipients > configuration.limits.refusedRecipientsMax {
            end(with: .tooManyErrors, &replies)
        } else {
            reply(refusal, &replies)
        }
    }

    /// The path at `start`, and the parameters behind it. Blanks before the path are against the
    /// grammar and harmless, and old clients send them.
    private static func path(
        in arguments: UnsafeRawBufferPointer, after start: Int, _ limits: SMTPLimits
    ) -> (SMTPPath?, UnsafeRawBufferPointer) {
        var start = start
        while start < arguments.count, arguments[start] == Byte.space { start += 1 }
        let rest = arguments.sub(start..<arguments.count)
        var parser = SMTPPathParser(rest, limits: limits)
        guard let path = parser.path(),
            parser.isAtEnd || rest[parser.position] == Byte.space
        else { return (nil, rest) }
        return (path, rest.sub(parser.position..<rest.count))
    }

    private mutating func startTLS(
        isInputLeft: Bool, _ replies: inout [UInt8]
    ) -> SMTPServerAction? {
        if tls != nil {
            fail(.tlsActive, &replies)
        } else if !configuration.offersTLS {
            fail(.notImplemented, &replies)
        } else if envelope != nil {
            fail(.tlsInTransaction, &replies)
        } else if isInputLeft {
            // Whoever put it there, client or attacker, it must not be taken for something that
            // came under TLS.
            end(with: .pipelinedBehindTLS, &replies)
        } else {
            reply(.readyForTLS, &replies)
            state = .awaitingTLS
            return .startTLS
        }
        return nil
    }
}
