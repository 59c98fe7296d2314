import Glibc
import Platform
import Synchronization

/// The kernel's clocks.
public struct SystemClock: Sendable {
    public init() {}

    public func now() -> Now {
        Now(
            wall: Instant(nanosecondsSinceEpoch: Self.read(CLOCK_REALTIME)),
            monotonic: MonotonicTime(nanoseconds: Self.read(CLOCK_MONOTONIC)))
    }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}

/// The kernel's random numbers (`getrandom(2)`): fit for secrets.
///
/// Asks for many at a time; each is given out once, to whichever copy asks for it.
public struct SystemRandomness: Randomness, Sendable {
    private let stock = Stock()

    public init() {}

    public mutating func next64() -> UInt64 { stock.next() }

    private final class Stock: Sendable {
        /// Up to 256 octets come whole, never interrupted (getentropy(3)).
        private static let count = 32

        private let values = Mutex<[UInt64]>([])

        func next() -> UInt64 {
            values.withLock { values in
                if let value = values.popLast() { return value }
                values = [UInt64](repeating: 0, count: Self.count)
                guard getentropy(&values, Self.count * MemoryLayout<UInt64>.size) == 0 else {
                    fatalError("getentropy failed: errno \(errno)")
                }
                return values.removeLast()
            }
        }
    }
}
