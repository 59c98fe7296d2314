import Replication

/// Runs histories from seeds.
public struct Simulation: Sendable {
    public var events = 300
    /// Disks lose nothing that they synced.
    public var hasHonestDisks = false
    public var switches: RuleSwitches = []

    public init() {}

    public struct Outcome: Sendable {
        public var seed: UInt64
        /// What was violated, with the rule; nil if nothing was.
        public var failure: String?
        public var events: Int
        /// How many things happened to the two nodes.
        public var steps: Int
        public var counters: [String: Int]
        public var trace: [String]
    }

    /// One history, the same for the same seed.
    public func run(seed: UInt64, traces: Bool = false) -> Outcome {
        var options = World.Options()
        options.events = events
        options.switches = switches
        options.hasHonestDisks = hasHonestDisks
        options.traces = traces
        var world = World(seed: seed, options: options)
        world.run()
        return Outcome(
            seed: seed, failure: world.failure, events: world.eventCount,
            steps: world.stepCount, counters: world.counters.all, trace: world.trace.lines)
    }
}
