import MailStore
import NIOCore
import Node

/// The IMAP sessions of one event loop: hears of the node's batches once for all of them, and watches
/// their deadlines with one timer, so that an idle session costs nothing.
final class IMAPLoop: NodeSink {
    /// How late a deadline may be met.
    private static let timerInterval = TimeAmount.seconds(15)

    let eventLoop: any EventLoop
    private let sessions: NIOLoopBound<Sessions>

    /// Confined to the loop.
    final class Sessions {
        fileprivate var byToken: [UInt64: IMAPHandler] = [:]
        /// The tokens of each account's sessions.
        fileprivate var byAccount: [AccountID: Set<UInt64>] = [:]
        fileprivate var nextToken: UInt64 = 1
        fileprivate var timer: RepeatedTask?
        fileprivate var isShuttingDown = false
    }

    init(_ eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        sessions = NIOLoopBound(Sessions(), eventLoop: eventLoop)
    }

    // MARK: On the loop

    /// Registers a session and returns the token by which its requests come back.
    func register(_ handler: IMAPHandler) -> UInt64 {
        let state = sessions.value
        let token = state.nextToken
        state.nextToken += 1
        state.byToken[token] = handler
        if state.timer == nil {
            state.timer = eventLoop.scheduleRepeatedTask(
                initialDelay: Self.timerInterval, delay: Self.timerInterval
            ) { [weak self] _ in self?.checkDeadlines() }
        }
        return token
    }

    func deregister(_ token: UInt64, account: AccountID?) {
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

    /// Lets a session hear of changes to its account.
    func listen(_ token: UInt64, to account: AccountID) {
        sessions.value.byAccount[account, default: []].insert(token)
    }

    var isShuttingDown: Bool { sessions.value.isShuttingDown }

    private func checkDeadlines() {
        let now = NIODeadline.now()
        for handler in Array(sessions.value.byToken.values) { handler.checkDeadline(now) }
    }

    // MARK: From any thread

    func receive(_ batch: NodeBatch) {
        eventLoop.execute { [self] in
            let state = sessions.value
            // All are looked up before any is told: a session that ends by this deregisters itself,
            // and the optimiser holds `byToken` over a loop that looks up and tells in turn.
            let handlers = batch.completions.map { state.byToken[$0.token] }
            for (handler, completion) in zip(handlers, batch.completions) {
                handler?.changeCompleted(completion.result)
            }
            let watchers = batch.changedAccounts.flatMap { account in
                (state.byAccount[account] ?? []).compactMap { state.byToken[$0] }
            }
            for watcher in watchers { watcher.accountChanged() }
        }
    }

    func shutDown() {
        eventLoop.execute { [self] in
            sessions.value.isShuttingDown = true
            for handler in Array(sessions.value.byToken.values) { handler.shutDown() }
        }
    }
}
