/// What all sessions of a listener share. Immutable, so a session costs one pointer for it.
public final class SMTPServerConfiguration: Sendable {
    public let hostname: [UInt8]
    public let limits: SMTPLimits
    /// Whether STARTTLS can be had.
    public let offersTLS: Bool
    /// Whether mail is taken only over TLS: 530 before it.
    public let requiresTLS: Bool

    let greeting: [UInt8]
    let helloReply: [UInt8]
    let extendedHelloPlain: [UInt8]
    let extendedHelloTLS: [UInt8]

    /// - Parameter hostname: the name in the greeting and the trace fields.
    public init(
        hostname: [UInt8], limits: SMTPLimits = SMTPLimits(), offersTLS: Bool = true,
        requiresTLS: Bool = false
    ) {
        self.hostname = hostname
        self.limits = limits
        self.offersTLS = offersTLS
        self.requiresTLS = requiresTLS
        let name = String(decoding: hostname, as: UTF8.self)
        greeting = SMTPReply(220, nil, "\(name) ESMTP Twinpost").wire
        helloReply = SMTPReply(250, nil, name).wire
        // RFC 9422 §4 allows six digits.
        let mails = min(max(limits.messagesPerSessionMax, 1), 999_999)
        let recipients = min(max(limits.recipientsMax, 1), 999_999)
        let lines = [
            name, "PIPELINING", "SIZE \(limits.messageMaxOctets)", "8BITMIME", "SMTPUTF8",
            "CHUNKING", "ENHANCEDSTATUSCODES", "LIMITS MAILMAX=\(mails) RCPTMAX=\(recipients)",
        ]
        extendedHelloTLS = SMTPReply(250, nil, lines: lines).wire
        extendedHelloPlain =
            SMTPReply(250, nil, lines: offersTLS ? lines + ["STARTTLS"] : lines).wire
    }
}
