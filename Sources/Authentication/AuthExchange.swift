import MailStore
import NIOCore
import Platform
import SASL

/// One attempt to log in on one connection: a SASL exchange with its lookups, its delays and its
/// record in the throttle. Confined to the connection's event loop.
public final class AuthExchange {
    /// What the service does next.
    public enum Step: Sendable {
        /// Send this, encoded as Base64, and answer with `respond` or `cancel`.
        case challenge([UInt8])
        /// The address is the name the client gave, prepared.
        case authenticated(AccountID, address: String)
        case failed(SASLFailure)
    }

    private let authenticator: Authenticator
    private let peer: AddressBlock
    private let eventLoop: any EventLoop
    private var server: SASLServer
    private let reply: (Step) -> Void
    private var name = ""
    private var account: AccountID?
    private var delayed: Scheduled<Void>?
    /// When the attempt was looked at.
    private var began: NIODeadline
    private var isFinished = false

    /// - Parameters:
    ///   - channelBindings: of this connection; empty without TLS.
    ///   - reply: called on the event loop, once for each event given, perhaps before that call
    ///     returns; not after `abandon`.
    public init(
        _ mechanism: SASLMechanism, authenticator: Authenticator, peer: AddressBlock,
        channelBindings: [ChannelBinding], eventLoop: any EventLoop,
        reply: @escaping (Step) -> Void
    ) {
        self.authenticator = authenticator
        self.peer = peer
        self.eventLoop = eventLoop
        self.reply = reply
        began = eventLoop.now
        var generator = SystemRandomNumberGenerator()
        let nonce = (0..<3).flatMap { _ in withUnsafeBytes(of: generator.next()) { Array($0) } }
        let configuration = authenticator.configuration
        server = SASLServer(
            mechanism: mechanism,
            context: SASLServerContext(
                channelBindings: channelBindings, randomness: nonce,
                serverSecret: configuration.serverSecret, iterations: configuration.iterations,
                limits: configuration.sasl))
    }

    /// - Parameter initialResponse: decoded from Base64; nil if the client sent none.
    public func start(initialResponse: [UInt8]?) {
        receive(.start(initialResponse: initialResponse))
    }

    /// A user name and a password that came by a protocol's own command.
    public func start(user: [UInt8], password: [UInt8]) {
        receive(.start(initialResponse: [0] + user + [0] + password))
    }

    /// The client's answer to a challenge, decoded from Base64.
    public func respond(_ bytes: [UInt8]) { receive(.response(bytes)) }

    /// The client sent `*`.
    public func cancel() { receive(.cancel) }

    /// The connection is gone: nothing more is replied.
    public func abandon() {
        isFinished = true
        delayed?.cancel()
        delayed = nil
    }

    private func receive(_ event: SASLServerEvent) {
        guard !isFinished else { return }
        switch server.receive(event) {
        case .challenge(let bytes):
            reply(.challenge(bytes))
        case .lookUp(let authcid):
            name = authcid
            afterDelay { exchange in
                let found = exchange.authenticator.find(authcid)
                exchange.account = found?.0
                exchange.receive(.verifier(found?.1))
            }
        case .verifyPassword(let authcid, let password):
            name = authcid
            afterDelay { exchange in exchange.verify(password) }
        case .authenticated:
            guard let account, authenticator.gateway.account(account) != nil else {
                return fail(.credentials)
            }
            isFinished = true
            authenticator.record(success: true, peer, name)
            reply(.authenticated(account, address: name))
        case .failed(let failure):
            fail(failure)
        }
    }

    private func fail(_ failure: SASLFailure) {
        guard failure.isAttackersCost else {
            isFinished = true
            return reply(.failed(failure))
        }
        authenticator.record(success: false, peer, name)
        let end = began + .nanoseconds(authenticator.configuration.refusalDelay.wholeNanoseconds)
        delayed = eventLoop.assumeIsolated().scheduleTask(deadline: end) {
            guard !self.isFinished else { return }
            self.isFinished = true
            self.delayed = nil
            self.reply(.failed(failure))
        }
    }

    private func verify(_ password: [UInt8]) {
        let then = NIOLoopBound(
            { (verdict: Authenticator.Verdict) in
                switch verdict {
                case .right(let account):
                    self.account = account
                    self.receive(.passwordVerdict(true))
                case .wrong: self.receive(.passwordVerdict(false))
                case .unavailable: self.receive(.unavailable)
                }
            }, eventLoop: eventLoop)
        authenticator.check(name, password, on: eventLoop, then: then)
    }

    /// The delay comes before the look, so that its length says nothing of what is found.
    private func afterDelay(_ body: @escaping (AuthExchange) -> Void) {
        let delay = authenticator.delay(peer, name)
        began = eventLoop.now + .nanoseconds(delay.wholeNanoseconds)
        guard delay > .zero else { return body(self) }
        delayed = eventLoop.assumeIsolated().scheduleTask(
            in: .nanoseconds(delay.wholeNanoseconds)
        ) {
            guard !self.isFinished else { return }
            self.delayed = nil
            body(self)
        }
    }
}

extension AddressBlock {
    /// What one attacker owns of the network, as far as the address tells. A Unix socket, and what
    /// has no address, counts as one place.
    public init(_ address: SocketAddress?) {
        switch address {
        case .v4(let v4)?:
            var raw = v4.address.sin_addr.s_addr
            let bytes = withUnsafeBytes(of: &raw) { Array($0) }
            self.init(ipv4: (bytes[0], bytes[1], bytes[2], bytes[3]))
        case .v6(let v6)?:
            var raw = v6.address.sin6_addr
            let bytes = withUnsafeBytes(of: &raw) { Array($0) }
            self = AddressBlock(networkBytes: bytes) ?? AddressBlock(ipv4: (0, 0, 0, 0))
        default:
            self.init(ipv4: (0, 0, 0, 0))
        }
    }
}
