import Journal
import Replication

/// Runs histories from seeds.
public struct Simulation: Sendable {
    public var events = 300
    /// Disks lose nothing that they synced.
    public var hasHonestDisks = false
    public var switches: RuleSwitches = []
    /// Which histories have the production's journal under their nodes, on disks that fail; the others
    /// keep records in an array, and lose any part of what was not synced.
    public var journal = JournalUse.every(2)
    package var journalRules: JournalRuleSwitches = []

    public enum JournalUse: Hashable, Sendable {
        case never
        /// Of the seeds that this number divides.
        case every(UInt64)

        func includes(_ seed: UInt64) -> Bool {
            switch self {
            case .never: false
            case .every(let share): seed.isMultiple(of: share)
            }
        }
    }

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
        /// The journal and its disks took part.
        public var usedJournal: Bool
    }

    /// One history, the same for the same seed.
    public func run(seed: UInt64, traces: Bool = false) -> Outcome {
        var options = World.Options()
        options.events = events
        options.switches = switches
        options.hasHonestDisks = hasHonestDisks
        options.traces = traces
        options.usesJournal = journal.includes(seed)
        options.journalRules = journalRules
        var world = World(seed: seed, options: options)
        world.run()
        return Outcome(
            seed: seed, failure: world.failure, events: world.eventCount,
            steps: world.stepCount, counters: world.counters.all, trace: world.trace.lines,
            usedJournal: options.usesJournal)
    }
}
