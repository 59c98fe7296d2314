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

    @Test func aSeedReplays() {
        let simulation = Simulation()
        let first = simulation.run(seed: 7, traces: true)
        #expect(first.trace == simulation.run(seed: 7, traces: true).trace)
        #expect(first.counters["R20 merge"] != nil)
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
        let seeds = UInt64(1)...12
        #expect(seeds.contains { simulation.run(seed: $0).failure != nil })
    }
}
