import IMAP
import MailStore

// CREATE, DELETE, RENAME, SUBSCRIBE and STATUS (RFC 9051 §6.3.4 to §6.3.8, §6.3.11).
extension Session {
    mutating func create(_ name: String, _ uses: [String]) -> Effect {
        guard let account else { return bad("Log in first") }
        var use: SpecialUse?
        for text in uses {
            // A mailbox is for one thing here (RFC 6154 §3 lets us refuse).
            guard use == nil, let known = SpecialUse(attribute: text) else {
                return no(.useAttr, "The special use is not possible")
            }
            use = known
        }
        waiting = .change(.create)
        return .submit(.change(account, .createMailbox(name: name, specialUse: use)))
    }

    mutating func created(_ result: ChangeResult) -> Effect {
        switch result {
        case .created(let id): return finish(.ok, .mailboxID(id.objectID), "Mailbox is there")
        case .refused(let refusal): return refuse(refusal)
        default: return finish("Mailbox is there")
        }
    }

    mutating func delete(_ name: String, _ state: AccountState) -> Effect {
        guard let mailbox = state.mailbox(named: name) else {
            return no(.nonExistent, "There is no such mailbox")
        }
        waiting = .change(.delete(mailbox.id))
        return .submit(.change(state.id, .deleteMailbox(mailbox.id)))
    }

    mutating func deleted(_ id: MailboxID, _ result: ChangeResult) -> Effect {
        if case .refused(let refusal) = result { return refuse(refusal) }
        if selected?.id == id {
            selected = nil
            untagged(.ok, .closed, "The mailbox was deleted")
        }
        return finish("Mailbox is deleted")
    }

    mutating func rename(_ from: String, _ to: String, _ state: AccountState) -> Effect {
        guard let mailbox = state.mailbox(named: from) else {
            // A name that is there for the mailboxes below it takes them along.
            guard state.mailboxes.contains(where: { $0.name.hasPrefix(from + "/") }) else {
                return no(.nonExistent, "There is no such mailbox")
            }
            waiting = .change(.plain("Mailboxes are renamed"))
            return .submit(.change(state.id, .renameLevel(from, to: to)))
        }
        waiting = .change(.plain("Mailbox is renamed"))
        return .submit(.change(state.id, .renameMailbox(mailbox.id, to: to)))
    }

    mutating func subscribe(_ name: String, _ isSubscribed: Bool) -> Effect {
        guard let account else { return bad("Log in first") }
        waiting = .change(.plain(isSubscribed ? "Subscribed" : "Not subscribed any more"))
        return .submit(.change(account, .subscribe(name: name, isSubscribed)))
    }

    // MARK: STATUS

    mutating func status(_ name: String, _ items: [StatusItem], _ state: AccountState)
        -> Effect
    {
        guard let mailbox = state.mailbox(named: name) else {
            return no(.nonExistent, "There is no such mailbox")
        }
        writeStatus(mailbox, items)
        return finish("Done")
    }

    mutating func writeStatus(_ mailbox: Mailbox, _ items: [StatusItem]) {
        if items.contains(.highestModSeq) { enableCondstore() }
        let values = items.map { item -> StatusValue in
            switch item {
            case .messages: .messages(UInt32(mailbox.messages.count))
            case .uidNext: .uidNext(mailbox.uidNext)
            case .uidValidity: .uidValidity(mailbox.uidValidity.rawValue)
            case .unseen: .unseen(UInt32(clamping: mailbox.unseenCount))
            case .recent: .recent(0)
            case .deleted: .deleted(UInt32(clamping: mailbox.deletedCount))
            case .size: .size(mailbox.sizeOctets)
            case .highestModSeq: .highestModSeq(mailbox.highestModSeq.rawValue)
            case .appendLimit:
                .appendLimit(UInt64(service.configuration.grammar.messageMaxOctets))
            case .mailboxID: .mailboxID(mailbox.id.objectID)
            }
        }
        encoder.status(of: mailbox.name, values, to: &out)
    }
}

extension SpecialUse {
    /// The use with this attribute, in any case.
    init?(attribute: String) {
        let wanted = attribute.lowercased()
        for use in Self.allCases where use.attribute.lowercased() == wanted {
            self = use
            return
        }
        return nil
    }
}
