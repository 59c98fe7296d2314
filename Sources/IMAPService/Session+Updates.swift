import IMAP
import MailStore

// What other sessions did, told when the client may hear of it (RFC 9051 §5.2, §5.5, §7.5.1).
extension Session {
    /// What is left to be done after looking at the mailbox anew.
    private enum News {
        case nothing
        /// Messages whose flags the client has to be told.
        case flags(UIDSet)
        /// The mailbox is not what it was any more.
        case lost
    }

    /// Goes on to the mailbox's present state and writes VANISHED or EXPUNGE (if `expunges`), EXISTS
    /// and new keywords.
    private mutating func look(expunges: Bool, own: MailboxView.OwnStore?) -> News {
        guard var mailbox = selected else { return .nothing }
        guard let new = accountState?.mailbox(mailbox.id),
            new.uidValidity == mailbox.view.mailbox.uidValidity
        else { return .lost }
        // Put back below: meanwhile there must be only one reference to the view's arrays.
        selected = nil
        defer { selected = mailbox }
        var changed = UIDSet()
        var added = 0
        let old = mailbox.view.mailbox
        // Every change to a mailbox stamps it with a higher MODSEQ.
        if new.highestModSeq != old.highestModSeq || new.uidNext != old.uidNext {
            let difference = mailbox.view.difference(
                to: new, byModSeq: enabled.contains(.condstore), own: own)
            changed = difference.changed
            added = difference.added
            mailbox.view.advance(to: new, expunged: difference.expunged)
        }
        if expunges, !mailbox.view.ghosts.isEmpty {
            if enabled.contains(.qresync) {
                encoder.vanished(mailbox.view.takeVanished(), isEarlier: false, to: &out)
            } else {
                for sequence in mailbox.view.takeExpungedSequences() {
                    encoder.expunge(UInt32(sequence), to: &out)
                }
            }
        }
        if added > 0 { encoder.exists(UInt32(mailbox.view.count), to: &out) }
        if new.keywords.count > old.keywords.count {
            writeFlags(new, isReadOnly: mailbox.isReadOnly)
        }
        return changed.isEmpty ? .nothing : .flags(changed)
    }

    /// FLAGS and PERMANENTFLAGS (RFC 9051 §7.1, §7.3.5).
    mutating func writeFlags(_ mailbox: Mailbox, isReadOnly: Bool) {
        let names = FlagNames(mailbox.keywords).all
        encoder.flags(names, to: &out)
        let hasRoom = mailbox.keywords.count < Flags.keywordsMax
        let permanent = isReadOnly ? [] : hasRoom ? names + ["\\*"] : names
        untagged(
            .ok, .permanentFlags(permanent),
            isReadOnly ? "No flags can be changed" : "These flags are kept")
    }

    /// Ends a command: the news first, then the tagged reply.
    ///
    /// - Parameters:
    ///   - expunges: false while the client may still mean messages by the numbers it knows: for
    ///     FETCH, STORE and SEARCH (RFC 9051 §7.5.1).
    mutating func finish(
        _ status: IMAPStatus, _ code: ResponseCode?, _ text: String,
        expunges: Bool = true
    ) -> Effect {
        badCommands = 0
        let news = look(expunges: expunges, own: nil)
        if case .lost = news { return lost() }
        var reply: [UInt8] = []
        encoder.status(status, tag: tag, code: code, text: text, to: &reply)
        if case .flags(let uids) = news, let producer = flagsReport(uids) {
            waiting = .report(reply: reply)
            return .fetch(producer)
        }
        out.append(contentsOf: reply)
        return .done
    }

    /// Ends a command that went well.
    mutating func finish(_ text: String, expunges: Bool = true) -> Effect {
        finish(.ok, nil, text, expunges: expunges)
    }

    /// Tells what is new before a command goes to work on the mailbox, so that it sees the present
    /// state; what is expunged keeps its number.
    ///
    /// - Parameter own: the STORE that this session just made.
    /// - Returns: nil if the mailbox is lost.
    mutating func refresh(own: MailboxView.OwnStore? = nil) -> MailboxView? {
        let news = look(expunges: false, own: own)
        if case .lost = news { return nil }
        if case .flags(let uids) = news { writeFlagsReport(uids) }
        return selected?.view
    }

    /// The news for a client that waits for them (RFC 9051 §6.3.13).
    mutating func tellWhileIdle() -> Effect {
        let news = look(expunges: true, own: nil)
        switch news {
        case .lost: return lost()
        case .nothing: return .idle
        case .flags(let uids):
            guard let producer = flagsReport(uids) else { return .idle }
            waiting = .report(reply: [])
            return .fetch(producer)
        }
    }

    mutating func lost() -> Effect {
        selected = nil
        return bye(nil, "The mailbox was deleted")
    }

    // MARK: Flags

    /// UID is named wherever the client has shown that it works with UIDs (RFC 7162 §3.2.4 wants it).
    var reportFields: FetchFields {
        var fields: FetchFields = [.flags]
        if !enabled.isDisjoint(with: [.condstore, .rev2]) { fields.insert(.uid) }
        if enabled.contains(.condstore) { fields.insert(.modSeq) }
        return fields
    }

    private func flagsReport(_ uids: UIDSet) -> FetchProducer? {
        guard let view = selected?.view else { return nil }
        let plan = FetchPlan(view: view, uids: uids, fields: reportFields, service: service)
        return plan.isEmpty ? nil : FetchProducer(plan)
    }

    /// The report at once. It is held in memory, but a client that is behind by many flags is about
    /// to read as much with the command at hand.
    private mutating func writeFlagsReport(_ uids: UIDSet) {
        guard var producer = flagsReport(uids) else { return }
        while true {
            let chunk = producer.produce()
            out.append(contentsOf: chunk.bytes)
            if chunk.isLast { return }
        }
    }
}
