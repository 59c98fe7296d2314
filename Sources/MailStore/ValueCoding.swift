import Platform

// The store's values in the project's binary form, used by operations and checkpoints alike.

extension ByteWriter {
    package mutating func id(_ value: some Identifier) { fixed(value.rawValue) }
    package mutating func modSeq(_ value: ModSeq) { fixed(value.rawValue) }
    package mutating func instant(_ value: Instant) { fixed(value.nanosecondsSinceEpoch) }

    /// Ranges as the gap from the last one's end and their length.
    package mutating func uids(_ set: UIDSet) {
        count(set.ranges.count)
        var end: UInt32 = 0
        for range in set.ranges {
            varint(UInt64(range.lowerBound - end))
            varint(UInt64(range.upperBound - range.lowerBound))
            end = range.upperBound
        }
    }

    package mutating func flags(_ value: NamedFlags) {
        fixed(UInt8(truncatingIfNeeded: value.system.rawValue))
        array(value.keywords) { $0.string($1.name) }
    }
}

extension ByteReader {
    package mutating func id<T: Identifier>() throws(DecodingFailure) -> T {
        T(rawValue: try fixed())
    }

    package mutating func modSeq() throws(DecodingFailure) -> ModSeq {
        ModSeq(rawValue: try fixed())
    }

    package mutating func instant() throws(DecodingFailure) -> Instant {
        Instant(nanosecondsSinceEpoch: try fixed())
    }

    package mutating func slot() throws(DecodingFailure) -> Slot {
        guard let slot = Slot(rawValue: try fixed()) else {
            throw DecodingFailure("no such slot", offset: offset)
        }
        return slot
    }

    package mutating func flagChange() throws(DecodingFailure) -> FlagChange {
        guard let change = FlagChange(rawValue: try fixed()) else {
            throw DecodingFailure("no such change of flags", offset: offset)
        }
        return change
    }

    package mutating func specialUse() throws(DecodingFailure) -> SpecialUse? {
        let raw: UInt8 = try fixed()
        if raw == 0 { return nil }
        guard let use = SpecialUse(rawValue: raw) else {
            throw DecodingFailure("no such special use", offset: offset)
        }
        return use
    }

    package mutating func uids() throws(DecodingFailure) -> UIDSet {
        let length = try count(elementOctets: 2)
        var set = UIDSet()
        var end: UInt32 = 0
        for _ in 0..<length {
            let gap = try varint(as: UInt32.self)
            let extent = try varint(as: UInt32.self)
            let (low, overflow) = end.addingReportingOverflow(gap)
            let (high, overflow2) = low.addingReportingOverflow(extent)
            guard !overflow, !overflow2 else {
                throw DecodingFailure("UID beyond 32 bits", offset: offset)
            }
            set.appendSorted(low...high)
            end = high
        }
        return set
    }

    package mutating func flags() throws(DecodingFailure) -> NamedFlags {
        let system: UInt8 = try fixed()
        guard UInt64(system) <= Flags.system.rawValue else {
            throw DecodingFailure("unknown system flag", offset: offset)
        }
        return NamedFlags(
            system: Flags(rawValue: UInt64(system)), keywords: try strings().map { Keyword($0) })
    }

    package mutating func strings() throws(DecodingFailure) -> [String] {
        try array { r throws(DecodingFailure) -> String in try r.string() }
    }

    package mutating func optionalVarint() throws(DecodingFailure) -> UInt64? {
        try optional { r throws(DecodingFailure) -> UInt64 in try r.varint() }
    }
}
