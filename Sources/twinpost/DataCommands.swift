import ArgumentParser
import Glibc
import NodeRuntime
import Verification

struct Verify: TwinpostCommand {
    static let configuration = CommandConfiguration(
        abstract: "Reads back all that a node holds, and changes nothing.",
        discussion: """
            Checks the journal's checksums and chains, every message's hash, and that the index says \
            what the messages say. The node must not run meanwhile. Exit code 0 only if all is well.
            """)

    @OptionGroup var data: DataOptions
    @OptionGroup var output: OutputOptions

    func execute() throws(Failure) {
        let report: VerificationReport
        do throws(NodeDataError) {
            let data = try NodeData(path: data.path, create: false)
            report = try NodeVerifier(data, progress: Progress.show).run()
        } catch {
            Progress.end()
            throw Failure(data: error)
        }
        Progress.end()
        if output.json {
            Console.print(json: report)
        } else {
            Console.print(report.text(of: data.path))
        }
        guard report.isClean else { throw Failure.reported(.dataError) }
    }
}

extension VerificationReport {
    fileprivate func text(of path: String) -> String {
        var lines = [
            "\(path): \(accounts) accounts, \(mailboxes) mailboxes, \(messages) messages",
            "journal: \(bodies) bodies, \(bodyOctets) octets, \(operations) operations since the "
                + "checkpoint",
            "index: \(indexRows) rows",
        ]
        lines += notes.map { "note: \($0)" }
        lines += problems.map { "DAMAGE: \($0)" }
        lines.append(isClean ? "All is well." : "\(problems.count) problems.")
        return lines.joined(separator: "\n")
    }
}

struct Index: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Looks after the index.", subcommands: [IndexRebuild.self])
}

struct IndexRebuild: TwinpostCommand {
    static let configuration = CommandConfiguration(
        commandName: "rebuild",
        abstract: "Makes the index anew from the journal.",
        discussion: """
            The index is a projection of the journal: nothing is lost with it. The node must not run \
            meanwhile; it would also do this by itself when it starts.
            """)

    @OptionGroup var data: DataOptions
    @OptionGroup var output: OutputOptions

    private struct Report: Encodable {
        var rows: Int
    }

    func execute() throws(Failure) {
        let rows: Int
        do throws(NodeDataError) {
            let data = try NodeData(path: data.path, create: false)
            rows = try IndexBuilder(data).run { done, all in
                Progress.show("\(done) of \(all) messages")
            }
        } catch {
            Progress.end()
            throw Failure(data: error)
        }
        Progress.end()
        if output.json {
            Console.print(json: Report(rows: rows))
        } else {
            Console.print("The index has \(rows) rows.")
        }
    }
}

/// One line that is written over, where a person sees it.
enum Progress {
    static func show(_ text: String) {
        guard isatty(STDERR_FILENO) == 1 else { return }
        Console.ask("\r\u{1B}[K\(text)")
    }

    static func end() { show("") }
}

extension Failure {
    init(data error: NodeDataError) {
        switch error.kind {
        case .busy: self.init(.tryAgain, "in-use", "\(error).")
        case .damaged: self.init(.dataError, "data", "\(error).")
        case .system: self.init(.inputOutput, "no-data", "\(error).")
        }
    }

    /// What is wrong was printed already.
    static func reported(_ status: ExitStatus) -> Failure { Failure(status, "", "") }
}
