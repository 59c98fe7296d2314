import MailStore
import Node
import Platform
import PlatformLinux
import Policy
import SASL

extension ControlRouter {
    func list() -> AccountList {
        let gateway = hooks.gateway
        let accounts = gateway.accountIDs().compactMap { gateway.account($0) }.map(summary)
        return AccountList(
            accounts: accounts.sorted { ($0.addresses, $0.id) < ($1.addresses, $1.id) })
    }

    func summary(_ state: AccountState) -> AccountSummary {
        AccountSummary(
            id: "\(state.id)", addresses: state.addresses, mailboxes: state.mailboxes.count,
            messages: state.mailboxes.reduce(0) { $0 + $1.messages.count },
            usedOctets: state.usedOctets, quotaOctets: state.quotaOctets)
    }

    /// By one of its addresses, or by its identifier.
    func account(_ name: String) throws(ControlError) -> AccountState {
        let gateway = hooks.gateway
        let id = gateway.accountID(address: name) ?? AccountID(hex: name)
        guard let id, let state = gateway.account(id) else {
            throw ControlError(
                404, "no-such-account",
                "There is no account \(name): `twinpost account list` shows all there are.")
        }
        return state
    }

    func create(_ wanted: AccountCreation) throws(ControlError) -> AccountSummary {
        let addresses = [wanted.address] + (wanted.aliases ?? [])
        try check(addresses, of: nil)
        let verifier = try verifier(of: wanted.password)
        try submit(
            .createAccount(
                addresses: addresses, verifier: verifier, quotaOctets: wanted.quotaOctets))
        let state = try account(wanted.address)
        log("account added", state)
        return summary(state)
    }

    func remove(_ name: String) throws(ControlError) -> AccountSummary {
        let state = try account(name)
        try submit(.removeAccount(state.id))
        log("account removed", state)
        return summary(state)
    }

    func setPassword(_ name: String, _ wanted: PasswordChange) throws(ControlError)
        -> AccountSummary
    {
        let state = try account(name)
        let verifier = try verifier(of: wanted.password)
        try submit(.change(state.id, .setCredential(verifier: verifier)))
        log("password changed", state)
        return summary(state)
    }

    func setAddresses(_ name: String, _ wanted: AddressChange) throws(ControlError)
        -> AccountSummary
    {
        let state = try account(name)
        try check(wanted.addresses, of: state.id)
        try submit(.change(state.id, .setAddresses(wanted.addresses)))
        return try changed(state.id, "addresses changed")
    }

    func setQuota(_ name: String, _ wanted: QuotaChange) throws(ControlError) -> AccountSummary {
        let state = try account(name)
        try submit(.change(state.id, .setQuota(octets: wanted.quotaOctets)))
        return try changed(state.id, "quota changed")
    }

    private func changed(_ id: AccountID, _ event: String) throws(ControlError)
        -> AccountSummary
    {
        let state = try account("\(id)")
        log(event, state)
        return summary(state)
    }

    private func log(_ event: String, _ state: AccountState) {
        logger.notice(
            "\(event)",
            metadata: [
                "account": "\(state.id)", "address": "\(state.addresses.first ?? "")",
            ])
    }

    // MARK: Checks

    private func verifier(of password: String) throws(ControlError) -> [UInt8] {
        guard password.utf8.count <= 1_024 else {
            throw ControlError(
                422, "invalid-password", "The password has more than 1024 octets: shorten it.")
        }
        var randomness = SystemRandomness()
        do throws(SASLprepError) {
            return try Verifier(
                password: Array(password.utf8), salt: randomness.bytes(Verifier.saltOctets),
                iterations: hooks.passwordIterations()
            ).encoded
        } catch {
            throw ControlError(
                422, "invalid-password",
                "The password is empty or has characters that no client can send (RFC 4013): "
                    + "choose another.")
        }
    }

    private func check(_ addresses: [String], of account: AccountID?) throws(ControlError) {
        guard !addresses.isEmpty, addresses.count <= 1_000 else {
            throw ControlError(422, "invalid-address", "An account has 1 to 1000 addresses.")
        }
        let directory = hooks.directory()
        var seen: [String] = []
        for address in addresses {
            try Self.check(address, directory)
            let key = address.lowercased()
            if seen.contains(key) {
                throw ControlError(422, "invalid-address", "\(address) is there twice.")
            }
            seen.append(key)
            if let holder = hooks.gateway.accountID(address: address), holder != account {
                throw ControlError(
                    409, "address-taken",
                    "\(address) belongs to an account already: choose another address, or remove "
                        + "that account first.")
            }
        }
    }

    private static func check(_ address: String, _ directory: Directory) throws(ControlError) {
        let parts = address.split(separator: "@", omittingEmptySubsequences: false)
        let isClean = address.unicodeScalars.allSatisfy {
            $0.value > 0x20 && $0.value != 0x7F && !"\"(),:;<>[\\]".unicodeScalars.contains($0)
        }
        guard parts.count == 2, isClean, AddressForm.localPart(parts[0]) != nil,
            let domain = AddressForm.domain(parts[1])
        else {
            throw ControlError(
                422, "invalid-address",
                "\"\(address)\" is not an address: write it like alice@example.org.")
        }
        guard domain.withUnsafeBytes({ directory.isLocal(domain: $0) }) else {
            throw ControlError(
                422, "foreign-domain",
                "\(parts[1]) is not a domain of this node: add a [[domain]] section for it to the "
                    + "configuration and reload it, or correct the address.")
        }
    }
}

private func < (a: ([String], String), b: ([String], String)) -> Bool {
    if a.0 == b.0 { return a.1 < b.1 }
    return a.0.lexicographicallyPrecedes(b.0)
}
