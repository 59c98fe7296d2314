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
    }

    private(set) var entries: [InstanceID: Entry] = [:]
    /// What one sender sent more than once, or may send again.
    private(set) var byKey: [SHA256Digest: [InstanceID]] = [:]
    /// The sender showed that it saw the `250`.
    private(set) var acknowledged: Set<InstanceID> = []

    subscript(instance: InstanceID) -> Entry? { entries[instance] }

    static func key(_ accept: Op.Accept, _ delivery: Op.Delivery) -> SHA256Digest? {
        guard !delivery.forwardPath.isEmpty else { return nil }
        return key(accept.reversePath, delivery.forwardPath, accept.receivedDigest)
    }

    static func key(_ reversePath: [UInt8], _ forwardPath: [UInt8], _ received: SHA256Digest)
        -> SHA256Digest
    {
        var w = ByteWriter(reserving: 96)
        w.blob(reversePath)
        w.blob(forwardPath)
        w.digest(received)
        return SHA256Digest(hashing: w.bytes)
    }

    /// Enters a message; false if it is known.
    mutating func enter(_ entry: Entry) -> Bool {
        let instance = entry.message.facts.instance
        if entries[instance] != nil { return false }
        entries[instance] = entry
        if let key = entry.key { byKey[key, default: []].append(instance) }
        return true
    }

    mutating func acknowledge(_ instance: InstanceID) -> Bool {
        acknowledged.insert(instance).inserted
    }

    /// The message of which this is the retry: one whose `250` its sender never showed to have seen.
    func retried(_ key: SHA256Digest, _ switches: RuleSwitches) -> InstanceID? {
        byKey[key]?.first {
            !acknowledged.contains($0) || switches.contains(.absorbsEqualMails)
        }
    }

    /// Pairs of one sender's messages of which the later is a retry of the earlier.
    func unabsorbedRetries() -> [(first: InstanceID, retry: InstanceID)] {
        var pairs: [(first: InstanceID, retry: InstanceID)] = []
        for (_, instances) in byKey where instances.count > 1 {
            let sorted = instances.sorted { entries[$0]!.clock < entries[$1]!.clock }
            for (i, first) in sorted.enumerated() where !acknowledged.contains(first) {
                guard i + 1 < sorted.count else { continue }
                let retry = sorted[i + 1]
                pairs.append((first, retry))
            }
        }
        return pairs.sorted { $0.retry < $1.retry }
    }
}
