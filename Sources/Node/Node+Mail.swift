import MailStore
import Platform

// What a message from SMTP is answered before its body is stored.

extension Node {
    /// What `delivery` is answered, where its body need not be stored for that: a retry of what every
    /// recipient has already is accepted (R7), what no recipient has room for is refused.
    ///
    /// A retry that is new to some recipients is delivered to those by `step`. Until then nothing of it
    /// is noted: it may be refused, and come again.
    ///
    /// - Returns: nil if the body is to be stored, and the event to be executed.
    public mutating func answer(to delivery: MailDelivery) -> ChangeResult? {
        var retried: [InstanceID] = []
        var others: [AccountID] = []
        for recipient in delivery.recipients {
            if let first = self.retried(recipient, of: delivery) {
                retried.append(first)
            } else {
                others.append(recipient.account)
            }
        }
        if others.isEmpty { return absorb(retried, ticket: retried.first) }
        return hasRoom(for: UInt64(delivery.body.sizeOctets), in: others)
            ? nil : .refused(.overQuota)
    }

    /// Whether a message for these accounts is taken. All of them get it or none, since DATA has one
    /// answer; so it is taken if one has room, and the others go over their quota by this one message.
    /// An account that is full already takes no more: its sender, coming again, hears that at RCPT.
    private func hasRoom(for octets: UInt64, in ids: [AccountID]) -> Bool {
        var fits = false
        for id in ids {
            guard let state = accounts[id],
                let quota = state.quotaOctets ?? orderer.limits.quotaDefaultOctets
            else {
                fits = true
                continue
            }
            let used = state.usedOctets + (unassigned[id]?.octets ?? 0)
            if used >= quota { return false }
            if octets <= quota - used { fits = true }
        }
        return fits
    }

    /// The message of which this one is the retry, for this recipient.
    func retried(_ recipient: MailDelivery.Recipient, of delivery: MailDelivery) -> InstanceID? {
        guard retries.awaitsRetries else { return nil }
        return retries.retried(
            RetryMemory.key(
                reversePath: delivery.reversePath, forwardPath: recipient.forwardPath,
                account: recipient.account, received: delivery.receivedDigest))
    }

    /// Answers a retry: from here on its session stands for the messages that it repeats.
    mutating func absorb(_ retried: [InstanceID], ticket: InstanceID?) -> ChangeResult? {
        guard let ticket else { return nil }
        for first in retried { retries.absorb(first, ticket: ticket) }
        undo.tickets.append(ticket)
        return .accepted(ticket)
    }
}
