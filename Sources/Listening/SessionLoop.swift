import MailStore
import NIOCore
import Node
import Synchronization

/// A connection's handler as its loop sees it. Every call comes on the loop.
public protocol LoopSession: AnyObject {
    /// The node has answered a request of this session.
    func completed(_ result: ChangeResult)
    /// The account that the session listens to is different.
    func accountChanged()
    /// Ends the session if it has been silent for too long.
    func checkDeadline()
    /// Ends the session once its command is done.
    func shutDown()
}

/// The sessions of one service on one event loop: hears of the node's batches once for all of them,
/// and watches their deadlines with one timer, so that an idle session costs nothing.
public final class SessionLoop: NodeSink {
    public let eventLoop: any EventLoop
    private let timerInterval: TimeAmount
    private let sessions: NIOLoopBound<Sessions>

    /// Confined to the loop.
    private final class Sessions {
        var byToken: [UInt64: any LoopSession] = [:]
        /// The tokens of each account's sessions.
        var byAccount: [AccountID: Set<UInt64>] = [:]
        var nextToken: UInt64 = 1
        var timer: RepeatedTask?
        var isShuttingDown = false
        /// What the sessions asked of the node in this turn of the loop.
        var requests: [NodeRequest] = []
    }

    /// - Parameter timerInterval: how late a deadline may be met.
    public init(_ eventLoop: any EventLoop, timerInterval: TimeAmount) {
        self.eventLoop = eventLoop
        self.timerInterval = timerInterval
        sessions = NIOLoopBound(Sessions(), eventLoop: eventLoop)
    }

    // MARK: On the loop

    /// Registers a session and returns the token by which its requests come back.
    public func register(_ session: any LoopSession) -> UInt64 {
        let state = sessions.value
        let token = state.nextToken
        state.nextToken += 1
        state.byToken[token] = session
        if state.timer == nil {
            state.timer = eventLoop.scheduleRepeatedTask(
                initialDelay: timerInterval, delay: timerInterval
            ) { [weak self] _ in self?.checkDeadlines() }
        }
        return token
    }

    /// - Parameter account: the one that the session listens to, if it does.
    public func deregister(_ token: UInt64, account: AccountID? = nil) {
        let state = sessions.value
        state.byToken[token] = nil
        if let account {
            state.byAccount[account]?.remove(token)
            if state.byAccount[account]?.isEmpty == true { state.byAccount[account] = nil }
        }
        if state.byToken.isEmpty {
            state.timer?.cancel()
            state.timer = nil
        }
    }

    /// Lets a session hear of changes to its account, if the loop hears of them.
    public func listen(_ token: UInt64, to account: AccountID) {
        sessions.value.byAccount[account, default: []].insert(token)
    }

    public var isShuttingDown: Bool { sessions.value.isShuttingDown }

    /// Hands a request to the node with all that the other sessions ask in this turn of the loop: its
    /// thread is woken once, and what comes together becomes durable by one sync. The order of a
    /// session's requests is kept.
    public func submit(_ request: NodeRequest, to gateway: any NodeGateway) {
        let state = sessions.value
        state.requests.append(request)
        guard state.requests.count == 1 else { return }
        // Runs when the loop has dealt with the input that it found ready.
        eventLoop.assumeIsolated().execute {
            var requests: [NodeRequest] = []
            swap(&requests, &state.requests)
            gateway.submit(contentsOf: requests)
        }
    }

    private func checkDeadlines() {
        for session in Array(sessions.value.byToken.values) { session.checkDeadline() }
    }

    // MARK: From any thread

    public func receive(_ batch: NodeBatch) {
        eventLoop.execute { [self] in
            let state = sessions.value
            // All are looked up before any is told: a session that ends by this deregisters itself,
            // and the optimiser holds `byToken` over a loop that looks up and tells in turn.
            let waiting = batch.completions.map { state.byToken[$0.token] }
            for (session, completion) in zip(waiting, batch.completions) {
                session?.completed(completion.result)
            }
            guard !state.byAccount.isEmpty else { return }
            let watchers = batch.changedAccounts.flatMap { account in
                (state.byAccount[account] ?? []).compactMap { state.byToken[$0] }
            }
            for watcher in watchers { watcher.accountChanged() }
        }
    }

    public func shutDown() {
        eventLoop.execute { [self] in
            sessions.value.isShuttingDown = true
            for session in Array(sessions.value.byToken.values) { session.shutDown() }
        }
    }
}

/// The loops of one service, made as its connections come.
public final class SessionLoops: Sendable {
    private let timerInterval: TimeAmount
    private let made: @Sendable (SessionLoop) -> Void
    private let loops = Mutex<[ObjectIdentifier: SessionLoop]>([:])

    /// - Parameters:
    ///   - timerInterval: how late a deadline may be met.
    ///   - made: called with each new loop before it has a session.
    public init(
        timerInterval: TimeAmount, made: @escaping @Sendable (SessionLoop) -> Void = { _ in }
    ) {
        self.timerInterval = timerInterval
        self.made = made
    }

    public func loop(of eventLoop: any EventLoop) -> SessionLoop {
        loops.withLock { loops in
            let key = ObjectIdentifier(eventLoop)
            if let known = loops[key] { return known }
            let new = SessionLoop(eventLoop, timerInterval: timerInterval)
            loops[key] = new
            made(new)
            return new
        }
    }

    /// Tells every session to end.
    public func shutDown() {
        for loop in loops.withLock({ Array($0.values) }) { loop.shutDown() }
    }
}

extension ByteBuffer? {
    /// Puts `more` behind what is held; held alone, it is not copied.
    public mutating func take(_ more: inout ByteBuffer) {
        if self == nil {
            self = more
        } else {
            self!.writeBuffer(&more)
        }
    }
}
