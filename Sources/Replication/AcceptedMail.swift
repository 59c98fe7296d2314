import MailStore
import Platform

/// What was taken over from senders: by instance, for those who place it, and by sender, so that a
/// retry is known (R7).
struct AcceptedMail: Sendable {
    struct Entry: Sendable {
        var message: AccountState.PendingMessage
        var account: AccountID
        var origin: Slot
        var sequence: UInt64
        var clock: HybridTime
        var key: SHA256Digest?
        var besides: [InstanceID]
    }

    private(set) var entries: [InstanceID: Entry] = [:]
    /// What one sender sent to one account more than once, or may send again, by
    /// `RetryMemory.key`.
    private(set) var byKey: [SHA256Digest: Group] = [:]
    /// The sender showed that it saw the `250`.
    private(set) var acknowledged: Set<InstanceID> = []
    /// Messages that are one, because one was taken for the sender's retry of the other.
    private(set) var joined: [InstanceID: [InstanceID]] = [:]

    subscript(instance: InstanceID) -> Entry? { entries[instance] }

    /// Equal mails of one sender: seldom more than one.
    struct Group: Sendable {
        var first: InstanceID
        var others: [InstanceID] = []

        var all: [InstanceID] { CollectionOfOne(first) + others }

        func first(where condition: (InstanceID) -> Bool) -> InstanceID? {
            condition(first) ? first : others.first(where: condition)
        }
    }

    /// Enters what a checkpoint holds; false if it contradicts itself.
    mutating func restore(
        _ all: [Entry], _ groups: [[InstanceID]], _ acknowledged: [InstanceID],
        _ joined: [(one: InstanceID, others: [InstanceID])]
    ) -> Bool {
        for (one, others) in joined { self.joined[one] = others }
        for entry in all { entries[entry.message.facts.instance] = entry }
        for group in groups {
            guard let first = group.first, let key = entries[first]?.key,
                group.allSatisfy({ entries[$0]?.key == key })
            else { return false }
            byKey[key] = Group(first: first, others: Array(group.dropFirst()))
        }
        self.acknowledged = Set(acknowledged)
        return true
    }

    /// Enters a message; false if it is known.
    mutating func enter(_ entry: Entry) -> Bool {
        let instance = entry.message.facts.instance
        if entries[instance] != nil { return false }
        entries[instance] = entry
        if let key = entry.key {
            if byKey[key]?.others.append(instance) == nil { byKey[key] = Group(first: instance) }
        }
        return true
    }

    /// The origin's stream went another way after `common`: what it had beyond is this node's own now.
    mutating func adopt(from origin: Slot, beyond common: UInt64, by slot: Slot) {
        for (instance, entry) in entries
        where entry.origin == origin && entry.sequence > common {
            entries[instance]!.origin = slot
        }
    }

    /// Whoever saw the `250` of a message saw that of all which are one with it; false if that is known.
    mutating func acknowledge(_ instance: InstanceID) -> Bool {
        guard acknowledged.insert(instance).inserted else { return false }
        for other in joined[instance] ?? [] { _ = acknowledge(other) }
        return true
    }

    /// Whether two messages may be one: neither node that took over one of them, or of what is one with
    /// them, knew that the sender had seen the `250` of the other.
    func mayBeOne(_ one: InstanceID, _ other: InstanceID) -> Bool {
        let (these, those) = (all(oneWith: one), all(oneWith: other))
        guard !these.contains(other) else { return true }
        func knew(_ a: Set<InstanceID>, _ b: Set<InstanceID>) -> Bool {
            a.contains { entries[$0]?.besides.contains(where: b.contains) ?? false }
        }
        return !knew(these, those) && !knew(those, these)
    }

    private func all(oneWith instance: InstanceID) -> Set<InstanceID> {
        var all: Set<InstanceID> = [instance]
        var next = [instance]
        while let one = next.popLast() {
            for other in joined[one] ?? [] where all.insert(other).inserted { next.append(other) }
        }
        return all
    }

    /// Two messages each are one from now on: acknowledged if either is, else still to be.
    mutating func join(_ pairs: [InstanceID]) {
        var i = 0
        while i + 1 < pairs.count {
            let (one, other) = (pairs[i], pairs[i + 1])
            joined[one, default: []].append(other)
            joined[other, default: []].append(one)
            if acknowledged.contains(one) { _ = acknowledge(other) }
            if acknowledged.contains(other) { _ = acknowledge(one) }
            i += 2
        }
    }

    func all(_ key: SHA256Digest) -> [InstanceID] { byKey[key]?.all ?? [] }

    /// The message of which this is the retry: one whose `250` its sender never showed to have seen,
    /// neither here nor as `heard` says.
    func retried(
        _ key: SHA256Digest, besides heard: Set<InstanceID>, _ switches: RuleSwitches
    ) -> InstanceID? {
        byKey[key]?.first {
            !acknowledged.contains($0) && !heard.contains($0) && !hasItsRetry($0, key)
                || switches.contains(.absorbsEqualMails)
        }
    }

    /// A merge will take the message for one with another, of which the sender saw the `250`: so it
    /// has got its retry, and what comes now is another mail.
    private func hasItsRetry(_ instance: InstanceID, _ key: SHA256Digest) -> Bool {
        byKey[key]?.first {
            $0 != instance && acknowledged.contains($0) && mayBeOne(instance, $0)
        } != nil
    }

    /// As above, for a message that is not entered yet and is no retry of `besides`.
    func hasItsRetry(_ instance: InstanceID, _ key: SHA256Digest, besides: [InstanceID]) -> Bool {
        byKey[key]?.first { other in
            guard acknowledged.contains(other) else { return false }
            let others = all(oneWith: other)
            return !besides.contains(where: others.contains)
                && !others.contains { entries[$0]?.besides.contains(instance) ?? false }
        } != nil
    }

    /// Another message of which this is the retry, or that is the retry of this one.
    func counterpart(of instance: InstanceID) -> InstanceID? {
        guard let entry = entries[instance], let key = entry.key else { return nil }
        return byKey[key]?.first { other in
            other != instance && mayBeOne(instance, other)
                && !(acknowledged.contains(instance) && acknowledged.contains(other))
        }
    }

    /// Pairs of messages of which one may be the retry of the other: the first's `250` was never shown
    /// to have been seen. Which came first is not asked: the nodes' clocks may differ by days.
    func unabsorbedRetries() -> [(retried: InstanceID, other: InstanceID)] {
        var pairs: [(retried: InstanceID, other: InstanceID)] = []
        for (_, group) in byKey where !group.others.isEmpty {
            let instances = group.all
            for one in instances where !acknowledged.contains(one) {
                for other in instances
                where other != one && mayBeOne(one, other) {
                    pairs.append((one, other))
                }
            }
        }
        return pairs.sorted { ($0.retried, $0.other) < ($1.retried, $1.other) }
    }
}
