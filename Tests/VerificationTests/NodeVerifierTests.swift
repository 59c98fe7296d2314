import Glibc
import MailStore
import Node
import NodeRuntime
import Platform
import PlatformLinux
import Testing
import Verification

/// A node's directory with mail in it.
final class NodeFixture: Sendable {
    /// Made once: a journal takes room ahead of need, and that takes time.
    private static let template = Result { try NodeFixture(filledWith: 40) }
    let path: String

    /// A copy of the template.
    init() throws {
        let source = try Self.template.get().path
        path = try Self.makeDirectory()
        mkdir(path + "/journal", 0o700)
        for directory in ["", "/journal"] {
            let from = try LinuxDisk(path: source + directory)
            let to = try LinuxDisk(path: path + directory)
            for name in try from.list() {
                try Self.copy(
                    try from.open(name, create: false), to: try to.open(name, create: true))
            }
        }
    }

    private init(filledWith messages: Int) throws {
        path = try Self.makeDirectory()
        Self.removeTemplateAtExit()
        try fill(messages)
    }

    private static func makeDirectory() throws -> String {
        var template = Array("/tmp/twinpost-verify-XXXXXX".utf8CString)
        return String(cString: try #require(mkdtemp(&template)))
    }

    /// Leaves out what is zero.
    private static func copy(_ source: any DiskFile, to target: any DiskFile) throws {
        let size = try source.size()
        let zeros = [UInt8](repeating: 0, count: 1 << 20)
        for offset in stride(from: 0, to: size, by: zeros.count) {
            let bytes = try source.read(at: offset, count: zeros.count)
            if bytes != zeros { try target.write(at: offset, bytes) }
        }
        try target.truncate(to: size)
    }

    private func fill(_ messages: Int) throws {
        try run { runtime in
            try Self.ask(
                runtime,
                .createAccount(
                    addresses: ["alice@example.test"], verifier: [1], quotaOctets: nil))
            let id = try #require(runtime.accountID(address: "alice@example.test"))
            let inbox = try #require(runtime.account(id)?.inboxID)
            for number in 0..<messages { try Self.append(runtime, id, inbox, number) }
            try Self.ask(
                runtime,
                .change(
                    id,
                    .setFlags(
                        mailbox: inbox, uids: UIDSet(1...3), change: .add,
                        flags: NamedFlags(system: .deleted), unchangedSince: nil)))
            try Self.ask(runtime, .change(id, .expunge(mailbox: inbox, uids: nil)))
        }
    }

    deinit { Self.remove(path) }

    private static func remove(_ path: String) {
        for directory in ["/journal", ""] {
            if let disk = try? LinuxDisk(path: path + directory), let names = try? disk.list() {
                for name in names { try? disk.remove(name) }
            }
            rmdir(path + directory)
        }
    }

    /// The template goes with the process.
    static func removeTemplateAtExit() {
        atexit {
            if case .success(let template) = NodeFixture.template {
                NodeFixture.remove(template.path)
            }
        }
    }

    /// Every third message has a file of its own.
    private static func append(
        _ runtime: NodeRuntime, _ id: AccountID, _ inbox: MailboxID, _ number: Int
    ) throws {
        let text = "Subject: message \(number)\r\n\r\n" + String(repeating: "line\r\n", count: 100)
        let bytes = Array(text.utf8)
        let body: BodySource
        if number % 3 == 0 {
            let spool = try runtime.makeSpool()
            try spool.write(bytes)
            body = .stored(try spool.finish())
        } else {
            body = .bytes(bytes, digest: SHA256Digest(hashing: bytes))
        }
        let mail = MailAppend(
            body: body, flags: .none, internalDate: Instant(secondsSinceEpoch: 1_000_000))
        try ask(runtime, .append(id, inbox, [mail]))
    }

    private func run(_ body: (NodeRuntime) throws -> Void) throws {
        let runtime = try NodeRuntime(
            data: NodeData(path: path, create: true), report: { _ in }, onFailure: { _ in })
        defer { runtime.stop() }
        try body(runtime)
    }

    private final class Waiter: NodeSink {
        let results = WorkQueue<ChangeResult>()
        func receive(_ batch: NodeBatch) {
            for completion in batch.completions { results.put(completion.result) }
        }
    }

    private static func ask(_ runtime: NodeRuntime, _ work: NodeRequest.Work) throws {
        let waiter = Waiter()
        runtime.submit(NodeRequest(work, sink: waiter))
        var results: [ChangeResult] = []
        _ = waiter.results.takeAll(into: &results, timeout: .seconds(20))
        if case .refused(let refusal) = try #require(results.first) { throw refusal }
    }

    // MARK: Looking at it

    func verify() throws -> VerificationReport {
        try NodeVerifier(NodeData(path: path, create: false)).run()
    }

    /// Every file's name and bytes, but for SQLite's scratch file.
    func contents() throws -> [String: [UInt8]] {
        var all: [String: [UInt8]] = [:]
        for directory in [path, path + "/journal"] {
            let disk = try LinuxDisk(path: directory)
            for name in try disk.list() where !name.hasSuffix("-shm") {
                let file = try disk.open(name, create: false)
                all[directory + "/" + name] = try file.read(at: 0, count: Int(try file.size()))
            }
        }
        return all
    }

    /// Replaces the first occurrence of `text` in the file.
    func corrupt(_ name: String, _ text: String, _ replacement: String) throws -> Bool {
        let file = try LinuxDisk(path: path).open(name, create: false)
        let bytes = try file.read(at: 0, count: Int(try file.size()))
        let wanted = Array(text.utf8)
        let at = bytes.withUnsafeBytes { raw -> Int? in
            guard let base = raw.baseAddress else { return nil }
            var at = 0
            while let found = memchr(base + at, Int32(wanted[0]), raw.count - at) {
                at = UnsafeRawPointer(found) - base
                if raw[at...].starts(with: wanted) { return at }
                at += 1
            }
            return nil
        }
        if let at {
            try file.write(at: UInt64(at), Array(replacement.utf8))
            return true
        }
        return false
    }
}

@Suite struct NodeVerifierTests {
    @Test func aHealthyNodeIsCleanAndNotTouched() throws {
        let node = try NodeFixture()
        let before = try node.contents()
        let report = try node.verify()
        #expect(report.problems == [])
        #expect(report.notes == [])
        #expect(report.accounts == 1 && report.messages == 37 && report.bodies == 37)
        #expect(try node.contents() == before)
    }

    @Test func aMissingIndexIsANoteAndIsMadeAnew() throws {
        let node = try NodeFixture()
        unlink(node.path + "/index.sqlite")
        let report = try node.verify()
        #expect(report.isClean && report.notes.count == 1 && report.indexRows == 0)
        let journal = try node.contents().filter { $0.key.contains("/journal/") }
        #expect(try IndexBuilder(NodeData(path: node.path, create: false)).run() == 37)
        #expect(try node.contents().filter { $0.key.contains("/journal/") } == journal)
        let rebuilt = try node.verify()
        #expect(rebuilt.isClean && rebuilt.notes == [] && rebuilt.indexRows == 37)
    }

    @Test func aRowThatSaysSomethingElseIsDamage() throws {
        let node = try NodeFixture()
        try #require(try node.corrupt("index.sqlite", "message 17", "message 71"))
        let report = try node.verify()
        #expect(!report.isClean)
        #expect(report.problems.contains { $0.contains("index rebuild") })
        _ = try IndexBuilder(NodeData(path: node.path, create: false)).run()
        #expect(try node.verify().isClean)
    }

    @Test func anIndexThatIsNoneIsDamageThatARebuildRepairs() throws {
        let node = try NodeFixture()
        let file = try LinuxDisk(path: node.path).open("index.sqlite", create: false)
        try file.write(at: 0, [UInt8](repeating: 0x55, count: 4_096))
        #expect(try !node.verify().isClean)
        _ = try IndexBuilder(NodeData(path: node.path, create: false)).run()
        #expect(try node.verify().isClean)
    }

    @Test(arguments: [17, 18]) func aChangedBodyIsFoundWhereverItIs(number: Int) throws {
        let node = try NodeFixture()
        let disk = try LinuxDisk(path: node.path + "/journal")
        var hits = 0
        for name in try disk.list()
        where try node.corrupt("journal/" + name, "message \(number)", "message xx") {
            hits += 1
        }
        #expect(hits == 1)
        do {
            #expect(try !node.verify().isClean)
        } catch let error as NodeDataError {
            // Recovery may refuse it already.
            #expect("\(error)".contains("damage"))
        }
    }

    @Test func aNodeThatRunsIsLeftAlone() throws {
        let node = try NodeFixture()
        let runtime = try NodeRuntime(
            data: NodeData(path: node.path, create: true), report: { _ in }, onFailure: { _ in })
        defer { runtime.stop() }
        #expect(throws: NodeDataError.self) { try node.verify() }
    }
}
