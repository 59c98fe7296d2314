/// What goes over the control channel: JSON objects whose keys are the properties' names.
public enum ControlVersion {
    /// The prefix of every path.
    public static let prefix = "/v1"
}

/// `GET /v1/status`.
public struct NodeStatus: Codable, Hashable, Sendable {
    public struct Listener: Codable, Hashable, Sendable {
        /// As the configuration names it: `smtp`, `imaps` and so on.
        public var service: String
        /// `192.0.2.1:25`, `[::]:25`.
        public var address: String
        /// Whether TLS begins with the first octet.
        public var implicitTLS: Bool

        public init(service: String, address: String, implicitTLS: Bool = false) {
            self.service = service
            self.address = address
            self.implicitTLS = implicitTLS
        }
    }

    /// `starting`, `serving`, `stopping` or `failed`.
    public var state: String
    public var hostname: String
    /// The node's name in its cluster: `a` or `b`.
    public var node: String
    public var pid: Int32
    public var version: String
    public var uptimeSeconds: Double
    public var listeners: [Listener]
    public var accounts: Int
    /// Open connections by service.
    public var connections: [String: Int]
    /// Events since the start.
    public var counters: [String: UInt64]
    /// What a person should look at, each a sentence.
    public var notes: [String]

    public init(
        state: String, hostname: String, node: String, pid: Int32, version: String,
        uptimeSeconds: Double, listeners: [Listener] = [], accounts: Int = 0,
        connections: [String: Int] = [:], counters: [String: UInt64] = [:], notes: [String] = []
    ) {
        self.state = state
        self.hostname = hostname
        self.node = node
        self.pid = pid
        self.version = version
        self.uptimeSeconds = uptimeSeconds
        self.listeners = listeners
        self.accounts = accounts
        self.connections = connections
        self.counters = counters
        self.notes = notes
    }
}

/// One account, as `GET /v1/accounts` lists it and every change of one answers.
public struct AccountSummary: Codable, Hashable, Sendable {
    /// 32 hexadecimal digits; stays when the address changes.
    public var id: String
    /// The first is the one the account logs in with.
    public var addresses: [String]
    public var mailboxes: Int
    public var messages: Int
    public var usedOctets: UInt64
    /// nil where the configuration's default holds.
    public var quotaOctets: UInt64?

    public init(
        id: String, addresses: [String], mailboxes: Int, messages: Int, usedOctets: UInt64,
        quotaOctets: UInt64?
    ) {
        self.id = id
        self.addresses = addresses
        self.mailboxes = mailboxes
        self.messages = messages
        self.usedOctets = usedOctets
        self.quotaOctets = quotaOctets
    }
}

public struct AccountList: Codable, Hashable, Sendable {
    public var accounts: [AccountSummary]

    public init(accounts: [AccountSummary]) { self.accounts = accounts }
}

/// `POST /v1/accounts`.
public struct AccountCreation: Codable, Hashable, Sendable {
    /// What the account logs in with.
    public var address: String
    public var password: String
    /// Further addresses of its own.
    public var aliases: [String]?
    public var quotaOctets: UInt64?

    public init(
        address: String, password: String, aliases: [String]? = nil, quotaOctets: UInt64? = nil
    ) {
        self.address = address
        self.password = password
        self.aliases = aliases
        self.quotaOctets = quotaOctets
    }
}

/// `POST /v1/accounts/{address}/password`.
public struct PasswordChange: Codable, Hashable, Sendable {
    public var password: String

    public init(password: String) { self.password = password }
}

/// `POST /v1/accounts/{address}/addresses`: all of them, the login address first.
public struct AddressChange: Codable, Hashable, Sendable {
    public var addresses: [String]

    public init(addresses: [String]) { self.addresses = addresses }
}

/// `POST /v1/accounts/{address}/quota`.
public struct QuotaChange: Codable, Hashable, Sendable {
    /// nil for the configuration's default.
    public var quotaOctets: UInt64?

    public init(quotaOctets: UInt64?) { self.quotaOctets = quotaOctets }
}

/// `POST /v1/reload`.
public struct ReloadReport: Codable, Hashable, Sendable {
    /// What was read, but needs a restart, each a sentence.
    public var notes: [String]

    public init(notes: [String]) { self.notes = notes }
}

/// Why the node did not do what it was asked: a code for programs, a sentence for people.
public struct ControlError: Error, Codable, Hashable, Sendable, CustomStringConvertible {
    /// The HTTP status; not part of the JSON.
    public var status: Int
    public var code: String
    public var message: String

    public init(_ status: Int, _ code: String, _ message: String) {
        self.status = status
        self.code = code
        self.message = message
    }

    private enum CodingKeys: String, CodingKey { case code, message }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            0, try fields.decode(String.self, forKey: .code),
            try fields.decode(String.self, forKey: .message))
    }

    public var description: String { message }
}

struct ControlErrorBody: Codable {
    var error: ControlError
}
