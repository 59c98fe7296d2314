import Platform

/// The address a client comes from, cut to what one attacker can be assumed to own: a whole IPv4
/// address, or the /64 of an IPv6 address. An IPv4-mapped IPv6 address counts as the IPv4 address.
public struct AddressBlock: Hashable, Sendable {
    private let high: UInt64
    private let isIPv6: Bool

    private init(high: UInt64, isIPv6: Bool) {
        self.high = high
        self.isIPv6 = isIPv6
    }

    public init(ipv4: (UInt8, UInt8, UInt8, UInt8)) {
        high =
            UInt64(ipv4.0) << 24 | UInt64(ipv4.1) << 16 | UInt64(ipv4.2) << 8 | UInt64(ipv4.3)
        isIPv6 = false
    }

    /// The address in the order of the wire: 4 or 16 octets; anything else is nil.
    public init?(networkBytes bytes: [UInt8]) {
        switch bytes.count {
        case 4:
            self.init(ipv4: (bytes[0], bytes[1], bytes[2], bytes[3]))
        case 16:
            let first = bytes[..<8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            let second = bytes[8...].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            if first == 0, second >> 32 == 0xFFFF {
                self.init(high: second & 0xFFFF_FFFF, isIPv6: false)
            } else {
                self.init(high: first, isIPv6: true)
            }
        default:
            return nil
        }
    }
}

public struct AuthThrottleLimits: Sendable, Hashable {
    /// Failures that cost nothing: people mistype. Per account and address together.
    public var freeFailures = 2
    /// The delay after the first failure that costs; it doubles with each further one.
    public var delayFirst: Duration = .seconds(1)
    public var delayMax: Duration = .seconds(60)
    /// After this time without a failure, an entry counts half; after as much again, a quarter.
    public var halfLife: Duration = .seconds(600)
    /// Entries kept; each is about 64 octets. The stalest is dropped for a new one.
    public var entriesMax = 20_000

    public init() {}
}

/// Makes guessing slow: a wrong password costs its sender time, and tells him nothing.
///
/// Three counters stand for each failure: its address, its account, and both together. The address's
/// counter slows one attacker who tries many accounts; the account's slows many addresses that try
/// one account. The latter would also let a stranger lock a person out, so a pair of address and
/// account that has lately succeeded is exempt from the account's counter. The delay is the longest
/// of those that apply, and is never longer than `delayMax`: nobody is ever locked out for good.
///
/// The delay is for the *reply* to an attempt, right or wrong, and it is taken before the password
/// is looked at, so that its length says nothing.
public struct AuthThrottle: Sendable {
    private enum Key: Hashable, Sendable {
        case address(AddressBlock)
        case account(SHA256Digest)
        case trusted(AddressBlock, SHA256Digest)
    }

    private struct Entry: Sendable {
        var failures: Double
        var last: MonotonicTime
    }

    private let limits: AuthThrottleLimits
    private var entries: [Key: Entry] = [:]
    /// Keys in the order of their last use, with stale duplicates that `evict` steps over.
    private var queue: [(key: Key, time: MonotonicTime)] = []
    private var queueHead = 0

    public init(limits: AuthThrottleLimits = AuthThrottleLimits()) {
        self.limits = limits
    }

    /// Entries held, at most `entriesMax`.
    public var count: Int { entries.count }

    /// How long the next attempt has to wait before it is looked at. It does not change anything.
    ///
    /// - Parameter account: the name as the client gave it, prepared; it need not exist.
    public func delay(for address: AddressBlock, account: [UInt8], now: MonotonicTime) -> Duration {
        let name = SHA256Digest(hashing: account)
        var failures = self.failures(.address(address), now)
        if entries[.trusted(address, name)] == nil {
            failures = max(failures, self.failures(.account(name), now))
        }
        return delay(failures: failures)
    }

    public mutating func recordFailure(
        address: AddressBlock, account: [UInt8], now: MonotonicTime
    ) {
        let name = SHA256Digest(hashing: account)
        add(.address(address), now)
        add(.account(name), now)
    }

    /// The right password: the address is forgiven, and the account is no longer slow from here.
    ///
    /// The account's own counter stays: otherwise its owner's phone would, every minute, wipe out
    /// what the attacker has spent.
    public mutating func recordSuccess(
        address: AddressBlock, account: [UInt8], now: MonotonicTime
    ) {
        entries[.address(address)] = nil
        set(.trusted(address, SHA256Digest(hashing: account)), Entry(failures: 0, last: now))
    }

    private func failures(_ key: Key, _ now: MonotonicTime) -> Double {
        guard let entry = entries[key] else { return 0 }
        let age = max(0, now.since(entry.last).wholeNanoseconds)
        let halvings = age / max(1, limits.halfLife.wholeNanoseconds)
        var value = entry.failures
        for _ in 0..<min(halvings, 64) { value /= 2 }
        return value
    }

    private func delay(failures: Double) -> Duration {
        let beyond = Int(min(failures, 1000)) - limits.freeFailures
        guard beyond > 0 else { return .zero }
        var delay = limits.delayFirst
        for _ in 1..<min(beyond, 32) where delay < limits.delayMax { delay *= 2 }
        return min(delay, limits.delayMax)
    }

    private mutating func add(_ key: Key, _ now: MonotonicTime) {
        // The cap lets an entry fade within a few half-lives, however hard it was hammered.
        let value = min(failures(key, now) + 1, 64)
        set(key, Entry(failures: value, last: now))
    }

    private mutating func set(_ key: Key, _ entry: Entry) {
        entries[key] = entry
        queue.append((key, entry.last))
        while entries.count > max(1, limits.entriesMax) { evict() }
        compactQueue()
    }

    /// Drops the entry that was used longest ago.
    private mutating func evict() {
        while queueHead < queue.count {
            let (key, time) = queue[queueHead]
            queueHead += 1
            if entries[key]?.last == time {
                entries[key] = nil
                return
            }
        }
    }

    /// Keeps the queue within twice the table: constant time for each change, taken together.
    private mutating func compactQueue() {
        guard queue.count > 64 + 2 * max(entries.count, limits.entriesMax / 2) else { return }
        var seen: Set<Key> = []
        var kept: [(key: Key, time: MonotonicTime)] = []
        for item in queue[queueHead...].reversed() where entries[item.key]?.last == item.time {
            if seen.insert(item.key).inserted { kept.append(item) }
        }
        queue = kept.reversed()
        queueHead = 0
    }
}
