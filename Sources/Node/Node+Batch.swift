import MailStore
import Platform

// From one batch to the next.

extension Node {
    /// What was accepted for one account and has no place yet.
    struct Unassigned: Sendable {
        /// In order of arrival.
        var instances: [InstanceID] = []
        var octets: UInt64 = 0

        mutating func add(_ instance: InstanceID, octets: UInt32) {
            instances.append(instance)
            self.octets += UInt64(octets)
        }
    }

    /// What it takes to take a batch back. The accounts as they were cost next to nothing: what is
    /// shown of them shares their storage anyway.
    struct Undo: Sendable {
        /// As they were before the batch; nil for one that it made.
        var accounts: [AccountID: AccountState?] = [:]
        var unassigned: [AccountID: Unassigned] = [:]
        var unassignedOrder: [AccountID] = []
        /// Messages that were accepted.
        var remembered: [InstanceID] = []
        /// Answers to deliveries, retries among them.
        var tickets: [InstanceID] = []
        /// What senders showed to have seen. True whether the batch becomes durable or not.
        var acknowledged: [InstanceID] = []
    }

    /// Ends a batch: gives what was accepted its places, and returns what is to be journalled and
    /// which accounts will look different once that is durable. `keepBatch` or `revertBatch` follows.
    public mutating func takeBatch(now: Now) -> (records: [Record], touched: [AccountID]) {
        assignPending(now)
        if !acknowledged.isEmpty {
            record(.acknowledged(.init(instances: acknowledged)), now)
            undo.acknowledged = acknowledged
            acknowledged.removeAll(keepingCapacity: true)
        }
        let batch = (records, touched.sorted())
        records.removeAll(keepingCapacity: true)
        touched.removeAll(keepingCapacity: true)
        return batch
    }

    /// The batch that was taken is durable.
    public mutating func keepBatch(now: Now) {
        beginBatch()
        if now.monotonic >= nextExpiry {
            nextExpiry = now.monotonic.advanced(by: .seconds(3_600))
            retries.forgetExpired(at: now.wall)
        }
    }

    /// The batch that was taken could not be made durable: its events did not happen, and every answer
    /// to them is a refusal. What senders showed to have seen, and sessions that ended, remain so.
    public mutating func revertBatch() {
        let isAddressed = undo.accounts.contains { id, before in
            before?.addresses != accounts[id]?.addresses
        }
        for (id, before) in undo.accounts { accounts[id] = before }
        if isAddressed { indexAddresses() }
        unassigned = undo.unassigned
        unassignedOrder = undo.unassignedOrder
        for ticket in undo.tickets { retries.abandon(ticket) }
        for instance in undo.remembered { retries.forget(instance) }
        acknowledged = undo.acknowledged + acknowledged
        records.removeAll(keepingCapacity: true)
        touched.removeAll(keepingCapacity: true)
        beginBatch()
    }

    mutating func beginBatch() {
        undo = Undo()
        undo.unassigned = unassigned
        undo.unassignedOrder = unassignedOrder
    }

    /// Comes before each change of an account.
    mutating func save(_ id: AccountID) {
        if undo.accounts.index(forKey: id) == nil {
            undo.accounts.updateValue(accounts[id], forKey: id)
        }
    }
}
