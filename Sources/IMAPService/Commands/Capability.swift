import IMAP
import SASL

// CAPABILITY, ENABLE, ID, IDLE and LOGOUT (RFC 9051 §6.1, §6.3.1, §6.3.13; RFC 2971; RFC 5161).
extension Session {
    /// What the client may use in the present state.
    var capabilities: [String] {
        var names = ["IMAP4rev1", "IMAP4rev2", "SASL-IR", "ID", "ENABLE"]
        guard account == nil else {
            return names + [
                "LITERAL+", "IDLE", "NAMESPACE", "CHILDREN", "LIST-EXTENDED", "LIST-STATUS",
                "SPECIAL-USE", "CREATE-SPECIAL-USE", "STATUS=SIZE", "UIDPLUS", "MOVE",
                "MULTIAPPEND", "UNSELECT", "CONDSTORE", "QRESYNC", "ESEARCH", "SEARCHRES",
                "OBJECTID", "SAVEDATE", "PREVIEW", "BINARY", "UTF8=ACCEPT",
                "APPENDLIMIT=\(service.configuration.grammar.messageMaxOctets)",
            ]
        }
        names.append("LITERAL-")
        if offersTLS { names.append("STARTTLS") }
        if !allowsPasswords { names.append("LOGINDISABLED") }
        return names + mechanisms.map { "AUTH=\($0.name)" }
    }

    var offersTLS: Bool { !isTLS && service.context.tls.current != nil }

    /// LOGIN is not offered as a mechanism: SCRAM and PLAIN do all that it does.
    var mechanisms: [SASLMechanism] {
        SASLMechanism.offered(
            passwordsAllowed: allowsPasswords, channelBindings: !channelBindings.isEmpty
        ).filter { $0 != .login }
    }

    mutating func greet() {
        untagged(.ok, .capability(capabilities), "\(service.configuration.hostname) is ready")
    }

    mutating func capability() -> Effect {
        encoder.capability(capabilities, to: &out)
        return finish("Done")
    }

    mutating func id() -> Effect {
        encoder.id(
            [("name", "Twinpost"), ("version", service.configuration.version)], to: &out)
        return finish("Done")
    }

    mutating func logout() -> Effect {
        untagged(.bye, nil, "Goodbye")
        encoder.status(.ok, tag: tag, text: "Logged out", to: &out)
        return .close
    }

    mutating func idle() -> Effect {
        encoder.continuation("Waiting for news", to: &out)
        waiting = .idle
        return tellWhileIdle()
    }

    /// What the client sent within IDLE.
    mutating func idleEnded(_ line: [UInt8]) -> Effect {
        waiting = .nothing
        let word: [UInt8] = Array("DONE".utf8)
        guard line.map({ $0 & 0xDF }) == word else { return bad("Expected DONE") }
        return finish("No more waiting")
    }

    mutating func enable(_ names: [String]) -> Effect {
        var granted: [String] = []
        for name in names {
            let new: Enabled
            switch name {
            case "CONDSTORE": new = .condstore
            case "QRESYNC": new = [.qresync, .condstore]
            case "UTF8=ACCEPT": new = .utf8
            case "IMAP4REV2": new = .rev2
            default: continue
            }
            if !enabled.isSuperset(of: new) {
                granted.append(name == "IMAP4REV2" ? "IMAP4rev2" : name)
            }
            if new.contains(.condstore) { enableCondstore() }
            enabled.formUnion(new)
        }
        encoder.enabled(granted, to: &out)
        return finish("Enabled")
    }

    /// From now on the client hears of every MODSEQ (RFC 7162 §3.1).
    mutating func enableCondstore() {
        guard enabled.insert(.condstore).inserted, let selected else { return }
        untagged(
            .ok, .highestModSeq(selected.view.mailbox.highestModSeq.rawValue), "CONDSTORE is on")
    }
}
