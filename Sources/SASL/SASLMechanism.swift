/// The mechanisms that a server or client of ours can speak.
public enum SASLMechanism: String, Sendable, CaseIterable {
    case scramSHA256Plus = "SCRAM-SHA-256-PLUS"
    case scramSHA256 = "SCRAM-SHA-256"
    case plain = "PLAIN"
    case login = "LOGIN"

    /// The mechanism of this name, in any case (RFC 4422 §3.1 names are upper case; clients vary).
    public init?(name: UnsafeRawBufferPointer) {
        for mechanism in Self.allCases where mechanism.matches(name) {
            self = mechanism
            return
        }
        return nil
    }

    public init?(name: [UInt8]) {
        guard let found = name.withUnsafeBytes({ SASLMechanism(name: $0) }) else { return nil }
        self = found
    }

    public var name: String { rawValue }

    /// Whether the password itself crosses the wire, so that the connection has to be private.
    public var sendsPassword: Bool { self == .plain || self == .login }

    /// What to advertise, strongest first.
    ///
    /// - Parameters:
    ///   - passwordsAllowed: the connection is encrypted, or the operator allows it in clear.
    ///   - channelBindings: whether the TLS library gave at least one binding.
    public static func offered(passwordsAllowed: Bool, channelBindings: Bool) -> [SASLMechanism] {
        var out: [SASLMechanism] = channelBindings ? [.scramSHA256Plus] : []
        out.append(.scramSHA256)
        if passwordsAllowed { out += [.plain, .login] }
        return out
    }

    private func matches(_ name: UnsafeRawBufferPointer) -> Bool {
        let own = rawValue.utf8
        guard own.count == name.count else { return false }
        for (a, b) in zip(own, name) {
            let upper = b >= 0x61 && b <= 0x7A ? b - 0x20 : b
            if a != upper { return false }
        }
        return true
    }
}

/// What the messages of an exchange may measure, in octets after Base64 is decoded.
public struct SASLLimits: Sendable, Hashable {
    public var messageMaxOctets = 4096
    public var usernameMaxOctets = 320
    public var passwordMaxOctets = 1024
    public var nonceMaxOctets = 256

    public init() {}
}

/// The data that ties an authentication to one TLS connection (RFC 5056). The adapter asks the TLS
/// library for it.
public struct ChannelBinding: Sendable, Hashable {
    public enum Kind: String, Sendable {
        /// RFC 9266: TLS 1.3, and 1.2 with the extended master secret.
        case tlsExporter = "tls-exporter"
        /// RFC 5929 §4: the hash of the server's certificate.
        case tlsServerEndPoint = "tls-server-end-point"
    }

    public var kind: Kind
    public var data: [UInt8]

    public init(kind: Kind, data: [UInt8]) {
        self.kind = kind
        self.data = data
    }
}
