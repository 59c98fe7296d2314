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
        for id in accounts.keys where !accounts[id]!.waiting.isEmpty {
            var open = 0
            for entry in accounts[id]!.waiting {
                guard isOpen(entry.gate) else { break }
                open += 1
            }
            guard open > 0 else { continue }
            accounts[id]!.shown = accounts[id]!.waiting[open - 1].state
            accounts[id]!.shownNumbering = accounts[id]!.waiting[open - 1].numbering
            accounts[id]!.waiting.removeFirst(open)
            accounts[id]!.pruneHistory(executed: executedByPeer)
        }
        var rest: [(gate: Gate, token: UInt64, result: ChangeResult)] = []
        for entry in replies {
            if isOpen(entry.gate) {
                actions.append(.reply(token: entry.token, entry.result))
            } else {
                rest.append(entry)
            }
        }
        replies = rest
        var due: [(gate: Gate, instance: InstanceID)] = []
        for entry in effects {
            if isOpen(entry.gate) {
                actions.append(.effects(entry.instance))
            } else {
                due.append(entry)
            }
        }
        effects = due
    }
}
