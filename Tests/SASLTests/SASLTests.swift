import Platform
import SASL
import Testing

private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

private let secret = bytes("the server's secret")
private let binding = ChannelBinding(kind: .tlsExporter, data: Array(0..<32))
private let endPoint = ChannelBinding(kind: .tlsServerEndPoint, data: Array(32..<64))

private func makeVerifier(_ password: String) -> Verifier {
    guard
        let made = try? Verifier(
            password: bytes(password), salt: Array(repeating: 9, count: 16), iterations: 4096)
    else { fatalError("the test's password cannot be used") }
    return made
}

private func makeContext(_ bindings: [ChannelBinding] = [], advertisedPlus: Bool? = nil)
    -> SASLServerContext
{
    SASLServerContext(
        channelBindings: bindings, advertisedPlus: advertisedPlus, randomness: Array(100..<118),
        serverSecret: secret, iterations: 4096)
}

/// Runs both machines against each other; accounts has one user, alice.
private func converse(_ client: inout SASLClient, _ server: inout SASLServer, password: String)
    -> SASLServerAction
{
    var action = server.receive(.start(initialResponse: client.initialResponse()))
    while true {
        switch action {
        case .challenge(let challenge):
            switch client.receive(challenge) {
            case .send(let response): action = server.receive(.response(response))
            case .abort: action = server.receive(.cancel)
            }
        case .lookUp(let name):
            action = server.receive(.verifier(name == "alice" ? makeVerifier(password) : nil))
        case .verifyPassword(let name, let given):
            let verdict = PasswordCheck.run(
                username: name, password: given,
                verifier: name == "alice" ? makeVerifier(password) : nil, serverSecret: secret,
                iterations: 4096)
            action = server.receive(.passwordVerdict(verdict))
        case .authenticated, .failed:
            return action
        }
    }
}

@Suite struct Exchanges {
    @Test(arguments: SASLMechanism.allCases)
    func theRightPasswordLetsIn(mechanism: SASLMechanism) throws {
        var client = try SASLClient(
            mechanism: mechanism, username: bytes("alice"), password: bytes("pässword"),
            randomness: Array(0..<18), channelBinding: binding)
        var server = SASLServer(mechanism: mechanism, context: makeContext([endPoint, binding]))
        #expect(
            converse(&client, &server, password: "pässword") == .authenticated(authcid: "alice"))
    }

    @Test(arguments: SASLMechanism.allCases, ["alice", "nobody"])
    func aWrongPasswordAndAnUnknownUserLookAlike(mechanism: SASLMechanism, name: String) throws {
        var client = try SASLClient(
            mechanism: mechanism, username: bytes(name), password: bytes("wrong"),
            randomness: Array(0..<18), channelBinding: binding)
        var server = SASLServer(mechanism: mechanism, context: makeContext([binding]))
        #expect(converse(&client, &server, password: "right") == .failed(.credentials))
    }

    @Test func aFullWidthPasswordEqualsItsPlainForm() throws {
        var client = try SASLClient(
            mechanism: .scramSHA256, username: bytes("alice"), password: bytes("ｐａｓｓ"),
            randomness: Array(0..<18))
        var server = SASLServer(mechanism: .scramSHA256, context: makeContext())
        #expect(converse(&client, &server, password: "pass") == .authenticated(authcid: "alice"))
    }

    @Test func anotherConnectionsBindingIsRefused() throws {
        var other = binding
        other.data[3] ^= 1
        var client = try SASLClient(
            mechanism: .scramSHA256Plus, username: bytes("alice"), password: bytes("p"),
            randomness: Array(0..<18), channelBinding: other)
        var server = SASLServer(mechanism: .scramSHA256Plus, context: makeContext([binding]))
        #expect(converse(&client, &server, password: "p") == .failed(.channelBinding))
    }

    @Test(arguments: [true, false])
    func aShortenedListOfMechanismsIsNoticed(advertised: Bool) throws {
        var client = try SASLClient(
            mechanism: .scramSHA256, username: bytes("alice"), password: bytes("p"),
            randomness: Array(0..<18), support: .supportedButNotOffered)
        var server = SASLServer(
            mechanism: .scramSHA256, context: makeContext([binding], advertisedPlus: advertised))
        let outcome = converse(&client, &server, password: "p")
        #expect(
            outcome == (advertised ? .failed(.channelBinding) : .authenticated(authcid: "alice")))
    }

    @Test func anUnknownUserGetsTheSameSaltEachTime() {
        func challenge(_ name: String, _ found: Verifier?) -> SASLServerAction {
            var server = SASLServer(mechanism: .scramSHA256, context: makeContext())
            _ = server.receive(.start(initialResponse: bytes("n,,n=\(name),r=abc")))
            return server.receive(.verifier(found))
        }
        #expect(challenge("nobody", nil) == challenge("nobody", nil))
        #expect(challenge("nobody", nil) != challenge("nobodies", nil))
    }
}

@Suite struct ServerMessages {
    private func plain(_ message: String) -> SASLServerAction {
        var server = SASLServer(mechanism: .plain, context: makeContext())
        return server.receive(.start(initialResponse: bytes(message)))
    }

    @Test func plainNamesUserAndPassword() {
        #expect(
            plain("\0alice\0secret")
                == .verifyPassword(authcid: "alice", password: bytes("secret")))
    }

    @Test(arguments: ["", "alice", "\0alice", "\0\0secret", "\0alice\0", "\0alice\0a\0b"])
    func malformedPlainIsRefused(message: String) {
        #expect(plain(message) == .failed(.malformed))
    }

    @Test(arguments: [("alice", true), ("ａlice", true), ("bob", false)])
    func anotherIdentityIsRefusedAfterTheCheck(authzid: String, allowed: Bool) {
        var server = SASLServer(mechanism: .plain, context: makeContext())
        let first = server.receive(.start(initialResponse: bytes("\(authzid)\0alice\0secret")))
        #expect(first == .verifyPassword(authcid: "alice", password: bytes("secret")))
        let outcome = server.receive(.passwordVerdict(true))
        #expect(outcome == (allowed ? .authenticated(authcid: "alice") : .failed(.credentials)))
    }

    @Test func tooLongMessagesAreRefused() {
        let limits = SASLLimits()
        func long(_ count: Int) -> String { String(repeating: "x", count: count) }
        #expect(plain(long(limits.messageMaxOctets + 1)) == .failed(.tooLong))
        #expect(plain("\0\(long(limits.usernameMaxOctets + 1))\0p") == .failed(.tooLong))
        #expect(plain("\0a\0\(long(limits.passwordMaxOctets + 1))") == .failed(.tooLong))
    }

    @Test func aNameThatCannotBePreparedIsAnUnknownUser() {
        #expect(
            plain("\0al\u{7}ice\0secret") == .verifyPassword(authcid: "", password: bytes("secret"))
        )
    }

    @Test(
        arguments: [
            "", "n", "n,,", "n,,n=a", "n,,r=b,n=a", "n,,n=a,r=", "n,,m=x,n=a,r=b", "x,,n=a,r=b",
            "n,b=c,n=a,r=b", "n,,n==41,r=b", "n,,n=a=2,r=b", "n,,n=a,r=b c", "n,,n=,r=b",
            "p=,,n=a,r=b", "p=tls exporter,,n=a,r=b", "n,,n=a,r=b,", "n,,n=a,r=b,1=x",
            "nn,,n=a,r=b",
            "p=tls-exporter,,n=a,r=b",
        ])
    func malformedFirstMessagesOfScramAreRefused(message: String) {
        var server = SASLServer(mechanism: .scramSHA256, context: makeContext())
        #expect(
            server.receive(.start(initialResponse: bytes(message))) == .failed(.malformed))
    }

    @Test func escapedNamesAreRead() {
        var server = SASLServer(mechanism: .scramSHA256, context: makeContext())
        #expect(
            server.receive(.start(initialResponse: bytes("n,,n=a=2Cb=3Dc,r=x,z=ext")))
                == .lookUp(authcid: "a,b=c"))
    }

    @Test func anUnknownBindingIsRefused() {
        var server = SASLServer(mechanism: .scramSHA256Plus, context: makeContext([binding]))
        #expect(
            server.receive(.start(initialResponse: bytes("p=tls-unique,,n=a,r=x")))
                == .failed(.channelBinding))
    }

    @Test func eventsOutOfOrderAreRefused() {
        var server = SASLServer(mechanism: .plain, context: makeContext())
        #expect(server.receive(.passwordVerdict(true)) == .failed(.malformed))
        #expect(server.receive(.start(initialResponse: nil)) == .failed(.malformed))
    }

    @Test func aCancelledExchangeStaysCancelled() {
        var server = SASLServer(mechanism: .login, context: makeContext())
        #expect(server.receive(.start(initialResponse: nil)) == .challenge(bytes("Username:")))
        #expect(server.receive(.response(bytes("alice"))) == .challenge(bytes("Password:")))
        #expect(server.receive(.cancel) == .failed(.cancelled))
        #expect(server.receive(.response(bytes("x"))) == .failed(.malformed))
    }

    @Test func aFailedLookUpIsNotAFailedLogin() {
        var server = SASLServer(mechanism: .scramSHA256, context: makeContext())
        _ = server.receive(.start(initialResponse: bytes("n,,n=a,r=x")))
        #expect(server.receive(.unavailable) == .failed(.unavailable))
    }
}

/// RFC 7677 §3.
@Suite struct Vectors {
    private let clientFirst = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    private let serverNonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    private let clientFinal =
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        + "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    private let serverFinal = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    private var serverFirst: String {
        "r=rOprNGfwEbeRWgbNEkqO\(serverNonce),s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    }

    @Test func theClientProvesWhatTheStandardSays() {
        var client = SASLClient(
            mechanism: .scramSHA256, username: bytes("user"), password: bytes("pencil"),
            nonceText: "rOprNGfwEbeRWgbNEkqO")
        #expect(client.initialResponse() == bytes(clientFirst))
        #expect(client.receive(bytes(serverFirst)) == .send(bytes(clientFinal)))
        #expect(client.receive(bytes(serverFinal)) == .send([]))
    }

    @Test func theServerProvesWhatTheStandardSays() throws {
        let salt = try #require(Base64.decode(bytes("W22ZaJ0SNY7soEsUEjb6gQ==")))
        let verifier = try Verifier(password: bytes("pencil"), salt: salt, iterations: 4096)
        var server = SASLServer(
            mechanism: .scramSHA256, context: makeContext(), nonceText: serverNonce)
        #expect(
            server.receive(.start(initialResponse: bytes(clientFirst)))
                == .lookUp(authcid: "user"))
        #expect(server.receive(.verifier(verifier)) == .challenge(bytes(serverFirst)))
        #expect(server.receive(.response(bytes(clientFinal))) == .challenge(bytes(serverFinal)))
        #expect(server.receive(.response([])) == .authenticated(authcid: "user"))
    }

    @Test func aServerThatDoesNotKnowThePasswordIsNotTrusted() {
        var client = SASLClient(
            mechanism: .scramSHA256, username: bytes("user"), password: bytes("pencil"),
            nonceText: "rOprNGfwEbeRWgbNEkqO")
        _ = client.initialResponse()
        _ = client.receive(bytes(serverFirst))
        #expect(client.receive(bytes("v=AAAA")) == .abort(.wrongServerSignature))
    }

    @Test(arguments: [("i=4096", "i=4095"), ("i=4096", "i=99999999"), ("rOpr", "sOpr")])
    func aClientRefusesAnUnsafeOffer(part: String, instead: String) {
        var client = SASLClient(
            mechanism: .scramSHA256, username: bytes("user"), password: bytes("pencil"),
            nonceText: "rOprNGfwEbeRWgbNEkqO")
        _ = client.initialResponse()
        let pieces = serverFirst.split(separator: part, maxSplits: 1)
        let offer = pieces.count == 2 ? pieces.joined(separator: instead) : "r=" + instead
        guard case .abort = client.receive(bytes(offer)) else {
            Issue.record("the client went on")
            return
        }
    }
}
