/// Makes a `Directory` of a configuration, and finds what makes no sense in it.
struct DirectoryBuilder {
    /// Aliases that name aliases, that deep, are a mistake.
    private static let nestingMax = 32

    private struct AliasNode {
        var path: String
        var address: String
        var domain: Int
        var targets: [String]
        var state = State.unvisited
        var height = 0
        var result: [AccountRef] = []
    }

    private enum State { case unvisited, open, done }

    private let configuration: RoutingConfiguration
    private var directory: Directory
    private var problems: [RoutingProblem] = []
    private var aliases: [AliasNode] = []
    private var aliasTable = ByteTable()

    init(_ configuration: RoutingConfiguration) {
        self.configuration = configuration
        directory = Directory(separator: configuration.detailSeparator)
    }

    mutating func build(_ accounts: [RoutingAccount]) -> (Directory, [RoutingProblem]) {
        addDomains()
        addAccounts(accounts)
        collectAliases()
        for index in aliases.indices {
            var trail: [Int] = []
            resolve(index, &trail)
        }
        publishAliases()
        addCatchAlls()
        addPostmaster(accounts)
        for literal in configuration.addressLiterals {
            let key = Array("[\(literal)]".utf8).map(AddressForm.lowercase)
            _ = directory.literals.insert(key, value: 0)
        }
        return (directory, problems)
    }

    private mutating func report(
        _ path: String, _ message: String, isMissingAccount: Bool = false
    ) {
        problems.append(
            RoutingProblem(path: path, message: message, isMissingAccount: isMissingAccount))
    }

    private mutating func addDomains() {
        for (index, domain) in configuration.domains.enumerated() {
            directory.catchAlls.append(nil)
            let path = "domain[\(index)].name"
            guard let form = AddressForm.domain(domain.name) else {
                report(path, "\"\(domain.name)\" is not a domain name.")
                continue
            }
            if directory.domains.insert(form, value: index) != index {
                report(path, "\"\(domain.name)\" is there twice; join the two sections.")
            }
        }
        directory.onlyDomain = configuration.domains.count == 1 ? 0 : nil
    }

    private mutating func addAccounts(_ accounts: [RoutingAccount]) {
        for account in accounts {
            for address in account.addresses {
                guard let (domain, local) = split(address, defaultDomain: nil) else {
                    report("account \(address)", "This is not an address.")
                    continue
                }
                guard let index = domainIndex(domain) else {
                    report(
                        "account \(address)",
                        "Its domain is not in the configuration. Add a [[domain]] with name = "
                            + "\"\(domain)\", or remove the account.")
                    continue
                }
                let key = Directory.key(domain: index, local)
                let destination = directory.destinations.count
                if directory.addresses.insert(key, value: destination) != destination {
                    report("account \(address)", "Two accounts have this address.")
                    continue
                }
                directory.destinations.append([AccountRef(id: account.id)])
                _ = directory.owners.insert(key, value: directory.ownerIDs.count)
                directory.ownerIDs.append(account.id)
            }
        }
    }

    private mutating func collectAliases() {
        for (index, domain) in configuration.domains.enumerated() {
            for alias in domain.aliases {
                let path = "domain[\(index)].aliases.\"\(alias.localPart)\""
                let address = "\(alias.localPart)@\(domain.name)"
                guard let local = AddressForm.localPart(alias.localPart),
                    !alias.localPart.contains("@")
                else {
                    report(
                        path,
                        "\"\(alias.localPart)\" is not a local part: write what stands "
                            + "before the @.")
                    continue
                }
                if alias.targets.isEmpty {
                    report(path, "It has no target. Name at least one address, or remove it.")
                    continue
                }
                let key = Directory.key(domain: index, local)
                if key.withUnsafeBytes({ directory.addresses.value(of: $0) }) != nil {
                    report(
                        path,
                        "\(address) is the address of an account already. Choose another "
                            + "name for the alias.")
                    continue
                }
                if aliasTable.insert(key, value: aliases.count) != aliases.count {
                    report(path, "\(address) is there twice (case does not count).")
                    continue
                }
                aliases.append(
                    AliasNode(
                        path: path, address: address, domain: index, targets: alias.targets))
            }
        }
    }

    /// Depth first; `trail` is the way from the first alias to this one.
    private mutating func resolve(_ index: Int, _ trail: inout [Int]) {
        switch aliases[index].state {
        case .done: return
        case .open:
            let start = trail.firstIndex(of: index) ?? 0
            let cycle = (trail[start...] + [index]).map { aliases[$0].address }
            report(
                aliases[trail[trail.count - 1]].path,
                "These aliases lead in a circle: \(cycle.joined(separator: " -> ")). Take one of "
                    + "them out.")
            return
        case .unvisited: break
        }
        aliases[index].state = .open
        trail.append(index)
        var refs: [AccountRef] = []
        var height = 1
        for target in aliases[index].targets {
            let found = lookUp(
                target, domain: aliases[index].domain, path: aliases[index].path, &trail)
            height = max(height, found.height + 1)
            refs += found.refs
        }
        trail.removeLast()
        if height > Self.nestingMax {
            if height == Self.nestingMax + 1 {
                report(
                    aliases[index].path,
                    "Aliases are nested more than \(Self.nestingMax) deep here. Name the accounts "
                        + "directly.")
            }
            refs = []
        }
        aliases[index].height = height
        aliases[index].result = Self.unique(refs)
        aliases[index].state = .done
    }

    /// What a target stands for; reports it if it is nothing.
    private mutating func lookUp(
        _ target: String, domain: Int, path: String, _ trail: inout [Int]
    ) -> (refs: [AccountRef], height: Int) {
        let defaultDomain = configuration.domains[domain].name
        guard let (name, local) = split(target, defaultDomain: defaultDomain) else {
            report(path, "\"\(target)\" is not an address.")
            return ([], 0)
        }
        guard let index = domainIndex(name) else {
            report(
                path,
                "\"\(target)\" is outside our domains. Forwarding to other servers is not "
                    + "supported; name an account or an alias of ours.")
            return ([], 0)
        }
        if let found = destination(index, local, &trail) { return found }
        if let separator = configuration.detailSeparator,
            let cut = local.dropFirst().firstIndex(of: separator),
            let found = destination(index, Array(local[..<cut]), &trail)
        {
            let detail = Array(local[(cut + 1)...])
            let refs = found.refs.map { ref in
                AccountRef(id: ref.id, detail: ref.detail.isEmpty ? detail : ref.detail)
            }
            return (refs, found.height)
        }
        report(
            path,
            "\"\(target)\" is neither an account nor an alias. Add the account first "
                + "(twinpost account add), or correct the name.", isMissingAccount: true)
        return ([], 0)
    }

    private mutating func destination(_ domain: Int, _ local: [UInt8], _ trail: inout [Int])
        -> (refs: [AccountRef], height: Int)?
    {
        let key = Directory.key(domain: domain, local)
        if let found = key.withUnsafeBytes({ directory.addresses.value(of: $0) }) {
            return (directory.destinations[found], 0)
        }
        guard let alias = key.withUnsafeBytes({ aliasTable.value(of: $0) }) else { return nil }
        // A chain that is too long already is not followed: the recursion has to end.
        guard trail.count <= Self.nestingMax * 2 || aliases[alias].state != .unvisited else {
            return ([], Self.nestingMax)
        }
        resolve(alias, &trail)
        return (aliases[alias].result, aliases[alias].height)
    }

    private mutating func publishAliases() {
        for (index, alias) in aliases.enumerated() where !alias.result.isEmpty {
            guard let local = split(alias.address, defaultDomain: nil)?.local else { continue }
            let key = Directory.key(domain: aliases[index].domain, local)
            _ = directory.addresses.insert(key, value: directory.destinations.count)
            directory.destinations.append(alias.result)
        }
    }

    private mutating func addCatchAlls() {
        for (index, domain) in configuration.domains.enumerated() {
            guard let target = domain.catchAll else { continue }
            var trail: [Int] = []
            let found = lookUp(target, domain: index, path: "domain[\(index)].catch-all", &trail)
            if !found.refs.isEmpty { directory.catchAlls[index] = found.refs }
        }
    }

    private mutating func addPostmaster(_ accounts: [RoutingAccount]) {
        if let target = configuration.postmaster, !configuration.domains.isEmpty {
            var trail: [Int] = []
            let found = lookUp(target, domain: 0, path: "postmaster", &trail)
            if !found.refs.isEmpty { directory.postmaster = found.refs }
        }
        if directory.postmaster == nil, let first = accounts.first {
            directory.postmaster = [AccountRef(id: first.id)]
        }
    }

    private func domainIndex(_ name: String) -> Int? {
        AddressForm.domain(name).flatMap { form in
            form.withUnsafeBytes { directory.domains.value(of: $0) }
        }
    }

    /// An address in its parts; the local part in its comparable form.
    private func split(_ address: String, defaultDomain: String?)
        -> (domain: String, local: [UInt8])?
    {
        guard let at = address.lastIndex(of: "@") else {
            guard let defaultDomain, let local = AddressForm.localPart(address) else { return nil }
            return (defaultDomain, local)
        }
        guard let local = AddressForm.localPart(address[..<at]) else { return nil }
        let domain = String(address[address.index(after: at)...])
        return domain.isEmpty ? nil : (domain, local)
    }

    /// Each account once: with the detail under which it came first.
    private static func unique(_ refs: [AccountRef]) -> [AccountRef] {
        var seen: Set<UInt128> = []
        return refs.filter { seen.insert($0.id).inserted }
    }
}
