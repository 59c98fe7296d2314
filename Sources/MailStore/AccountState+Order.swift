import Platform

/// Turns changes into operations: the only place that chooses UIDs, MODSEQs and identifiers.
public struct Orderer: Sendable {
    /// The slot that orders: its blocks of UIDs are used.
    public var slot: Slot
    public var limits: AccountLimits
    /// Identifiers of what a change makes follow from this, if it is given, so that a change which is
    /// executed on two nodes makes the same things on both (R9).
    package var seed: UInt128?
    /// With a peer, a mailbox that is unknown here may be one that the peer has made.
    package var waitsForUnknownMailboxes = false
    // For the simulator alone: a UID from the other slot's block, a UIDVALIDITY with its parity.
    package var sharesBlocks = false
    package var sharesValidities = false

    public init(slot: Slot, limits: AccountLimits = AccountLimits()) {
        self.slot = slot
        self.limits = limits
    }

    /// The operations that make `change` to `state`, already applied to it, and the answer.
    ///
    /// `.append` is not for here: a message is accepted first and then assigned.
    public func order<R: Randomness>(
        _ change: Change, on state: inout AccountState, at wall: Instant, randomness: inout R
    ) -> (ops: [Op], result: ChangeResult) {
        do throws(Refusal) {
            let (ops, result) = try plan(change, state, at: wall, &randomness)
            for op in ops { state.apply(op) }
            return (ops, result)
        } catch {
            return ([], .refused(error))
        }
    }

    private func plan<R: Randomness>(
        _ change: Change, _ state: AccountState, at wall: Instant, _ randomness: inout R
    ) throws(Refusal) -> ([Op], ChangeResult) {
        switch change {
        case .append: preconditionFailure("an append is accepted, then assigned")
        case .setFlags(let mailbox, let uids, let kind, let flags, let unchangedSince):
            return try setFlags(state, mailbox, uids, kind, flags, unchangedSince)
        case .expunge(let mailbox, let uids):
            return try expunge(state, mailbox, uids)
        case .copy(let source, let uids, let destination, let isMove):
            return try copy(state, source, uids, destination, isMove, wall, &randomness)
        case .createMailbox(let name, let specialUse):
            return try create(state, name, specialUse, &randomness)
        case .deleteMailbox(let id):
            guard let mailbox = state.mailbox(id) else { throw .noSuchMailbox }
            let all = UIDSet(mailbox.messages.allUIDs)
            return (try delete(state, id, naming: all, at: wall, &randomness), .done)
        case .renameMailbox(let id, let name):
            let all = UIDSet(state.mailbox(id)?.messages.allUIDs ?? [])
            return try rename(state, id, name, naming: all, at: wall, &randomness)
        case .renameLevel(let level, let name):
            let level = MailboxName.canonical(level)
            guard state.mailbox(named: level) == nil else { throw .mailboxExists }
            let items = try renamed(state, below: level, to: MailboxName.canonical(name))
            guard !items.isEmpty else { throw .noSuchMailbox }
            return ([.renameMailboxes(.init(account: state.id, items: items))], .done)
        case .subscribe(let name, let subscribed):
            if subscribed {
                try check(name)
                guard state.subscriptions.count < limits.subscriptionsMax else {
                    throw .tooManyMailboxes
                }
            }
            let op = Op.Subscribe(
                account: state.id, name: MailboxName.canonical(name), subscribed: subscribed)
            return ([.subscribe(op)], .done)
        case .setCredential(let verifier):
            return ([.setCredential(.init(account: state.id, verifier: verifier))], .done)
        case .setAddresses(let addresses):
            return ([.setAddresses(.init(account: state.id, addresses: addresses))], .done)
        case .setQuota(let octets):
            return ([.setQuota(.init(account: state.id, octets: octets))], .done)
        }
    }

    // MARK: Numbers

    private func copyID<R: Randomness>(_ source: InstanceID, _ randomness: inout R) -> InstanceID {
        guard let seed else { return InstanceID(rawValue: randomness.next128()) }
        return .derived(seed ^ source.rawValue, "copy")
    }

    private func mailboxID<R: Randomness>(_ name: String, _ randomness: inout R) -> MailboxID {
        guard let seed else { return MailboxID(rawValue: randomness.next128()) }
        return .derived(seed, name)
    }

    /// The MODSEQ of the next change to `mailbox`.
    public func nextModSeq(_ mailbox: Mailbox, epoch: UInt32) -> ModSeq {
        mailbox.highestModSeq.epoch == epoch
            ? ModSeq(rawValue: mailbox.highestModSeq.rawValue + 1)
            : ModSeq(epoch: epoch, counter: 1)
    }

    /// The UID for the next message of `mailbox`, when `uidNext` is one above the last one given (R12).
    public func nextUID(uidNext: UInt32, block: UIDBlock?) throws(Refusal) -> UInt32 {
        if let block, block.owner == slot || sharesBlocks, uidNext >= block.first,
            uidNext <= block.last
        {
            return uidNext
        }
        // The last block is left alone, so that arithmetic on UIDs cannot overflow.
        guard uidNext < UInt32.max - 3 * UIDBlock.size else { throw .uidsExhausted }
        return UIDBlock.next(for: slot, atOrAbove: uidNext).first
    }

    /// Gives accepted messages their places. Instances whose mailbox is gone go to INBOX (R19).
    ///
    /// - Returns: the assignments, not yet applied.
    public func assign(
        _ instances: [InstanceID], in state: AccountState, at wall: Instant
    ) throws(Refusal) -> Op.Assign {
        var items: [Op.Assign.Item] = []
        items.reserveCapacity(instances.count)
        var next: [(mailbox: MailboxID, uidNext: UInt32, block: UIDBlock?, modSeq: ModSeq)] = []
        for instance in instances {
            guard let message = state.pending[instance] else { continue }
            var target = message.mailbox
            if state.index(of: target) == nil {
                // Known to be deleted: INBOX. Merely unknown: it waits (R19).
                guard !waitsForUnknownMailboxes || state.hasDeleted(target) else { continue }
                target = state.inboxID
            }
            guard let mailbox = state.mailbox(target) else { continue }
            let slot: Int
            if let known = next.firstIndex(where: { $0.mailbox == target }) {
                slot = known
            } else {
                slot = next.count
                next.append(
                    (
                        target, mailbox.uidNext, mailbox.block,
                        nextModSeq(mailbox, epoch: state.epoch)
                    ))
            }
            let uid = try nextUID(uidNext: next[slot].uidNext, block: next[slot].block)
            items.append(
                .init(instance: instance, mailbox: target, uid: uid, modSeq: next[slot].modSeq))
            next[slot].uidNext = uid + 1
            next[slot].block = UIDBlock(containing: uid)
            next[slot].modSeq = ModSeq(rawValue: next[slot].modSeq.rawValue + 1)
        }
        return Op.Assign(account: state.id, saveDate: wall, items: items)
    }

    // MARK: Messages

    private func setFlags(
        _ state: AccountState, _ id: MailboxID, _ uids: UIDSet, _ change: FlagChange,
        _ flags: NamedFlags, _ unchangedSince: ModSeq?
    ) throws(Refusal) -> ([Op], ChangeResult) {
        guard let mailbox = state.mailbox(id) else { throw .noSuchMailbox }
        guard change == .remove || mailbox.hasRoom(forKeywords: flags.keywords) else {
            throw .tooManyKeywords
        }
        let known = mailbox.bits(flags)
        let introduces =
            change != .remove && flags.keywords.contains { !mailbox.keywords.contains($0) }
        let foreign = unchangedSince.map { mailbox.isForeign($0) } ?? false
        var touched = UIDSet()
        var modified = UIDSet()
        for (chunk, range) in mailbox.messages.runs(of: uids) {
            let c = mailbox.messages.chunks[chunk]
            for i in range {
                if let limit = unchangedSince, foreign || c.modSeqs[i] > limit {
                    modified.appendSorted(c.uids[i]...c.uids[i])
                } else if introduces || Mailbox.changed(c.flags[i], change, known) != c.flags[i] {
                    touched.appendSorted(c.uids[i]...c.uids[i])
                }
            }
        }
        // A STORE that changes nothing leaves every MODSEQ as it is (RFC 7162 §3.1.3 allows both):
        // clients that set what is set already cause no round of resynchronisation.
        guard !touched.isEmpty else { return ([], .flagsSet(modified: modified, modSeq: nil)) }
        let modSeq = nextModSeq(mailbox, epoch: state.epoch)
        let op = Op.SetFlags(
            account: state.id, mailbox: id, uids: touched, change: change, flags: flags,
            modSeq: modSeq)
        return ([.setFlags(op)], .flagsSet(modified: modified, modSeq: modSeq))
    }

    private func expunge(_ state: AccountState, _ id: MailboxID, _ uids: UIDSet?)
        throws(Refusal) -> ([Op], ChangeResult)
    {
        guard let mailbox = state.mailbox(id) else { throw .noSuchMailbox }
        var gone = UIDSet()
        if mailbox.deletedCount > 0 {
            mailbox.messages.visit { row in
                if row.flags.contains(.deleted), uids?.contains(row.uid) ?? true {
                    gone.appendSorted(row.uid...row.uid)
                }
            }
        }
        guard !gone.isEmpty else {
            return ([], .expunged(gone, modSeq: mailbox.highestModSeq))
        }
        let modSeq = nextModSeq(mailbox, epoch: state.epoch)
        let op = Op.Expunge(account: state.id, mailbox: id, uids: gone, modSeq: modSeq)
        return ([.expunge(op)], .expunged(gone, modSeq: modSeq))
    }

    private func copy<R: Randomness>(
        _ state: AccountState, _ source: MailboxID, _ uids: UIDSet, _ destination: MailboxID,
        _ isMove: Bool, _ wall: Instant, _ randomness: inout R
    ) throws(Refusal) -> ([Op], ChangeResult) {
        guard let from = state.mailbox(source), let to = state.mailbox(destination) else {
            throw .noSuchMailbox
        }
        var items: [Op.Copy.Item] = []
        var octets: UInt64 = 0
        var used: Flags = []
        var uidNext = to.uidNext
        var block = to.block
        for (chunk, range) in from.messages.runs(of: uids) {
            let c = from.messages.chunks[chunk]
            for i in range {
                let uid = try nextUID(uidNext: uidNext, block: block)
                items.append(
                    .init(
                        sourceUID: c.uids[i], uid: uid,
                        instance: copyID(c.facts[i].instance, &randomness)))
                uidNext = uid + 1
                block = UIDBlock(containing: uid)
                octets += UInt64(c.facts[i].sizeOctets)
                used.formUnion(c.flags[i])
            }
        }
        guard isMove || fits(octets, in: state) else { throw .overQuota }
        guard to.hasRoom(forKeywords: from.named(used).keywords) else { throw .tooManyKeywords }
        let result = ChangeResult.copied(
            to.uidValidity, sources: items.map(\.sourceUID), destinations: items.map(\.uid))
        guard !items.isEmpty else { return ([], result) }
        let modSeq = nextModSeq(to, epoch: state.epoch)
        var sourceModSeq = ModSeq.zero
        if isMove {
            // Within one mailbox the tombstones come after the copies.
            sourceModSeq =
                source == destination
                ? ModSeq(rawValue: modSeq.rawValue + 1) : nextModSeq(from, epoch: state.epoch)
        }
        let op = Op.Copy(
            account: state.id, source: source, destination: destination, isMove: isMove,
            saveDate: wall, modSeq: modSeq, sourceModSeq: sourceModSeq, items: items)
        return ([.copy(op)], result)
    }

    /// Whether `octets` more keep the account within its quota.
    public func fits(_ octets: UInt64, in state: AccountState) -> Bool {
        guard let quota = state.quotaOctets ?? limits.quotaDefaultOctets else { return true }
        return state.usedOctets + octets <= quota
    }

    // MARK: Mailboxes

    private func check(_ name: String) throws(Refusal) {
        guard !name.isEmpty else { throw .invalidName("a mailbox needs a name") }
        guard name.utf8.count <= limits.mailboxNameMaxOctets else {
            throw .invalidName(
                "a mailbox name has at most \(limits.mailboxNameMaxOctets) octets")
        }
        guard !name.hasPrefix("/"), !name.hasSuffix("/"), !name.contains("//") else {
            throw .invalidName("a level of the mailbox name is empty")
        }
        guard
            !name.unicodeScalars.contains(where: { $0.value < 32 || (127...159).contains($0.value) }
            )
        else { throw .invalidName("a mailbox name has no control characters") }
    }

    package func nextUIDValidity(_ state: AccountState) -> UIDValidity {
        var next = state.uidValidityCounter + 1
        if next % 2 != UInt32(slot.rawValue), !sharesValidities { next += 1 }
        return UIDValidity(rawValue: next)
    }

    private func createOp<R: Randomness>(
        _ state: AccountState, _ name: String, _ use: SpecialUse?, _ randomness: inout R
    ) throws(Refusal) -> Op.CreateMailbox {
        let name = MailboxName.canonical(name)
        try check(name)
        guard state.mailbox(named: name) == nil else { throw .mailboxExists }
        guard state.mailboxes.count < limits.mailboxesMax else { throw .tooManyMailboxes }
        return Op.CreateMailbox(
            account: state.id, mailbox: mailboxID(name, &randomness), name: name,
            uidValidity: nextUIDValidity(state),
            modSeq: ModSeq(epoch: state.epoch, counter: 1), specialUse: use)
    }

    private func create<R: Randomness>(
        _ state: AccountState, _ name: String, _ use: SpecialUse?, _ randomness: inout R
    ) throws(Refusal) -> ([Op], ChangeResult) {
        let op = try createOp(state, name, use, &randomness)
        return ([.createMailbox(op)], .created(op.mailbox))
    }

    /// The operations that remove the mailbox with the messages `uids`. Others are new mail, and
    /// survive in a new mailbox of that name (R23).
    package func delete<R: Randomness>(
        _ state: AccountState, _ id: MailboxID, naming uids: UIDSet, at wall: Instant,
        _ randomness: inout R
    ) throws(Refusal) -> [Op] {
        guard let mailbox = state.mailbox(id) else { throw .noSuchMailbox }
        guard id != state.inboxID else { throw .inboxStays }
        var survivors = UIDSet()
        mailbox.messages.visit { row in
            if !uids.contains(row.uid) { survivors.appendSorted(row.uid...row.uid) }
        }
        let delete = Op.deleteMailbox(.init(account: state.id, mailbox: id, uids: uids))
        guard !survivors.isEmpty else { return [delete] }
        let create = Op.CreateMailbox(
            account: state.id, mailbox: mailboxID(mailbox.name, &randomness), name: mailbox.name,
            uidValidity: nextUIDValidity(state), modSeq: ModSeq(epoch: state.epoch, counter: 1),
            specialUse: mailbox.specialUse)
        var after = state
        after.apply(.createMailbox(create))
        let (moves, _) = try copy(after, id, survivors, create.mailbox, true, wall, &randomness)
        return [.createMailbox(create)] + moves + [delete]
    }

    /// Of INBOX, the messages `uids` move to a new mailbox; others are new mail, and stay (R23).
    package func rename<R: Randomness>(
        _ state: AccountState, _ id: MailboxID, _ newName: String, naming uids: UIDSet,
        at wall: Instant, _ randomness: inout R
    ) throws(Refusal) -> ([Op], ChangeResult) {
        guard let mailbox = state.mailbox(id) else { throw .noSuchMailbox }
        let newName = MailboxName.canonical(newName)
        if id == state.inboxID {
            let create = try createOp(state, newName, nil, &randomness)
            var after = state
            after.apply(.createMailbox(create))
            let (moves, _) = try copy(after, id, uids, create.mailbox, true, wall, &randomness)
            return ([.createMailbox(create)] + moves, .created(create.mailbox))
        }
        let item = Op.RenameMailboxes.Item(mailbox: id, name: newName, uidValidity: nil)
        let items = [item] + (try renamed(state, below: mailbox.name, to: newName))
        return ([.renameMailboxes(.init(account: state.id, items: items))], .done)
    }

    /// All mailboxes below `name` with their names when it has become `newName`.
    private func renamed(
        _ state: AccountState, below name: String, to newName: String
    ) throws(Refusal) -> [Op.RenameMailboxes.Item] {
        try check(newName)
        guard state.mailbox(named: newName) == nil else { throw .mailboxExists }
        let prefix = name + "/"
        guard !newName.hasPrefix(prefix) else {
            throw .invalidName("a mailbox cannot be moved below itself")
        }
        var items: [Op.RenameMailboxes.Item] = []
        for child in state.mailboxes where child.name.hasPrefix(prefix) {
            let name = newName + "/" + child.name.dropFirst(prefix.count)
            try check(name)
            guard state.mailbox(named: name) == nil else { throw .mailboxExists }
            items.append(.init(mailbox: child.id, name: name, uidValidity: nil))
        }
        return items
    }
}

extension MessageColumns {
    /// Every UID, ascending.
    public var allUIDs: [UInt32] { chunks.flatMap(\.uids) }

    /// Every instance, in the order of their UIDs.
    package var allInstances: [InstanceID] { chunks.flatMap { $0.facts.map(\.instance) } }
}
