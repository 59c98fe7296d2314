/// What the configuration says about who gets mail for which address.
public struct RoutingConfiguration: Sendable, Hashable {
    public struct Alias: Sendable, Hashable {
        public var localPart: String
        /// Addresses, or local parts of the same domain.
        public var targets: [String]

        public init(localPart: String, targets: [String]) {
            self.localPart = localPart
            self.targets = targets
        }
    }

    public struct Domain: Sendable, Hashable {
        /// The domain's name, as A-labels or U-labels.
        public var name: String
        public var aliases: [Alias]
        /// Who gets what nobody else in the domain gets; an address or a local part.
        public var catchAll: String?

        public init(name: String, aliases: [Alias] = [], catchAll: String? = nil) {
            self.name = name
            self.aliases = aliases
            self.catchAll = catchAll
        }
    }

    public var domains: [Domain]
    /// Who gets mail for `postmaster`; nil means the first account.
    public var postmaster: String?
    /// What stands between user and detail in `user+detail@`; nil turns plus addressing off.
    public var detailSeparator: UInt8?
    /// Address literals that mean this node, without brackets, such as `192.0.2.1` and
    /// `IPv6:2001:db8::1`. Only `postmaster` can be reached at them.
    public var addressLiterals: [String]

    public init(
        domains: [Domain], postmaster: String? = nil,
        detailSeparator: UInt8? = UInt8(ascii: "+"), addressLiterals: [String] = []
    ) {
        self.domains = domains
        self.postmaster = postmaster
        self.detailSeparator = detailSeparator
        self.addressLiterals = addressLiterals
    }
}

/// An account and the addresses that are its own.
public struct RoutingAccount: Sendable, Hashable {
    public var id: UInt128
    public var addresses: [String]

    public init(id: UInt128, addresses: [String]) {
        self.id = id
        self.addresses = addresses
    }
}

/// Something in the configuration that makes no sense. Any of them refuses the file.
public struct RoutingProblem: Error, Sendable, Hashable, CustomStringConvertible {
    /// The place, as a path of keys in the configuration file.
    public var path: String
    /// What is wrong and what to do, in whole sentences.
    public var message: String
    /// An account is named that does not exist; it may come, so a node starts all the same.
    public var isMissingAccount: Bool

    public init(path: String, message: String, isMissingAccount: Bool = false) {
        self.path = path
        self.message = message
        self.isMissingAccount = isMissingAccount
    }

    public var description: String { "\(path): \(message)" }
}
