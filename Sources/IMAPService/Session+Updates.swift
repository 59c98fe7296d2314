import IMAP
import MailStore

// What other sessions did, told when the client may hear of it (RFC 9051 §5.2, §5.5, §7.5.1).
extension Session {
    /// What looking at the mailbox anew has come to.
    enum News {
        /// The client has been told all of it.
        case told
        /// More than should be held at once: this makes the rest, to be sent before anything else.
        case rest(FetchProducer)
        /// The mailbox is not what it was any more.
        case lost
    }

    /// Goes on to the mailbox's present state and tells VANISHED or EXPUNGE (if `expunges`), EXISTS,
    /// new keywords and the flags that are different.
    private mutating func look(expunges: Bool, own: MailboxView.OwnStore? = nil) -> News {
        guard var mailbox = selected else { return .told }
        guard let new = accountState?.mailbox(mailbox.id),
            new.uidValidity == mailbox.view.mailbox.uidValidity
        else { return .lost }
        // Put back below: meanwhile there must be only one reference to the view's arrays.
        selected = nil
        var changed = UIDSet()
        var gone: [ClosedRange<UInt32>] = []
        var lines: [UInt8] = []
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
                encoder.vanished(mailbox.view.takeVanished(), isEarlier: false, to: &lines)
            } else {
                gone = mailbox.view.takeExpungedSequences()
            }
        }
        if added > 0 { encoder.exists(UInt32(mailbox.view.count), to: &lines) }
        if new.keywords.count > old.keywords.count {
            writeFlags(new, isReadOnly: mailbox.isReadOnly, to: &lines)
        }
        selected = mailbox
        guard !gone.isEmpty || !changed.isEmpty else {
            out.append(contentsOf: lines)
            return .told
        }
        let plan = FetchPlan(
            view: mailbox.view, uids: changed, fields: reportFields, service: service)
        return tell(FetchProducer(plan, expunged: gone, lines: lines))
    }

    /// Writes the first of what `producer` makes: mostly that is all.
    private mutating func tell(_ producer: FetchProducer) -> News {
        var producer = producer
        let chunk = producer.produce()
        out.append(contentsOf: chunk.bytes)
        return chunk.isLast ? .told : .rest(producer)
    }

    /// FLAGS and PERMANENTFLAGS (RFC 9051 §7.1, §7.3.5).
    func writeFlags(_ mailbox: Mailbox, isReadOnly: Bool, to out: inout [UInt8]) {
        let names = FlagNames(mailbox.keywords).all
        encoder.flags(names, to: &out)
        let hasRoom = mailbox.keywords.count < Flags.keywordsMax
        let permanent = isReadOnly ? [] : hasRoom ? names + ["\\*"] : names
        encoder.status(
            .ok, code: .permanentFlags(permanent),
            text: isReadOnly ? "No flags can be changed" : "These flags are kept", to: &out)
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
        let news = look(expunges: expunges)
        if case .lost = news { return lost() }
        var reply: [UInt8] = []
        encoder.status(status, tag: tag, code: code, text: text, to: &reply)
        if case .rest(let producer) = news {
            waiting = .report(then: .reply(reply))
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
    /// - Parameters:
    ///   - own: the STORE that this session just made.
    ///   - next: what is to be done then.
    /// - Returns: what has to come first; nil if the command may go on at once.
    mutating func refresh(own: MailboxView.OwnStore? = nil, next: AfterReport) -> Effect? {
        switch look(expunges: false, own: own) {
        case .told: return nil
        case .lost: return lost()
        case .rest(let producer):
            waiting = .report(then: next)
            return .fetch(producer)
        }
    }

    /// The news for a client that waits for them (RFC 9051 §6.3.13).
    mutating func tellWhileIdle() -> Effect {
        switch look(expunges: true) {
        case .lost: return lost()
        case .told: return .idle
        case .rest(let producer):
            waiting = .report(then: .idle)
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
}
