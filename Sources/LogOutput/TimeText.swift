import Glibc

/// Times as RFC 3339 writes them, in UTC, to the millisecond: `2026-01-31T12:00:00.123Z`.
struct TimeText {
    private var second = Int.min
    private var text: [UInt8] = []

    /// Only the milliseconds are written anew within a second.
    mutating func bytes(_ time: timespec) -> [UInt8] {
        if time.tv_sec != second {
            second = time.tv_sec
            text = Self.text(second)
        }
        let milliseconds = time.tv_nsec / 1_000_000
        text[20] = Self.digit(milliseconds / 100)
        text[21] = Self.digit(milliseconds / 10)
        text[22] = Self.digit(milliseconds)
        return text
    }

    private static func text(_ second: Int) -> [UInt8] {
        var time = second
        var parts = tm()
        gmtime_r(&time, &parts)
        let year = Int(parts.tm_year) + 1_900
        var out: [UInt8] = [
            digit(year / 1_000), digit(year / 100), digit(year / 10), digit(year),
        ]
        let rest: [(Character, Int32)] = [
            ("-", parts.tm_mon + 1), ("-", parts.tm_mday), ("T", parts.tm_hour),
            (":", parts.tm_min), (":", parts.tm_sec),
        ]
        for (separator, value) in rest {
            out.append(separator.asciiValue ?? 0)
            out.append(digit(Int(value) / 10))
            out.append(digit(Int(value)))
        }
        return out + Array(".000Z".utf8)
    }

    private static func digit(_ value: Int) -> UInt8 { UInt8(0x30 + abs(value) % 10) }
}
