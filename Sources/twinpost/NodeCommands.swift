import ArgumentParser
import Control

struct Status: TwinpostCommand {
    static let configuration = CommandConfiguration(
        abstract: "Says how the running node is.")

    @OptionGroup var control: ControlOptions
    @OptionGroup var output: OutputOptions

    func execute() throws(Failure) {
        let client = control.client
        let status = try ask { () throws(ControlClientError) in try client.status() }
        if output.json {
            Console.print(json: status)
        } else {
            Console.print(status.text)
        }
    }
}

extension NodeStatus {
    fileprivate var text: String {
        var lines = [
            "\(hostname), node \(node): \(state), version \(version), pid \(pid), "
                + "up \(Int(uptimeSeconds)) s"
        ]
        lines += listeners.map {
            "listens for \($0.service) on \($0.address)\($0.implicitTLS ? ", with TLS" : "")"
        }
        lines.append("\(accounts) accounts")
        lines += connections.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key) connections" }
        let counts = counters.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
        if !counts.isEmpty { lines.append("since the start: " + counts.joined(separator: ", ")) }
        lines += notes.map { "note: \($0)" }
        return lines.joined(separator: "\n")
    }
}

struct Reload: TwinpostCommand {
    static let configuration = CommandConfiguration(
        abstract: "Makes the running node read its configuration again.",
        discussion: "A configuration with a mistake is refused, and the last good one stays.")

    @OptionGroup var control: ControlOptions
    @OptionGroup var output: OutputOptions

    func execute() throws(Failure) {
        let client = control.client
        let report = try ask { () throws(ControlClientError) in try client.reload() }
        if output.json {
            Console.print(json: report)
        } else {
            Console.print(
                (["The configuration was read again."] + report.notes.map { "note: \($0)" })
                    .joined(separator: "\n"))
        }
    }
}
