import IMAP
import Journal
import MailStore
import Node
import NodeRuntime
import Platform
import PlatformLinux
import SQLiteIndex

/// What reading everything back showed.
public struct VerificationReport: Codable, Hashable, Sendable {
    public var accounts = 0
    public var mailboxes = 0
    /// In all mailboxes; one body may be several messages.
    public var messages = 0
    public var bodies = 0
    public var bodyOctets: UInt64 = 0
    public var operations = 0
    public var indexRows = 0
    /// What is well, but worth knowing.
    public var notes: [String] = []
    /// What is wrong, each with place and, where there is one, remedy.
    public var problems: [String] = []

    public var isClean: Bool { problems.isEmpty }
}

/// Reads back all that a node holds, and changes nothing: the journal's checksums, its chains, every
/// body's hash, and the index against a fresh reading of every message.
public struct NodeVerifier {
    /// Of one kind; more are only counted.
    private static let problemsMax = 20

    private let data: NodeData
    private let progress: (String) -> Void

    /// - Parameters:
    ///   - data: taken hold of, so that no node changes it meanwhile.
    ///   - progress: hears what is being done.
    public init(_ data: NodeData, progress: @escaping (String) -> Void = { _ in }) {
        self.data = data
        self.progress = progress
    }

    /// - Throws: `NodeDataError` if the journal cannot be read as far as it must be to go on; that is
    ///   damage too.
    public func run() throws(NodeDataError) -> VerificationReport {
        var report = VerificationReport()
        progress("replaying the journal")
        let disk: OverlayDisk
        do throws(DiskError) {
            disk = OverlayDisk(over: try LinuxDisk(path: data.journalPath, readOnly: true))
        } catch {
            throw NodeDataError("\(data.journalPath): \(error)", kind: .system)
        }
        let (node, journal) = try data.open(disk: disk)
        report.operations = journal.report.opCount
        report.notes += journal.report.notes
        if let tail = journal.report.tornTail {
            report.notes.append(
                "A batch that was never committed stands at \(tail): the next start cuts it off.")
        }
        progress("reading the journal")
        verify(journal, &report)
        count(node, &report)
        try verifyMessages(node, journal, &report)
        return report
    }

    private func verify(_ journal: Journal, _ report: inout VerificationReport) {
        add(journal.verify().map { "Damage in \($0)." }, to: &report)
    }

    private func count(_ node: Node, _ report: inout VerificationReport) {
        report.accounts = node.accounts.count
        for account in node.accounts.values {
            report.mailboxes += account.mailboxes.count
            report.messages += account.mailboxes.reduce(0) { $0 + $1.messages.count }
        }
    }

    // MARK: Messages

    /// A message that names a body.
    private struct Use {
        var body: BodyNumber
        var digest: SHA256Digest
        var octets: UInt32
        var place: String
    }

    private func verifyMessages(
        _ node: Node, _ journal: Journal, _ report: inout VerificationReport
    ) throws(NodeDataError) {
        let uses = Self.uses(node)
        var rows = openIndex(&report)
        var problems: [String] = []
        var start = 0
        while start < uses.count {
            var end = start + 1
            while end < uses.count, uses[end].body == uses[start].body { end += 1 }
            let group = uses[start..<end]
            start = end
            report.bodies += 1
            if report.bodies % 10_000 == 0 { progress("\(report.bodies) messages") }
            guard let bytes = read(group, journal, &problems) else { continue }
            report.bodyOctets += UInt64(bytes.count)
            guard let open = rows else { continue }
            let summary = bytes.withUnsafeBytes { MessageSummary.make($0) }
            do throws(IndexError) {
                try open.compare(uses[end - 1].body, summary)
            } catch {
                rows = nil
                report.problems.append(indexProblem("\(error)"))
            }
        }
        add(problems, to: &report)
        if let rows { finish(rows, &report) }
    }

    /// The body, if it is what the messages say it is.
    private func read(_ group: ArraySlice<Use>, _ journal: Journal, _ problems: inout [String])
        -> [UInt8]?
    {
        guard let first = group.first else { return nil }
        let bytes: [UInt8]
        do throws(JournalError) {
            bytes = try journal.bodies.read(first.body)
        } catch {
            problems.append("\(first.place): \(error).")
            return nil
        }
        let digest = SHA256Digest(hashing: bytes)
        for use in group where use.digest != digest || use.octets != UInt32(clamping: bytes.count) {
            problems.append(
                "\(use.place): body \(use.body.rawValue) is not the message that was accepted "
                    + "(\(bytes.count) octets, \(use.octets) expected).")
        }
        return bytes
    }

    /// Ascending by body.
    private static func uses(_ node: Node) -> [Use] {
        var uses: [Use] = []
        for id in node.accounts.keys.sorted() {
            guard let account = node.accounts[id] else { continue }
            let name = account.addresses.first ?? "\(id)"
            for mailbox in account.mailboxes {
                for chunk in mailbox.messages.chunks {
                    for (uid, facts) in zip(chunk.uids, chunk.facts) {
                        uses.append(use(facts, "\(name), \(mailbox.name), UID \(uid)"))
                    }
                }
            }
            for message in account.pending.values {
                uses.append(use(message.facts, "\(name), a message without a place"))
            }
        }
        uses.sort { $0.body == $1.body ? $0.place < $1.place : $0.body < $1.body }
        return uses
    }

    private static func use(_ facts: MessageFacts, _ place: String) -> Use {
        Use(body: facts.body, digest: facts.digest, octets: facts.sizeOctets, place: place)
    }

    // MARK: The index

    private func openIndex(_ report: inout VerificationReport) -> IndexRows? {
        do throws(IndexError) {
            let rows = try IndexRows(path: data.indexPath, owner: data.identity.owner)
            if rows == nil {
                report.notes.append(
                    "There is no index: the next start makes it, or `twinpost index rebuild`.")
            }
            return rows
        } catch {
            report.problems.append(indexProblem("\(error)"))
            return nil
        }
    }

    private func finish(_ rows: IndexRows, _ report: inout VerificationReport) {
        do throws(IndexError) {
            try rows.finish()
        } catch {
            report.problems.append(indexProblem("\(error)"))
            return
        }
        let audit = rows.audit
        report.indexRows = audit.rows
        if audit.missing + audit.extra > 0 {
            report.notes.append(
                "The index lags: \(audit.missing) rows are missing and \(audit.extra) are of "
                    + "messages that are gone; the next start brings it up to date.")
        }
        if let first = audit.different.first {
            report.problems.append(
                indexProblem(
                    "\(audit.different.count) rows say something else than the message, the first "
                        + "that of body \(first.rawValue)"))
        }
    }

    private func indexProblem(_ what: String) -> String {
        "\(data.indexPath): \(what). Stop the node and run `twinpost index rebuild`; no mail is lost."
    }

    private func add(_ problems: [String], to report: inout VerificationReport) {
        report.problems += problems.prefix(Self.problemsMax)
        if problems.count > Self.problemsMax {
            report.problems.append("And \(problems.count - Self.problemsMax) more like the last.")
        }
    }
}
