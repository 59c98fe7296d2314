/// Where identifiers, salts and jitter come from. The real one is the kernel's; the simulator's is a
/// seeded generator, so that a history replays.
public protocol Randomness {
    mutating func next64() -> UInt64
}

extension Randomness {
    public mutating func next128() -> UInt128 {
        UInt128(next64()) << 64 | UInt128(next64())
    }

    public mutating func bytes(_ count: Int) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(count + 8)
        while out.count < count {
            withUnsafeBytes(of: next64()) { out.append(contentsOf: $0) }
        }
        out.removeLast(out.count - count)
        return out
    }

    /// A number in 0 ..< `bound`, evenly distributed.
    public mutating func below(_ bound: UInt64) -> UInt64 {
        precondition(bound > 0)
        // Rejects the incomplete last interval, so that no value is more likely than another.
        let limit = UInt64.max - UInt64.max % bound
        while true {
            let value = next64()
            if value < limit { return value % bound }
        }
    }
}

/// A seeded generator (SplitMix64): for the simulator and tests, never for secrets.
public struct SeededRandomness: Randomness, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next64() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
