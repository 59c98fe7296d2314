import Platform
import Synchronization

/// Where a body lies. Position zero means a file of its own.
struct BodyLocation: Equatable, Sendable {
    var position: LocalPosition
    /// Octets of the body.
    var length: UInt64

    var isFile: Bool { position == .zero }
}

/// Where every body is: written by the journal's thread, read by all.
final class BodyTable: Sendable {
    /// No number and no length reaches these.
    static let numberLimit: UInt64 = 1 << 62
    static let octetsLimit: UInt64 = 1 << 40

    struct State: Sendable {
        var locations: [UInt64: BodyLocation] = [:]
        /// Octets of live body records by segment.
        var liveOctets: [UInt64: Int] = [:]
        var next: UInt64 = 1

        mutating func set(_ number: UInt64, _ location: BodyLocation) {
            remove(number)
            locations[number] = location
            if !location.isFile {
                liveOctets[location.position.segment, default: 0] += Self.octets(location)
            }
            if number >= next { next = number + 1 }
        }

        mutating func remove(_ number: UInt64) {
            guard let old = locations.removeValue(forKey: number), !old.isFile else { return }
            liveOctets[old.position.segment, default: 0] -= Self.octets(old)
        }

        private static func octets(_ location: BodyLocation) -> Int {
            Record.padded(Int(location.length) + 64)
        }
    }

    private let state = Mutex(State())

    func location(_ number: BodyNumber) -> BodyLocation? {
        state.withLock { $0.locations[number.rawValue] }
    }

    func set(_ number: BodyNumber, _ location: BodyLocation) {
        state.withLock { $0.set(number.rawValue, location) }
    }

    func allocate() -> BodyNumber {
        state.withLock { state in
            defer { state.next += 1 }
            return BodyNumber(rawValue: state.next)
        }
    }

    func with<R: Sendable>(_ body: (inout sending State) -> sending R) -> R {
        state.withLock { body(&$0) }
    }
}
