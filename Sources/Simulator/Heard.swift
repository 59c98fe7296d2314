import MailStore
import Replication

/// The mails of which a node's journal says that their senders know them to be taken over: these
/// themselves, or one that orders which the node executed took for a retry of theirs.
struct Heard {
    private(set) var all: Set<InstanceID> = []
    /// Pairs of which one is the other's retry.
    private var joined: [InstanceID] = []
    private var waiting: [(sequence: UInt64, joined: [InstanceID])] = []
    /// So many records are read.
    private var count = 0

    /// Reads on. - Precondition: what was read is still there; else begin anew.
    mutating func read(_ journal: [LogRecord], of slot: Slot) {
        guard count < journal.count else { return }
        while count < journal.count {
            read(journal[count], of: slot)
            count += 1
        }
        var known = -1
        while known < all.count {
            known = all.count
            for i in stride(from: 0, to: joined.count, by: 2) {
                if all.contains(joined[i]) { all.insert(joined[i + 1]) }
                if all.contains(joined[i + 1]) { all.insert(joined[i]) }
            }
        }
    }

    private mutating func read(_ record: LogRecord, of slot: Slot) {
        var pairs: [InstanceID] = []
        switch record.entry {
        case .acknowledged(let instances): all.formUnion(instances)
        case .merge(let op, _): pairs = op.absorbed
        case .orders(_, let ops, _, _):
            for case .acknowledged(let op) in ops { pairs += op.instances }
        case .mark(let mark):
            for entry in waiting where entry.sequence <= mark { joined += entry.joined }
            waiting.removeAll { $0.sequence <= mark }
        case .apart: waiting.removeAll()
        default: break
        }
        if pairs.isEmpty { return }
        if record.origin == slot {
            joined += pairs
        } else {
            waiting.append((record.sequence, pairs))
        }
    }
}
