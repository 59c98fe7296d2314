import IMAP
import MailStore

// COPY and MOVE (RFC 9051 §6.4.7, §6.4.8).
extension Session {
    mutating func copy(
        _ set: SequenceSet, _ name: String, isUID: Bool, isMove: Bool,
        _ mailbox: SelectedMailbox, _ state: AccountState
    ) -> Effect {
        if isMove, mailbox.isReadOnly {
            return no(.readOnly, "Mailbox is open for reading only")
        }
        guard let destination = state.mailbox(named: name) else {
            return no(.tryCreate, "There is no such mailbox")
        }
        let selection: MailboxView.Selection
        switch messages(set, isUID: isUID, in: mailbox.view) {
        case .selection(let named): selection = named
        case .effect(let effect): return effect
        }
        // COPY is done for all messages or none.
        if selection.hasGhosts, !isUID {
            return no(.expungeIssued, "Some of the messages are expunged")
        }
        waiting = .change(.copy(isMove: isMove))
        return .submit(
            .change(
                state.id,
                .copy(
                    source: mailbox.id, uids: selection.uids, destination: destination.id,
                    isMove: isMove)))
    }

    mutating func copied(_ copy: Bool, _ result: ChangeResult) -> Effect {
        switch result {
        case .refused(.noSuchMailbox): return no(.tryCreate, "There is no such mailbox")
        case .refused(let refusal): return refuse(refusal)
        case .copied(let validity, let sources, let destinations):
            var code: ResponseCode?
            if !sources.isEmpty {
                code = .copyUID(
                    validity: validity.rawValue, from: NumberSet(numbers: sources),
                    to: NumberSet(numbers: destinations))
            }
            guard copy else { return finish(.ok, code, "Copied") }
            // Before the EXPUNGEs, so that the client knows what became of the messages
            // (RFC 6851 §4.3).
            if let code { untagged(.ok, code, "Moved") }
            return finish("Moved")
        default: return finish("Done")
        }
    }
}
