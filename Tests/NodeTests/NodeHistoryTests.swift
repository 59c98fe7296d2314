import Glibc
import Testing

@Suite struct NodeHistoryTests {
    /// `TWINPOST_NODE_SEEDS=50000 TWINPOST_NODE_FIRST=1` runs more of them.
    @Test func nothingThatWasAnsweredIsLostOrChanged() throws {
        func number(_ name: String) -> UInt64? {
            getenv(name).flatMap { UInt64(String(cString: $0)) }
        }
        let first = number("TWINPOST_NODE_FIRST") ?? 1
        let count = number("TWINPOST_NODE_SEEDS") ?? 200
        var total = NodeHistory.Counters()
        var failures = 0
        for seed in first..<first + count {
            do {
                total.add(try NodeHistory.run(seed: seed))
            } catch {
                Issue.record("seed \(seed): \(error)")
                failures += 1
                if failures == 8 { break }
            }
        }
        if count >= 200 {
            #expect(!total.all.contains(0), "every kind of event and fault is met: \(total)")
        }
        if number("TWINPOST_NODE_SEEDS") != nil { print(total) }
    }
}
