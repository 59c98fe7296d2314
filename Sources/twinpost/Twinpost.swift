import ArgumentParser

@main
struct Twinpost: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "twinpost",
        abstract: "Runs, watches and looks after a Twinpost mail node.",
        discussion: "Exit codes and the output of --json are described in docs/commands.md.",
        subcommands: [
            Try.self, Status.self, Reload.self, Account.self, Config.self, Verify.self, Index.self,
        ])
}
