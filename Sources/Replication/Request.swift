import MailStore
import Platform

/// A change of the guest's client, on its way to home. It names messages by the UIDs of home's line,
/// each of which is one instance for ever; what it makes gets identifiers that follow from `seed`.
public struct Request: Sendable {
    public var account: AccountID
    public var change: Change
    /// For DELETE, and RENAME of INBOX: the messages that its client saw in the mailbox (R23).
    public var named: UIDSet
    public var seed: UInt128
    public var wall: Instant

    package init(
        account: AccountID, change: Change, named: UIDSet, seed: UInt128, wall: Instant
    ) {
        self.account = account
        self.change = change
        self.named = named
        self.seed = seed
        self.wall = wall
    }

    /// Gives messages the UIDs that they have in another state: a merge may have renumbered them while
    /// the change was held, or after what its client saw (R9).
    mutating func rename(from: AccountState, to: AccountState) {
        switch change {
        case .setFlags(let id, let set, let kind, let flags, let since):
            change = .setFlags(
                mailbox: id, uids: Self.renamed(set, in: id, from, to), change: kind,
                flags: flags, unchangedSince: since)
        case .expunge(let id, let set?):
            change = .expunge(mailbox: id, uids: Self.renamed(set, in: id, from, to))
        case .copy(let id, let set, let destination, let isMove):
            change = .copy(
                source: id, uids: Self.renamed(set, in: id, from, to), destination: destination,
                isMove: isMove)
        case .deleteMailbox(let id), .renameMailbox(let id, _):
            named = Self.renamed(named, in: id, from, to)
        default: break
        }
    }

    private static func renamed(
        _ uids: UIDSet, in id: MailboxID, _ from: AccountState, _ to: AccountState
    ) -> UIDSet {
        guard let seen = from.mailbox(id), let now = to.mailbox(id) else { return uids }
        var named: Set<InstanceID> = []
        for (chunk, range) in seen.messages.runs(of: uids) {
            for i in range { named.insert(seen.messages.chunks[chunk].facts[i].instance) }
        }
        var renamed = UIDSet()
        now.messages.visit { row in
            if named.contains(row.facts.instance) { renamed.appendSorted(row.uid...row.uid) }
        }
        return renamed
    }
}
