import Journal
import MailStore
import Node
import Platform
import PlatformLinux
import SQLiteIndex
import Synchronization

/// A node that runs: drives `Node` over a journal on a real disk, from one thread.
///
/// Requests queue up while a batch is being synced; the next batch is all that waits then. A batch's
/// operations are appended and synced together, and only after that its states become visible and its
/// requests are answered. Any thread may call the gateway's methods.
public final class NodeRuntime: NodeGateway {
    /// Work for the writing thread.
    enum Work: Sendable {
        case request(NodeRequest)
        case install(FinishedCheckpoint)
        case checkpointFailed
    }

    private struct Views: Sendable {
        var accounts: [AccountID: AccountState] = [:]
        var byAddress: [String: AccountID] = [:]
        var addressGeneration: UInt64 = 0
        var onAddressesChanged: (@Sendable () -> Void)?
    }

    private struct Listener {
        weak var sink: (any NodeSink)?
    }

    /// Kept for its lock.
    private let data: NodeData
    let queue = WorkQueue<Work>()
    /// None on a disk that was too full for it.
    private let openedIndex = Mutex<SQLiteIndex?>(nil)
    private let views = Mutex(Views())
    private let listeners = Mutex<[Listener]>([])
    private let bodies: BodyReader
    private let bodyFiles: BodyFiles
    private let thread = Mutex<WorkerThread?>(nil)
    let isLowOnSpace = Atomic<Bool>(false)
    /// Since the start.
    public let counters = Counters()
    /// What recovery found.
    public let recovery: RecoveryReport
    /// `a` or `b`.
    public let slotName: String

    /// Opens a node's data and starts to serve it.
    ///
    /// - Parameters:
    ///   - report: receives a line for the log about what a person should know.
    ///   - onFailure: called once, on the writing thread, when the journal has failed: nothing is
    ///     answered positively any more, and the process should end.
    /// - Throws: `NodeDataError` with a sentence for people.
    public init(
        data: NodeData, limits: AccountLimits = AccountLimits(),
        checkpointOctets: Int = 64 << 20,
        report: @escaping @Sendable (String) -> Void,
        onFailure: @escaping @Sendable (String) -> Void
    ) throws(NodeDataError) {
        self.data = data
        let opened = try data.open(limits: limits)
        bodies = opened.journal.bodies
        bodyFiles = opened.journal.bodyFiles
        recovery = opened.journal.report
        slotName = data.identity.slot == .a ? "a" : "b"
        openIndex(report)
        publish(opened.node, touched: opened.node.accounts.keys.sorted())
        let writer = Writer(
            node: opened.node, journal: opened.journal, runtime: self,
            checkpointOctets: checkpointOctets, report: report, onFailure: onFailure)
        thread.withLock {
            $0 = WorkerThread(name: "writer") { writer.run() }
        }
    }

    /// Answers what is queued, writes a checkpoint, and ends. Blocks.
    public func stop() {
        queue.close()
        thread.withLock { $0.take() }?.join()
        index?.close()
    }

    /// Has `body` called on the writing thread, before anybody is answered, when accounts or their
    /// addresses changed. It must not wait for the node.
    public func onAddressesChanged(_ body: @escaping @Sendable () -> Void) {
        views.withLock { $0.onAddressesChanged = body }
    }

    // MARK: NodeGateway

    public var summaries: any SummaryStore { index ?? NoSummaries.none }

    public func account(_ id: AccountID) -> AccountState? {
        views.withLock { $0.accounts[id] }
    }

    public func accountID(address: String) -> AccountID? {
        let key = address.lowercased()
        return views.withLock { $0.byAddress[key] }
    }

    public func accountIDs() -> [AccountID] {
        views.withLock { $0.accounts.keys.sorted() }
    }

    public func submit(_ request: NodeRequest) {
        if !queue.put(.request(request)) { Self.refuse(request) }
    }

    public func submit(contentsOf requests: [NodeRequest]) {
        if !queue.put(contentsOf: requests.lazy.map { .request($0) }) {
            for request in requests { Self.refuse(request) }
        }
    }

    private static func refuse(_ request: NodeRequest) {
        request.sink?.receive(
            NodeBatch(
                completions: [.init(token: request.token, result: .refused(.unavailable))],
                changedAccounts: []))
    }

    public func addListener(_ sink: any NodeSink) {
        listeners.withLock { list in
            list.removeAll { $0.sink == nil }
            list.append(Listener(sink: sink))
        }
    }

    public func readBody(_ body: BodyNumber, range: Range<Int>?) throws -> [UInt8] {
        try bodies.read(
            body, range: range.map { UInt64($0.lowerBound)..<UInt64($0.upperBound) })
    }

    public func hasRoom(forOctets octets: Int) -> Bool {
        !isLowOnSpace.load(ordering: .relaxed)
    }

    public func makeSpool() throws -> any BodySpool {
        FileSpool(try bodyFiles.begin())
    }

    // MARK: For the writer

    var index: SQLiteIndex? { openedIndex.withLock { $0 } }

    /// Opens the index, if that is still to be done. Without it, what it would hold is made from the
    /// messages.
    ///
    /// - Returns: whether it was opened.
    @discardableResult
    func openIndex(_ report: @escaping @Sendable (String) -> Void) -> Bool {
        openedIndex.withLock { index in
            guard index == nil else { return false }
            do throws(IndexError) {
                let reader = bodies
                index = try SQLiteIndex(
                    path: data.indexPath, owner: data.identity.owner,
                    readBody: { try reader.read($0) }, report: report)
                return true
            } catch {
                report("there is no index, so large mailboxes are listed slowly: \(error)")
                return false
            }
        }
    }

    /// Makes the accounts' states of a durable batch visible.
    func publish(_ node: Node, touched: [AccountID]) {
        let changed = views.withLock { views -> (@Sendable () -> Void)? in
            for id in touched { views.accounts[id] = node.accounts[id] }
            guard views.addressGeneration != node.addressGeneration else { return nil }
            views.addressGeneration = node.addressGeneration
            views.byAddress = node.accountsByAddress
            return views.onAddressesChanged
        }
        changed?()
    }

    /// Those who hear of every batch.
    func currentListeners() -> [any NodeSink] {
        listeners.withLock { $0.compactMap(\.sink) }
    }
}

/// What stands in for the index where there is none.
private final class NoSummaries: SummaryStore {
    static let none = NoSummaries()

    func read(
        _ column: SummaryColumn, of bodies: [BodyNumber],
        each: (Int, UnsafeRawBufferPointer) throws -> Void
    ) throws {}
}

/// What a running node has done so far.
public final class Counters: Sendable {
    public let batches = Atomic<UInt64>(0)
    public let records = Atomic<UInt64>(0)
    public let messages = Atomic<UInt64>(0)
    public let checkpoints = Atomic<UInt64>(0)
}

/// A long body on its way into a file of its own.
private final class FileSpool: BodySpool, @unchecked Sendable {
    // Unchecked: used by one thread at a time, as the protocol demands.
    private var writer: BodyFileWriter?

    init(_ writer: BodyFileWriter) { self.writer = writer }

    func write(_ bytes: [UInt8]) throws { try writer?.write(bytes) }

    func finish() throws -> StoredBody {
        guard let writer else { throw JournalError.full }
        let finished = try writer.finish()
        self.writer = nil
        return StoredBody(
            number: finished.number, digest: finished.digest,
            sizeOctets: UInt32(clamping: finished.octets))
    }

    func cancel() { writer = nil }
}
