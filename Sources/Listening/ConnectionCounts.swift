import NIOCore
import Synchronization

/// How many connections are open, in all and from each address, against limits.
///
/// IPv6 addresses count by their /64, which is what one customer has.
public final class ConnectionCounts: Sendable {
    public struct Limits: Hashable, Sendable {
        public var total: Int
        public var perAddress: Int

        public init(total: Int, perAddress: Int) {
            self.total = total
            self.perAddress = perAddress
        }
    }

    private struct State {
        var total = 0
        var byAddress: [[UInt8]: Int] = [:]
        var limits: Limits
    }

    private let state: Mutex<State>

    public init(_ limits: Limits) { state = Mutex(State(limits: limits)) }

    public var total: Int { state.withLock { $0.total } }

    public func setLimits(_ limits: Limits) { state.withLock { $0.limits = limits } }

    /// Counts a new connection; false if it is over a limit, and then it is not counted.
    public func open(_ address: [UInt8]) -> Bool {
        state.withLock { state in
            let held = state.byAddress[address] ?? 0
            guard state.total < state.limits.total, held < state.limits.perAddress else {
                return false
            }
            state.total += 1
            state.byAddress[address] = held + 1
            return true
        }
    }

    public func close(_ address: [UInt8]) {
        state.withLock { state in
            state.total -= 1
            let held = (state.byAddress[address] ?? 1) - 1
            state.byAddress[address] = held == 0 ? nil : held
        }
    }

    /// What `address` is counted by: 4 octets for IPv4 (mapped or not), 8 for IPv6, none for a Unix
    /// socket.
    public static func key(_ address: SocketAddress?) -> [UInt8] {
        switch address {
        case .v4(let v4):
            var raw = v4.address.sin_addr
            return withUnsafeBytes(of: &raw) { Array($0) }
        case .v6(let v6):
            var raw = v6.address.sin6_addr
            let octets = withUnsafeBytes(of: &raw) { Array($0) }
            let mapped =
                octets[..<10].allSatisfy { $0 == 0 } && octets[10] == 255 && octets[11] == 255
            return mapped ? Array(octets[12...]) : Array(octets[..<8])
        default: return []
        }
    }
}
