/// What MAIL and RCPT said, and where the server decided to bring it.
public struct SMTPEnvelope: Hashable, Sendable {
    public var reversePath: SMTPPath
    public var recipients: [SMTPRecipient] = []
    /// SMTPUTF8 was given (RFC 6531 §3.4).
    public var isSMTPUTF8 = false
    /// BODY=8BITMIME was given (RFC 6152).
    public var is8BitMIME = false
    /// The value of SIZE=, clamped to 63 bits (RFC 1870).
    public var declaredOctets: Int?

    public init(reversePath: SMTPPath) {
        self.reversePath = reversePath
    }
}

/// A recipient that was accepted.
public struct SMTPRecipient: Hashable, Sendable {
    public var path: SMTPPath
    /// What the one who accepted it wants to remember, such as an index into a table of routes.
    public var route: UInt64

    public init(path: SMTPPath, route: UInt64) {
        self.path = path
        self.route = route
    }
}

/// A message as it stands when its last octet has come.
public struct SMTPReceivedMessage: Hashable, Sendable {
    /// The id that was given when it began.
    public var id: [UInt8]
    public var envelope: SMTPEnvelope
    /// The trace fields and the message as it came, without dot-stuffing. If pieces were spooled it
    /// is only what follows them.
    public var content: [UInt8]
    /// How many octets of the whole are the trace fields in front.
    public var traceOctets: Int
    /// How many octets, trace fields among them, were handed out by `takeSpool`.
    public var spooledOctets: Int
    /// The octets of the message as it came, as SIZE counts them.
    public var bodyOctets: Int
    /// Whether an octet above 127 was seen.
    public var has8Bit: Bool
    /// `Received` fields in the message as it came.
    public var hopCount: Int
}

/// Who is connected, as far as the session has to know.
public struct SMTPClient: Hashable, Sendable {
    /// The address as in an address literal, without brackets: `192.0.2.1` or `IPv6:2001:db8::1`.
    public var address: [UInt8]
    /// The verified name of that address, or empty.
    public var reverseName: [UInt8]

    public init(address: [UInt8], reverseName: [UInt8] = []) {
        self.address = address
        self.reverseName = reverseName
    }
}

/// The TLS that protects a session.
public struct SMTPTLS: Hashable, Sendable {
    /// Such as `TLS1_3`.
    public var version: [UInt8]
    /// The cipher suite, or empty if the library does not tell.
    public var cipher: [UInt8]

    public init(version: [UInt8], cipher: [UInt8] = []) {
        self.version = version
        self.cipher = cipher
    }
}
