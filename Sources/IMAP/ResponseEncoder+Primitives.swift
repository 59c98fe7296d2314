extension ResponseEncoder {
    @inlinable @inline(__always)
    public static func append(_ text: StaticString, to out: inout [UInt8]) {
        out.append(
            contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    @inlinable @inline(__always)
    public static func append(_ number: UInt32, to out: inout [UInt8]) {
        append(UInt64(number), to: &out)
    }

    /// Decimal digits, without a String between.
    @inlinable
    public static func append(_ number: UInt64, to out: inout [UInt8]) {
        withUnsafeTemporaryAllocation(byteCount: 20, alignment: 1) { digits in
            var end = 0
            write(number, digits, &end)
            out.append(contentsOf: UnsafeRawBufferPointer(rebasing: digits[0..<end]))
        }
    }

    /// `1:5,7`; the set must not be empty.
    public static func append(_ set: NumberSet, to out: inout [UInt8]) {
        precondition(!set.isEmpty, "an empty set cannot be written")
        var isFirst = true
        for range in set.ranges {
            if !isFirst { out.append(0x2C) }
            isFirst = false
            append(range.lowerBound, to: &out)
            if range.upperBound > range.lowerBound {
                out.append(0x3A)
                append(range.upperBound, to: &out)
            }
        }
    }

    /// A string that every client takes: quoted, or a literal for controls and 8-bit octets.
    public static func appendString(_ text: String, to out: inout [UInt8]) {
        StringEncoder.append(Array(text.utf8), to: &out)
    }

    /// As `appendString`, for octets.
    public static func appendString(_ text: UnsafeRawBufferPointer, to out: inout [UInt8]) {
        StringEncoder.append(text, to: &out)
    }

    /// `(a b c)` of words that need no quotes.
    public static func appendList(_ words: [String], to out: inout [UInt8]) {
        out.append(0x28)
        for (index, word) in words.enumerated() {
            if index > 0 { out.append(0x20) }
            out.append(contentsOf: word.utf8)
        }
        out.append(0x29)
    }

    static func appendWord(_ word: String, to out: inout [UInt8]) {
        out.append(0x20)
        out.append(contentsOf: word.utf8)
    }
}
