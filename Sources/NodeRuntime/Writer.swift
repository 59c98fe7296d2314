import Journal
import MailStore
import Node
import Platform
import PlatformLinux
import Synchronization

/// The loop of the one thread that changes a node: take what waits, append, sync, show, answer.
///
/// Used by that thread alone once `run` has begun.
final class Writer: @unchecked Sendable {
    // Unchecked: made by the opener, then confined to the thread that runs it.
    /// Requests in one batch at most; more would only make the first of them wait longer.
    private static let requestsPerBatch = 2_048
    /// A batch is closed when this much waits in it, to leave room for its operations.
    private static let batchOctets = 8 << 20
    /// How often a disk that is low on space is looked at again while nothing comes.
    private static let spaceInterval = Duration.seconds(1)
    /// Space that must be there for new mail to be asked for at all.
    private static let roomOctets: UInt64 = 1 << 20
    private static let compactionOctets = 2 << 20

    private let runtime: NodeRuntime
    private let clock = SystemClock()
    private let checkpointOctets: Int
    private let report: @Sendable (String) -> Void
    private let onFailure: @Sendable (String) -> Void

    private var node: Node
    private let journal: Journal
    private var failure: String?

    /// What the journal had written when the last checkpoint was begun.
    private var checkpointedOctets: UInt64 = 0
    private var isCheckpointing = false
    private var isCompacting = false
    private var checkpointThread: WorkerThread?
    private var preparerThread: WorkerThread?
    private let preparation = WorkQueue<Void>()

    /// Who waits for what in the batch at hand.
    private var answers: [(sink: any NodeSink, completion: NodeBatch.Completion)] = []
    private var newBodies: [(BodyNumber, [UInt8]?)] = []
    /// Accounts that the batch changed.
    private var shown: [AccountID] = []

    init(
        node: Node, journal: Journal, runtime: NodeRuntime, checkpointOctets: Int,
        report: @escaping @Sendable (String) -> Void,
        onFailure: @escaping @Sendable (String) -> Void
    ) {
        self.node = node
        self.journal = journal
        self.runtime = runtime
        self.checkpointOctets = checkpointOctets
        self.report = report
        self.onFailure = onFailure
    }

    func run() {
        startPreparer()
        // What the last run left accepted without a place.
        _ = runBatch([], from: 0)
        reconcileIndex()
        var work: [NodeRuntime.Work] = []
        while runtime.queue.takeAll(into: &work, timeout: waiting) {
            var next = 0
            while next < work.count { next = runBatch(work, from: next) }
            work.removeAll(keepingCapacity: work.count <= Self.requestsPerBatch)
            keepHouse()
        }
        shutDown()
    }

    private var waiting: Duration? {
        if isCompacting { return .zero }
        return runtime.isLowOnSpace.load(ordering: .relaxed) ? Self.spaceInterval : nil
    }

    // MARK: A batch

    /// Executes work from `start` on until the batch is full or nothing is left, and makes it durable.
    ///
    /// - Returns: where the next batch starts.
    private func runBatch(_ work: [NodeRuntime.Work], from start: Int) -> Int {
        let now = clock.now()
        var next = start
        while next < work.count, next - start < Self.requestsPerBatch,
            journal.pendingOctets < Self.batchOctets
        {
            switch work[next] {
            case .request(let request): execute(request, now)
            case .install(let checkpoint): install(checkpoint)
            case .checkpointFailed: isCheckpointing = false
            }
            next += 1
        }
        switch commit(now) {
        case .done: break
        case .full: runReserved(work[start..<next], now)
        case .tooLong: runApart(work[start..<next], now)
        }
        finishBatch()
        return next
    }

    private enum Outcome {
        case done, full
        /// The operations are longer than a record or a batch may be.
        case tooLong
    }

    /// The disk is full: nothing of the batch was done. What frees space is tried again, with the room
    /// that is kept for it; the rest is refused.
    private func runReserved(_ work: ArraySlice<NodeRuntime.Work>, _ now: Now) {
        answers.removeAll(keepingCapacity: true)
        for case .request(let request) in work {
            if request.work.freesSpace {
                execute(request, now)
            } else {
                answer(request, .refused(.diskFull))
            }
        }
        if commit(now, usingReserve: true) != .done { refuseAll(.diskFull) }
    }

    /// Something in the batch is too long: each request for itself, so that only that one is refused.
    private func runApart(_ work: ArraySlice<NodeRuntime.Work>, _ now: Now) {
        answers.removeAll(keepingCapacity: true)
        for case .request(let request) in work {
            let first = answers.count
            execute(request, now)
            if commit(now) != .done { refuseAll(.unavailable, from: first) }
            for (number, bytes) in newBodies { runtime.index?.add(number, bytes) }
            newBodies.removeAll(keepingCapacity: true)
        }
    }

    private func execute(_ request: NodeRequest, _ now: Now) {
        guard failure == nil else { return answer(request, .refused(.unavailable)) }
        do throws(JournalError) {
            answer(request, try perform(request.work, now))
        } catch {
            switch error {
            case .full, .batchFull, .recordTooLong: answer(request, .refused(.diskFull))
            default:
                fail("a request could not be executed: \(error)")
                answer(request, .refused(.unavailable))
            }
        }
    }

    private func perform(_ work: NodeRequest.Work, _ now: Now) throws(JournalError)
        -> ChangeResult
    {
        switch work {
        case .deliver(let delivery, let acknowledged):
            if let acknowledged { _ = node.step(.acknowledged(acknowledged), now: now) }
            if let answer = node.answer(to: delivery) { return answer }
            let body = try store(delivery.body)
            runtime.counters.messages.add(1, ordering: .relaxed)
            return node.step(.deliver(delivery, body: body), now: now)
        case .acknowledged(let ticket): return node.step(.acknowledged(ticket), now: now)
        case .abandoned(let ticket): return node.step(.abandoned(ticket), now: now)
        case .append(let account, let mailbox, let messages):
            var new: [NewMessage] = []
            for message in messages {
                new.append(
                    NewMessage(
                        digest: message.body.digest, body: try store(message.body),
                        sizeOctets: UInt32(clamping: message.body.sizeOctets),
                        internalDate: message.internalDate, flags: message.flags))
            }
            return node.step(.change(account, .append(mailbox: mailbox, new)), now: now)
        case .change(let account, let change):
            return node.step(.change(account, change), now: now)
        case .createAccount(let addresses, let verifier, let quota):
            return node.step(
                .createAccount(
                    .init(addresses: addresses, verifier: verifier, quotaOctets: quota)),
                now: now)
        case .removeAccount(let account): return node.step(.removeAccount(account), now: now)
        case .setQuotaDefault(let octets):
            node.setQuotaDefault(octets: octets)
            return .done
        }
    }

    private func store(_ body: BodySource) throws(JournalError) -> BodyNumber {
        guard journal.canAcceptBody(octets: UInt64(body.sizeOctets)) else { throw .full }
        switch body {
        case .bytes(let bytes, let digest):
            let number = try journal.append(body: bytes, digest: digest)
            newBodies.append((number, bytes))
            return number
        case .stored(let stored):
            try journal.append(
                bodyFile: FinishedBody(
                    number: stored.number, octets: UInt64(stored.sizeOctets),
                    digest: stored.digest))
            newBodies.append((stored.number, nil))
            return stored.number
        }
    }

    private func answer(_ request: NodeRequest, _ result: ChangeResult) {
        guard let sink = request.sink else { return }
        answers.append((sink, .init(token: request.token, result: result)))
    }

    /// Makes the batch durable.
    ///
    /// If there is no room for it, all of it is taken back: it can be tried again in part.
    private func commit(_ now: Now, usingReserve: Bool = false) -> Outcome {
        let (records, touched) = node.takeBatch(now: now)
        guard failure == nil, !records.isEmpty || journal.pendingOctets > 0 else {
            shown += failure == nil ? touched : []
            node.keepBatch(now: now)
            return .done
        }
        do throws(JournalError) {
            for record in records {
                let header = OpHeader(type: record.op.type, clock: record.clock.rawValue)
                _ = try journal.append(header, payload: record.op.encoded, body: record.body)
            }
            _ = try journal.commit(usingReserve: usingReserve)
        } catch {
            newBodies.removeAll(keepingCapacity: true)
            switch error {
            case .full, .batchFull, .recordTooLong:
                node.revertBatch()
                journal.discardPending()
                return error == .full ? .full : .tooLong
            default:
                fail("\(error)")
                refuseAll(.unavailable)
                return .done
            }
        }
        node.keepBatch(now: now)
        shown += touched
        runtime.counters.batches.add(1, ordering: .relaxed)
        runtime.counters.records.add(UInt64(records.count), ordering: .relaxed)
        return .done
    }

    private func refuseAll(_ refusal: Refusal, from first: Int = 0) {
        for i in first..<answers.count { answers[i].completion.result = .refused(refusal) }
    }

    /// Shows and answers what is durable, and only that.
    private func finishBatch() {
        for (number, bytes) in newBodies { runtime.index?.add(number, bytes) }
        newBodies.removeAll(keepingCapacity: true)
        if !shown.isEmpty { runtime.publish(node, touched: shown) }
        deliverAnswers(changed: shown.count > 1 ? Set(shown).sorted() : shown)
        shown = []
    }

    /// Hands each sink its answers, and every listener the accounts that changed.
    private func deliverAnswers(changed: [AccountID]) {
        var batches: [(sink: any NodeSink, batch: NodeBatch)] = []
        func index(of sink: any NodeSink) -> Int {
            if let known = batches.firstIndex(where: { $0.sink === sink }) { return known }
            batches.append((sink, NodeBatch(completions: [], changedAccounts: [])))
            return batches.count - 1
        }
        for (sink, completion) in answers {
            batches[index(of: sink)].batch.completions.append(completion)
        }
        if !changed.isEmpty {
            for sink in runtime.currentListeners() {
                batches[index(of: sink)].batch.changedAccounts = changed
            }
        }
        answers.removeAll(keepingCapacity: true)
        for (sink, batch) in batches { sink.receive(batch) }
    }

    private func fail(_ why: String) {
        guard failure == nil else { return }
        failure = why
        report("the journal failed, no mail is accepted any more: \(why)")
        onFailure(why)
    }

    // MARK: Housekeeping

    private func keepHouse() {
        guard failure == nil else { return }
        let isLow = !journal.canAcceptBody(octets: Self.roomOctets)
        if isLow != runtime.isLowOnSpace.exchange(isLow, ordering: .relaxed) {
            if !isLow, runtime.openIndex(report) { reconcileIndex() }
            report(
                isLow
                    ? "the disk is nearly full: new mail is deferred with 452 until there is room"
                    : "the disk has room again: new mail is accepted")
        }
        if journal.preparer.isNeeded { preparation.put(()) }
        if journal.writtenOctets - checkpointedOctets >= UInt64(checkpointOctets), !isCheckpointing
        {
            beginCheckpoint()
        }
        if isCompacting { compactStep() }
    }

    /// Zeroes segments ahead of need, away from the writing thread.
    private func startPreparer() {
        let preparer = journal.preparer
        let work = preparation
        preparerThread = WorkerThread(name: "segments", niceness: 5) {
            var batch: [Void] = []
            while work.takeAll(into: &batch) {
                batch.removeAll()
                // A disk that is full shows in `canAcceptBody`; the next need tries again.
                while preparer.isNeeded, (try? preparer.prepareNextSegment()) == true {}
            }
        }
        preparation.put(())
    }

    /// Takes a snapshot and writes it on another thread.
    private func beginCheckpoint() {
        do throws(JournalError) {
            let live = LiveBodies(node)
            let checkpoint = try journal.beginCheckpoint { live.contains($0) }
            let snapshot = node
            let runtime = runtime
            let report = report
            isCheckpointing = true
            checkpointedOctets = journal.writtenOctets
            checkpointThread?.join()
            checkpointThread = WorkerThread(name: "checkpoint", niceness: 5) {
                do throws(JournalError) {
                    let finished = try Self.write(snapshot, to: checkpoint)
                    runtime.queue.put(.install(finished))
                    try? runtime.index?.reconcile(live: live.numbers)
                } catch {
                    report("a checkpoint could not be written: \(error)")
                    runtime.queue.put(.checkpointFailed)
                }
            }
        } catch {
            report("a checkpoint could not be begun: \(error)")
        }
    }

    private static func write(_ node: Node, to checkpoint: CheckpointWriter)
        throws(JournalError) -> FinishedCheckpoint
    {
        let state = node.encodedState()
        var start = 0
        while start < state.count {
            let end = min(state.count, start + 4 << 20)
            try checkpoint.write(Array(state[start..<end]))
            start = end
        }
        return try checkpoint.finish()
    }

    private func install(_ checkpoint: FinishedCheckpoint) {
        isCheckpointing = false
        do throws(JournalError) {
            try journal.install(checkpoint)
            runtime.counters.checkpoints.add(1, ordering: .relaxed)
            isCompacting = true
        } catch {
            fail("\(error)")
        }
    }

    /// Moves some live bodies out of a mostly dead segment; the next round goes on.
    private func compactStep() {
        do throws(JournalError) {
            let moved = try journal.compactStep(octetsMax: Self.compactionOctets)
            if moved == 0 { isCompacting = false }
            if moved > 0 { _ = try journal.commit() }
        } catch {
            isCompacting = false
            if error == .full { return journal.discardPending() }
            if case .damage(let damage) = error { return report("damage: \(damage)") }
            fail("\(error)")
        }
    }

    private func reconcileIndex() {
        let live = LiveBodies(node)
        do {
            try runtime.index?.reconcile(live: live.numbers)
        } catch {
            report("the index could not be compared with the journal: \(error)")
        }
    }

    private func shutDown() {
        checkpointThread?.join()
        preparation.close()
        preparerThread?.join()
        guard failure == nil else { return }
        do throws(JournalError) {
            let live = LiveBodies(node)
            let checkpoint = try journal.beginCheckpoint { live.contains($0) }
            try journal.install(try Self.write(node, to: checkpoint))
        } catch {
            // The journal holds everything; the next start just takes longer.
            report("no checkpoint at the end: \(error)")
        }
        // After a clean stop the index is equal to the journal.
        runtime.index?.flush()
        reconcileIndex()
    }
}

extension NodeRequest.Work {
    /// Whether this may use the room that is kept on a full disk: what frees space, what has to come
    /// before that (\Deleted, a move to the trash), and what senders show.
    fileprivate var freesSpace: Bool {
        switch self {
        case .acknowledged, .abandoned, .removeAccount, .setQuotaDefault: true
        case .change(_, .expunge), .change(_, .deleteMailbox): true
        case .change(_, .copy(_, _, _, let isMove)): isMove
        case .change(_, .setFlags(_, _, let change, let flags, _)):
            change != .remove && flags.system.contains(.deleted)
        case .deliver, .append, .change, .createAccount: false
        }
    }
}
