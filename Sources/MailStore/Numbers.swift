/// A message's unique identifier in its mailbox (RFC 9051 §2.3.1.1). 0 is none.
public struct UID: RawRepresentable, Hashable, Comparable, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// RFC 9051 §2.3.1.1. Never 0.
public struct UIDValidity: RawRepresentable, Hashable, Comparable, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// A mod-sequence (RFC 7162 §3.1): an epoch in the high 31 of its 63 bits and a counter in the low
/// 32 (R13). Even epochs belong to slot A, odd ones to slot B.
public struct ModSeq: RawRepresentable, Hashable, Comparable, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    public init(epoch: UInt32, counter: UInt32) {
        rawValue = UInt64(epoch) << 32 | UInt64(counter)
    }

    public static let zero = ModSeq(rawValue: 0)

    public var epoch: UInt32 { UInt32(truncatingIfNeeded: rawValue >> 32) }
    public var counter: UInt32 { UInt32(truncatingIfNeeded: rawValue) }

    public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// A block of UIDs that one slot assigns from (R12): block `n` holds the UIDs from `n` × 4,096 on,
/// but for 0. Even blocks belong to slot A, odd ones to slot B.
public struct UIDBlock: RawRepresentable, Hashable, Comparable, Sendable {
    public static let size: UInt32 = 4096

    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }

    public init(containing uid: UInt32) { rawValue = uid / Self.size }

    public var owner: Slot { rawValue % 2 == 0 ? .a : .b }
    public var first: UInt32 { max(1, rawValue * Self.size) }
    public var last: UInt32 { rawValue * Self.size + (Self.size - 1) }

    /// The first block of `slot` that lies wholly at or above `uid`.
    public static func next(for slot: Slot, atOrAbove uid: UInt32) -> UIDBlock {
        var number = uid <= 1 ? 0 : (uid - 1) / size + 1
        if number % 2 != UInt32(slot.rawValue) { number += 1 }
        return UIDBlock(rawValue: number)
    }
}

/// A set of UIDs: sorted ranges that neither overlap nor touch.
public struct UIDSet: Hashable, Sendable {
    public private(set) var ranges: [ClosedRange<UInt32>] = []

    public init() {}

    public init(_ uids: some Sequence<UInt32>) {
        for uid in uids.sorted() { appendSorted(uid...uid) }
    }

    /// The union of `ranges`, in any order.
    public init(ranges: [ClosedRange<UInt32>]) {
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) { appendSorted(range) }
    }

    /// Adds a range that starts at or above the start of the last one.
    public mutating func appendSorted(_ range: ClosedRange<UInt32>) {
        guard let last = ranges.last else {
            ranges.append(range)
            return
        }
        if UInt64(range.lowerBound) <= UInt64(last.upperBound) + 1 {
            ranges[ranges.count - 1] =
                last.lowerBound...max(last.upperBound, range.upperBound)
        } else {
            ranges.append(range)
        }
    }

    public var isEmpty: Bool { ranges.isEmpty }

    package func intersection(_ other: UIDSet) -> UIDSet {
        var common = UIDSet()
        var (i, j) = (0, 0)
        while i < ranges.count, j < other.ranges.count {
            let (a, b) = (ranges[i], other.ranges[j])
            let low = max(a.lowerBound, b.lowerBound)
            let high = min(a.upperBound, b.upperBound)
            if low <= high { common.appendSorted(low...high) }
            if a.upperBound < b.upperBound { i += 1 } else { j += 1 }
        }
        return common
    }

    public func contains(_ uid: UInt32) -> Bool {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound < uid { low = middle + 1 } else { high = middle }
        }
        return low < ranges.count && ranges[low].lowerBound <= uid
    }
}
