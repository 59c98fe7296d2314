import Glibc

/// Runs histories on several cores; what comes out is the same for any number of them.
enum Slices {
    /// The outcomes of `seeds`, in their order.
    static func run(
        _ simulation: Simulation, seeds: Range<UInt64>, jobs: Int
    ) -> [Simulation.Outcome] {
        guard jobs > 1, seeds.count > 1 else { return seeds.map { simulation.run(seed: $0) } }
        let slices = (0..<min(jobs, seeds.count)).map {
            Slice(simulation, seeds.dropFirst($0), step: UInt64(min(jobs, seeds.count)))
        }
        var threads: [pthread_t] = []
        for slice in slices {
            var thread = pthread_t()
            let argument = Unmanaged.passRetained(slice).toOpaque()
            let status = pthread_create(
                &thread, nil,
                { argument in
                    Unmanaged<Slice>.fromOpaque(argument!).takeRetainedValue().run()
                    return nil
                }, argument)
            precondition(status == 0, "no thread for a slice of the seeds")
            threads.append(thread)
        }
        for thread in threads { pthread_join(thread, nil) }
        return slices.flatMap(\.outcomes).sorted { $0.seed < $1.seed }
    }

    /// Every so many-th of the seeds. One thread has it from its creation to its end.
    private final class Slice {
        let simulation: Simulation
        let seeds: Range<UInt64>
        let step: UInt64
        var outcomes: [Simulation.Outcome] = []

        init(_ simulation: Simulation, _ seeds: Range<UInt64>, step: UInt64) {
            self.simulation = simulation
            self.seeds = seeds
            self.step = step
        }

        func run() {
            for seed in stride(from: seeds.lowerBound, to: seeds.upperBound, by: Int(step)) {
                outcomes.append(simulation.run(seed: seed))
            }
        }
    }

    /// How many cores there are for this process.
    static var coreCount: Int { max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }
}
