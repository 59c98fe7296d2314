import ArgumentParser
import Control

struct Account: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Adds, changes, lists and removes accounts of a running node.",
        subcommands: [
            AccountAdd.self, AccountPasswd.self, AccountList.self, AccountRemove.self,
            AccountAddresses.self, AccountQuota.self,
        ])
}

struct PasswordOptions: ParsableArguments {
    @Flag(help: "Read the password from the first line of standard input, even from a terminal.")
    var passwordStdin = false

    @Flag(help: "Make a password and print it.")
    var generate = false

    func validate() throws {
        if passwordStdin && generate {
            throw ValidationError("--password-stdin and --generate exclude each other.")
        }
    }

    func password(for account: String) throws(Failure) -> String {
        if generate { return Passwords.generate() }
        return try passwordStdin ? Passwords.readLine() : Passwords.read(for: account)
    }
}

/// What commands that set a password print as JSON.
private struct AccountWithPassword: Encodable {
    var account: AccountSummary
    /// Only one that we made.
    var password: String?
}

extension TwinpostCommand {
    fileprivate func show(_ account: AccountSummary, _ done: String, password: String?) {
        if output.json {
            Console.print(json: AccountWithPassword(account: account, password: password))
        } else {
            Console.print("\(account.addresses.first ?? account.id) \(done).")
            if let password { Console.print("password \(password)") }
        }
    }
}

struct AccountAdd: TwinpostCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Adds an account.")

    @Argument(help: "What it logs in with, and its first address: alice@example.org.")
    var address: String

    @Option(name: .customLong("alias"), help: "A further address of its own; may be repeated.")
    var aliases: [String] = []

    @Option(help: "What it may hold: a number of octets, or 500MiB, 2GiB.")
    var quota: Octets?

    @OptionGroup var passwords: PasswordOptions
    @OptionGroup var control: ControlOptions
    @OptionGroup var output: OutputOptions

    func execute() throws(Failure) {
        let client = control.client
        let password = try passwords.password(for: address)
        let creation = AccountCreation(
            address: address, password: password, aliases: aliases.isEmpty ? nil : aliases,
            quotaOctets: quota?.count)
        let account = try ask { () throws(ControlClientError) in try client.add(creation) }
        show(account, "added", password: passwords.generate ? password : nil)
    }
}

struct AccountPasswd: TwinpostCommand {
    static let configuration = CommandConfiguration(
        commandName: "passwd", abstract: "Gives an account a new password.")

    @Argument(help: "One of its addresses, or its identifier.")
    var account: String

    @OptionGroup var passwords: PasswordOptions
    @OptionGroup var control: ControlOptions
    @OptionGroup var output: OutputOptions

    func execute() throws(Failure) {
        let client = control.client
        let password = try passwords.password(for: account)
        let summary = try ask { () throws(ControlClientError) in
            try client.setPassword(account, password)
        }
        show(summary, "has a new password", password: passwords.generate ? password : nil)
    }
}

struct AccountList: TwinpostCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the accounts.")

    @OptionGroup var control: ControlOptions
    @OptionGroup var output: OutputOptions

    func execute() throws(Failure) {
        let client = control.client
        let accounts = try ask { () throws(ControlClientError) in try client.accounts() }
        if output.json {
            Console.print(json: Control.AccountList(accounts: accounts))
            return
        }
        let width = accounts.map { $0.addresses.first?.count ?? 0 }.max() ?? 0
        for account in accounts {
            let name = account.addresses.first ?? account.id
            let padding = String(repeating: " ", count: width - name.count + 2)
            var line = "\(name)\(padding)\(account.messages) messages, "
            line += Octets(account.usedOctets).text
            if let quota = account.quotaOctets { line += " of \(Octets(quota).text)" }
            if account.addresses.count > 1 {
                line += ", also " + account.addresses.dropFirst().joined(separator: ", ")
            }
            Console.print(line)
        }
    }
}

struct AccountRemove: TwinpostCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Removes an account with all its mail, for ever.")

    @Argument(help: "One of its addresses, or its identifier.")
    var account: String

    @OptionGroup var control: ControlOptions
    @OptionGroup var output: OutputOptions

    func execute() throws(Failure) {
        let client = control.client
        let summary = try ask { () throws(ControlClientError) in try client.remove(account) }
        show(summary, "removed, with \(summary.messages) messages", password: nil)
    }
}

struct AccountAddresses: TwinpostCommand {
    static let configuration = CommandConfiguration(
        commandName: "addresses", abstract: "Gives an account other addresses.",
        discussion: "The account keeps its mail and its identifier.")

    @Argument(help: "One of its addresses, or its identifier.")
    var account: String

    @Argument(help: "All its addresses from now on; it logs in with the first.")
    var addresses: [String]

    @OptionGroup var control: ControlOptions
    @OptionGroup var output: OutputOptions

    func execute() throws(Failure) {
        let client = control.client
        let summary = try ask { () throws(ControlClientError) in
            try client.setAddresses(account, addresses)
        }
        show(
            summary, "has the addresses \(summary.addresses.joined(separator: ", "))",
            password: nil)
    }
}

struct AccountQuota: TwinpostCommand {
    static let configuration = CommandConfiguration(
        commandName: "quota", abstract: "Says how much an account may hold.")

    @Argument(help: "One of its addresses, or its identifier.")
    var account: String

    @Argument(help: "A number of octets, or 500MiB, 2GiB; without it the configuration's default.")
    var quota: Octets?

    @OptionGroup var control: ControlOptions
    @OptionGroup var output: OutputOptions

    func execute() throws(Failure) {
        let client = control.client
        let summary = try ask { () throws(ControlClientError) in
            try client.setQuota(account, octets: quota?.count)
        }
        let text = summary.quotaOctets.map { "may hold \(Octets($0).text)" }
        show(summary, text ?? "may hold what the configuration says", password: nil)
    }
}
