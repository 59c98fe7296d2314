import Glibc
import Journal
import Testing

/// A number from the environment: how much is run beyond what every test run does.
private func environment(_ name: String) -> UInt64? {
    getenv(name).flatMap { UInt64(String(cString: $0)) }
}

@Suite struct JournalHistoryTests {
    /// `TWINPOST_JOURNAL_SEEDS=20000 TWINPOST_JOURNAL_FIRST=1` runs more of them.
    @Test func historiesKeepWhatWasCommitted() throws {
        let first = environment("TWINPOST_JOURNAL_FIRST") ?? 1
        let count = environment("TWINPOST_JOURNAL_SEEDS") ?? 300
        var total = JournalHistory.Counters()
        var failures = 0
        for seed in first..<first + count {
            do {
                total.add(try JournalHistory.run(seed: seed))
            } catch {
                Issue.record("seed \(seed): \(error)")
                failures += 1
                if failures == 8 { break }
            }
        }
        if count >= 300 {
            let met = [
                total.commits, total.checkpoints, total.moves, total.processCrashes,
                total.powerLosses, total.fullDisks, total.keptInDoubt, total.damageFound,
                total.damageHarmless, total.tailsLost, total.disk.tornSectors,
                total.disk.scrambledBlocks, total.disk.lostNames,
            ]
            #expect(!met.contains(0), "every kind of event and fault is met: \(total)")
        }
        if environment("TWINPOST_JOURNAL_SEEDS") != nil { print(total) }
    }
}
