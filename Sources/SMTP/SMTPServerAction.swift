/// What the session wants of its adapter. Exactly one at a time, and plain data.
public enum SMTPServerAction: Hashable, Sendable {
    /// All input is consumed: flush the replies and read on.
    case needInput
    /// A decision is outstanding; nothing was consumed. Leave the input where it is.
    case waiting
    /// Decide on the reverse-path: `resume(sender:)`.
    case checkSender(SMTPPath)
    /// Decide on a recipient: `resume(recipient:)`.
    case checkRecipient(SMTPPath)
    /// A message is about to come for the session's `envelope`: `resume(begin:)`.
    case beginMessage
    /// The threshold is reached: take the bytes with `takeSpool`, and `resume(spool:)` when there is
    /// room for more.
    case spool
    /// The message is whole: `takeMessage`, make it durable, `resume(message:)`.
    case messageComplete
    /// A message that had begun will never be whole: drop what was spooled of it. Call `receive`
    /// again.
    case messageDiscarded
    /// Flush the replies, then start the handshake, then `tlsEstablished`. Input that was read but
    /// not consumed must not reach the session any more.
    case startTLS
    /// Flush the replies and close. All input is to be dropped.
    case close
}

/// What one call of `receive` came to.
public struct SMTPProgress: Hashable, Sendable {
    /// How many octets of the input need not be shown again.
    public var consumed: Int
    public var action: SMTPServerAction

    public init(consumed: Int, action: SMTPServerAction) {
        self.consumed = consumed
        self.action = action
    }
}

/// The answer to `checkSender`.
public enum SMTPSenderDecision: Hashable, Sendable {
    case accept
    case refuse(SMTPReply)
}

/// The answer to `checkRecipient`.
public enum SMTPRecipientDecision: Hashable, Sendable {
    /// Accepted; `route` comes back in the envelope.
    case accept(route: UInt64)
    case refuse(SMTPReply)
}

/// The answer to `beginMessage`.
public enum SMTPBeginDecision: Hashable, Sendable {
    /// The id goes into the trace fields and the final reply. It is printable ASCII.
    case accept(id: [UInt8])
    case refuse(SMTPReply)
}

/// The answer to `spool`.
public enum SMTPSpoolDecision: Hashable, Sendable {
    case accept
    /// The rest of the message is read and dropped, then this is the reply.
    case refuse(SMTPReply)
}

/// The answer to `messageComplete`.
public enum SMTPMessageDecision: Hashable, Sendable {
    /// It is durable: `250 2.0.0 Ok: queued as <id>`.
    case accept
    case refuse(SMTPReply)
}
