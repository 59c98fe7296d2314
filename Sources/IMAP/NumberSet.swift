/// A set of sequence numbers or UIDs as written: ranges in the order they came, `*` unresolved
/// (RFC 9051 §9: `sequence-set`).
public struct SequenceSet: Sendable, Equatable {
    /// 0 stands for `*`.
    public struct Range: Sendable, Equatable {
        public var first: UInt32
        public var last: UInt32

        public init(_ first: UInt32, _ last: UInt32) {
            self.first = first
            self.last = last
        }
    }

    public var ranges: [Range]
    /// `$`: the result of the last search that said SAVE (RFC 5182).
    public var isSavedResult: Bool

    public init(ranges: [Range]) {
        self.ranges = ranges
        isSavedResult = false
    }

    public static var savedResult: SequenceSet {
        var set = SequenceSet(ranges: [])
        set.isSavedResult = true
        return set
    }

    /// The numbers it stands for, where `*` is `largest`.
    ///
    /// With `largest` 0 the mailbox is empty and `*` stands for nothing. As RFC 9051 says,
    /// `559:*` holds the largest number even if that is below 559.
    public func resolved(largest: UInt32) -> NumberSet {
        var pairs: [ClosedRange<UInt32>] = []
        pairs.reserveCapacity(ranges.count)
        for range in ranges {
            if largest == 0, range.first == 0 || range.last == 0 { continue }
            let first = range.first == 0 ? largest : range.first
            let last = range.last == 0 ? largest : range.last
            pairs.append(min(first, last)...max(first, last))
        }
        return NumberSet(pairs)
    }
}

/// Numbers from 1 as sorted ranges that neither touch nor overlap.
public struct NumberSet: Sendable, Equatable {
    public private(set) var ranges: [ClosedRange<UInt32>] = []

    public init() {}

    public init(_ range: ClosedRange<UInt32>) { ranges = [range] }

    /// Sorts and joins; O(n log n).
    public init(_ unsorted: [ClosedRange<UInt32>]) {
        var isSorted = true
        var index = 1
        while index < unsorted.count {
            if unsorted[index].lowerBound < unsorted[index - 1].lowerBound {
                isSorted = false
                break
            }
            index += 1
        }
        let sorted =
            isSorted ? unsorted : unsorted.sorted { $0.lowerBound < $1.lowerBound }
        ranges.reserveCapacity(sorted.count)
        for range in sorted { append(range) }
    }

    /// Sorts and joins single numbers.
    public init(numbers: [UInt32]) {
        for number in numbers.sorted() { append(number) }
    }

    public var isEmpty: Bool { ranges.isEmpty }

    /// How many numbers there are.
    public var count: Int {
        var total = 0
        for range in ranges { total += Int(range.upperBound - range.lowerBound) + 1 }
        return total
    }

    public var first: UInt32? { ranges.first?.lowerBound }
    public var last: UInt32? { ranges.last?.upperBound }

    /// Adds a number; it must not be below the start of the last range.
    public mutating func append(_ number: UInt32) { append(number...number) }

    /// Adds a range; it must not start below the start of the last one.
    public mutating func append(_ range: ClosedRange<UInt32>) {
        guard let end = ranges.last else { return ranges.append(range) }
        precondition(range.lowerBound >= end.lowerBound, "numbers must ascend")
        if UInt64(range.lowerBound) <= UInt64(end.upperBound) + 1 {
            if range.upperBound > end.upperBound {
                ranges[ranges.count - 1] = end.lowerBound...range.upperBound
            }
        } else {
            ranges.append(range)
        }
    }

    /// O(log n).
    public func contains(_ number: UInt32) -> Bool {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound < number { low = middle + 1 } else { high = middle }
        }
        return low < ranges.count && ranges[low].lowerBound <= number
    }

    /// Calls `body` with each range of indices of `sorted` whose elements are in the set.
    ///
    /// `sorted` ascends. O(r log n): a set of one range over a large mailbox costs two searches.
    public func forEachIndexRange(
        in sorted: UnsafeBufferPointer<UInt32>, _ body: (Swift.Range<Int>) -> Void
    ) {
        var from = 0
        for range in ranges {
            let start = Self.lowerBound(sorted, from, UInt64(range.lowerBound))
            let end = Self.lowerBound(sorted, start, UInt64(range.upperBound) + 1)
            if end > start { body(start..<end) }
            if end == sorted.count { return }
            from = end
        }
    }

    private static func lowerBound(
        _ sorted: UnsafeBufferPointer<UInt32>, _ from: Int, _ value: UInt64
    ) -> Int {
        var low = from
        var high = sorted.count
        while low < high {
            let middle = (low + high) / 2
            if UInt64(sorted[middle]) < value { low = middle + 1 } else { high = middle }
        }
        return low
    }

    public func intersection(_ other: NumberSet) -> NumberSet {
        var result = NumberSet()
        var i = 0
        var j = 0
        while i < ranges.count, j < other.ranges.count {
            let a = ranges[i]
            let b = other.ranges[j]
            let low = max(a.lowerBound, b.lowerBound)
            let high = min(a.upperBound, b.upperBound)
            if low <= high { result.append(low...high) }
            if a.upperBound < b.upperBound { i += 1 } else { j += 1 }
        }
        return result
    }

    public func union(_ other: NumberSet) -> NumberSet { NumberSet(ranges + other.ranges) }
}
