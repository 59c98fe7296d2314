import Platform
import SASL
import Testing

private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

@Suite struct Verifiers {
    private func make(_ password: [UInt8]) throws -> Verifier {
        try Verifier(password: password, salt: Array(0..<16), iterations: 4096)
    }

    @Test func aVerifierKnowsItsPasswordAndNoOther() throws {
        let verifier = try make(bytes("I\u{AD}X"))
        #expect(verifier.verify(password: bytes("IX")))
        #expect(verifier.verify(password: bytes("\u{2168}")))
        #expect(!verifier.verify(password: bytes("ix")))
        #expect(!verifier.verify(password: []))
        #expect(!verifier.verify(password: [0xFF]))
    }

    @Test func aVerifierSurvivesItsEncoding() throws {
        let verifier = try make(bytes("secret"))
        #expect(Verifier(encoded: verifier.encoded) == verifier)
        #expect(verifier.encoded.count == 6 + 16 + 64)
    }

    @Test func damagedEncodingsAreRefused() throws {
        let encoded = try make(bytes("secret")).encoded
        for count in 0..<encoded.count {
            #expect(Verifier(encoded: Array(encoded[..<count])) == nil)
        }
        #expect(Verifier(encoded: encoded + [0]) == nil)
        for (offset, value) in [(0, 2), (1, 255), (3, 0), (5, 15), (5, 255)] {
            var damaged = encoded
            damaged[offset] = UInt8(value)
            #expect(Verifier(encoded: damaged) == nil)
        }
    }

    @Test func passwordsThatNobodyCouldTypeAgainAreRefused() {
        #expect(throws: SASLprepError.empty) { try self.make([]) }
        #expect(throws: SASLprepError.empty) { try self.make(bytes("\u{AD}")) }
        #expect(throws: SASLprepError.notUTF8) { try self.make([0xC3]) }
        #expect(throws: SASLprepError.prohibitedCharacter(7)) { try self.make([7]) }
    }

    @Test func theFakeDependsOnNameAndSecretOnly() {
        let one = Verifier.fake(username: bytes("a"), serverSecret: [1])
        #expect(one == Verifier.fake(username: bytes("a"), serverSecret: [1]))
        #expect(one.salt != Verifier.fake(username: bytes("b"), serverSecret: [1]).salt)
        #expect(one.salt != Verifier.fake(username: bytes("a"), serverSecret: [2]).salt)
        #expect(one.salt.count == Verifier.saltOctets)
    }
}

@Suite struct Preparation {
    /// The examples of RFC 4013 §3, and some of our own.
    @Test(
        arguments: [
            ("I\u{AD}X", "IX"), ("user", "user"), ("USER", "USER"), ("\u{AA}", "a"),
            ("\u{2168}", "IX"), ("a\u{A0}b", "a b"), ("a\u{3000}b", "a b"), ("e\u{301}", "\u{E9}"),
            ("\u{1F600}", "\u{1F600}"), ("\u{627}1\u{628}", "\u{627}1\u{628}"),
        ])
    func stringsAreBroughtToOneForm(input: String, expected: String) throws {
        #expect(try SASLprep.prepare(bytes(input)) == bytes(expected))
    }

    @Test(
        arguments: [
            ("\u{7}", SASLprepError.prohibitedCharacter(7)), ("\u{627}1", .mixedDirections),
            ("a\u{627}", .mixedDirections), ("\u{E000}", .prohibitedCharacter(0xE000)),
            ("\u{FFFD}x", .prohibitedCharacter(0xFFFD)),
            ("\u{200E}x", .prohibitedCharacter(0x200E)),
        ])
    func prohibitedStringsAreRefused(input: String, error: SASLprepError) {
        #expect(throws: error) { try SASLprep.prepare(bytes(input)) }
    }

    @Test func bytesThatAreNotUTF8AreRefused() {
        #expect(throws: SASLprepError.notUTF8) { try SASLprep.prepare([0x61, 0x80]) }
    }
}

@Suite struct Lines {
    private func response(_ text: String) -> SASLLine {
        bytes(text).withUnsafeBytes { SASLLine(response: $0) }
    }

    @Test func linesAreDecodedStrictly() {
        #expect(response("") == .data([]))
        #expect(response("YQ==") == .data(bytes("a")))
        #expect(response("*") == .cancel)
        for wrong in ["YQ", "YQ=", "YR==", "Y Q=", "YQ==YQ==", "=", "====", "YWJ=", "YQ==\r"] {
            #expect(response(wrong) == .invalid, "\(wrong)")
        }
        #expect(response(String(repeating: "A", count: 6000)) == .tooLong)
    }

    @Test func anEmptyInitialResponseIsAnEqualsSign() {
        func initial(_ text: String) -> SASLLine {
            bytes(text).withUnsafeBytes { SASLLine(initialResponse: $0) }
        }
        #expect(initial("=") == .data([]))
        #expect(initial("") == .invalid)
        #expect(initial("*") == .invalid)
        #expect(initial("YWI=") == .data(bytes("ab")))
    }

    @Test func mechanismNamesMatchInAnyCase() {
        #expect(SASLMechanism(name: bytes("scram-sha-256-plus")) == .scramSHA256Plus)
        #expect(SASLMechanism(name: bytes("SCRAM-SHA-256")) == .scramSHA256)
        #expect(SASLMechanism(name: bytes("PLAI")) == nil)
        #expect(SASLMechanism(name: bytes("EXTERNAL")) == nil)
    }

    @Test func passwordsAreNotOfferedInTheClear() {
        #expect(
            SASLMechanism.offered(passwordsAllowed: false, channelBindings: false)
                == [.scramSHA256])
        #expect(
            SASLMechanism.offered(passwordsAllowed: true, channelBindings: true)
                == [.scramSHA256Plus, .scramSHA256, .plain, .login])
    }

    @Test func theFuzzersEntryStandsItsSeeds() {
        for mechanism in UInt8(0)..<4 {
            for options in UInt8(0)..<8 {
                let tail = bytes("n,,n=user,r=abc\nc=biws,r=abc,p=AAAA\n\n")
                ([mechanism, options] + tail).withUnsafeBytes { SASLFuzz.run($0) }
            }
        }
    }
}
