import Platform

/// What the fuzzer calls.
public enum SASLFuzz {
    /// Octet 0 chooses the mechanism, octet 1 the options; each further line is one message of the
    /// client. Traps if a machine lets anybody in who did not prove that he knows the password.
    public static func run(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= 2 else { return }
        let mechanism = SASLMechanism.allCases[Int(bytes[0]) % SASLMechanism.allCases.count]
        let options = bytes[1]
        let bindings = [ChannelBinding(kind: .tlsExporter, data: Array(repeating: 7, count: 32))]
        var limits = SASLLimits()
        limits.messageMaxOctets = 512
        let context = SASLServerContext(
            channelBindings: options & 1 == 0 ? [] : bindings,
            randomness: Array(0..<18), serverSecret: [1, 2, 3], iterations: 4096, limits: limits)
        var server = SASLServer(mechanism: mechanism, context: context)
        let verifier = Verifier.fake(username: [120], serverSecret: [4], iterations: 4096)

        var lines = bytes[2...].split(
            separator: 10, maxSplits: 16, omittingEmptySubsequences: false)[...]
        var event = SASLServerEvent.start(initialResponse: nil)
        if options & 2 != 0, let first = lines.popFirst() {
            event = .start(initialResponse: Array(first))
        }
        exchange: for _ in 0..<32 {
            switch server.receive(event) {
            case .challenge:
                guard let line = lines.popFirst() else { break exchange }
                if options & 4 == 0 {
                    event = .response(Array(line))
                } else {
                    let line = UnsafeRawBufferPointer(rebasing: line)
                    switch SASLLine(response: line, limits: limits) {
                    case .data(let data): event = .response(data)
                    case .cancel: event = .cancel
                    case .invalid, .tooLong: break exchange
                    }
                }
            case .lookUp(let authcid):
                event = .verifier(authcid.utf8.count % 2 == 0 ? verifier : nil)
            case .verifyPassword:
                event = .passwordVerdict(false)
            case .authenticated:
                fatalError("authenticated without the password")
            case .failed:
                break exchange
            }
        }
        if let prepared = try? SASLprep.prepare(Array(bytes)) {
            precondition(String(validating: prepared, as: UTF8.self) != nil)
        }
        if let decoded = Base64.decode(bytes) {
            precondition(Base64.encode(decoded) == Array(bytes))
        }
        if let verifier = Verifier(encoded: Array(bytes)) {
            precondition(verifier.encoded == Array(bytes))
        }
    }
}
