import Platform

// What two nodes that meet again need of an account's state.

extension AccountState {
    package func hasDeleted(_ mailbox: MailboxID) -> Bool {
        Self.search(deletedMailboxes, mailbox).found
    }

    mutating func noteDeleted(_ mailbox: MailboxID) {
        let (at, found) = Self.search(deletedMailboxes, mailbox)
        if !found { deletedMailboxes.insert(mailbox, at: at) }
    }

    mutating func bury(_ instances: [InstanceID]) {
        guard !instances.isEmpty else { return }
        let all = (buried + instances).sorted()
        buried.removeAll(keepingCapacity: true)
        for instance in all where buried.last != instance { buried.append(instance) }
    }

    private static func search<T: Comparable>(_ sorted: [T], _ value: T) -> (at: Int, found: Bool) {
        var low = 0
        var high = sorted.count
        while low < high {
            let middle = (low + high) / 2
            if sorted[middle] < value { low = middle + 1 } else { high = middle }
        }
        return (low, low < sorted.count && sorted[low] == value)
    }

    /// Makes an accepted message known that waits here for its place.
    package mutating func await(_ message: PendingMessage) {
        pending[message.facts.instance] = message
    }

    package mutating func settle(_ instance: InstanceID) {
        pending[instance] = nil
    }

    /// Takes an epoch above every one used so far (R13).
    package mutating func openEpoch(_ epoch: UInt32) {
        self.epoch = epoch
    }

    /// The account's home is another node from here on (R29).
    package mutating func moveHome(to slot: Slot) { home = slot }

    /// Of everything that a client can see (R27): against faults, not against people.
    package var stateHash: UInt64 {
        var hash = StateHash()
        for mailbox in mailboxes { hash.add(mailbox.stateHash) }
        for name in subscriptions { hash.add(name) }
        return hash.value
    }

    /// Loses the last message of the first mailbox that has one, as a fault would: for the simulator.
    package mutating func loseMessage() -> Bool {
        guard let i = mailboxes.firstIndex(where: { !$0.messages.isEmpty }) else { return false }
        mailboxes[i].loseLast()
        return true
    }

    /// The next assignment in each mailbox opens a new block (R12).
    package mutating func closeBlocks() {
        for i in mailboxes.indices { mailboxes[i].block = nil }
    }

    mutating func apply(_ op: Op.Merge) {
        for id in op.deletedMailboxes {
            if let i = index(of: id) { mailboxes.remove(at: i) }
            noteDeleted(id)
        }
        bury(op.buried)
        for mailbox in op.mailboxes { apply(mailbox) }
        for instance in op.settled { pending[instance] = nil }
        subscriptions = op.subscriptions
        addresses = op.addresses
        verifier = op.verifier
        quotaOctets = op.quotaOctets
        uidValidityCounter = max(uidValidityCounter, op.uidValidityCounter)
    }

    private mutating func apply(_ op: Op.MergedMailbox) {
        let at: Int
        if let known = index(of: op.mailbox) {
            at = known
        } else {
            at = mailboxes.firstIndex { $0.id > op.mailbox } ?? mailboxes.count
            let new = Mailbox(
                id: op.mailbox, name: op.name, uidValidity: op.uidValidity, modSeq: op.modSeq,
                specialUse: op.specialUse)
            mailboxes.insert(new, at: at)
        }
        mailboxes[at].apply(op)
    }
}

extension Mailbox {
    mutating func apply(_ op: Op.MergedMailbox) {
        name = op.name
        uidValidity = op.uidValidity
        specialUse = op.specialUse
        if op.startsAnew {
            // Those that a tombstone of another UIDVALIDITY names would be found by nobody; the merge
            // keeps track of what was expunged by instance.
            messages = MessageColumns()
            tombstones = []
            keywords = []
            (unseenCount, deletedCount, sizeOctets) = (0, 0, 0)
            historyFloor = op.modSeq
            uidNext = 1
        }
        let gone = UIDSet(op.tombstones.map(\.uid))
        discard(gone)
        var stamped = tombstones.filter { !gone.contains($0.uid) }
        for tombstone in op.tombstones {
            stamped.append(
                Tombstone(uid: tombstone.uid, modSeq: op.modSeq, instance: tombstone.instance))
        }
        tombstones = stamped
        for message in op.restamped {
            setFlags(
                UIDSet(CollectionOfOne(message.uid)), .replace, message.flags, modSeq: op.modSeq)
        }
        for message in op.additions {
            add(
                uid: message.uid, flags: message.flags, modSeq: op.modSeq, facts: message.facts)
        }
        uidNext = max(uidNext, op.uidNext)
        block = nil
        epochs = op.epochs
        note(op.modSeq)
    }

    /// Removes messages without a trace.
    mutating func discard(_ uids: UIDSet) {
        for row in messages.remove(uids) {
            if !row.flags.contains(.seen) { unseenCount -= 1 }
            if row.flags.contains(.deleted) { deletedCount -= 1 }
            sizeOctets -= UInt64(row.facts.sizeOctets)
        }
    }
}
