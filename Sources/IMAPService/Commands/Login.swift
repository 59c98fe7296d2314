import Authentication
import IMAP
import MailStore
import SASL

// LOGIN, AUTHENTICATE and STARTTLS (RFC 9051 §6.2).
extension Session {
    mutating func startTLS() -> Effect {
        guard !isTLS else { return bad("TLS is on already") }
        guard offersTLS else { return bad("There is no certificate for TLS") }
        encoder.status(.ok, tag: tag, text: "Begin TLS", to: &out)
        return .startTLS
    }

    mutating func login(_ user: [UInt8], _ password: [UInt8]) -> Effect {
        guard allowsPasswords else {
            return no(.privacyRequired, "Passwords are accepted over TLS only")
        }
        waiting = .authentication
        return .login(user: user, password: password)
    }

    mutating func authenticate(_ name: String, _ response: [UInt8]?) -> Effect {
        guard let mechanism = SASLMechanism(name: Array(name.utf8)) else {
            return no(.cannot, "There is no such mechanism")
        }
        guard allowsPasswords || !mechanism.sendsPassword else {
            return no(.privacyRequired, "Passwords are accepted over TLS only")
        }
        guard mechanisms.contains(mechanism) || mechanism == .login else {
            return no(.cannot, "The mechanism cannot be used on this connection")
        }
        waiting = .authentication
        return .authenticate(mechanism, initialResponse: response)
    }

    /// The end of an exchange; `step` is no challenge.
    mutating func authenticated(_ step: AuthExchange.Step) -> Effect {
        waiting = .nothing
        switch step {
        case .challenge: return .done
        case .authenticated(let id, _):
            account = id
            badCommands = 0
            encoder.status(
                .ok, tag: tag, code: .capability(capabilities), text: "Logged in", to: &out)
            return .done
        case .failed(let failure): return authenticationFailed(failure)
        }
    }

    private mutating func authenticationFailed(_ failure: SASLFailure) -> Effect {
        switch failure {
        case .malformed: return bad("The client's message cannot be read")
        case .tooLong: return bad("The client's message is too long", code: .tooBig)
        case .cancelled: return bad("Cancelled")
        case .unavailable: return no(.unavailable, "Logging in is not possible now")
        case .credentials, .channelBinding:
            loginFailures += 1
            let effect = no(.authenticationFailed, "The user name or the password is wrong")
            guard loginFailures >= service.configuration.limits.loginFailuresMax else {
                return effect
            }
            return bye(nil, "Too many failed logins")
        }
    }
}
