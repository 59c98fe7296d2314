import Authentication
import NIOCore
import Platform
import SASL

// The exchange of a login, between the client and the authenticator.
extension IMAPHandler {
    func beginExchange(_ mechanism: SASLMechanism, _ start: (AuthExchange) -> Void) {
        activity = .busy
        let exchange = AuthExchange(
            mechanism, authenticator: shared.context.authenticator, peer: peer,
            channelBindings: session.channelBindings, eventLoop: loop.eventLoop
        ) { [weak self] step in
            self?.exchangeProgressed(mechanism, step)
        }
        self.exchange = exchange
        start(exchange)
    }

    /// The client's answer to a challenge.
    func answer(_ line: [UInt8]) {
        guard let exchange else { return }
        activity = .busy
        framer.deliversLines = false
        let limits = shared.context.authenticator.configuration.sasl
        switch line.withUnsafeBytes({ SASLLine(response: $0, limits: limits) }) {
        case .data(let bytes): exchange.respond(bytes)
        case .cancel: exchange.cancel()
        case .invalid: giveUp(exchange, .malformed)
        case .tooLong: giveUp(exchange, .tooLong)
        }
    }

    private func giveUp(_ exchange: AuthExchange, _ failure: SASLFailure) {
        exchange.abandon()
        self.exchange = nil
        perform(session.authenticated(.failed(failure)))
    }

    private func exchangeProgressed(_ mechanism: SASLMechanism, _ step: AuthExchange.Step) {
        guard !isClosing else { return }
        switch step {
        case .challenge(let bytes):
            session.out.text("+ ")
            session.out.append(contentsOf: Base64.encode(bytes))
            session.out.text("\r\n")
            framer.deliversLines = true
            activity = .answering
        case .authenticated(let account, _):
            exchange = nil
            loop.listen(token, to: account)
            framer.limits = shared.configuration.grammar
            perform(session.authenticated(step))
            log(.info, "imap login", ["mechanism": "\(mechanism.name)"])
        case .failed(let failure):
            exchange = nil
            // Never the name: people type passwords where names belong.
            log(
                .notice, "imap login failed",
                ["mechanism": "\(mechanism.name)", "reason": "\(failure)"])
            perform(session.authenticated(step))
        }
        process()
    }
}
