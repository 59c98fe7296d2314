import ArgumentParser
import Control
import Glibc

/// How a command ends; sysexits(3). `docs/commands.md` lists them.
enum ExitStatus: Int32 {
    case dataError = 65
    case noSuchAccount = 67
    case unavailable = 69
    case internalError = 70
    case cannotCreate = 73
    case inputOutput = 74
    case tryAgain = 75
    case refused = 76
    case noPermission = 77
    case configuration = 78
}

/// Why a command did not do its work: for people on standard error, and as JSON if they asked.
struct Failure: Error {
    var status: ExitStatus
    /// A word for programs.
    var code: String
    /// What is wrong, where, and what to do.
    var message: String

    init(_ status: ExitStatus, _ code: String, _ message: String) {
        self.status = status
        self.code = code
        self.message = message
    }

    init(_ error: ControlClientError) {
        switch error {
        case .noNode(let problem) where problem.isPermission:
            self.init(.noPermission, "no-permission", "\(error)")
        case .noNode: self.init(.unavailable, "no-node", "\(error)")
        case .badAnswer: self.init(.unavailable, "bad-answer", "\(error)")
        case .refused(let refusal):
            let status: ExitStatus =
                switch refusal.code {
                case "no-such-account": .noSuchAccount
                case "configuration-refused": .configuration
                case "disk-full", "unavailable", "timeout": .tryAgain
                case "internal": .internalError
                default: .refused
                }
            self.init(status, refusal.code, refusal.message)
        }
    }
}

/// A command of ours: fails with a `Failure`, and may speak JSON.
protocol TwinpostCommand: ParsableCommand {
    var output: OutputOptions { get }
    func execute() throws(Failure)
}

struct OutputOptions: ParsableArguments {
    @Flag(help: "Print JSON for programs, on standard output.")
    var json = false
}

extension TwinpostCommand {
    func run() throws {
        do throws(Failure) {
            try execute()
        } catch {
            if !error.message.isEmpty { Console.error("twinpost: \(error.message)") }
            if output.json, !error.message.isEmpty {
                Console.print(
                    json: ["error": ["code": error.code, "message": error.message]])
            }
            throw ExitCode(error.status.rawValue)
        }
    }

    /// Calls the node and turns its refusals into ours.
    func ask<R>(_ body: () throws(ControlClientError) -> R) throws(Failure) -> R {
        do throws(ControlClientError) { return try body() } catch { throw Failure(error) }
    }
}
