import ArgumentParser
import Configuration
import Control
import Listening
import Policy

struct Config: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Looks at the configuration.", subcommands: [ConfigCheck.self])
}

struct ConfigCheck: TwinpostCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Says everything that is wrong with a configuration file.",
        discussion: """
            Certificates and keys are read too. If the node runs, aliases are compared with its \
            accounts. Exit code 0 only if the node would take the file.
            """)

    @Argument(help: "The file.")
    var file = Locations.configurationPath

    @OptionGroup var output: OutputOptions

    struct Problem: Encodable {
        var line: Int?
        var column: Int?
        /// The key, as a path.
        var path: String?
        var message: String
    }

    private struct Report: Encodable {
        var file: String
        var problems: [Problem]
        var notes: [String]
    }

    func execute() throws(Failure) {
        var problems: [Problem] = []
        var notes: [String] = []
        do throws(ConfigurationError) {
            let configuration = try Configuration.load(path: file)
            checkCertificates(configuration, &problems)
            checkRoutes(configuration, &problems, &notes)
        } catch {
            problems = error.problems.map {
                Problem(
                    line: $0.line, column: $0.column, path: $0.path.isEmpty ? nil : $0.path,
                    message: $0.message)
            }
        }
        if output.json {
            Console.print(json: Report(file: file, problems: problems, notes: notes))
        } else {
            for note in notes { Console.print("note: \(note)") }
            if problems.isEmpty { Console.print("\(file): all is well.") }
        }
        for problem in problems { Console.error(text(problem)) }
        guard problems.isEmpty else { throw Failure.reported(.configuration) }
    }

    private func text(_ problem: Problem) -> String {
        var place = file
        if let line = problem.line { place += ":\(line)" }
        if let column = problem.column { place += ":\(column)" }
        if let path = problem.path { place += ": \(path)" }
        return "\(place): \(problem.message)"
    }

    private func checkCertificates(_ configuration: Configuration, _ problems: inout [Problem]) {
        for (index, certificate) in configuration.certificates.enumerated() {
            let files = TLSContexts.Files(
                certificate: certificate.certificatePath, privateKey: certificate.keyPath,
                serverNames: certificate.serverNames,
                requiresTLS13: configuration.tlsMinVersion == .tls13)
            do throws(TLSFileError) {
                _ = try TLSContexts.load(files)
            } catch {
                let key = error.file == certificate.certificatePath ? "certificate" : "key"
                problems.append(
                    Problem(path: "tls.certificate[\(index)].\(key)", message: "\(error)."))
            }
        }
    }

    /// Names of nobody are a mistake only if we know who there is.
    private func checkRoutes(
        _ configuration: Configuration, _ problems: inout [Problem], _ notes: inout [String]
    ) {
        let client = ControlClient(path: configuration.controlSocketPath, timeout: .seconds(5))
        let accounts = try? client.accounts()
        let routed = (accounts ?? []).enumerated().map {
            RoutingAccount(id: UInt128($0.offset), addresses: $0.element.addresses)
        }
        let found = Directory.build(configuration.routing, accounts: routed).problems
        for problem in found {
            if !problem.isMissingAccount {
                problems.append(Problem(path: problem.path, message: problem.message))
            } else if accounts != nil {
                notes.append("\(problem)")
            }
        }
        if accounts == nil, found.contains(where: \.isMissingAccount) {
            notes.append(
                "The node does not run, so that aliases were not compared with its accounts.")
        }
    }
}
