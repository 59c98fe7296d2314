import Policy

/// What the operator wrote in the one configuration file: plain values, every default filled in.
/// `docs/configuration.md` describes each key.
public struct Configuration: Sendable, Hashable {
    public enum TLSVersion: String, Sendable, CaseIterable {
        case tls12 = "1.2"
        case tls13 = "1.3"
    }

    public struct Certificate: Sendable, Hashable {
        /// PEM, the chain in order, our own first.
        public var certificatePath: String
        public var keyPath: String
        /// The names (SNI) for which it is used, as A-labels, perhaps with `*.` in front; none stands
        /// for those that the certificate names itself. The first certificate also serves all others.
        public var serverNames: [String]
    }

    public enum Service: String, Sendable, CaseIterable {
        case smtp, submission, submissions, imap, imaps

        /// Whether its name says that TLS begins with the first octet.
        var isImplicitTLS: Bool { self == .submissions || self == .imaps }
    }

    /// How TLS comes into a connection.
    public enum TLSMode: String, Sendable, CaseIterable {
        /// When the client asks for it; offered wherever there is a certificate.
        case starttls
        /// With the first octet.
        case implicit
    }

    /// Where a service waits for connections.
    public enum Endpoint: Sendable, Hashable {
        /// A numeric address, without brackets, and a port.
        case address(String, port: UInt16)
        /// The `FileDescriptorName=` of a socket that systemd passes.
        case systemd(name: String)
    }

    public struct Listener: Sendable, Hashable {
        public var service: Service
        public var endpoint: Endpoint
        public var tls: TLSMode
    }

    public enum PlaintextAuthentication: String, Sendable, CaseIterable {
        /// Passwords cross encrypted connections only.
        case never
        /// Also in clear from 127.0.0.0/8 and ::1.
        case loopback
    }

    public enum LogLevel: String, Sendable, CaseIterable {
        case debug, info, notice, warning, error
    }

    public enum LogFormat: String, Sendable, CaseIterable {
        case text, json
    }

    public var hostname: String
    public var dataDirectory: String
    public var controlSocketPath: String
    public var tlsMinVersion: TLSVersion
    public var certificates: [Certificate]
    public var listeners: [Listener]
    public var routing: RoutingConfiguration
    public var plaintextAuthentication: PlaintextAuthentication
    public var passwordIterations: UInt32
    /// Octets for each account that has no quota of its own; nil means no limit.
    public var quotaDefaultOctets: Int?
    public var logLevel: LogLevel
    public var logFormat: LogFormat
    public var smtp: SMTPServiceLimits
    public var imap: IMAPServiceLimits

    public static let fileMaxOctets = 4 << 20

    /// Every file that has to be readable, for a check that needs the TLS library.
    public var certificatePaths: [String] {
        certificates.flatMap { [$0.certificatePath, $0.keyPath] }
    }

    /// Every key that a file may have, as paths; the sections that repeat have no index.
    public static var keys: [String] {
        let sample = """
            [[tls.certificate]]
            [[listener]]
            [[domain]]
            """
        return ConfigurationDecoder.decode(Array(sample.utf8)).keys.sorted()
    }

    /// Reads a text.
    ///
    /// - Parameter file: the name that problems are reported with.
    /// - Throws: all problems that were found, not only the first.
    public static func parse(_ bytes: [UInt8], file: String) throws(ConfigurationError)
        -> Configuration
    {
        let result = ConfigurationDecoder.decode(bytes)
        guard result.problems.isEmpty, let configuration = result.configuration else {
            throw ConfigurationError(file: file, problems: result.problems)
        }
        return configuration
    }
}

public struct SMTPServiceLimits: Sendable, Hashable {
    public var messageSizeMaxOctets = 50 << 20
    public var recipientsMax = 1000
    public var errorsMax = 20
    public var connectionsMax = 2000
    public var connectionsPerAddressMax = 100
    public var hopsMax = 50
    public var commandTimeout: Duration = .seconds(300)
    public var dataTimeout: Duration = .seconds(600)

    public init() {}
}

public struct IMAPServiceLimits: Sendable, Hashable {
    public var appendSizeMaxOctets = 50 << 20
    public var commandMaxOctets = 64 << 10
    public var errorsMax = 50
    public var connectionsMax = 10_000
    public var connectionsPerAddressMax = 200
    public var loginTimeout: Duration = .seconds(60)
    public var idleTimeout: Duration = .seconds(1800)

    public init() {}
}
