extension TOMLParser {
    /// - Parameter depth: how many lists and inline tables this lies in.
    mutating func readValue(depth: Int) throws(TOMLError) -> TOMLNode {
        let position = position()
        let value: TOMLValue =
            switch peek() {
            case UInt8(ascii: "\""), UInt8(ascii: "'"):
                .string(String(decoding: try readText(), as: UTF8.self))
            case UInt8(ascii: "["): .array(try readArray(depth: depth + 1))
            case UInt8(ascii: "{"): .table(try readInlineTable(depth: depth + 1))
            default: try readBareValue()
            }
        return TOMLNode(value, at: position)
    }

    private mutating func checkDepth(_ depth: Int) throws(TOMLError) {
        guard depth <= limits.depthMax else {
            throw failure(
                "Lists and tables lie in one another deeper than \(limits.depthMax) levels.")
        }
    }

    // MARK: Lists and inline tables

    private mutating func readArray(depth: Int) throws(TOMLError) -> [TOMLNode] {
        try checkDepth(depth)
        offset += 1
        var out: [TOMLNode] = []
        while true {
            try skipLines()
            if take("]") { return out }
            out.append(try readValue(depth: depth))
            try skipLines()
            if take("]") { return out }
            guard take(",") else {
                throw failure(
                    "In a list, \",\" or \"]\" is expected here, and \(whatIsHere()) stands here.")
            }
        }
    }

    /// Blanks, comments and ends of lines.
    private mutating func skipLines() throws(TOMLError) {
        repeat {
            skipBlanks()
            try skipComment()
        } while takeNewline()
    }

    /// All in one line, and without a comma behind the last pair: so TOML 1.0.0 has it.
    private mutating func readInlineTable(depth: Int) throws(TOMLError) -> TOMLTable {
        try checkDepth(depth)
        offset += 1
        var tree = TOMLTreeBuilder(depthMax: limits.depthMax, depth: depth)
        skipBlanks()
        if take("}") { return tree.finish() }
        while true {
            skipBlanks()
            try readPair(&tree, depth: depth)
            skipBlanks()
            if take("}") { return tree.finish() }
            guard take(",") else {
                throw failure(
                    "In a table within { }, \",\" or \"}\" is expected here, in the same line, and "
                        + "\(whatIsHere()) stands here.")
            }
        }
    }

    // MARK: What stands without quotes

    private mutating func readBareValue() throws(TOMLError) -> TOMLValue {
        let position = position()
        let start = offset
        skipBareword()
        // A date and a time may have a blank between them.
        if offset - start == 10, peek() == 0x20, bytes[start + 4] == UInt8(ascii: "-"),
            let first = peek(1), first >= 0x30, first <= 0x39, peek(3) == UInt8(ascii: ":")
        {
            offset += 1
            skipBareword()
        }
        let word = bytes[start..<offset]
        if let value = try bareValue(word, position) { return value }
        guard let first = word.first else {
            throw TOMLError(
                position: position,
                message:
                    "A value is expected here, such as \"text\", 42, true or [\"a\", \"b\"], and "
                    + "\(whatIsHere()) stands here.")
        }
        let shown = TOMLKey(bytes: Array(word), position: position).description
        let isNumeric = first >= 0x30 && first <= 0x39 || first == 0x2B || first == 0x2D
        throw TOMLError(
            position: position,
            message: isNumeric
                ? "\(shown) is neither a number nor a date. A text stands in quotes: \"\(shown)\"."
                : "\(shown) is no value. A text stands in quotes: \"\(shown)\".")
    }

    private mutating func skipBareword() {
        while let byte = peek() {
            switch byte {
            case 0...0x20, 0x7F, UInt8(ascii: ","), UInt8(ascii: "]"), UInt8(ascii: "}"),
                UInt8(ascii: "#"), UInt8(ascii: "\""), UInt8(ascii: "'"):
                return
            default: offset += 1
            }
        }
    }

    private func bareValue(_ word: ArraySlice<UInt8>, _ position: TOMLPosition) throws(TOMLError)
        -> TOMLValue?
    {
        if word.elementsEqual("true".utf8) { return .boolean(true) }
        if word.elementsEqual("false".utf8) { return .boolean(false) }
        var number = TOMLNumber(word)
        if let value = number.read() { return value }
        if number.isTooLarge {
            throw TOMLError(
                position: position, message: "This number does not fit into 64 bits.")
        }
        guard TOMLDateTime.isValid(word) else { return nil }
        return .dateTime(String(decoding: word, as: UTF8.self))
    }
}
