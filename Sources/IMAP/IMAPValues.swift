/// The status of a reply (RFC 9051 §7.1).
public enum IMAPStatus: Sendable, Equatable {
    case ok, no, bad, bye, preauth
}

/// A flag (RFC 9051 §2.3.2).
public enum IMAPFlag: Sendable, Hashable {
    case seen, answered, flagged, deleted, draft
    /// A keyword in the case it was written in; compare without regard to case.
    case keyword(String)

    /// As it stands in a flag list.
    public var text: String {
        switch self {
        case .seen: "\\Seen"
        case .answered: "\\Answered"
        case .flagged: "\\Flagged"
        case .deleted: "\\Deleted"
        case .draft: "\\Draft"
        case .keyword(let name): name
        }
    }
}

/// A calendar day without a zone (RFC 9051 §9: `date`).
public struct IMAPDate: Sendable, Hashable {
    public let year: Int
    public let month: Int
    public let day: Int

    /// nil if there is no such day.
    public init?(year: Int, month: Int, day: Int) {
        guard (1...9999).contains(year), (1...12).contains(month), day >= 1,
            day <= Self.days(in: month, year)
        else { return nil }
        self.year = year
        self.month = month
        self.day = day
    }

    static func days(in month: Int, _ year: Int) -> Int {
        switch month {
        case 4, 6, 9, 11: 30
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        default: 31
        }
    }

    /// Days since 1 January 1970.
    public var daysSinceEpoch: Int {
        let y = month <= 2 ? year - 1 : year
        let era = (y >= 0 ? y : y - 399) / 400
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
            - 719_468
    }

    /// The day `days` after 1 January 1970, held within the years 1 to 9999.
    public init(daysSinceEpoch days: Int) {
        let z = min(max(days, -719_162), 2_932_896) + 719_468
        let era = z / 146_097
        let dayOfEra = z - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shifted + 2) / 5 + 1
        month = shifted < 10 ? shifted + 3 : shifted - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }
}

/// A moment with the zone it was written in (RFC 9051 §9: `date-time`).
public struct IMAPDateTime: Sendable, Hashable {
    public let secondsSinceEpoch: Int64
    /// Minutes east of Greenwich.
    public let zoneMinutes: Int

    public init(secondsSinceEpoch: Int64, zoneMinutes: Int = 0) {
        self.secondsSinceEpoch = secondsSinceEpoch
        self.zoneMinutes = zoneMinutes
    }
}

enum IMAPMonth {
    static let names: StaticString = "JanFebMarAprMayJunJulAugSepOctNovDec"

    /// 1 to 12 for three letters in any case.
    static func number(_ a: UInt8, _ b: UInt8, _ c: UInt8) -> Int? {
        for month in 0..<12 {
            let p = names.utf8Start + month * 3
            if p[0] | 0x20 == a | 0x20, p[1] == b | 0x20, p[2] == c | 0x20 { return month + 1 }
        }
        return nil
    }
}
