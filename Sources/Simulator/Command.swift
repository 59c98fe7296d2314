import Glibc
import Replication

/// The command line of `twinpost-simulator`.
public struct Command {
    private var seeds: UInt64 = 2000
    private var first: UInt64 = 1
    private var simulation = Simulation()
    private var traced: UInt64?
    private var stopsAtFailure = false
    private var problem: String?
    private var isQuiet = false

    public init(_ arguments: [String]) {
        var rest = arguments.dropFirst()
        while let option = rest.popFirst() {
            switch option {
            case "--seeds": number(&rest) { $0.seeds = $1 }
            case "--from": number(&rest) { $0.first = $1 }
            case "--events": number(&rest) { $0.simulation.events = Int($1) }
            case "--trace": number(&rest) { $0.traced = $1 }
            case "--stop": stopsAtFailure = true
            case "--honest": simulation.hasHonestDisks = true
            case "--quiet": isQuiet = true
            case "--switch":
                guard let value = rest.popFirst(), let bit = UInt64(value), bit < 64 else {
                    problem = "--switch takes the number of a rule's switch"
                    return
                }
                simulation.switches.insert(RuleSwitches(rawValue: 1 << bit))
            default: problem = "unknown option \(option)"
            }
        }
    }

    private mutating func number(
        _ rest: inout ArraySlice<String>, _ set: (inout Command, UInt64) -> Void
    ) {
        guard let value = rest.popFirst().flatMap({ UInt64($0) }) else {
            problem = "an option lacks its number"
            return
        }
        set(&self, value)
    }

    /// The process's exit code: 0 only if no history failed.
    public func run() -> Int32 {
        if let problem {
            print("twinpost-simulator: \(problem)")
            return 2
        }
        if let traced {
            let outcome = simulation.run(seed: traced, traces: true)
            for line in outcome.trace { print(line) }
            print(outcome.failure ?? "nothing failed")
            return outcome.failure == nil ? 0 : 1
        }
        var start = timespec()
        clock_gettime(CLOCK_MONOTONIC, &start)
        var failures = 0
        var run: UInt64 = 0
        var totals: [String: Int] = [:]
        for seed in first..<first + seeds {
            let outcome = simulation.run(seed: seed)
            run += 1
            for (name, count) in outcome.counters { totals[name, default: 0] += count }
            if let failure = outcome.failure {
                failures += 1
                print("seed \(seed): \(failure)")
                if stopsAtFailure { break }
            }
        }
        var end = timespec()
        clock_gettime(CLOCK_MONOTONIC, &end)
        let seconds = Double(end.tv_sec - start.tv_sec) + Double(end.tv_nsec - start.tv_nsec) / 1e9
        if !isQuiet {
            for (name, count) in totals.sorted(by: { $0.key < $1.key }) {
                print("\(name): \(count)")
            }
        }
        let rate = Int(Double(run) / max(seconds, 1e-9))
        print("\(run) histories, \(failures) failed, \(rate) histories per second")
        return failures == 0 ? 0 : 1
    }
}
