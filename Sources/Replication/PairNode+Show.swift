import MailStore
import Platform

// What may be seen and answered by now (R4, R11).

extension PairNode {
    private func isOpen(_ gate: Gate) -> Bool {
        gate.index <= durableCount
            && (gate.own == 0 || gate.own <= acknowledgedByPeer)
            && (gate.peer == 0 || gate.peer <= executedDurable)
    }

    /// Lets out whatever has become durable where it must be.
    mutating func show() {
        if !showing.isEmpty { showStates() }
        if replies.contains(where: { isOpen($0.gate) }) {
            for entry in replies where isOpen(entry.gate) {
                actions.append(.reply(token: entry.token, entry.result))
            }
            let rest = replies.filter { !isOpen($0.gate) }
            replies = rest
        }
        if effects.contains(where: { isOpen($0.gate) }) {
            for entry in effects where isOpen(entry.gate) {
                actions.append(.effects(entry.instance))
            }
            let rest = effects.filter { !isOpen($0.gate) }
            effects = rest
        }
    }

    private mutating func showStates() {
        var hasShownAll = false
        for id in showing {
            var open = 0
            for entry in accounts[known: id].waiting {
                guard isOpen(entry.gate) else { break }
                open += 1
            }
            guard open > 0 else { continue }
            let (_, state, numbering) = accounts[known: id].waiting[open - 1]
            accounts[known: id].shown = state
            accounts[known: id].shownNumbering = numbering
            accounts[known: id].waiting.removeFirst(open)
            accounts[known: id].pruneHistory(executed: executedByPeer)
            if accounts[known: id].waiting.isEmpty { hasShownAll = true }
        }
        guard hasShownAll else { return }
        let rest = showing.filter { !accounts[known: $0].waiting.isEmpty }
        showing = rest
    }
}
