import Platform
import Testing

@Suite struct KeyedDigests {
    /// RFC 4231 §4.2, §4.3.
    @Test func hmacMatchesTheStandard() {
        let one = HMACSHA256.authenticate(
            Array("Hi There".utf8), key: Array(repeating: 0x0B, count: 20))
        #expect(one.hex == "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7")
        let two = HMACSHA256.authenticate(
            Array("what do ya want for nothing?".utf8), key: Array("Jefe".utf8))
        #expect(two.hex == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    }

    /// Of nothing, with an empty key: known from FIPS 198-1's own definition.
    @Test func anEmptyKeyIsAKey() {
        let digest = HMACSHA256.authenticate([], key: [])
        #expect(digest.hex == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad")
    }

    /// RFC 7914 §11.
    @Test func pbkdf2MatchesTheStandard() {
        let key = PBKDF2SHA256.derive(
            password: Array("passwd".utf8), salt: Array("salt".utf8), iterations: 1)
        #expect(key.hex == "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc")
    }

    @Test func comparisonLooksAtEveryOctet() {
        let a = SHA256Digest(hashing: [1])
        #expect(ConstantTime.equal(a, a))
        for word in 0..<4 {
            var other = a
            switch word {
            case 0: other.words.0 ^= 1
            case 1: other.words.1 ^= 1
            case 2: other.words.2 ^= 1
            default: other.words.3 ^= 1
            }
            #expect(!ConstantTime.equal(a, other))
        }
        #expect(ConstantTime.equal([], []))
        #expect(!ConstantTime.equal([1, 2], [1, 3]))
        #expect(!ConstantTime.equal([1], [1, 1]))
    }

    @Test func base64IsOneToOne() {
        for count in 0..<70 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 151 &+ count) }
            #expect(Base64.decode(Base64.encode(bytes)) == bytes)
        }
        #expect(Base64.encode(Array("foobar".utf8)) == Array("Zm9vYmFy".utf8))
        #expect(Base64.encode(Array("fooba".utf8)) == Array("Zm9vYmE=".utf8))
    }
}
