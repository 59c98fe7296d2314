import Platform

/// RFC 6154 §2: what a mailbox is for.
public enum SpecialUse: UInt8, Hashable, Sendable, CaseIterable {
    case all = 1
    case archive
    case drafts
    case flagged
    case junk
    case sent
    case trash

    /// The attribute, with its backslash.
    public var attribute: String {
        switch self {
        case .all: "\\All"
        case .archive: "\\Archive"
        case .drafts: "\\Drafts"
        case .flagged: "\\Flagged"
        case .junk: "\\Junk"
        case .sent: "\\Sent"
        case .trash: "\\Trash"
        }
    }
}

/// A message that was expunged: what QRESYNC clients and the peer must still hear of.
public struct Tombstone: Hashable, Sendable {
    public var uid: UInt32
    public var modSeq: ModSeq
    public var instance: InstanceID

    public init(uid: UInt32, modSeq: ModSeq, instance: InstanceID) {
        self.uid = uid
        self.modSeq = modSeq
        self.instance = instance
    }
}

/// How STORE changes flags (RFC 9051 §6.4.6).
public enum FlagChange: UInt8, Hashable, Sendable {
    case add = 1
    case remove = 2
    case replace = 3
}

/// A mailbox: its messages, what was expunged, and the numbers that clients hold it by.
///
/// A value: a copy is a snapshot, cheap to take and never changed by what happens later.
public struct Mailbox: Sendable {
    public let id: MailboxID
    /// Full path, levels separated by "/". "INBOX" in capitals.
    public internal(set) var name: String
    public internal(set) var uidValidity: UIDValidity
    /// One above the highest UID that was ever added; moves only when a message is added (R12).
    public internal(set) var uidNext: UInt32 = 1
    public internal(set) var highestModSeq: ModSeq
    public internal(set) var keywords: [Keyword] = []
    public internal(set) var messages = MessageColumns()
    /// Ascending by MODSEQ.
    public internal(set) var tombstones: [Tombstone] = []
    /// What was expunged at or below this MODSEQ is no longer known one by one (R32).
    public internal(set) var historyFloor: ModSeq
    /// The highest MODSEQ that this history has in each of its epochs, ascending (R13).
    public internal(set) var epochs: [ModSeq]
    public internal(set) var specialUse: SpecialUse?
    /// The block this side assigns UIDs from (R12); nil until it first assigns.
    public internal(set) var block: UIDBlock?

    // Counted as messages change, so that STATUS reads no columns.
    public internal(set) var unseenCount = 0
    public internal(set) var deletedCount = 0
    public internal(set) var sizeOctets: UInt64 = 0

    init(
        id: MailboxID, name: String, uidValidity: UIDValidity, modSeq: ModSeq,
        specialUse: SpecialUse?
    ) {
        self.id = id
        self.name = name
        self.uidValidity = uidValidity
        highestModSeq = modSeq
        historyFloor = modSeq
        epochs = [modSeq]
        self.specialUse = specialUse
    }

    // MARK: Reading

    /// The names of `flags` in this mailbox.
    public func named(_ flags: Flags) -> NamedFlags {
        var names: [Keyword] = []
        for (i, keyword) in keywords.enumerated()
        where flags.rawValue & 1 << UInt64(Flags.firstKeywordBit + i) != 0 {
            names.append(keyword)
        }
        return NamedFlags(system: flags, keywords: names)
    }

    /// The bits of `named`; keywords that no message here ever had have none.
    public func bits(_ named: NamedFlags) -> Flags {
        var flags = named.system
        for keyword in named.keywords {
            if let i = keywords.firstIndex(of: keyword) {
                flags.rawValue |= 1 << UInt64(Flags.firstKeywordBit + i)
            }
        }
        return flags
    }

    /// Whether the table has room for those of `names` that it lacks.
    public func hasRoom(forKeywords names: [Keyword]) -> Bool {
        var missing: [Keyword] = []
        for name in names where !keywords.contains(name) && !missing.contains(name) {
            missing.append(name)
        }
        return keywords.count + missing.count <= Flags.keywordsMax
    }

    /// The UIDs that were expunged after `modSeq`; nil if that reaches below the history floor and
    /// the caller must be told that all it knows of and is not here has vanished (RFC 7162 §3.2.6).
    public func vanished(since modSeq: ModSeq) -> UIDSet? {
        guard modSeq >= historyFloor else { return nil }
        var low = 0
        var high = tombstones.count
        while low < high {
            let middle = (low + high) / 2
            if tombstones[middle].modSeq <= modSeq { low = middle + 1 } else { high = middle }
        }
        return UIDSet(tombstones[low...].map(\.uid))
    }

    /// Whether a client's `modSeq` belongs to another history than this one (R13).
    public func isForeign(_ modSeq: ModSeq) -> Bool {
        guard let known = epochs.first(where: { $0.epoch == modSeq.epoch }) else { return true }
        return modSeq.counter > known.counter
    }

    // MARK: Applying operations

    mutating func note(_ modSeq: ModSeq) {
        highestModSeq = max(highestModSeq, modSeq)
        if let i = epochs.lastIndex(where: { $0.epoch == modSeq.epoch }) {
            epochs[i] = max(epochs[i], modSeq)
        } else {
            epochs.append(modSeq)
            epochs.sort()
        }
    }

    /// The bits of `named`, with its keywords entered into the table. Keywords beyond the table's
    /// size are left out: the orderer refuses those before they become an operation.
    mutating func enteringBits(_ named: NamedFlags) -> Flags {
        for keyword in named.keywords
        where !keywords.contains(keyword) && keywords.count < Flags.keywordsMax {
            keywords.append(keyword)
        }
        return bits(named)
    }

    mutating func add(uid: UInt32, flags: NamedFlags, modSeq: ModSeq, facts: MessageFacts) {
        // An operation that does not fit this state (another node's, after a fault) must not stop the
        // node: the comparison of states finds it.
        guard uid >= uidNext, uid < .max else { return }
        let bits = enteringBits(flags)
        messages.append(.init(uid: uid, flags: bits, modSeq: modSeq, facts: facts))
        uidNext = max(uidNext, uid + 1)
        note(modSeq)
        if !bits.contains(.seen) { unseenCount += 1 }
        if bits.contains(.deleted) { deletedCount += 1 }
        sizeOctets += UInt64(facts.sizeOctets)
    }

    /// What `flags` become by the change.
    static func changed(_ flags: Flags, _ change: FlagChange, _ bits: Flags) -> Flags {
        switch change {
        case .add: flags.union(bits)
        case .remove: flags.subtracting(bits)
        case .replace: bits
        }
    }

    mutating func setFlags(
        _ uids: UIDSet, _ change: FlagChange, _ named: NamedFlags, modSeq: ModSeq
    ) {
        let bits = change == .remove ? self.bits(named) : enteringBits(named)
        var unseen = 0
        var deleted = 0
        messages.update(uids) { _, flags, stamp in
            let new = Self.changed(flags, change, bits)
            unseen += (flags.contains(.seen) ? 1 : 0) - (new.contains(.seen) ? 1 : 0)
            deleted += (new.contains(.deleted) ? 1 : 0) - (flags.contains(.deleted) ? 1 : 0)
            flags = new
            stamp = modSeq
        }
        unseenCount += unseen
        deletedCount += deleted
        note(modSeq)
    }

    @discardableResult
    mutating func expunge(_ uids: UIDSet, modSeq: ModSeq) -> [MessageColumns.Row] {
        let removed = messages.remove(uids)
        for row in removed {
            tombstones.append(
                Tombstone(uid: row.uid, modSeq: modSeq, instance: row.facts.instance))
            if !row.flags.contains(.seen) { unseenCount -= 1 }
            if row.flags.contains(.deleted) { deletedCount -= 1 }
            sizeOctets -= UInt64(row.facts.sizeOctets)
        }
        note(modSeq)
        return removed
    }
}
