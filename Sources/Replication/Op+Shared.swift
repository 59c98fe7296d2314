import MailStore

extension Op {
    /// What two executions of one request have in common: each names what it found, and the states that
    /// they found differ. nil if they did different things.
    func shared(with other: Op) -> Op? {
        switch (self, other) {
        case (.setFlags(var op), .setFlags(let other))
        where op.mailbox == other.mailbox && op.change == other.change && op.flags == other.flags:
            op.uids = op.uids.intersection(other.uids)
            return op.uids.isEmpty ? nil : .setFlags(op)
        case (.copy(var op), .copy(let other))
        where op.source == other.source && op.destination == other.destination:
            let theirs = Set(other.items.map(\.instance))
            op.items = op.items.filter { theirs.contains($0.instance) }
            return op.items.isEmpty ? nil : .copy(op)
        case (.createMailbox(let op), .createMailbox(let other))
        where op.mailbox == other.mailbox && op.name == other.name:
            return .createMailbox(op)
        case (.renameMailboxes(var op), .renameMailboxes(let other)):
            op.items = op.items.filter { item in
                other.items.contains { $0.mailbox == item.mailbox && $0.name == item.name }
            }
            return op.items.isEmpty ? nil : .renameMailboxes(op)
        default: return self == other ? self : nil
        }
    }
}
