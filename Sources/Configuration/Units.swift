/// Sizes and durations as people write them.
enum Units {
    /// `50 MiB`, `512kB`, `100`; nil if it is not a size or does not fit.
    static func octets(_ text: String) -> Int? {
        guard let (number, unit) = split(text) else { return nil }
        let factor: Int
        switch unit.lowercased() {
        case "", "b": factor = 1
        case "kib": factor = 1 << 10
        case "mib": factor = 1 << 20
        case "gib": factor = 1 << 30
        case "tib": factor = 1 << 40
        case "kb": factor = 1_000
        case "mb": factor = 1_000_000
        case "gb": factor = 1_000_000_000
        case "tb": factor = 1_000_000_000_000
        default: return nil
        }
        let (product, overflow) = number.multipliedReportingOverflow(by: factor)
        return overflow ? nil : product
    }

    /// `500ms`, `30 s`, `5m`, `2h`, `1d`; nil if it is not a duration or is longer than 100 years.
    static func duration(_ text: String) -> Duration? {
        guard let (number, unit) = split(text), number <= 3_155_760_000_000 else { return nil }
        let milliseconds: Int
        switch unit {
        case "ms": milliseconds = 1
        case "s": milliseconds = 1000
        case "m": milliseconds = 60_000
        case "h": milliseconds = 3_600_000
        case "d": milliseconds = 86_400_000
        default: return nil
        }
        let (product, overflow) = number.multipliedReportingOverflow(by: milliseconds)
        return overflow || product > 3_155_760_000_000 ? nil : .milliseconds(product)
    }

    static func describe(octets: Int) -> String {
        for (shift, unit) in [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")]
        where octets >= 1 << shift && octets % (1 << shift) == 0 {
            return "\(octets >> shift) \(unit)"
        }
        return "\(octets) B"
    }

    private static func split(_ text: String) -> (Int, Substring)? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int(digits) else { return nil }
        return (number, text[digits.endIndex...].drop { $0 == " " })
    }
}

/// Guesses at what was meant.
enum Spelling {
    /// " Did you mean …?", or nothing where nothing is near.
    static func hint(_ word: String, among known: [String]) -> String {
        guard word.utf8.count <= 64 else { return "" }
        let nearest = known.map { ($0, distance(Array(word.utf8), Array($0.utf8))) }
            .min { $0.1 < $1.1 }
        guard let nearest, nearest.1 <= max(2, word.utf8.count / 3) else { return "" }
        return " Did you mean \"\(nearest.0)\"?"
    }

    private static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        var row = Array(0...b.count)
        for (i, x) in a.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, y) in b.enumerated() {
                let next = min(row[j] + 1, row[j + 1] + 1, diagonal + (x == y ? 0 : 1))
                diagonal = row[j + 1]
                row[j + 1] = next
            }
        }
        return row[b.count]
    }
}
