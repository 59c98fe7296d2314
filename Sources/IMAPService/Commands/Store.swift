import IMAP
import MailStore

/// A STORE that the node is at, or whose FETCH responses are being sent.
struct PendingStore: Sendable {
    var own: MailboxView.OwnStore
    var names: NamedFlags
    var isUID: Bool
    /// Asked for with UNCHANGEDSINCE: each MODSEQ is reported (RFC 7162 §3.1.3).
    var isConditional: Bool
    var hasGhosts: Bool
    var modified = UIDSet()
}

// STORE (RFC 9051 §6.4.6, RFC 7162 §3.1.3).
extension Session {
    mutating func store(
        _ set: SequenceSet, _ request: StoreRequest, isUID: Bool, _ mailbox: SelectedMailbox
    ) -> Effect {
        guard let account else { return bad("Log in first") }
        guard !mailbox.isReadOnly else { return no(.readOnly, "Mailbox is open for reading only") }
        let selection: MailboxView.Selection
        switch messages(set, isUID: isUID, in: mailbox.view) {
        case .selection(let named): selection = named
        case .effect(let effect): return effect
        }
        let change: FlagChange =
            switch request.change {
            case .add: .add
            case .remove: .remove
            case .replace: .replace
            }
        let names = NamedFlags(request.flags)
        let pending = PendingStore(
            own: .init(
                uids: selection.uids, change: change, flags: [], isSilent: request.isSilent),
            names: names, isUID: isUID, isConditional: request.unchangedSince != nil,
            hasGhosts: selection.hasGhosts)
        waiting = .change(.store(pending))
        return .submit(
            .change(
                account,
                .setFlags(
                    mailbox: mailbox.id, uids: selection.uids, change: change, flags: names,
                    unchangedSince: request.unchangedSince.map { ModSeq(rawValue: $0) })))
    }

    /// The flags are set: tells them, unless the client wants no answer.
    mutating func stored(_ pending: PendingStore, _ result: ChangeResult) -> Effect {
        var pending = pending
        switch result {
        case .refused(let refusal): return refuse(refusal)
        case .flagsSet(let modified, _): pending.modified = modified
        default: break
        }
        guard let id = selected?.id, let new = accountState?.mailbox(id) else { return lost() }
        pending.own.uids = pending.own.uids.subtracting(pending.modified)
        pending.own.flags = new.bits(pending.names)
        // What the others did comes first, so that the report shows the present state.
        if let first = refresh(own: pending.own, next: .stored(pending)) { return first }
        return reportStored(pending)
    }

    /// The FETCH responses to a STORE, as far as the client wants them.
    mutating func reportStored(_ pending: PendingStore) -> Effect {
        guard let view = selected?.view else { return lost() }
        var fields: FetchFields = []
        if !pending.own.isSilent { fields.insert(.flags) }
        if enabled.contains(.condstore) { fields.insert(.modSeq) }
        if pending.isUID || !enabled.isDisjoint(with: [.condstore, .rev2]) { fields.insert(.uid) }
        // In silence MODSEQ alone is told, to those who want it (RFC 7162 §3.1.3).
        if pending.own.isSilent, !enabled.contains(.condstore) { return reported(pending) }
        let plan = FetchPlan(view: view, uids: pending.own.uids, fields: fields, service: service)
        guard !plan.isEmpty else { return reported(pending) }
        waiting = .storeReport(pending)
        return .fetch(FetchProducer(plan))
    }

    /// The tagged reply.
    mutating func reported(_ pending: PendingStore) -> Effect {
        if !pending.modified.isEmpty, let view = selected?.view {
            let failed =
                pending.isUID
                ? NumberSet(pending.modified) : NumberSet(view.sequences(of: pending.modified))
            if !failed.isEmpty {
                return finish(
                    .ok, .modified(failed), "Some messages were changed by others",
                    expunges: pending.isUID)
            }
        }
        if pending.hasGhosts, !pending.isUID {
            return finish(
                .no, .expungeIssued, "Some of the messages are expunged", expunges: false)
        }
        return finish("Stored", expunges: pending.isUID)
    }
}

extension NamedFlags {
    /// Flags as a client writes them.
    init(_ flags: [IMAPFlag]) {
        var system: Flags = []
        var keywords: [Keyword] = []
        for flag in flags {
            switch flag {
            case .seen: system.insert(.seen)
            case .answered: system.insert(.answered)
            case .flagged: system.insert(.flagged)
            case .deleted: system.insert(.deleted)
            case .draft: system.insert(.draft)
            case .keyword(let name):
                let keyword = Keyword(name)
                if !keywords.contains(keyword) { keywords.append(keyword) }
            }
        }
        self.init(system: system, keywords: keywords)
    }
}

extension UIDSet {
    /// What is in this set and not in `other`.
    func subtracting(_ other: UIDSet) -> UIDSet {
        guard !other.isEmpty else { return self }
        var out = UIDSet()
        var i = 0
        for range in ranges {
            var low = range.lowerBound
            var isLeft = true
            while i < other.ranges.count, other.ranges[i].upperBound < low { i += 1 }
            var j = i
            while j < other.ranges.count, other.ranges[j].lowerBound <= range.upperBound {
                let hole = other.ranges[j]
                if hole.lowerBound > low { out.appendSorted(low...hole.lowerBound - 1) }
                guard hole.upperBound < range.upperBound else {
                    isLeft = false
                    break
                }
                low = hole.upperBound + 1
                j += 1
            }
            if isLeft, low <= range.upperBound { out.appendSorted(low...range.upperBound) }
        }
        return out
    }
}

extension MailboxView {
    /// The sequence numbers of those messages that exist.
    func sequences(of uids: UIDSet) -> [ClosedRange<UInt32>] {
        runs(of: uids).map {
            UInt32($0.sequence)...UInt32($0.sequence + $0.range.count - 1)
        }
    }
}
