import Glibc
import Journal
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
    private var jobs = 0

    public init(_ arguments: [String]) {
        var rest = arguments.dropFirst()
        while let option = rest.popFirst() {
            switch option {
            case "--seeds": number(&rest) { $0.seeds = $1 }
            case "--from": number(&rest) { $0.first = $1 }
            case "--jobs": number(&rest) { $0.jobs = Int(min($1, 1024)) }
            case "--events": number(&rest) { $0.simulation.events = Int($1) }
            case "--trace": number(&rest) { $0.traced = $1 }
            case "--stop": stopsAtFailure = true
            case "--journal":
                number(&rest) { $0.simulation.journal = $1 == 0 ? .never : .every($1) }
            case "--journal-switch":
                number(&rest) {
                    $0.simulation.journalRules.insert(.init(rawValue: 1 << UInt32($1 & 31)))
                }
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
        return runAll()
    }

    private func runAll() -> Int32 {
        let start = Self.seconds
        var failures = 0
        var run: UInt64 = 0
        var onDisks = 0
        var totals: [String: Int] = [:]
        var steps = 0
        let jobs = jobs > 0 ? jobs : Slices.coreCount
        var next = first
        let (end, overflows) = first.addingReportingOverflow(seeds)
        guard !overflows else {
            print("twinpost-simulator: there are no such seeds")
            return 2
        }
        // In portions, so that failures show while it runs.
        while next < end, !(stopsAtFailure && failures > 0) {
            let portion = next..<min(end, next + UInt64(jobs * 50))
            next = portion.upperBound
            for outcome in Slices.run(simulation, seeds: portion, jobs: jobs) {
                run += 1
                if outcome.usedJournal { onDisks += 1 }
                steps += outcome.steps
                for (name, count) in outcome.counters { totals[name, default: 0] += count }
                if let failure = outcome.failure {
                    failures += 1
                    print("seed \(outcome.seed): \(failure)")
                    fflush(nil)
                    if stopsAtFailure { break }
                }
            }
        }
        if !isQuiet {
            for (name, count) in totals.sorted(by: { $0.key < $1.key }) {
                print("\(name): \(count)")
            }
        }
        let rate = Int(Double(run) / max(Self.seconds - start, 1e-9))
        print(
            "\(run) histories (\(onDisks) of them with the journal on disks that fail), "
                + "\(failures) failed, \(steps) steps, \(rate) histories per second")
        return failures == 0 ? 0 : 1
    }

    private static var seconds: Double {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
    }
}
