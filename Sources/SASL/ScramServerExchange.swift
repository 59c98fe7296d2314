import Platform

/// The server's part in SCRAM between the client's first message and its last (RFC 5802 §5).
struct ScramServerExchange: Sendable {
    let authcid: String
    let authzidAllowed: Bool
    private let gs2Header: [UInt8]
    private let bindingData: [UInt8]
    private let clientFirstBare: [UInt8]
    private let nonce: [UInt8]
    private var serverFirst: [UInt8] = []

    /// Reads the client-first-message and settles the channel binding.
    static func open(
        _ bytes: [UInt8], plus: Bool, serverNonce: [UInt8], _ context: SASLServerContext
    ) -> Result<ScramServerExchange, SASLFailure> {
        guard let first = ScramMessage.ClientFirst(bytes) else { return .failure(.malformed) }
        guard first.username.count <= context.limits.usernameMaxOctets,
            first.authzid?.count ?? 0 <= context.limits.usernameMaxOctets,
            first.nonce.count <= context.limits.nonceMaxOctets
        else { return .failure(.tooLong) }

        var bindingData: [UInt8] = []
        switch (first.binding, plus) {
        case (.required(let name), true):
            let found = context.channelBindings.first { Array($0.kind.rawValue.utf8) == name }
            guard let found else { return .failure(.channelBinding) }
            bindingData = found.data
        case (.required, false), (.unsupported, true), (.supportedButNotOffered, true):
            return .failure(.malformed)
        case (.supportedButNotOffered, false):
            if context.advertisedPlus { return .failure(.channelBinding) }
        case (.unsupported, false):
            break
        }

        // A name that cannot be prepared is no user's: the exchange runs on with the empty name,
        // which nobody has.
        let authcid = SASLServer.prepareName(first.username) ?? ""
        let authzid = first.authzid.map { SASLServer.prepareName($0) } ?? authcid
        return .success(
            ScramServerExchange(
                authcid: authcid, authzidAllowed: authzid == authcid && !authcid.isEmpty,
                gs2Header: first.gs2Header, bindingData: bindingData,
                clientFirstBare: first.bare, nonce: first.nonce + serverNonce))
    }

    private init(
        authcid: String, authzidAllowed: Bool, gs2Header: [UInt8], bindingData: [UInt8],
        clientFirstBare: [UInt8], nonce: [UInt8]
    ) {
        self.authcid = authcid
        self.authzidAllowed = authzidAllowed
        self.gs2Header = gs2Header
        self.bindingData = bindingData
        self.clientFirstBare = clientFirstBare
        self.nonce = nonce
    }

    /// The server-first-message.
    mutating func challenge(_ verifier: Verifier) -> [UInt8] {
        serverFirst =
            Array("r=".utf8) + nonce + Array(",s=".utf8) + Base64.encode(verifier.salt)
            + Array(",i=\(verifier.iterations)".utf8)
        return serverFirst
    }

    /// Checks the client-final-message; the server-final-message if it is right.
    func close(_ bytes: [UInt8], verifier: Verifier) -> Result<[UInt8], SASLFailure> {
        guard let final = ScramMessage.ClientFinal(bytes) else { return .failure(.malformed) }
        guard ConstantTime.equal(final.nonce, nonce) else { return .failure(.credentials) }
        guard final.channelBinding == gs2Header + bindingData else {
            return .failure(.channelBinding)
        }
        let authMessage = ScramMessage.authMessage(
            clientFirstBare: clientFirstBare, serverFirst: serverFirst,
            clientFinalWithoutProof: final.withoutProof)
        let signature = HMACSHA256.authenticate(authMessage, key: verifier.storedKey.bytes)
        let clientKey = ScramMessage.xor(final.proof, signature.bytes)
        guard ConstantTime.equal(SHA256Digest(hashing: clientKey), verifier.storedKey) else {
            return .failure(.credentials)
        }
        let serverSignature = HMACSHA256.authenticate(authMessage, key: verifier.serverKey.bytes)
        return .success(Array("v=".utf8) + Base64.encode(serverSignature.bytes))
    }
}
