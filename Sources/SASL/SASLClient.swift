import Platform

public enum SASLClientAction: Sendable, Equatable {
    /// Send this, encoded as Base64.
    case send([UInt8])
    /// Give up: send `*`, and do not trust this server.
    case abort(SASLClientError)
}

public enum SASLClientError: Error, Sendable, Equatable {
    case unexpectedChallenge
    case malformedChallenge
    /// The server asks for fewer iterations than is safe, or for so many that we would hang.
    case iterationsOutOfRange(UInt32)
    /// The server does not know the password either: it only poses as the one we know.
    case wrongServerSignature
    case unusableCredentials(SASLprepError)
    case channelBindingMissing
}

/// The client's side of one exchange. Its SCRAM step derives keys and is slow: call it off the loop.
public struct SASLClient: Sendable {
    /// What a client says about channel bindings where it does not use one.
    public enum BindingSupport: Sendable {
        case unsupported
        /// We could bind, and saw no PLUS mechanism in the server's list.
        case supportedButNotOffered
    }

    public let mechanism: SASLMechanism
    private let username: [UInt8]
    private let password: [UInt8]
    private let rawPassword: [UInt8]
    private let clientNonce: [UInt8]
    private let gs2Header: [UInt8]
    private let bindingData: [UInt8]
    private var step = 0
    private var expectedServerFinal: [UInt8] = []

    /// - Parameters:
    ///   - randomness: at least 18 random octets; SCRAM's nonce is made of them.
    ///   - channelBinding: needed for the PLUS mechanism, and only there.
    public init(
        mechanism: SASLMechanism, username: [UInt8], password: [UInt8], randomness: [UInt8],
        channelBinding: ChannelBinding? = nil, support: BindingSupport = .unsupported
    ) throws(SASLClientError) {
        self.init(
            mechanism: mechanism, username: try Self.prepare(username),
            password: try Self.prepare(password), rawPassword: password,
            nonce: Base64.encode(randomness), binding: channelBinding, support: support)
        if mechanism == .scramSHA256Plus && channelBinding == nil { throw .channelBindingMissing }
    }

    private init(
        mechanism: SASLMechanism, username: [UInt8], password: [UInt8], rawPassword: [UInt8],
        nonce: [UInt8], binding: ChannelBinding?, support: BindingSupport
    ) {
        self.mechanism = mechanism
        self.username = username
        self.password = password
        self.rawPassword = rawPassword
        clientNonce = nonce
        if mechanism == .scramSHA256Plus, let binding {
            gs2Header = Array("p=\(binding.kind.rawValue),,".utf8)
            bindingData = binding.data
        } else {
            gs2Header = Array((support == .unsupported ? "n,," : "y,,").utf8)
            bindingData = []
        }
    }

    /// With a nonce that is given as text: the vectors of RFC 7677 §3 need it.
    package init(
        mechanism: SASLMechanism, username: [UInt8], password: [UInt8], nonceText: String
    ) {
        self.init(
            mechanism: mechanism, username: username, password: password, rawPassword: password,
            nonce: Array(nonceText.utf8), binding: nil, support: .unsupported)
    }

    private static func prepare(_ bytes: [UInt8]) throws(SASLClientError) -> [UInt8] {
        do { return try SASLprep.prepare(bytes) } catch { throw .unusableCredentials(error) }
    }

    /// The first message, where the mechanism lets the client begin; nil for LOGIN.
    public mutating func initialResponse() -> [UInt8]? {
        switch mechanism {
        case .plain:
            step = 1
            return [0] + username + [0] + rawPassword
        case .login:
            return nil
        case .scramSHA256, .scramSHA256Plus:
            step = 1
            return gs2Header + clientFirstBare
        }
    }

    /// Answers a challenge, decoded from Base64.
    public mutating func receive(_ challenge: [UInt8]) -> SASLClientAction {
        switch (mechanism, step) {
        case (.login, 0):
            step = 1
            return .send(username)
        case (.login, 1):
            step = 2
            return .send(rawPassword)
        case (.plain, 0), (.scramSHA256, 0), (.scramSHA256Plus, 0):
            guard challenge.isEmpty, let first = initialResponse() else {
                return .abort(.unexpectedChallenge)
            }
            return .send(first)
        case (.scramSHA256, 1), (.scramSHA256Plus, 1):
            step = 2
            return prove(challenge)
        case (.scramSHA256, 2), (.scramSHA256Plus, 2):
            step = 3
            guard ConstantTime.equal(challenge, expectedServerFinal) else {
                return .abort(.wrongServerSignature)
            }
            return .send([])
        default:
            return .abort(.unexpectedChallenge)
        }
    }

    private var clientFirstBare: [UInt8] {
        Array("n=".utf8) + ScramMessage.escape(username) + Array(",r=".utf8) + clientNonce
    }

    private mutating func prove(_ serverFirst: [UInt8]) -> SASLClientAction {
        guard let first = ScramMessage.ServerFirst(serverFirst),
            first.nonce.starts(with: clientNonce), first.nonce.count > clientNonce.count
        else { return .abort(.malformedChallenge) }
        guard first.iterations >= Verifier.iterationsMin,
            first.iterations <= Verifier.iterationsMax
        else { return .abort(.iterationsOutOfRange(first.iterations)) }
        let keys = ScramKeys(
            password: password, salt: first.salt, iterations: first.iterations)
        let withoutProof =
            Array("c=".utf8) + Base64.encode(gs2Header + bindingData) + Array(",r=".utf8)
            + first.nonce
        let authMessage = ScramMessage.authMessage(
            clientFirstBare: clientFirstBare, serverFirst: serverFirst,
            clientFinalWithoutProof: withoutProof)
        let signature = HMACSHA256.authenticate(authMessage, key: keys.storedKey.bytes)
        let proof = ScramMessage.xor(keys.clientKey.bytes, signature.bytes)
        let serverSignature = HMACSHA256.authenticate(authMessage, key: keys.serverKey.bytes)
        expectedServerFinal = Array("v=".utf8) + Base64.encode(serverSignature.bytes)
        return .send(withoutProof + Array(",p=".utf8) + Base64.encode(proof))
    }
}
