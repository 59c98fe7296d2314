import Platform

// The number of a body is one node's own affair. What goes to the peer carries none, and the node that
// executes it enters its own.

extension AccountState {
    /// Gives each message the number of its body in this node's journal; `.zero` is none.
    package mutating func setBodies(_ number: (MessageFacts) -> BodyNumber) {
        for key in Array(pending.keys) {
            guard let facts = pending[key]?.facts else { continue }
            pending[key]?.facts.body = number(facts)
        }
        for i in mailboxes.indices { mailboxes[i].messages.setBodies(number) }
    }

    /// Calls `visit` with the number of each message's body, in no particular order.
    package func visitBodies(_ visit: (BodyNumber) -> Void) {
        for message in pending.values { visit(message.facts.body) }
        for mailbox in mailboxes {
            for chunk in mailbox.messages.chunks {
                for facts in chunk.facts { visit(facts.body) }
            }
        }
    }
}

extension Op.Merge {
    /// As for an account's state.
    package mutating func setBodies(_ number: (MessageFacts) -> BodyNumber) {
        for i in mailboxes.indices {
            for j in mailboxes[i].additions.indices {
                mailboxes[i].additions[j].facts.body = number(mailboxes[i].additions[j].facts)
            }
        }
    }
}
