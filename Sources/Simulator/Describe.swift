import MailStore
import Platform
import Replication

// What a trace says, for who looks into a failure.

extension World {
    func describe(_ record: LogRecord) -> String {
        let name = record.origin.map { "\($0)\(record.sequence)" } ?? "note"
        switch record.entry {
        case .accept(let op, let kept, _):
            let ids = op.deliveries.map { $0.instance.brief }
            return "\(name) accept \(op.digest.words.0) \(ids)\(kept ? " kept" : "")"
        case .orders(let account, let ops, let answers, _):
            return "\(name) orders \(account.rawValue) answers \(answers): \(ops.map(brief))"
        case .request(let request):
            return "\(name) request \(request.account.rawValue): \(brief(request.change))"
        case .branch(let account, let base, let state):
            return
                "\(name) branch \(account.rawValue) at \(base)\(state == nil ? "" : " with state")"
        case .merge(let op, let covers):
            return "\(name) merge \(op.account.rawValue) covers \(covers) epoch \(op.epoch): "
                + op.mailboxes.map(brief).joined(separator: "; ")
                + " gone \(op.deletedMailboxes.map(\.brief))"
        case .line(let state): return "\(name) line \(state.id.rawValue)"
        case .acknowledged: return "\(name) acknowledged"
        case .mark(let mark): return "mark \(mark)"
        case .apart: return "apart"
        case .connected: return "connected"
        case .diverged(let common): return "diverged after \(common)"
        case .unknown(let type): return "\(name) of type \(type)"
        case .home(let id, let to, let takes):
            return "\(name) home of \(id.rawValue) is \(to), takes \(takes)"
        case .check(let id, let hash): return "\(name) check \(id.rawValue) \(hash)"
        case .differs(let id, _): return "\(name) differs \(id.rawValue)"
        }
    }

    private func brief(_ op: Op) -> String {
        switch op {
        case .assign(let op):
            "assign \(op.items.map { "\($0.instance.brief)→\($0.mailbox.brief) \($0.uid)" })"
        case .setFlags(let op):
            "flags of \(op.mailbox.brief) \(op.uids.brief) \(op.change) \(op.flags.brief) "
                + "\(op.modSeq.epoch).\(op.modSeq.counter)"
        case .expunge(let op): "expunge \(op.mailbox.brief) \(op.uids.brief)"
        case .copy(let op):
            "\(op.isMove ? "move" : "copy") \(op.source.brief) to \(op.destination.brief) "
                + "\(op.items.map { "\($0.sourceUID)→\($0.uid) \($0.instance.brief)" })"
        case .createMailbox(let op):
            "create \(op.mailbox.brief) \(op.name)/\(op.uidValidity.rawValue)"
        case .deleteMailbox(let op): "delete \(op.mailbox.brief)"
        case .renameMailboxes(let op):
            "rename \(op.items.map { "\($0.mailbox.brief)→\($0.name)" })"
        case .subscribe(let op): "subscribe \(op.name) \(op.subscribed)"
        default: "other"
        }
    }

    private func brief(_ mailbox: Op.MergedMailbox) -> String {
        let added = mailbox.additions.map {
            "\($0.facts.instance.brief)→\($0.uid) \($0.flags.brief)"
        }
        let stamped = mailbox.restamped.map { "\($0.uid) \($0.flags.brief)" }
        return "\(mailbox.mailbox.brief) \(mailbox.name)/\(mailbox.uidValidity.rawValue) "
            + "+\(added) ~\(stamped) -\(mailbox.tombstones.map(\.uid))"
    }

    func brief(_ change: Change) -> String {
        switch change {
        case .append(let mailbox, let messages):
            "append to \(mailbox.brief) \(messages.map(\.digest.words.0))"
        case .setFlags(let mailbox, let uids, let change, let flags, _):
            "flags of \(mailbox.brief) \(uids.brief) \(change) \(flags.brief)"
        case .expunge(let mailbox, let uids):
            "expunge \(mailbox.brief) \(uids?.brief ?? "all")"
        case .copy(let source, let uids, let destination, let isMove):
            "\(isMove ? "move" : "copy") \(source.brief) \(uids.brief) to \(destination.brief)"
        case .createMailbox(let name, _): "create \(name)"
        case .deleteMailbox(let mailbox): "delete \(mailbox.brief)"
        case .renameMailbox(let mailbox, let name): "rename \(mailbox.brief) to \(name)"
        case .renameLevel(let level, let name): "rename \(level) to \(name)"
        case .subscribe(let name, let subscribed): "subscribe \(name) \(subscribed)"
        case .setCredential, .setAddresses, .setQuota: "other"
        }
    }
}

extension CustomStringConvertible {
    fileprivate var brief: String { String(description.prefix(6)) }
}

extension UIDSet {
    fileprivate var brief: String {
        ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound):\($0.upperBound)" }
            .joined(separator: ",")
    }
}

extension NamedFlags {
    fileprivate var brief: String {
        let names = ["Seen", "Answered", "Flagged", "Deleted", "Draft"]
        let set = names.indices.filter { system.rawValue & 1 << UInt64($0) != 0 }
        return (set.map { names[$0] } + keywords.map(\.name)).joined(separator: " ")
    }
}
