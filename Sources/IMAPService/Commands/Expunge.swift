import IMAP
import MailStore

// EXPUNGE and UID EXPUNGE (RFC 9051 §6.4.3, §6.4.9).
extension Session {
    mutating func expunge(_ uids: SequenceSet?, _ mailbox: SelectedMailbox) -> Effect {
        guard let account else { return bad("Log in first") }
        guard !mailbox.isReadOnly else { return no(.readOnly, "Mailbox is open for reading only") }
        var named: UIDSet?
        if let uids {
            switch messages(uids, isUID: true, in: mailbox.view) {
            case .selection(let selection): named = selection.uids
            case .effect(let effect): return effect
            }
        }
        waiting = .change(.expunge)
        return .submit(.change(account, .expunge(mailbox: mailbox.id, uids: named)))
    }

    mutating func expunged(_ result: ChangeResult) -> Effect {
        if case .refused(let refusal) = result { return refuse(refusal) }
        var code: ResponseCode?
        // The client may take this for its own value, having heard of all that vanished
        // (RFC 7162 §3.2.7).
        if case .expunged(let uids, let modSeq) = result, !uids.isEmpty,
            enabled.contains(.condstore)
        {
            code = .highestModSeq(modSeq.rawValue)
        }
        return finish(.ok, code, "Expunged")
    }
}
