import Glibc
import Platform

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
public struct SystemRandomness: Randomness, Sendable {
    public init() {}

    public mutating func next64() -> UInt64 {
        var value: UInt64 = 0
        // Up to 256 octets, never interrupted: getentropy(3), which is getrandom(2).
        guard getentropy(&value, 8) == 0 else { fatalError("getentropy failed: errno \(errno)") }
        return value
    }
}
