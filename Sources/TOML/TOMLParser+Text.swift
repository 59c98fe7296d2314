extension TOMLParser {
    /// A text of any of the four forms, its quote at `offset`.
    mutating func readText() throws(TOMLError) -> [UInt8] {
        let quote = bytes[offset]
        let isBasic = quote == UInt8(ascii: "\"")
        if peek(1) == quote, peek(2) == quote {
            offset += 3
            return try readMultiline(quote)
        }
        offset += 1
        return isBasic ? try readBasic() : try readLiteral()
    }

    /// Behind the opening quote.
    mutating func readBasic() throws(TOMLError) -> [UInt8] {
        var out: [UInt8] = []
        while let byte = peek() {
            switch byte {
            case UInt8(ascii: "\""):
                offset += 1
                return out
            case UInt8(ascii: "\\"): try readEscape(&out)
            default: try takePlain(byte, &out)
            }
        }
        throw unclosed("\"")
    }

    /// Behind the opening quote.
    mutating func readLiteral() throws(TOMLError) -> [UInt8] {
        var out: [UInt8] = []
        while let byte = peek() {
            if byte == UInt8(ascii: "'") {
                offset += 1
                return out
            }
            try takePlain(byte, &out)
        }
        throw unclosed("'")
    }

    private mutating func takePlain(_ byte: UInt8, _ out: inout [UInt8]) throws(TOMLError) {
        if byte == 0x0A || byte == 0x0D && peek(1) == 0x0A {
            throw failure("The line ends within a text in quotes: is the closing quote missing?")
        }
        try checkPlain(byte)
        out.append(byte)
        offset += 1
    }

    private mutating func checkPlain(_ byte: UInt8) throws(TOMLError) {
        if byte < 0x20 && byte != 0x09 || byte == 0x7F {
            throw failure("\(whatIsHere()) is not allowed in a text: remove it.".firstUpper)
        }
    }

    private mutating func unclosed(_ quote: String) -> TOMLError {
        failure("The file ends within a text that began with \(quote): close it.")
    }

    // MARK: Texts of several lines

    /// Behind the three opening quotes.
    private mutating func readMultiline(_ quote: UInt8) throws(TOMLError) -> [UInt8] {
        let isBasic = quote == UInt8(ascii: "\"")
        var out: [UInt8] = []
        // A line end right behind the quotes does not count.
        _ = takeNewline()
        while let byte = peek() {
            if byte == quote {
                let count = quotes(quote)
                offset += count
                if count >= 3 {
                    // One or two of them belong to the text.
                    return out + [UInt8](repeating: quote, count: count - 3)
                }
                out += [UInt8](repeating: quote, count: count)
            } else if isBasic, byte == UInt8(ascii: "\\") {
                if try !skipLineEnd() { try readEscape(&out) }
            } else if takeNewline() {
                out.append(0x0A)
            } else {
                try checkPlain(byte)
                out.append(byte)
                offset += 1
            }
        }
        throw unclosed(isBasic ? "\"\"\"" : "'''")
    }

    /// How many quotes follow one another, at most five.
    private func quotes(_ quote: UInt8) -> Int {
        var count = 0
        while count < 5, peek(count) == quote { count += 1 }
        return count
    }

    /// A backslash at the end of a line swallows it and the white space behind it; false if it is none.
    private mutating func skipLineEnd() throws(TOMLError) -> Bool {
        let start = offset
        offset += 1
        skipBlanks()
        guard takeNewline() else {
            offset = start
            return false
        }
        repeat { skipBlanks() } while takeNewline()
        return true
    }

    // MARK: Escapes

    private mutating func readEscape(_ out: inout [UInt8]) throws(TOMLError) {
        let letter = peek(1)
        switch letter {
        case UInt8(ascii: "b"): out.append(0x08)
        case UInt8(ascii: "t"): out.append(0x09)
        case UInt8(ascii: "n"): out.append(0x0A)
        case UInt8(ascii: "f"): out.append(0x0C)
        case UInt8(ascii: "r"): out.append(0x0D)
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): out.append(bytes[offset + 1])
        case UInt8(ascii: "u"): return try readScalar(digits: 4, &out)
        case UInt8(ascii: "U"): return try readScalar(digits: 8, &out)
        default:
            throw failure(
                "There is no such escape. Write \\\\ for a backslash, or put the text into single "
                    + "quotes, where a backslash is one.")
        }
        offset += 2
    }

    private mutating func readScalar(digits: Int, _ out: inout [UInt8]) throws(TOMLError) {
        var value: UInt32 = 0
        for index in 2..<(2 + digits) {
            guard let digit = peek(index).flatMap(TOMLNumber.hexadecimal) else {
                throw failure("Here \(digits) hexadecimal digits have to follow.")
            }
            value = value << 4 | UInt32(digit)
        }
        guard let scalar = Unicode.Scalar(value) else {
            throw failure("There is no such character in Unicode.")
        }
        out += UTF8.encode(scalar).map { Array($0) } ?? []
        offset += 2 + digits
    }
}
