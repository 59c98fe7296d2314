import IMAP
import MailStore

/// A mailbox as one client has been told of it.
///
/// It is a snapshot whose flags and new messages the client has heard of, and the messages that are
/// expunged in it but still have sequence numbers, because the client could not be told yet
/// (RFC 9051 §5.5, §7.5.1): `ghosts`.
struct MailboxView: Sendable {
    private(set) var mailbox: Mailbox
    /// UIDs, ascending; none of them is in `mailbox`.
    private(set) var ghosts: [UInt32] = []

    init(_ mailbox: Mailbox) { self.mailbox = mailbox }

    var messages: MessageColumns { mailbox.messages }

    /// What EXISTS says.
    var count: Int { mailbox.messages.count + ghosts.count }

    var largestUID: UInt32 { max(mailbox.messages.lastUID ?? 0, ghosts.last ?? 0) }

    // MARK: Numbers

    /// How many ghosts lie below `uid`.
    private func ghosts(below uid: UInt32) -> Int {
        var low = 0
        var high = ghosts.count
        while low < high {
            let middle = (low + high) / 2
            if ghosts[middle] < uid { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The sequence number that a message with `uid` has or would have.
    func sequence(of uid: UInt32) -> Int {
        mailbox.messages.lowerBound(uid: uid) + ghosts(below: uid) + 1
    }

    /// - Precondition: `1 <= sequence <= count`.
    func uid(at sequence: Int) -> UInt32 {
        let position = sequence - 1
        guard !ghosts.isEmpty else { return mailbox.messages.uid(at: position) }
        // The number of ghosts whose place is below `position`.
        var low = 0
        var high = ghosts.count
        while low < high {
            let middle = (low + high) / 2
            let place = mailbox.messages.lowerBound(uid: ghosts[middle]) + middle
            if place < position { low = middle + 1 } else { high = middle }
        }
        if low < ghosts.count,
            mailbox.messages.lowerBound(uid: ghosts[low]) + low == position
        {
            return ghosts[low]
        }
        return mailbox.messages.uid(at: position - low)
    }

    /// Messages that a command names.
    struct Selection: Sendable {
        /// Ranges that hold the named messages, and no others that exist.
        var uids: UIDSet
        /// Whether some that it names were expunged meanwhile.
        var hasGhosts: Bool
    }

    /// The messages with these sequence numbers; nil if one is above `count` (RFC 9051 §9,
    /// `seq-number`: that is a BAD).
    func select(sequences: NumberSet) -> Selection? {
        guard Int(sequences.last ?? 0) <= count else { return nil }
        var ranges: [ClosedRange<UInt32>] = []
        ranges.reserveCapacity(sequences.ranges.count)
        var hasGhosts = false
        for range in sequences.ranges {
            let low = uid(at: Int(range.lowerBound))
            let high = uid(at: Int(range.upperBound))
            ranges.append(low...high)
            if !ghosts.isEmpty { hasGhosts = hasGhosts || hasGhost(in: low...high) }
        }
        return Selection(uids: UIDSet(ranges: ranges), hasGhosts: hasGhosts)
    }

    /// The messages with these UIDs. Those that do not exist are no error (RFC 9051 §6.4.9).
    func select(uids: NumberSet) -> Selection {
        Selection(
            uids: UIDSet(ranges: uids.ranges),
            hasGhosts: !ghosts.isEmpty && uids.ranges.contains(where: hasGhost(in:)))
    }

    private func hasGhost(in range: ClosedRange<UInt32>) -> Bool {
        let i = ghosts(below: range.lowerBound)
        return i < ghosts.count && ghosts[i] <= range.upperBound
    }

    /// Existing messages of one chunk with consecutive sequence numbers.
    struct Run: Sendable {
        var chunk: Int
        var range: Range<Int>
        /// Of the first.
        var sequence: Int
    }

    /// The existing messages in `uids`, in order.
    func runs(of uids: UIDSet) -> [Run] {
        var out: [Run] = []
        let messages = mailbox.messages
        for (chunk, range) in messages.runs(of: uids) {
            let start = messages.starts[chunk] + 1
            guard !ghosts.isEmpty else {
                out.append(Run(chunk: chunk, range: range, sequence: start + range.lowerBound))
                continue
            }
            let column = messages.chunks[chunk].uids
            var low = range.lowerBound
            while low < range.upperBound {
                let below = ghosts(below: column[low])
                var high = range.upperBound
                if below < ghosts.count, ghosts[below] <= column[high - 1] {
                    high = low + 1
                    while column[high] < ghosts[below] { high += 1 }
                }
                out.append(Run(chunk: chunk, range: low..<high, sequence: start + low + below))
                low = high
            }
        }
        return out
    }

    // MARK: Changes

    /// A STORE that this session has made.
    struct OwnStore: Sendable {
        var uids: UIDSet
        var change: FlagChange
        /// In the mailbox's table as it is after the STORE.
        var flags: Flags
        /// Without .SILENT each message gets its own FETCH anyway.
        var isSilent: Bool

        /// Whether the client knows that `old` became `new`.
        func explains(_ uid: UInt32, _ old: Flags, _ new: Flags) -> Bool {
            guard uids.contains(uid) else { return false }
            guard isSilent else { return true }
            switch change {
            case .add: return new == old.union(flags)
            case .remove: return new == old.subtracting(flags)
            case .replace: return new == flags
            }
        }
    }

    /// How a newer snapshot differs.
    struct Difference: Sendable {
        /// Gone, ascending.
        var expunged: [UInt32] = []
        /// Still there, with other flags (or another MODSEQ, where that counts).
        var changed = UIDSet()
        var added = 0

        var isEmpty: Bool { expunged.isEmpty && changed.isEmpty && added == 0 }
    }

    /// - Parameters:
    ///   - byModSeq: whether a new MODSEQ with the same flags is a change.
    ///   - own: this session's own STORE: what it made of the flags is no news.
    func difference(to new: Mailbox, byModSeq: Bool, own: OwnStore? = nil) -> Difference {
        var walk = ChunkWalk(
            old: mailbox.messages, new: new.messages, byModSeq: byModSeq, own: own)
        walk.run()
        return walk.difference
    }

    /// Goes on to a newer snapshot. What is expunged in it becomes a ghost.
    mutating func advance(to new: Mailbox, expunged: [UInt32]) {
        mailbox = new
        guard !expunged.isEmpty else { return }
        if ghosts.isEmpty {
            ghosts = expunged
        } else {
            ghosts = (ghosts + expunged).sorted()
        }
    }

    /// The sequence numbers to be sent as EXPUNGE, ascending. There are no ghosts after that.
    mutating func takeExpungedSequences() -> [ClosedRange<UInt32>] {
        var out = NumberSet()
        for i in ghosts.indices {
            out.append(UInt32(mailbox.messages.lowerBound(uid: ghosts[i]) + i + 1))
        }
        ghosts = []
        return out.ranges
    }

    /// The UIDs to be sent as VANISHED (RFC 7162 §3.2.10). There are no ghosts after that.
    mutating func takeVanished() -> NumberSet {
        let set = NumberSet(numbers: ghosts)
        ghosts = []
        return set
    }
}

/// Compares two snapshots of a mailbox chunk by chunk: chunks that both share cost nothing.
private struct ChunkWalk {
    let old: MessageColumns
    let new: MessageColumns
    let byModSeq: Bool
    let own: MailboxView.OwnStore?
    var difference = MailboxView.Difference()

    mutating func run() {
        var i = 0
        var j = 0
        var a = 0
        var b = 0
        while i < old.chunks.count, j < new.chunks.count {
            let x = old.chunks[i]
            let y = new.chunks[j]
            if a == 0, b == 0, x.isIdentical(to: y) {
                i += 1
                j += 1
                continue
            }
            while a < x.count, b < y.count {
                if x.uids[a] == y.uids[b] {
                    compare(x, a, y, b)
                    a += 1
                    b += 1
                } else if x.uids[a] < y.uids[b] {
                    difference.expunged.append(x.uids[a])
                    a += 1
                } else {
                    difference.added += 1
                    b += 1
                }
            }
            if a == x.count {
                i += 1
                a = 0
            }
            if b == y.count {
                j += 1
                b = 0
            }
        }
        while i < old.chunks.count {
            difference.expunged.append(contentsOf: old.chunks[i].uids[a...])
            i += 1
            a = 0
        }
        while j < new.chunks.count {
            difference.added += new.chunks[j].count - b
            j += 1
            b = 0
        }
    }

    @inline(__always)
    private mutating func compare(_ x: MessageChunk, _ a: Int, _ y: MessageChunk, _ b: Int) {
        if x.flags[a] != y.flags[b] || (byModSeq && x.modSeqs[a] != y.modSeqs[b]) {
            if let own, own.explains(x.uids[a], x.flags[a], y.flags[b]) { return }
            difference.changed.appendSorted(x.uids[a]...x.uids[a])
        }
    }
}
