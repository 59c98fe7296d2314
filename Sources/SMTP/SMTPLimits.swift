import Platform

/// Everything that a peer could make grow, with the bound it meets.
///
/// One value serves all sessions of a listener; nothing in this target has a limit of its own.
public struct SMTPLimits: Hashable, Sendable {
    /// The longest command line, with its CRLF. RFC 5321 §4.5.3.1.4 asks for 512 and the extensions
    /// add to that; what we advertise needs about 700.
    public var commandLineMaxOctets = 2_048
    /// The longest local part. RFC 5321 §4.5.3.1.1 asks for 64 *at least*; reverse-paths that carry
    /// a bounce address (VERP) are longer in practice, and refusing them loses real mail.
    public var localPartMaxOctets = 255
    /// The longest domain (RFC 5321 §4.5.3.1.2).
    public var domainMaxOctets = 255
    /// The largest message in octets, as SIZE counts it (RFC 1870 §3): without dot-stuffing.
    public var messageMaxOctets = 50 << 20
    /// The longest line of a message with its CRLF. RFC 5321 §4.5.3.1.6 asks for 1,000 at least, and
    /// senders exceed it every day; memory does not depend on it, so only the absurd is refused.
    public var textLineMaxOctets = 1 << 20
    /// Recipients of one message. RFC 5321 §4.5.3.1.8 asks for 100 at least.
    public var recipientsMax = 1_000
    /// Transactions in one session.
    public var messagesPerSessionMax = 100_000
    /// Faulty commands until the session ends.
    public var errorsMax = 20
    /// Refused recipients until the session ends: against the harvesting of addresses. It is apart
    /// from `errorsMax` because an honest sender with an old list meets it too.
    public var refusedRecipientsMax = 100
    /// Commands that lead nowhere (NOOP, RSET, VRFY, a repeated EHLO, ...) between two messages.
    public var idleCommandsMax = 100
    /// `Received` fields that a message may carry already (RFC 5321 §6.3).
    public var hopsMax = 50
    /// What of a message is held in memory: beyond it the message is handed out piece by piece.
    public var spoolThresholdOctets = 64 << 10
    /// How long each wait may last.
    public var timeouts = SMTPTimeouts()

    public init() {}
}

/// The waits of RFC 5321 §4.5.3.2, and one that it lacks.
public struct SMTPTimeouts: Hashable, Sendable {
    /// As a server: until the next whole command (§4.5.3.2.7). Bytes of an unfinished command do
    /// not extend it.
    public var serverCommand: Duration = .seconds(300)
    /// As a server: between two pieces of a message.
    public var serverDataBlock: Duration = .seconds(180)
    /// As a server: a whole message, so that a byte every minute does not hold a session for ever.
    public var serverMessage: Duration = .seconds(3_600)
    /// As a client: until the greeting (§4.5.3.2.1).
    public var clientGreeting: Duration = .seconds(300)
    /// As a client: until the reply to MAIL (§4.5.3.2.2).
    public var clientMail: Duration = .seconds(300)
    /// As a client: until the reply to RCPT (§4.5.3.2.3).
    public var clientRecipient: Duration = .seconds(300)
    /// As a client: until the reply to DATA (§4.5.3.2.4).
    public var clientDataInitiation: Duration = .seconds(120)
    /// As a client: until a piece of the message is taken (§4.5.3.2.5).
    public var clientDataBlock: Duration = .seconds(180)
    /// As a client: until the reply to the message (§4.5.3.2.6).
    public var clientDataTermination: Duration = .seconds(600)

    public init() {}
}
