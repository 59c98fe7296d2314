import Platform

/// What a Date field says (RFC 5322 §3.3).
public struct SentDate: Hashable, Sendable {
    public var instant: Instant
    /// The date as written, time and zone disregarded: what SENTON and its like compare
    /// (RFC 9051 §6.4.4).
    public var year: Int
    /// 1 ... 12
    public var month: Int
    /// 1 ... 31
    public var day: Int

    public init(instant: Instant, year: Int, month: Int, day: Int) {
        self.instant = instant
        self.year = year
        self.month = month
        self.day = day
    }
}

/// Reads dates of RFC 5322, their obsolete forms (§4.3), and those of C's `asctime`.
public struct DateParser {
    private let bytes: UnsafeRawBufferPointer
    private var position: Int
    private let end: Int

    /// The date in `range`, or nil if there is no day, month and year in it.
    public static func parse(_ bytes: UnsafeRawBufferPointer, _ range: ByteRange) -> SentDate? {
        guard range.isPresent else { return nil }
        var parser = DateParser(
            bytes: bytes, position: range.lowerBound,
            end: min(range.upperBound, range.lowerBound + 1_000))
        return parser.parse()
    }

    private mutating func parse() -> SentDate? {
        var day: Int?
        var month: Int?
        skip()
        if let word = word() {
            // A weekday, or at once a month.
            month = self.month(word)
            skip()
        }
        if month == nil, let number = number() {
            day = number
            skip(alsoDashes: true)
        }
        if month == nil, let word = word() { month = self.month(word) }
        skip(alsoDashes: true)
        guard let month else { return nil }
        if day == nil {
            day = number()
            skip()
        }
        guard let day, (1...31).contains(day) else { return nil }
        var time = (0, 0, 0)
        var year: Int?
        let mark = position
        if let first = number(), position < end, bytes[position] == ASCII.colon {
            // asctime: the time stands before the year.
            position = mark
            time = readTime() ?? (0, 0, 0)
            _ = first
            skip()
            if let zoneMark = word(), !zoneMark.isEmpty { skip() }
            year = readYear()
        } else {
            position = mark
            year = readYear()
            skip()
            time = readTime() ?? (0, 0, 0)
        }
        guard let year, (0...9999).contains(year) else { return nil }
        skip()
        let offset = readZone()
        let days = CivilTime.daysSinceEpoch(year: year, month: month, day: day)
        let seconds =
            days * 86_400 + Int64(time.0 * 3600 + time.1 * 60 + time.2) - Int64(offset) * 60
        // The years that 64 bits of nanoseconds hold; others are put at the edge.
        let clamped = min(max(seconds, -9_200_000_000), 9_200_000_000)
        return SentDate(
            instant: Instant(secondsSinceEpoch: clamped), year: year, month: month, day: day)
    }

    private mutating func readYear() -> Int? {
        let start = position
        guard let value = number() else { return nil }
        // RFC 5322 §4.3: two digits below 50 are 20xx, other two and all three are 19xx.
        switch position - start {
        case 1, 2: return value < 50 ? 2000 + value : 1900 + value
        case 3: return 1900 + value
        default: return value
        }
    }

    private mutating func readTime() -> (Int, Int, Int)? {
        guard let hour = number(), hour < 25 else { return nil }
        skip()
        guard position < end, bytes[position] == ASCII.colon || bytes[position] == ASCII.dot else {
            return nil
        }
        position += 1
        skip()
        guard let minute = number(), minute < 60 else { return nil }
        skip()
        var second = 0
        if position < end, bytes[position] == ASCII.colon || bytes[position] == ASCII.dot {
            position += 1
            skip()
            second = number() ?? 0
        }
        return (hour, minute, min(second, 60))
    }

    /// Minutes east of UTC; 0 for what is not known.
    private mutating func readZone() -> Int {
        guard position < end else { return 0 }
        let sign = bytes[position]
        if sign == 0x2B || sign == ASCII.dash {
            position += 1
            let start = position
            guard var value = number() else { return 0 }
            if position - start <= 2, position < end, bytes[position] == ASCII.colon {
                position += 1
                value = value * 100 + (number() ?? 0)
            }
            let minutes = min(value / 100, 99) * 60 + value % 100
            return sign == ASCII.dash ? -minutes : minutes
        }
        guard let zone = word() else { return 0 }
        func named(_ name: StaticString) -> Bool { bytes.equals(name, at: zone) }
        if named("edt") { return -240 }
        if named("est") || named("cdt") { return -300 }
        if named("cst") || named("mdt") { return -360 }
        if named("mst") || named("pdt") { return -420 }
        if named("pst") { return -480 }
        if named("cet") || named("bst") { return 60 }
        if named("cest") || named("eet") { return 120 }
        // The single letters were defined with the wrong sign: RFC 5322 §4.3 takes them as unknown.
        return 0
    }

    // MARK: Tokens

    private mutating func skip(alsoDashes: Bool = false) {
        while position < end {
            let byte = bytes[position]
            if ASCII.isFoldingSpace(byte) || byte == ASCII.comma
                || (alsoDashes && byte == ASCII.dash)
            {
                position += 1
            } else if byte == ASCII.leftParenthesis {
                position = TokenScan.skipComment(bytes, position, end)
            } else {
                break
            }
        }
    }

    private mutating func word() -> ByteRange? {
        let start = position
        while position < end, ASCII.lower(bytes[position]) &- 0x61 < 26 { position += 1 }
        if position < end, position > start, bytes[position] == ASCII.dot { position += 1 }
        let stop = position > start && bytes[position - 1] == ASCII.dot ? position - 1 : position
        return stop > start ? ByteRange(start, stop) : nil
    }

    private mutating func number() -> Int? {
        let start = position
        var value = 0
        while position < end, bytes[position] &- 0x30 < 10 {
            value = min(value * 10 + Int(bytes[position] &- 0x30), 1_000_000)
            position += 1
        }
        return position > start ? value : nil
    }

    private static let months: [UInt32: Int] = [
        0x6A616E: 1, 0x666562: 2, 0x6D6172: 3, 0x617072: 4, 0x6D6179: 5, 0x6A756E: 6,
        0x6A756C: 7, 0x617567: 8, 0x736570: 9, 0x6F6374: 10, 0x6E6F76: 11, 0x646563: 12,
    ]

    /// The month whose name begins as the word does.
    private func month(_ word: ByteRange) -> Int? {
        guard word.count >= 3 else { return nil }
        var key: UInt32 = 0
        for i in 0..<3 { key = key << 8 | UInt32(ASCII.lower(bytes[word.lowerBound + i])) }
        return Self.months[key]
    }
}
