import IMAP
import MailStore
import Node
import Platform
import PlatformLinux

// APPEND, with MULTIAPPEND: all messages or none (RFC 9051 §6.3.12, RFC 3502).
extension Session {
    mutating func append(
        _ name: String, _ messages: [AppendMessage], _ frame: IMAPFrame, _ bodies: [StoredBody],
        _ state: AccountState
    ) -> Effect {
        guard let mailbox = state.mailbox(named: name) else {
            return no(.tryCreate, "There is no such mailbox")
        }
        let now = SystemClock().now().wall
        var appends: [MailAppend] = []
        var octets = 0
        for message in messages {
            let body: BodySource
            switch message.body {
            case .held(let range):
                let bytes = Array(frame.bytes[range])
                body = .bytes(bytes, digest: SHA256Digest(hashing: bytes))
            case .streamed(let index):
                guard index < bodies.count else { return bad("A literal is missing") }
                body = .stored(bodies[index])
            }
            // How clients give up a message that they announced (RFC 3502 §6.3.11).
            guard body.sizeOctets > 0 else {
                return no(nil, "A message is empty: nothing is stored")
            }
            octets += body.sizeOctets
            let date = message.date.map { Instant(secondsSinceEpoch: $0.secondsSinceEpoch) }
            appends.append(
                MailAppend(
                    body: body, flags: NamedFlags(message.flags), internalDate: date ?? now))
        }
        guard octets <= service.configuration.grammar.messageMaxOctets else {
            return no(.tooBig, "The messages are too big")
        }
        guard gateway.hasRoom(forOctets: octets) else { return refuse(.diskFull) }
        waiting = .change(.append(mailbox.id))
        return .submit(.append(state.id, mailbox.id, appends))
    }

    mutating func appended(to mailbox: MailboxID, _ result: ChangeResult) -> Effect {
        switch result {
        case .refused(.noSuchMailbox): return no(.tryCreate, "There is no such mailbox")
        case .refused(let refusal): return refuse(refusal)
        case .appended(let validity, let uids):
            guard !uids.isEmpty else { return finish("Stored") }
            return finish(
                .ok,
                .appendUID(validity: validity.rawValue, uids: NumberSet(numbers: uids)), "Stored")
        default: return finish("Stored")
        }
    }

    /// Why a message that was announced is not wanted, if it is not; asked before it is sent.
    func objection(to frame: IMAPFrame, octets: Int) -> (ResponseCode?, String)? {
        var parser = CommandParser(limits: service.configuration.grammar)
        parser.isUTF8 = isUTF8
        guard let state = accountState else { return (nil, "Log in first") }
        guard let name = try? parser.appendTarget(frame) else {
            return (nil, "The mailbox name cannot be read")
        }
        guard state.mailbox(named: name) != nil else {
            return (.tryCreate, "There is no such mailbox")
        }
        if let quota = state.quotaOctets, state.usedOctets + UInt64(octets) > quota {
            return (.overQuota, "The account is full")
        }
        guard gateway.hasRoom(forOctets: octets) else {
            return (.unavailable, "The server has no room for new mail")
        }
        return nil
    }
}
