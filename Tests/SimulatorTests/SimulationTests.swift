import Journal
import Replication
import Simulator
import Testing

@Suite struct SimulationTests {
    @Test func historiesWithHonestDisksHold() {
        var simulation = Simulation()
        simulation.hasHonestDisks = true
        for seed in UInt64(1)...5 {
            #expect(simulation.run(seed: seed).failure == nil, "seed \(seed)")
        }
    }

    /// With and without the production's journal under the nodes.
    @Test(arguments: [7, 8] as [UInt64]) func aSeedReplays(_ seed: UInt64) {
        let simulation = Simulation()
        let first = simulation.run(seed: seed, traces: true)
        #expect(first.trace == simulation.run(seed: seed, traces: true).trace)
        #expect(first.counters["R20 merge"] != nil)
        #expect(first.usedJournal == (seed == 8))
        #expect((first.counters["R33 checkpoint"] ?? 0 > 0) == (seed == 8))
    }

    /// Each breaks a rule of the journal (`docs/journal.md`).
    @Test(arguments: [
        JournalRuleSwitches.skipSync, .checkpointNotSynced, .bodyNumbersRestart,
    ])
    func aBrokenRuleOfTheJournalIsCaught(_ broken: JournalRuleSwitches) {
        var simulation = Simulation()
        simulation.hasHonestDisks = true
        simulation.journal = .every(1)
        simulation.journalRules = broken
        let seeds = UInt64(1)...12
        #expect(seeds.contains { simulation.run(seed: $0).failure != nil })
    }

    /// Each breaks a rule that any few histories meet.
    @Test(arguments: [
        RuleSwitches.answersAlone, .guestOrdersConnected, .sharesBlocks, .resurrects,
        .renumbersOneSide, .homeFlagsWin, .allowsEqualNames, .repeatsEffects, .adoptsEarly,
    ])
    func aBrokenRuleIsCaught(_ broken: RuleSwitches) {
        var simulation = Simulation()
        simulation.hasHonestDisks = true
        simulation.switches = broken
        let seeds = UInt64(1)...24
        #expect(seeds.contains { simulation.run(seed: $0).failure != nil })
    }
}
