/// Reads a word as a whole number or one with a fraction.
struct TOMLNumber {
    private let word: ArraySlice<UInt8>
    private var at: Int
    /// The word is a whole number, but none of 64 bits.
    private(set) var isTooLarge = false

    init(_ word: ArraySlice<UInt8>) {
        self.word = word
        at = word.startIndex
    }

    /// nil if it is no number.
    mutating func read() -> TOMLValue? {
        if let radix = prefixedRadix() { return readPrefixed(radix) }
        let isSigned = take("+") || take("-")
        let isNegative = isSigned && word.first == UInt8(ascii: "-")
        if word[at...].elementsEqual("inf".utf8) {
            return .float(isNegative ? -.infinity : .infinity)
        }
        if word[at...].elementsEqual("nan".utf8) { return .float(.nan) }
        let start = at
        guard takeDigits() else { return nil }
        if word[start] == UInt8(ascii: "0"), at - start > 1 { return nil }
        if at == word.endIndex { return readInteger(word[start...], 10, isNegative) }
        if take("."), !takeDigits() { return nil }
        if take("e") || take("E") {
            _ = take("+") || take("-")
            guard takeDigits() else { return nil }
        }
        guard at == word.endIndex else { return nil }
        let plain = word.filter { $0 != UInt8(ascii: "_") }
        return Double(String(decoding: plain, as: UTF8.self)).map { .float($0) }
    }

    private mutating func take(_ character: Character) -> Bool {
        guard at < word.endIndex, word[at] == character.asciiValue else { return false }
        at += 1
        return true
    }

    /// Digits, with single underscores between them.
    private mutating func takeDigits() -> Bool {
        let start = at
        while at < word.endIndex {
            if word[at] >= 0x30, word[at] <= 0x39 {
                at += 1
            } else if word[at] == UInt8(ascii: "_"), at > start, word[at - 1] != word[at],
                at + 1 < word.endIndex, word[at + 1] >= 0x30, word[at + 1] <= 0x39
            {
                at += 1
            } else {
                break
            }
        }
        return at > start
    }

    private func prefixedRadix() -> UInt8? {
        guard word.count > 2, word[at] == UInt8(ascii: "0") else { return nil }
        switch word[at + 1] {
        case UInt8(ascii: "x"): return 16
        case UInt8(ascii: "o"): return 8
        case UInt8(ascii: "b"): return 2
        default: return nil
        }
    }

    private mutating func readPrefixed(_ radix: UInt8) -> TOMLValue? {
        let digits = word.dropFirst(2)
        guard digits.first != UInt8(ascii: "_"), digits.last != UInt8(ascii: "_") else {
            return nil
        }
        var last: UInt8 = 0
        for byte in digits {
            if byte == UInt8(ascii: "_") {
                if last == byte { return nil }
            } else {
                guard let digit = Self.hexadecimal(byte), digit < radix else { return nil }
            }
            last = byte
        }
        return readInteger(digits, Int64(radix), false)
    }

    private mutating func readInteger(
        _ digits: ArraySlice<UInt8>, _ radix: Int64, _ isNegative: Bool
    ) -> TOMLValue? {
        // Summed up below zero, where there is room for one more.
        var sum: Int64 = 0
        for byte in digits {
            guard let digit = Self.hexadecimal(byte) else { continue }
            let (product, overflow) = sum.multipliedReportingOverflow(by: radix)
            let (next, underflow) = product.subtractingReportingOverflow(Int64(digit))
            if overflow || underflow {
                isTooLarge = true
                return nil
            }
            sum = next
        }
        if isNegative { return .integer(sum) }
        guard sum != .min else {
            isTooLarge = true
            return nil
        }
        return .integer(-sum)
    }

    static func hexadecimal(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }
}

/// Dates and times as RFC 3339 writes them: offset date-time, local date-time, local date, local time.
enum TOMLDateTime {
    static func isValid(_ word: ArraySlice<UInt8>) -> Bool {
        guard word.count >= 8 else { return false }
        if word[word.startIndex + 2] == UInt8(ascii: ":") { return isTime(word) }
        guard word.count >= 10, isDate(word.prefix(10)) else { return false }
        let behind = word.dropFirst(10)
        guard let separator = behind.first else { return true }
        guard separator == UInt8(ascii: "T") || separator == UInt8(ascii: "t") || separator == 0x20
        else { return false }
        let time = behind.dropFirst()
        if time.last == UInt8(ascii: "Z") || time.last == UInt8(ascii: "z") {
            return isTime(time.dropLast())
        }
        if let sign = time.lastIndex(where: { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "-") })
        {
            return isOffset(time[(sign + 1)...]) && isTime(time[..<sign])
        }
        return isTime(time)
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        var out = 0
        for byte in digits {
            guard byte >= 0x30, byte <= 0x39 else { return nil }
            out = out * 10 + Int(byte - 0x30)
        }
        return out
    }

    private static func field(_ word: ArraySlice<UInt8>, _ from: Int, _ to: Int) -> Int? {
        number(word[(word.startIndex + from)..<(word.startIndex + to)])
    }

    private static func isDate(_ word: ArraySlice<UInt8>) -> Bool {
        guard word[word.startIndex + 4] == UInt8(ascii: "-"),
            word[word.startIndex + 7] == UInt8(ascii: "-"), let year = field(word, 0, 4),
            let month = field(word, 5, 7), let day = field(word, 8, 10), (1...12).contains(month)
        else { return false }
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
        return (1...days).contains(day)
    }

    private static func isTime(_ word: ArraySlice<UInt8>) -> Bool {
        guard word.count >= 8, word[word.startIndex + 2] == UInt8(ascii: ":"),
            word[word.startIndex + 5] == UInt8(ascii: ":"), let hour = field(word, 0, 2),
            let minute = field(word, 3, 5), let second = field(word, 6, 8), hour < 24, minute < 60,
            second < 60
        else { return false }
        let fraction = word.dropFirst(8)
        guard let point = fraction.first else { return true }
        return point == UInt8(ascii: ".") && fraction.count > 1
            && fraction.dropFirst().allSatisfy { $0 >= 0x30 && $0 <= 0x39 }
    }

    private static func isOffset(_ word: ArraySlice<UInt8>) -> Bool {
        guard word.count == 5, word[word.startIndex + 2] == UInt8(ascii: ":"),
            let hour = field(word, 0, 2), let minute = field(word, 3, 5)
        else { return false }
        return hour < 24 && minute < 60
    }
}
