import Platform
import Synchronization

/// Gives out the identifiers of messages in replies, trace fields and logs: 13 letters and digits
/// that ascend with time, unique in this process, and across restarts as long as the clock does not
/// go back.
final class QueueIDs: Sendable {
    private static let digits = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)

    private let last = Mutex<UInt64>(0)

    /// Microseconds since 1970 in base 32, or one above the last one given.
    func next(at wall: Instant) -> [UInt8] {
        let time = UInt64(max(0, wall.nanosecondsSinceEpoch)) / 1_000
        let value = last.withLock { last in
            last = max(last + 1, time)
            return last
        }
        return [UInt8](unsafeUninitializedCapacity: 13) { buffer, count in
            var rest = value
            for i in stride(from: 12, through: 0, by: -1) {
                buffer[i] = Self.digits[Int(rest & 31)]
                rest >>= 5
            }
            count = 13
        }
    }
}
