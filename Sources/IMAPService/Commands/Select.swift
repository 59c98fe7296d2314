import IMAP
import MailStore

// SELECT, EXAMINE and CLOSE (RFC 9051 §6.3.2, §6.4.1), with CONDSTORE and QRESYNC (RFC 7162).
extension Session {
    mutating func select(
        _ name: String, _ parameters: SelectParameters, _ isReadOnly: Bool, _ state: AccountState
    ) -> Effect {
        if parameters.qresync != nil, !enabled.contains(.qresync) {
            return bad("Enable QRESYNC first")
        }
        if selected != nil {
            // Marks the end of the responses that are about the old mailbox (RFC 9051 §7.1).
            untagged(.ok, .closed, "The mailbox before is closed")
            selected = nil
        }
        guard let mailbox = state.mailbox(named: name) else {
            return no(.nonExistent, "There is no such mailbox")
        }
        if parameters.isCondstore { enableCondstore() }
        selected = SelectedMailbox(view: MailboxView(mailbox), isReadOnly: isReadOnly)
        savedSearch = UIDSet()
        describe(mailbox, isReadOnly)
        let reply = selectReply(isReadOnly)
        if let qresync = parameters.qresync, qresync.uidValidity == mailbox.uidValidity.rawValue,
            let producer = resynchronise(qresync, mailbox)
        {
            waiting = .report(then: .reply(reply))
            return .fetch(producer)
        }
        badCommands = 0
        out.append(contentsOf: reply)
        return .done
    }

    private func selectReply(_ isReadOnly: Bool) -> [UInt8] {
        var reply: [UInt8] = []
        encoder.status(
            .ok, tag: tag, code: isReadOnly ? .readOnly : .readWrite,
            text: isReadOnly ? "Mailbox is open for reading" : "Mailbox is open", to: &reply)
        return reply
    }

    private mutating func describe(_ mailbox: Mailbox, _ isReadOnly: Bool) {
        writeFlags(mailbox, isReadOnly: isReadOnly, to: &out)
        encoder.exists(UInt32(mailbox.messages.count), to: &out)
        if enabled.contains(.rev2) {
            encoder.list(ListResponse(attributes: [], mailbox: mailbox.name), to: &out)
        } else {
            // \Recent cannot be kept the same on two nodes, and RFC 9051 has dropped it: there are
            // never recent messages here.
            encoder.recent(0, to: &out)
            if let unseen = firstUnseen(mailbox) {
                untagged(.ok, .unseen(UInt32(unseen)), "The first unseen message")
            }
        }
        untagged(.ok, .uidValidity(mailbox.uidValidity.rawValue), "UIDs are valid")
        untagged(.ok, .uidNext(mailbox.uidNext), "The next UID or a higher one")
        untagged(.ok, .highestModSeq(mailbox.highestModSeq.rawValue), "The highest so far")
        untagged(.ok, .mailboxID(mailbox.id.objectID), "The mailbox's identifier")
    }

    /// The sequence number of the first message without \Seen.
    private func firstUnseen(_ mailbox: Mailbox) -> Int? {
        guard mailbox.unseenCount > 0 else { return nil }
        for (i, chunk) in mailbox.messages.chunks.enumerated() {
            if let index = chunk.flags.firstIndex(where: { !$0.contains(.seen) }) {
                return mailbox.messages.starts[i] + index + 1
            }
        }
        return nil
    }

    // MARK: QRESYNC

    /// Writes what vanished since the client's MODSEQ; what makes the changed flags is returned
    /// (RFC 7162 §3.2.5).
    private mutating func resynchronise(_ qresync: QResync, _ mailbox: Mailbox)
        -> FetchProducer?
    {
        let since = ModSeq(rawValue: qresync.modSeq)
        // What the client may know of: UIDs that were given out.
        let given = NumberSet(1...max(1, mailbox.uidNext - 1))
        let known =
            qresync.knownUIDs?.resolved(largest: mailbox.uidNext - 1).intersection(given) ?? given
        let gone = vanished(from: known, since: since, mailbox, match: qresync.sequenceMatch)
        encoder.vanished(gone, isEarlier: true, to: &out)
        guard let view = selected?.view else { return nil }
        let changed = Self.changed(
            UIDSet(ranges: known.ranges), since: since, in: mailbox)
        let plan = FetchPlan(
            view: view, uids: changed, fields: [.uid, .flags, .modSeq], service: service)
        return plan.isEmpty ? nil : FetchProducer(plan)
    }

    /// The messages of `uids` whose MODSEQ is above `since`: all of them, if that is not of this
    /// mailbox's history (R13).
    static func changed(_ uids: UIDSet, since: ModSeq, in mailbox: Mailbox) -> UIDSet {
        guard !mailbox.isForeign(since) else { return uids }
        var changed = UIDSet()
        for (chunk, range) in mailbox.messages.runs(of: uids) {
            let column = mailbox.messages.chunks[chunk]
            for i in range where column.modSeqs[i] > since {
                changed.appendSorted(column.uids[i]...column.uids[i])
            }
        }
        return changed
    }

    /// The UIDs of `known` that the client has to forget. Where the history does not reach back, or
    /// is another, all that are not here (RFC 7162 §3.2.6).
    func vanished(
        from known: NumberSet, since: ModSeq, _ mailbox: Mailbox,
        match: QResync.SequenceMatch? = nil
    ) -> NumberSet {
        if !mailbox.isForeign(since), let gone = mailbox.vanished(since: since) {
            return NumberSet(gone).intersection(known)
        }
        var suspect = known
        if let match { suspect = Self.beyondMatch(match, known, mailbox) }
        return suspect.intersection(Self.absent(mailbox))
    }

    /// The known UIDs that lie above the last pair that still fits: up to there nothing is gone.
    private static func beyondMatch(
        _ match: QResync.SequenceMatch, _ known: NumberSet, _ mailbox: Mailbox
    ) -> NumberSet {
        let numbers = match.numbers.resolved(largest: 0)
        let uids = match.uids.resolved(largest: 0)
        guard numbers.count == uids.count, numbers.count <= 10_000 else { return known }
        var fitting: UInt32 = 0
        for (number, uid) in zip(
            numbers.ranges.lazy.flatMap { $0 }, uids.ranges.lazy.flatMap { $0 })
        {
            guard Int(number) <= mailbox.messages.count,
                mailbox.messages.uid(at: Int(number) - 1) == uid
            else { break }
            fitting = uid
        }
        guard fitting > 0, fitting < .max else { return known }
        return known.intersection(NumberSet(fitting + 1...UInt32.max))
    }

    /// The UIDs that were given out and have no message.
    private static func absent(_ mailbox: Mailbox) -> NumberSet {
        var out = NumberSet()
        var next: UInt32 = 1
        for chunk in mailbox.messages.chunks {
            for uid in chunk.uids {
                if uid > next { out.append(next...uid - 1) }
                next = uid + 1
            }
        }
        if next < mailbox.uidNext { out.append(next...mailbox.uidNext - 1) }
        return out
    }

    // MARK: CLOSE

    /// Expunges in silence, unless the mailbox is open for reading only (RFC 9051 §6.4.1).
    mutating func close(_ mailbox: SelectedMailbox) -> Effect {
        guard !mailbox.isReadOnly,
            let state = accountState, state.mailbox(mailbox.id)?.deletedCount ?? 0 > 0
        else {
            selected = nil
            return finish("Mailbox is closed")
        }
        waiting = .change(.close)
        return .submit(.change(state.id, .expunge(mailbox: mailbox.id, uids: nil)))
    }

    mutating func closed(_ result: ChangeResult) -> Effect {
        if case .refused(let refusal) = result, refusal != .noSuchMailbox {
            return refuse(refusal)
        }
        selected = nil
        return finish("Mailbox is closed")
    }
}
