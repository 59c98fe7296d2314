import Platform

/// What an exchange has to know from outside.
public struct SASLServerContext: Sendable {
    /// The bindings of this connection; empty without TLS.
    public var channelBindings: [ChannelBinding]
    /// Whether SCRAM-SHA-256-PLUS was advertised: then a client that says it can bind, but thinks
    /// that we cannot, has been shown a list that somebody shortened (RFC 5802 §6).
    public var advertisedPlus: Bool
    /// At least 18 random octets, new for each exchange.
    public var randomness: [UInt8]
    /// Random, stable over restarts, equal on both nodes: see `Verifier.fake`.
    public var serverSecret: [UInt8]
    /// The iteration count of new verifiers, which those of unknown users have to share.
    public var iterations: UInt32
    public var limits: SASLLimits

    public init(
        channelBindings: [ChannelBinding] = [], advertisedPlus: Bool? = nil,
        randomness: [UInt8], serverSecret: [UInt8],
        iterations: UInt32 = Verifier.iterationsDefault, limits: SASLLimits = SASLLimits()
    ) {
        self.channelBindings = channelBindings
        self.advertisedPlus = advertisedPlus ?? !channelBindings.isEmpty
        self.randomness = randomness
        self.serverSecret = serverSecret
        self.iterations = iterations
        self.limits = limits
    }
}

public enum SASLServerEvent: Sendable, Equatable {
    /// The exchange begins, with the client's initial response if it sent one.
    case start(initialResponse: [UInt8]?)
    /// The client's answer to a challenge, decoded from Base64.
    case response([UInt8])
    /// The answer to `.lookUp`: nil if there is no such user.
    case verifier(Verifier?)
    /// The answer to `.verifyPassword`.
    case passwordVerdict(Bool)
    /// The answer to `.lookUp` or `.verifyPassword` when neither could be done.
    case unavailable
    /// The client sent `*`, or the connection ends.
    case cancel
}

public enum SASLServerAction: Sendable, Equatable {
    /// Send this, encoded as Base64, and wait for a `.response`.
    case challenge([UInt8])
    /// Find the verifier of this user and answer with `.verifier`. The name is prepared by SASLprep.
    case lookUp(authcid: String)
    /// Check this password off the event loop (`PasswordCheck.run`), and answer with
    /// `.passwordVerdict`. The name is prepared, the password as it came.
    case verifyPassword(authcid: String, password: [UInt8])
    case authenticated(authcid: String)
    case failed(SASLFailure)
}

public enum SASLFailure: Error, Sendable, Hashable {
    /// The message cannot be read (SMTP 501 5.5.2; IMAP BAD).
    case malformed
    /// A message or a part of it is over its limit (SMTP 500 5.5.6; IMAP BAD).
    case tooLong
    /// The user name, the password or the proof is wrong, or the identity asked for is not the
    /// client's own: deliberately one answer (SMTP 535 5.7.8; IMAP NO [AUTHENTICATIONFAILED]).
    case credentials
    /// The client bound to another connection, or was shown another list of mechanisms than ours:
    /// somebody may sit in between. Answer as for `credentials`, and log it apart.
    case channelBinding
    /// SMTP 454 4.7.0; IMAP NO [UNAVAILABLE].
    case unavailable
    /// SMTP 501 5.7.0; IMAP BAD.
    case cancelled

    /// Whether the throttle should count it.
    public var isAttackersCost: Bool { self == .credentials || self == .channelBinding }
}

/// The server's side of one exchange: an event in, an action out. It holds no secret after its end.
public struct SASLServer: Sendable {
    public let mechanism: SASLMechanism
    private let context: SASLServerContext
    private let serverNonce: [UInt8]
    private var state: State = .ready

    private enum State: Sendable {
        case ready
        case waitingForPlain
        case waitingForLoginName
        case waitingForLoginPassword(authcid: String?)
        case waitingForVerdict(authcid: String, authzidAllowed: Bool)
        case waitingForScramFirst
        case waitingForVerifier(ScramServerExchange)
        case waitingForScramFinal(ScramServerExchange, Verifier, known: Bool)
        case waitingForEmpty(authcid: String)
        case finished
    }

    /// - Precondition: the context has at least 16 octets of randomness.
    public init(mechanism: SASLMechanism, context: SASLServerContext) {
        precondition(context.randomness.count >= 16)
        self.mechanism = mechanism
        self.context = context
        serverNonce = Base64.encode(context.randomness)
    }

    /// With a nonce that is given as text: the vectors of RFC 7677 §3 need it.
    package init(mechanism: SASLMechanism, context: SASLServerContext, nonceText: String) {
        self.mechanism = mechanism
        self.context = context
        serverNonce = Array(nonceText.utf8)
    }

    /// The next action. An event that does not fit is a fault of the caller, and is refused as
    /// malformed rather than trapped on: pipelining clients can make adapters slip.
    public mutating func receive(_ event: SASLServerEvent) -> SASLServerAction {
        let action = step(event)
        switch action {
        case .failed, .authenticated: state = .finished
        default: break
        }
        return action
    }

    private mutating func step(_ event: SASLServerEvent) -> SASLServerAction {
        switch (event, state) {
        case (.cancel, _): return .failed(.cancelled)
        case (.unavailable, _): return .failed(.unavailable)
        case (.start(let initial), .ready):
            return start(initial)
        case (.response(let bytes), _):
            guard bytes.count <= context.limits.messageMaxOctets else { return .failed(.tooLong) }
            return respond(bytes)
        case (.passwordVerdict(let right), .waitingForVerdict(let authcid, let allowed)):
            return right && allowed ? .authenticated(authcid: authcid) : .failed(.credentials)
        case (.verifier(let found), .waitingForVerifier(var exchange)):
            let verifier =
                found
                ?? .fake(
                    username: Array(exchange.authcid.utf8), serverSecret: context.serverSecret,
                    iterations: context.iterations)
            let challenge = exchange.challenge(verifier)
            state = .waitingForScramFinal(exchange, verifier, known: found != nil)
            return .challenge(challenge)
        default:
            return .failed(.malformed)
        }
    }

    private mutating func start(_ initial: [UInt8]?) -> SASLServerAction {
        switch mechanism {
        case .plain: state = .waitingForPlain
        case .login: state = .waitingForLoginName
        case .scramSHA256, .scramSHA256Plus: state = .waitingForScramFirst
        }
        if let initial {
            guard initial.count <= context.limits.messageMaxOctets else {
                return .failed(.tooLong)
            }
            return respond(initial)
        }
        return .challenge(mechanism == .login ? Array("Username:".utf8) : [])
    }

    private mutating func respond(_ bytes: [UInt8]) -> SASLServerAction {
        switch state {
        case .waitingForPlain:
            return plain(bytes)
        case .waitingForLoginName:
            guard bytes.count <= context.limits.usernameMaxOctets else { return .failed(.tooLong) }
            guard !bytes.contains(0) else { return .failed(.malformed) }
            state = .waitingForLoginPassword(authcid: Self.prepareName(bytes))
            return .challenge(Array("Password:".utf8))
        case .waitingForLoginPassword(let authcid):
            guard bytes.count <= context.limits.passwordMaxOctets else { return .failed(.tooLong) }
            return check(authcid, password: bytes, authzidAllowed: true)
        case .waitingForScramFirst:
            let opened = ScramServerExchange.open(
                bytes, plus: mechanism == .scramSHA256Plus, serverNonce: serverNonce, context)
            switch opened {
            case .success(let exchange):
                state = .waitingForVerifier(exchange)
                return .lookUp(authcid: exchange.authcid)
            case .failure(let failure):
                return .failed(failure)
            }
        case .waitingForScramFinal(let exchange, let verifier, let known):
            switch exchange.close(bytes, verifier: verifier) {
            case .success(let serverFinal):
                guard known, exchange.authzidAllowed else { return .failed(.credentials) }
                state = .waitingForEmpty(authcid: exchange.authcid)
                return .challenge(serverFinal)
            case .failure(let failure):
                return .failed(failure)
            }
        case .waitingForEmpty(let authcid):
            return bytes.isEmpty ? .authenticated(authcid: authcid) : .failed(.malformed)
        case .ready, .waitingForVerdict, .waitingForVerifier, .finished:
            return .failed(.malformed)
        }
    }

    /// RFC 4616 §2: `[authzid] NUL authcid NUL passwd`.
    private mutating func plain(_ bytes: [UInt8]) -> SASLServerAction {
        let parts = bytes.split(separator: 0, maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 3, !parts[1].isEmpty, !parts[2].isEmpty else {
            return .failed(.malformed)
        }
        guard max(parts[0].count, parts[1].count) <= context.limits.usernameMaxOctets,
            parts[2].count <= context.limits.passwordMaxOctets
        else { return .failed(.tooLong) }
        let authcid = Self.prepareName(Array(parts[1]))
        let authzid = parts[0].isEmpty ? authcid : Self.prepareName(Array(parts[0]))
        return check(
            authcid, password: Array(parts[2]), authzidAllowed: authzid == authcid)
    }

    /// A name that cannot be prepared is no user's; it takes the way of an unknown user, so that
    /// the time does not tell.
    private mutating func check(
        _ authcid: String?, password: [UInt8], authzidAllowed: Bool
    ) -> SASLServerAction {
        let name = authcid ?? ""
        state = .waitingForVerdict(
            authcid: name, authzidAllowed: authzidAllowed && authcid != nil)
        return .verifyPassword(authcid: name, password: password)
    }

    static func prepareName(_ bytes: [UInt8]) -> String? {
        guard let prepared = try? SASLprep.prepare(bytes), !prepared.isEmpty else { return nil }
        return String(decoding: prepared, as: UTF8.self)
    }
}

/// The check of a password in clear: slow, for a thread that may be slow.
public enum PasswordCheck {
    /// Whether the password is right. It takes as long for an unknown user (`verifier` nil).
    public static func run(
        username: String, password: [UInt8], verifier: Verifier?, serverSecret: [UInt8],
        iterations: UInt32 = Verifier.iterationsDefault
    ) -> Bool {
        let effective =
            verifier
            ?? .fake(
                username: Array(username.utf8), serverSecret: serverSecret,
                iterations: iterations)
        let right = effective.verify(password: password)
        return right && verifier != nil
    }
}
