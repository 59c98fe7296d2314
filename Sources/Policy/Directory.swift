import Platform

/// An account that gets a message.
public struct AccountRef: Hashable, Sendable {
    public var id: UInt128
    /// The detail that an alias's target names (`alice+lists`); empty if there is none.
    public var detail: [UInt8]

    public init(id: UInt128, detail: [UInt8] = []) {
        self.id = id
        self.detail = detail
    }
}

/// Where a forward-path leads.
public enum Resolution: Hashable, Sendable {
    /// To these accounts, each once, in the order of the configuration. `detail` is what stood after
    /// the separator in the address itself, as it came; empty if there was none.
    case accounts([AccountRef], detail: [UInt8])
    /// The domain is ours and the user is not: 550 5.1.1.
    case unknownUser
    /// The domain is not ours: 550 5.7.1.
    case relayDenied
}

/// Resolves addresses: a snapshot of configuration and accounts, replaced whole when either changes.
public struct Directory: Sendable {
    static let postmasterName = Array("postmaster".utf8)

    let separator: UInt8?
    var domains = ByteTable()
    /// Keys are the domain's index, four octets, and the local part.
    var addresses = ByteTable()
    /// What the values of `addresses` index.
    var destinations: [[AccountRef]] = []
    /// By address, for logins: only addresses that accounts have themselves.
    var owners = ByteTable()
    var ownerIDs: [UInt128] = []
    /// By domain index.
    var catchAlls: [[AccountRef]?] = []
    var postmaster: [AccountRef]?
    var literals = ByteTable()
    var onlyDomain: Int?

    init(separator: UInt8?) {
        self.separator = separator
    }

    /// The directory of a configuration in which everything is well.
    ///
    /// - Throws: all problems, in the order of the configuration.
    public init(_ configuration: RoutingConfiguration, accounts: [RoutingAccount])
        throws(RoutingProblems)
    {
        let (directory, problems) = Self.build(configuration, accounts: accounts)
        guard problems.isEmpty else { throw RoutingProblems(problems: problems) }
        self = directory
    }

    /// The directory without what makes no sense, and the list of that: for a node that runs and
    /// must not stop delivering because an account went away that an alias names.
    public static func build(_ configuration: RoutingConfiguration, accounts: [RoutingAccount])
        -> (directory: Directory, problems: [RoutingProblem])
    {
        var builder = DirectoryBuilder(configuration)
        return builder.build(accounts)
    }

    /// Where mail for `localPart@domain` goes. It allocates nothing for ASCII addresses without a
    /// detail.
    ///
    /// - Parameters:
    ///   - localPart: as it came, quotes included.
    ///   - domain: as it came, in A-labels or U-labels, or an address literal in brackets; empty for
    ///     the bare `<postmaster>` (RFC 5321 §4.1.1.3).
    public func resolve(localPart: UnsafeRawBufferPointer, domain: UnsafeRawBufferPointer)
        -> Resolution
    {
        if domain.isEmpty || domain[0] == UInt8(ascii: "[") {
            return resolveWithoutDomain(localPart, domain)
        }
        guard let index = domainIndex(domain) else { return .relayDenied }
        guard !localPart.isEmpty, localPart.count <= AddressForm.localPartMaxOctets else {
            return .unknownUser
        }
        if Self.isSimple(localPart) {
            return withUnsafeTemporaryAllocation(
                byteCount: 4 + localPart.count, alignment: 1
            ) { key in
                for i in 0..<localPart.count {
                    key[4 + i] = AddressForm.lowercase(localPart[i])
                }
                return resolve(key, raw: localPart, domain: index)
            }
        }
        guard let local = AddressForm.localPart(localPart) else { return .unknownUser }
        return local.withUnsafeBytes { raw in
            withUnsafeTemporaryAllocation(byteCount: 4 + raw.count, alignment: 1) { key in
                UnsafeMutableRawBufferPointer(rebasing: key[4...]).copyMemory(from: raw)
                return resolve(key, raw: raw, domain: index)
            }
        }
    }

    public func resolve(localPart: [UInt8], domain: [UInt8]) -> Resolution {
        localPart.withUnsafeBytes { local in
            domain.withUnsafeBytes { resolve(localPart: local, domain: $0) }
        }
    }

    /// Whether mail for this domain is ours to take.
    public func isLocal(domain: UnsafeRawBufferPointer) -> Bool {
        domainIndex(domain) != nil
    }

    /// The account that logs in with this name: one of its own addresses, or the local part alone
    /// where there is only one domain. Aliases and details do not log in.
    public func account(login name: String) -> UInt128? {
        let parts = name.split(separator: "@", omittingEmptySubsequences: false)
        guard let (domain, local) = Self.splitLogin(parts) else { return nil }
        let index: Int?
        if let domain {
            index = Array(domain.utf8).withUnsafeBytes { domainIndex($0) }
        } else {
            index = onlyDomain
        }
        guard let index, let form = AddressForm.localPart(local) else { return nil }
        let found = Self.key(domain: index, form).withUnsafeBytes { owners.value(of: $0) }
        return found.map { ownerIDs[$0] }
    }

    private static func splitLogin(_ parts: [Substring]) -> (Substring?, Substring)? {
        switch parts.count {
        case 1: (nil, parts[0])
        case 2: (parts[1], parts[0])
        default: nil
        }
    }

    private func resolve(
        _ key: UnsafeMutableRawBufferPointer, raw: UnsafeRawBufferPointer, domain index: Int
    ) -> Resolution {
        withUnsafeBytes(of: UInt32(index)) { key.copyMemory(from: $0) }
        if let found = addresses.value(of: .init(key)) {
            return .accounts(destinations[found], detail: [])
        }
        var detail: [UInt8] = []
        var userCount = raw.count
        // Not at the start: an address has to have a user.
        if let separator, let cut = raw.dropFirst().firstIndex(of: separator) {
            detail = Array(raw[(cut + 1)...])
            userCount = cut
            let user = UnsafeRawBufferPointer(rebasing: key[..<(4 + cut)])
            if let found = addresses.value(of: user) {
                return .accounts(destinations[found], detail: detail)
            }
        }
        // RFC 5321 §4.5.1.
        if key[4..<(4 + userCount)].elementsEqual(Self.postmasterName), let postmaster {
            return .accounts(postmaster, detail: detail)
        }
        if let catchAll = catchAlls[index] { return .accounts(catchAll, detail: []) }
        return .unknownUser
    }

    private func resolveWithoutDomain(
        _ localPart: UnsafeRawBufferPointer, _ domain: UnsafeRawBufferPointer
    ) -> Resolution {
        if !domain.isEmpty {
            guard domain.count <= AddressForm.domainMaxOctets else { return .relayDenied }
            let literal = domain.map(AddressForm.lowercase)
            guard literal.withUnsafeBytes({ literals.value(of: $0) }) != nil else {
                return .relayDenied
            }
        }
        guard let local = AddressForm.localPart(localPart), local == Self.postmasterName,
            let postmaster
        else { return .unknownUser }
        return .accounts(postmaster, detail: [])
    }

    private func domainIndex(_ domain: UnsafeRawBufferPointer) -> Int? {
        guard !domain.isEmpty, domain.count <= AddressForm.domainMaxOctets else { return nil }
        if domain.allSatisfy({ $0 < 0x80 }) {
            return withUnsafeTemporaryAllocation(byteCount: domain.count, alignment: 1) { key in
                for i in 0..<domain.count { key[i] = AddressForm.lowercase(domain[i]) }
                return domains.value(of: .init(key))
            }
        }
        guard let form = AddressForm.domain(domain) else { return nil }
        return form.withUnsafeBytes { domains.value(of: $0) }
    }

    /// Whether it needs no unquoting and no normalisation.
    private static func isSimple(_ localPart: UnsafeRawBufferPointer) -> Bool {
        localPart.allSatisfy { $0 < 0x80 && $0 != UInt8(ascii: "\"") }
    }

    static func key(domain: Int, _ localPart: [UInt8]) -> [UInt8] {
        withUnsafeBytes(of: UInt32(domain)) { Array($0) } + localPart
    }
}

/// Every problem of one configuration.
public struct RoutingProblems: Error, Sendable, Hashable {
    public var problems: [RoutingProblem]
}
