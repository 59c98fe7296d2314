import IMAP
import MailStore

/// A FETCH whose responses are being sent.
struct PendingFetch: Sendable {
    var isUID: Bool
    var hasGhosts: Bool
    /// Messages that could not be read, or of which a part could not be decoded.
    var unreadable = 0
    var undecodable = 0
}

// FETCH (RFC 9051 §6.4.5, RFC 7162 §3.1.4 and §3.2.6).
extension Session {
    mutating func fetch(
        _ set: SequenceSet, _ request: FetchRequest, isUID: Bool, _ mailbox: SelectedMailbox
    ) -> Effect {
        let view = mailbox.view
        let selection: MailboxView.Selection
        switch messages(set, isUID: isUID, in: view) {
        case .selection(let named): selection = named
        case .effect(let effect): return effect
        }
        var items = FetchItems(request.items)
        if isUID { items.fields.insert(.uid) }
        var uids = selection.uids
        if let since = request.changedSince {
            items.fields.insert(.modSeq)
            let since = ModSeq(rawValue: since)
            if request.isVanished {
                let known = set.resolved(largest: view.largestUID)
                    .intersection(NumberSet(1...max(1, view.mailbox.uidNext - 1)))
                encoder.vanished(
                    vanished(from: known, since: since, view.mailbox), isEarlier: true, to: &out)
            }
            uids = Self.changed(uids, since: since, in: view.mailbox)
        }
        let marksSeen = items.marksSeen && !mailbox.isReadOnly
        let plan = FetchPlan(
            view: view, uids: uids, fields: items.fields, sections: items.sections,
            marksSeen: marksSeen, service: service)
        let pending = PendingFetch(isUID: isUID, hasGhosts: selection.hasGhosts)
        guard !plan.isEmpty else { return fetchEnded(pending) }
        waiting = .fetch(pending)
        return .fetch(FetchProducer(plan))
    }

    /// All is sent: what was read becomes \Seen, and the client hears of it like of any change.
    mutating func fetched(_ pending: PendingFetch, _ producer: FetchProducer) -> Effect {
        var pending = pending
        pending.unreadable = producer.unreadable
        pending.undecodable = producer.undecodable
        guard !producer.unseen.isEmpty, let account, let selected else {
            return fetchEnded(pending)
        }
        waiting = .change(.markSeen(pending))
        return .submit(
            .change(
                account,
                .setFlags(
                    mailbox: selected.id, uids: producer.unseen, change: .add,
                    flags: NamedFlags(system: .seen), unchangedSince: nil)))
    }

    mutating func markedSeen(_ pending: PendingFetch, _ result: ChangeResult) -> Effect {
        // A flag that could not be set is no reason to fail a FETCH that has sent its data.
        fetchEnded(pending)
    }

    private mutating func fetchEnded(_ pending: PendingFetch) -> Effect {
        let expunges = pending.isUID
        if pending.unreadable > 0 {
            return finish(
                .no, .unavailable, "\(pending.unreadable) messages could not be read",
                expunges: expunges)
        }
        if pending.undecodable > 0 {
            return finish(
                .no, .unknownCTE, "\(pending.undecodable) parts could not be decoded",
                expunges: expunges)
        }
        if pending.hasGhosts, !pending.isUID {
            return finish(
                .no, .expungeIssued, "Some of the messages are expunged", expunges: false)
        }
        return finish("Fetched", expunges: expunges)
    }
}
