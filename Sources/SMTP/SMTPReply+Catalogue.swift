/// Every reply that is known beforehand, once: code, enhanced code and words.
extension SMTPReply {
    private static func make(
        _ code: UInt16, _ subject: UInt16, _ detail: UInt16, _ text: String
    ) -> SMTPReply {
        SMTPReply(code, SMTPEnhancedStatus(UInt8(code / 100), subject, detail), text)
    }

    // Success.
    public static let readyForTLS = make(220, 0, 0, "Ready to start TLS")
    public static let goodbye = make(221, 0, 0, "Bye")
    public static let ok = make(250, 0, 0, "OK")
    public static let senderOK = make(250, 1, 0, "Sender OK")
    public static let recipientOK = make(250, 1, 5, "Recipient OK")
    public static let chunkOK = make(250, 0, 0, "Chunk received")
    public static let messageAccepted = make(250, 0, 0, "Message accepted")
    public static let cannotVerify = make(
        252, 5, 0, "Cannot verify; send mail and it will be tried")
    public static let startMail = SMTPReply(354, nil, "Start mail; end with <CRLF>.<CRLF>")
    public static let help = make(
        214, 0, 0, "HELO EHLO MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT STARTTLS; see RFC 5321")

    // Syntax and order.
    public static let commandUnrecognized = make(500, 5, 2, "Command not recognized")
    public static let lineTooLong = make(500, 5, 2, "Line too long")
    public static let bareLineFeed = make(500, 5, 2, "Bare LF in command; lines end with CRLF")
    public static let bareCarriageReturn = make(
        500, 5, 2, "Bare CR in command; lines end with CRLF")
    public static let syntaxError = make(501, 5, 4, "Syntax error in arguments")
    public static let noArgumentsAllowed = make(501, 5, 4, "This command takes no arguments")
    public static let helloSyntax = make(501, 5, 4, "A domain or an address literal is required")
    public static let mailSyntax = make(501, 5, 4, "Syntax: MAIL FROM:<address> [parameters]")
    public static let recipientSyntax = make(501, 5, 4, "Syntax: RCPT TO:<address> [parameters]")
    public static let senderSyntax = make(501, 1, 7, "Bad sender address syntax")
    public static let recipientAddressSyntax = make(501, 1, 3, "Bad recipient address syntax")
    public static let parameterSyntax = make(501, 5, 4, "Bad value of a parameter")
    public static let parameterRepeated = make(501, 5, 4, "A parameter is given twice")
    public static let parameterUnknown = make(555, 5, 4, "Parameter not recognized or implemented")
    public static let chunkSyntax = make(
        501, 5, 4, "Syntax: BDAT octets [LAST]; closing, as the octets cannot be told apart")
    public static let notImplemented = make(502, 5, 1, "Command not implemented")
    public static let helloFirst = make(503, 5, 1, "Send EHLO or HELO first")
    public static let nestedMail = make(503, 5, 1, "A mail transaction is open already")
    public static let mailFirst = make(503, 5, 1, "Send MAIL first")
    public static let recipientFirst = make(503, 5, 1, "Send RCPT first")
    public static let noValidRecipients = make(554, 5, 1, "No valid recipients")
    public static let chunksOpen = make(503, 5, 1, "BDAT was begun; send BDAT or RSET")
    public static let chunkAfterFailure = make(503, 5, 1, "An earlier BDAT failed; send RSET")
    public static let tlsActive = make(503, 5, 1, "TLS is active already")
    public static let tlsInTransaction = make(503, 5, 1, "STARTTLS inside a mail transaction")
    public static let pipelinedBehindTLS = make(
        503, 5, 1, "Nothing may be sent behind STARTTLS before the handshake")
    public static let tlsRequired = make(530, 7, 0, "Must issue a STARTTLS command first")
    public static let tlsUnavailable = make(454, 7, 0, "TLS is not available for the moment")

    // Addresses and policy.
    public static let unknownUser = make(550, 1, 1, "No such user here")
    public static let relayDenied = make(550, 7, 1, "Relaying denied")
    public static let unknownSenderDomain = make(550, 1, 8, "The sender's domain does not exist")
    public static let policyRefusal = make(550, 7, 1, "Refused by policy")
    public static let needsSMTPUTF8 = make(553, 6, 7, "A non-ASCII address needs SMTPUTF8")
    public static let mailboxFull = make(452, 2, 2, "Mailbox full")
    public static let mailboxDisabled = make(550, 2, 1, "Mailbox disabled")

    // Resources.
    public static let tooManyRecipients = make(452, 5, 3, "Too many recipients")
    public static let diskFull = make(452, 3, 1, "Insufficient system storage")
    public static let localError = make(451, 3, 0, "Local error; try again later")
    public static let tooBig = make(552, 3, 4, "Message exceeds the size limit")

    // Content.
    public static let contentBareLineFeed = make(
        554, 6, 0, "Bare LF in message; lines must end with CRLF")
    public static let contentBareCarriageReturn = make(
        554, 6, 0, "Bare CR in message; lines must end with CRLF")
    public static let contentNUL = make(554, 6, 0, "NUL octet in message")
    public static let contentLineTooLong = make(554, 6, 0, "A line of the message is too long")
    public static let tooManyHops = make(554, 4, 6, "Too many hops; this looks like a mail loop")

    // The end of a session.
    public static let shuttingDown = make(421, 3, 2, "Shutting down; try again later")
    public static let tooManyErrors = make(421, 7, 0, "Too many errors")
    public static let tooManyConnections = make(421, 7, 0, "Too many connections")
    public static let tooManyIdleCommands = make(421, 7, 0, "Too many commands without a message")
    public static let tooManyMessages = make(421, 7, 0, "Too many messages in one session")
    public static let timeout = make(421, 4, 2, "Timeout")
}
