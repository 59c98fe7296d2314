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

@Suite struct JournalRuleTests {
    /// Each rule, switched off, is caught within this many seeds; see `docs/journal.md`.
    static let rules: [(name: String, rule: JournalRuleSwitches, seeds: UInt64)] = [
        ("skipSync", .skipSync, 400),
        ("skipDirectorySync", .skipDirectorySync, 400),
        ("truncateBeyondValidBatch", .truncateBeyondValidBatch, 400),
        ("ignoreRecordChecksums", .ignoreRecordChecksums, 400),
        ("goOnAfterFailedSync", .goOnAfterFailedSync, 400),
        ("reclaimBeforeCheckpoint", .reclaimBeforeCheckpoint, 400),
        ("bodyFileNotSynced", .bodyFileNotSynced, 400),
        ("checkpointNotSynced", .checkpointNotSynced, 400),
        ("unalignedBatches", .unalignedBatches, 400),
        ("recoveredTailNotSynced", .recoveredTailNotSynced, 400),
        ("acceptTornBatch", .acceptTornBatch, 400),
        ("segmentLinkNotVerified", .segmentLinkNotVerified, 400),
        ("ignoreRetainedOps", .ignoreRetainedOps, 400),
        ("bodyNumbersRestart", .bodyNumbersRestart, 400),
        ("keepUnreferencedBodyFiles", .keepUnreferencedBodyFiles, 400),
        ("recoveredTailNotRewritten", .recoveredTailNotRewritten, 400),
    ]

    @Test(arguments: rules.indices) func aBrokenRuleIsCaught(index: Int) {
        let (name, rule, seeds) = Self.rules[index]
        for seed in 1...seeds {
            do {
                _ = try JournalHistory.run(seed: seed, rules: rule)
            } catch {
                if environment("TWINPOST_JOURNAL_SHOW") != nil {
                    print("rule \(name): seed \(seed): \(error)")
                }
                return
            }
        }
        Issue.record("no history of \(seeds) tells \(name) apart")
    }
}
