import IMAP
import Testing

@Suite struct IMAPFuzzTests {
    @Test func spoiltDialoguesBreakNothing() {
        var state: UInt64 = 42
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        let seeds = IMAPFramerTests.dialogues.map { Array($0.0.utf8) }
        for _ in 0..<5_000 {
            var bytes = [UInt8(random(256))]
            for _ in 0..<3 { bytes += seeds[random(seeds.count)] }
            for _ in 0..<random(6) { bytes[random(bytes.count)] = UInt8(random(256)) }
            bytes.withUnsafeBytes { IMAPFuzz.run($0) }
        }
    }
}
