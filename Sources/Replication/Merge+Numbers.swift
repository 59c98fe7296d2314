import MailStore
import Platform

// The numbers of one mailbox after a merge (R19–R21, R24, R25).

extension Merge {
    /// Whose UIDs stay.
    private enum Numbering {
        case home
        case guest
        /// Those from before the fork; everything since gets fresh ones.
        case forked
        /// None: the UIDVALIDITY is new.
        case none
    }

    /// The mailbox `id` with `instances`; nil if home's stays as it is.
    mutating func number(
        _ id: MailboxID, _ instances: [InstanceID], modSeq: ModSeq, counter: inout UInt32
    ) -> Op.MergedMailbox? {
        let ours = home.mailbox(id)
        let theirs = guest.mailbox(id)
        let base = fork?.mailbox(id)
        if isUntouched(ours, theirs, base, instances, named: names[id]!) { return nil }
        let (numbering, validity, startsAnew) = numbering(
            id, ours, theirs, base, instances: instances, counter: &counter)
        let sameMap = theirs.map { $0.uidValidity == validity } ?? false

        var keptUID: [(instance: InstanceID, uid: UInt32)] = []
        var fresh: [InstanceID] = []
        for instance in instances {
            if let uid = kept(instance, id, numbering) {
                keptUID.append((instance, uid))
            } else {
                fresh.append(instance)
            }
        }
        keptUID.sort { $0.uid < $1.uid }
        var next = 1 as UInt32
        if !startsAnew, let ours { next = max(next, ours.uidNext) }
        if let theirs, sameMap || numbering == .guest { next = max(next, theirs.uidNext) }
        let numbered = allot(fresh, above: max(next, ours?.uidNext ?? 1, theirs?.uidNext ?? 1))

        var result = Op.MergedMailbox(
            mailbox: id, name: names[id]!, uidValidity: validity,
            specialUse: ours?.specialUse ?? theirs?.specialUse, uidNext: next, modSeq: modSeq,
            epochs: epochs(ours, theirs, base, numbering), startsAnew: startsAnew, tombstones: [],
            restamped: [], additions: [])
        for (instance, uid) in keptUID {
            if !startsAnew, let place = homePlaces[instance], place.mailbox == id {
                if isChanged(instance, id) {
                    result.restamped.append(.init(uid: uid, flags: flags(instance)))
                }
            } else {
                result.additions.append(addition(instance, uid))
            }
        }
        result.additions += numbered.map { addition($0.instance, $0.uid) }
        let stays = Set(keptUID.map(\.uid))
        if startsAnew {
            buryDead(ours)
        } else {
            result.tombstones = tombstones(ours, theirs, base, stays, sameMap: sameMap)
        }
        if !sameMap { buryDead(theirs) }
        return result
    }

    private mutating func buryDead(_ mailbox: Mailbox?) {
        guard let mailbox else { return }
        for tombstone in mailbox.tombstones where dead.contains(tombstone.instance) {
            buried.insert(tombstone.instance)
        }
        for instance in mailbox.messages.allInstances where dead.contains(instance) {
            buried.insert(instance)
        }
    }

    /// Whether nothing happened to the mailbox on the guest's side, nor by what happened elsewhere.
    private func isUntouched(
        _ ours: Mailbox?, _ theirs: Mailbox?, _ base: Mailbox?, _ instances: [InstanceID],
        named name: String
    ) -> Bool {
        guard let ours, name == ours.name, ours.messages.count == instances.count else {
            return false
        }
        for instance in instances {
            guard let place = homePlaces[instance], place.mailbox == ours.id else { return false }
            // The guest may have it in another mailbox, and have changed its flags there.
            if let theirs = guestPlaces[instance], theirs.mailbox != ours.id,
                flags(instance) != named(place, home)
            {
                return false
            }
        }
        if isRepair, let theirs { return theirs.stateHash == ours.stateHash }
        guard fork != nil else { return false }
        guard let theirs else { return base == nil }
        guard let base else { return false }
        return theirs.uidNext == base.uidNext && theirs.highestModSeq == base.highestModSeq
            && theirs.uidValidity == base.uidValidity
    }

    private func numbering(
        _ id: MailboxID, _ ours: Mailbox?, _ theirs: Mailbox?, _ base: Mailbox?,
        instances: [InstanceID], counter: inout UInt32
    ) -> (Numbering, UIDValidity, startsAnew: Bool) {
        func anew() -> (Numbering, UIDValidity, startsAnew: Bool) {
            counter += 1
            if counter % 2 != UInt32(slot.rawValue), !switches.contains(.sharesValidities) {
                counter += 1
            }
            return (.none, UIDValidity(rawValue: counter), ours != nil)
        }
        guard let ours else {
            guard let theirs else { return anew() }
            // Lines that went two ways may have given one UIDVALIDITY to two mailboxes (R25).
            let isTaken = home.mailboxes.contains { $0.uidValidity == theirs.uidValidity }
            if fork == nil, isTaken { return anew() }
            return (.guest, theirs.uidValidity, false)
        }
        guard let theirs else { return (.home, ours.uidValidity, false) }
        guard fork != nil || switches.contains(.trustsDivergedMaps) else {
            // What cannot be proved to be one map is shown as another (R16, R25).
            if theirs.uidValidity == ours.uidValidity {
                if isRepair { return anew() }
                if includes(ours, theirs) { return (.home, ours.uidValidity, false) }
                if includes(theirs, ours) { return (.guest, ours.uidValidity, true) }
            }
            return anew()
        }
        if ours.uidValidity != theirs.uidValidity {
            if let base {
                // One side's is the fork's; the other got a new one from an earlier merge.
                return ours.uidValidity == base.uidValidity
                    ? (.guest, theirs.uidValidity, true) : (.home, ours.uidValidity, false)
            }
            // Made on both sides. To the clients of the side whose UIDVALIDITY goes it is a new one.
            return ours.uidNext == 1 && theirs.uidNext > 1
                ? (.guest, theirs.uidValidity, true) : (.home, ours.uidValidity, false)
        }
        let start = base?.uidNext ?? 1
        var oursAssigned = ours.uidNext != start
        var theirsAssigned = theirs.uidNext != start
        if switches.contains(.countsOnlyLiveAdditions) {
            oursAssigned = ours.messages.lastUID ?? 0 >= start
            theirsAssigned = theirs.messages.lastUID ?? 0 >= start
        }
        if oursAssigned && theirsAssigned {
            return (
                switches.contains(.renumbersOneSide) ? .home : .forked, ours.uidValidity, false
            )
        }
        return (theirsAssigned ? .guest : .home, ours.uidValidity, false)
    }

    /// Whether every UID that `b` ever gave is the same in `a`.
    private func includes(_ a: Mailbox, _ b: Mailbox) -> Bool {
        guard a.uidNext >= b.uidNext, a.highestModSeq >= b.highestModSeq else { return false }
        var map: [UInt32: InstanceID] = [:]
        for tombstone in a.tombstones { map[tombstone.uid] = tombstone.instance }
        a.messages.visit { map[$0.uid] = $0.facts.instance }
        for tombstone in b.tombstones where map[tombstone.uid] != tombstone.instance {
            return false
        }
        var same = true
        b.messages.visit { if map[$0.uid] != $0.facts.instance { same = false } }
        return same
    }

    /// The UID under which the message stays.
    private func kept(_ instance: InstanceID, _ id: MailboxID, _ numbering: Numbering) -> UInt32? {
        func uid(_ places: [InstanceID: Place]) -> UInt32? {
            places[instance].flatMap { $0.mailbox == id ? $0.row.uid : nil }
        }
        switch numbering {
        case .home: return uid(homePlaces)
        case .guest: return uid(guestPlaces)
        case .forked:
            // A home that took the account over may have renumbered what was in the fork (R29).
            guard let before = uid(forkPlaces),
                before == uid(homePlaces) ?? uid(guestPlaces)
            else { return nil }
            return before
        case .none: return nil
        }
    }

    /// Fresh UIDs from home's next own block, in the order in which the messages came (R19, R20).
    private func allot(_ instances: [InstanceID], above uidNext: UInt32)
        -> [(instance: InstanceID, uid: UInt32)]
    {
        let sorted = instances.sorted { a, b in
            let (x, y) = (facts(a).saveDate, facts(b).saveDate)
            return x == y ? a < b : x < y
        }
        var block = UIDBlock.next(for: slot, atOrAbove: uidNext)
        var uid = block.first
        if switches.contains(.mergesInOldBlock) { uid = uidNext }
        var numbered: [(instance: InstanceID, uid: UInt32)] = []
        for instance in sorted {
            if uid > block.last {
                block = .next(for: slot, atOrAbove: uid)
                uid = block.first
            }
            numbered.append((instance, uid))
            uid += 1
        }
        return numbered
    }

    private func facts(_ instance: InstanceID) -> MessageFacts {
        (homePlaces[instance] ?? guestPlaces[instance])!.row.facts
    }

    private func addition(_ instance: InstanceID, _ uid: UInt32) -> Op.MergedMailbox.Addition {
        .init(uid: uid, flags: flags(instance), facts: facts(instance))
    }

    // MARK: MODSEQs

    private func epochs(
        _ ours: Mailbox?, _ theirs: Mailbox?, _ base: Mailbox?, _ numbering: Numbering
    ) -> [ModSeq] {
        guard fork != nil, numbering != .none else { return [] }
        var all: [ModSeq] = []
        for modSeq in ((ours?.epochs ?? []) + (theirs?.epochs ?? [])).sorted() {
            if all.last?.epoch == modSeq.epoch {
                all[all.count - 1] = modSeq
            } else {
                all.append(modSeq)
            }
        }
        return all
    }

    /// Whether anything touched the message on either side since the guest last adopted (R21).
    private func isChanged(_ instance: InstanceID, _ id: MailboxID) -> Bool {
        guard let before = forkPlaces[instance], before.mailbox == id else { return true }
        guard let ours = homePlaces[instance], ours.row.uid == before.row.uid else { return true }
        let result = flags(instance)
        if result != home.mailbox(id)!.named(ours.row.flags) { return true }
        if switches.contains(.stampsNetChanges) {
            return ours.row.flags != before.row.flags
        }
        if ours.row.modSeq != before.row.modSeq { return true }
        guard let theirs = guestPlaces[instance] else { return true }
        return theirs.row.modSeq != before.row.modSeq
    }

    /// What is a tombstone since the guest last adopted, by expunge or by renumbering.
    private func tombstones(
        _ ours: Mailbox?, _ theirs: Mailbox?, _ base: Mailbox?, _ stays: Set<UInt32>,
        sameMap: Bool
    ) -> [Tombstone] {
        let known = Set(base?.tombstones.map(\.uid) ?? [])
        var gone: [UInt32: InstanceID] = [:]
        for side in [ours, sameMap ? theirs : nil].compactMap({ $0 }) {
            for tombstone in side.tombstones where !known.contains(tombstone.uid) {
                gone[tombstone.uid] = tombstone.instance
            }
            side.messages.visit { row in
                if !stays.contains(row.uid) { gone[row.uid] = row.facts.instance }
            }
        }
        if switches.contains(.keepsTombstoneStamps) {
            for tombstone in ours?.tombstones ?? [] { gone[tombstone.uid] = nil }
        }
        return gone.keys.sorted().filter { !stays.contains($0) }.map {
            Tombstone(uid: $0, modSeq: .zero, instance: gone[$0]!)
        }
    }

    // MARK: Flags

    /// Three-way for each flag (R21): what differs from the base is a side's change.
    func flags(_ instance: InstanceID) -> NamedFlags {
        let ours = named(homePlaces[instance], home)
        let theirs = named(guestPlaces[instance], guest)
        guard var ours else { return Self.sorted(theirs ?? .none) }
        guard let theirs, !switches.contains(.homeFlagsWin) else { return Self.sorted(ours) }
        let base =
            named(coveredPlaces[instance], covered ?? home) ?? acceptedFlags[instance] ?? .none
        let changed = theirs.system.symmetricDifference(base.system)
        ours.system = ours.system.subtracting(changed).union(
            theirs.system.intersection(changed))
        for keyword in theirs.keywords
        where !base.keywords.contains(keyword) && !ours.keywords.contains(keyword) {
            ours.keywords.append(keyword)
        }
        ours.keywords.removeAll { base.keywords.contains($0) && !theirs.keywords.contains($0) }
        return Self.sorted(ours)
    }

    private func named(_ place: Place?, _ state: AccountState) -> NamedFlags? {
        guard let place, let mailbox = state.mailbox(place.mailbox) else { return nil }
        return Self.sorted(mailbox.named(place.row.flags))
    }

    private static func sorted(_ flags: NamedFlags) -> NamedFlags {
        NamedFlags(system: flags.system, keywords: flags.keywords.sorted())
    }
}
