import MailStore
import NIOCore
import Node
import Platform
import PlatformLinux
import Synchronization

/// The SMTP sessions of one event loop: hears of finished batches once for all of them, and watches
/// their deadlines with one timer.
final class SMTPLoop: NodeSink {
    /// How late a deadline may be met. One timer for all sessions costs an idle one nothing.
    private static let timerInterval = TimeAmount.seconds(5)

    let eventLoop: any EventLoop
    private let sessions: NIOLoopBound<Sessions>

    /// Confined to the loop.
    final class Sessions {
        var byToken: [UInt64: SMTPHandler] = [:]
        var nextToken: UInt64 = 1
        var timer: RepeatedTask?
        var isShuttingDown = false
    }

    init(_ eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        sessions = NIOLoopBound(Sessions(), eventLoop: eventLoop)
    }

    // MARK: On the loop

    /// Registers a session and returns the token by which its requests come back.
    func register(_ handler: SMTPHandler) -> UInt64 {
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

    func deregister(_ token: UInt64) {
        let state = sessions.value
        state.byToken[token] = nil
        if state.byToken.isEmpty {
            state.timer?.cancel()
            state.timer = nil
        }
    }

    var isShuttingDown: Bool { sessions.value.isShuttingDown }

    private func checkDeadlines() {
        let now = SystemClock().now()
        for handler in Array(sessions.value.byToken.values) { handler.checkDeadline(now) }
    }

    // MARK: From any thread

    func receive(_ batch: NodeBatch) {
        eventLoop.execute { [self] in
            // All are looked up before any is told: a session that ends by this deregisters itself,
            // and the optimiser holds `byToken` over a loop that looks up and tells in turn.
            let handlers = batch.completions.map { sessions.value.byToken[$0.token] }
            for (handler, completion) in zip(handlers, batch.completions) {
                handler?.messageCompleted(completion.result)
            }
        }
    }

    func shutDown() {
        eventLoop.execute { [self] in
            sessions.value.isShuttingDown = true
            for handler in Array(sessions.value.byToken.values) { handler.shutDown() }
        }
    }
}
