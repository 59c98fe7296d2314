import Platform
import Testing

@Suite struct DigestTests {
    @Test func crc32cOfTheStandardsExamples() {
        // RFC 3720 appendix B.4.
        #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
        #expect(CRC32C.checksum([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
        #expect(CRC32C.checksum(Array(0..<32)) == 0x46DD_794E)
    }

    @Test(arguments: 0...32) func crc32cContinues(split: Int) {
        let bytes: [UInt8] = Array(0..<32)
        let first = CRC32C.checksum(Array(bytes[..<split]))
        #expect(CRC32C.checksum(Array(bytes[split...]), continuing: first) == 0x46DD_794E)
    }

    @Test func sha256OfAbc() {
        let digest = SHA256Digest(hashing: Array("abc".utf8))
        #expect(
            digest.hex == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        var hasher = SHA256Hasher()
        hasher.update(Array("a".utf8))
        hasher.update(Array("bc".utf8))
        #expect(hasher.finalize() == digest)
    }

    @Test func civilTimeBothWays() {
        for day in stride(from: Int64(-100_000), through: 100_000, by: 97) {
            let civil = CivilTime(Instant(secondsSinceEpoch: day * 86_400 + 3_661))
            #expect(
                CivilTime.daysSinceEpoch(year: civil.year, month: civil.month, day: civil.day)
                    == day)
            #expect(civil.hour == 1 && civil.minute == 1 && civil.second == 1)
        }
        let example = CivilTime(Instant(secondsSinceEpoch: 1_000_000_000), offsetMinutes: 120)
        #expect(example.year == 2001 && example.month == 9 && example.day == 9)
        #expect(example.hour == 3 && example.minute == 46 && example.weekday == 0)
    }
}
