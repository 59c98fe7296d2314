extension TOMLTable {
    /// Reads a text as TOML 1.0.0, with two readings that the standard leaves open: a byte order mark
    /// at the start is skipped, and CRLF within a multi-line text counts as LF.
    ///
    /// Any octets are read or refused, in time and memory that grow with their number.
    public init(parsing bytes: [UInt8], limits: TOMLLimits = TOMLLimits()) throws(TOMLError) {
        var parser = TOMLParser(bytes, limits)
        self = try parser.parse()
    }
}

/// Reads a text from front to back; nothing is read twice, but for a number or a date.
struct TOMLParser {
    let bytes: [UInt8]
    let limits: TOMLLimits
    var offset = 0

    // Where `mark` is; moved forward as places are asked for, so that each octet is counted once.
    private var mark = 0
    private var line = 1
    private var column = 1

    init(_ bytes: [UInt8], _ limits: TOMLLimits) {
        self.bytes = bytes
        self.limits = limits
    }

    // MARK: Places

    /// The place of `offset`. To be asked for in ascending order.
    mutating func position() -> TOMLPosition {
        while mark < offset, mark < bytes.count {
            if bytes[mark] == UInt8(ascii: "\n") {
                line += 1
                column = 1
            } else if bytes[mark] & 0xC0 != 0x80 {
                column += 1
            }
            mark += 1
        }
        return TOMLPosition(line: line, column: column)
    }

    mutating func failure(_ message: String) -> TOMLError {
        TOMLError(position: position(), message: message)
    }

    /// What stands at `offset`, for messages.
    func whatIsHere() -> String {
        guard offset < bytes.count else { return "the end of the file" }
        switch bytes[offset] {
        case 0x0A: return "the end of the line"
        case 0x0D:
            return peek(1) == 0x0A
                ? "the end of the line" : "a carriage return that no line feed follows"
        case 0x00..<0x20, 0x7F:
            let digits = String(bytes[offset], radix: 16, uppercase: true)
            return "the control character U+00\(bytes[offset] < 16 ? "0" : "")\(digits)"
        default:
            let character = String(decoding: bytes[offset...].prefix(4), as: UTF8.self).first
            return "\"\(character.map { String($0) } ?? "")\""
        }
    }

    // MARK: The text as a whole

    mutating func parse() throws(TOMLError) -> TOMLTable {
        try checkEncoding()
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
            offset = 3
            mark = 3
        }
        var tree = TOMLTreeBuilder(depthMax: limits.depthMax)
        while true {
            skipBlanks()
            guard let byte = peek() else { return tree.finish() }
            switch byte {
            case UInt8(ascii: "#"), 0x0A, 0x0D: break
            case UInt8(ascii: "["): try readHeader(&tree)
            default: try readPair(&tree, depth: 0)
            }
            try endLine()
        }
    }

    private mutating func checkEncoding() throws(TOMLError) {
        guard String(validating: bytes, as: UTF8.self) == nil else { return }
        var parser = Unicode.UTF8.ForwardParser()
        var rest = bytes.makeIterator()
        loop: while true {
            switch parser.parseScalar(from: &rest) {
            case .valid(let scalar): offset += scalar.count
            case .error, .emptyInput: break loop
            }
        }
        throw failure("The file is not UTF-8 from here on. Save it in that encoding.")
    }

    // MARK: Octets

    func peek(_ ahead: Int = 0) -> UInt8? {
        offset + ahead < bytes.count ? bytes[offset + ahead] : nil
    }

    mutating func take(_ byte: Character) -> Bool {
        guard peek() == byte.asciiValue else { return false }
        offset += 1
        return true
    }

    mutating func skipBlanks() {
        while let byte = peek(), byte == 0x20 || byte == 0x09 { offset += 1 }
    }

    /// LF or CRLF.
    mutating func takeNewline() -> Bool {
        if peek() == 0x0A {
            offset += 1
            return true
        }
        guard peek() == 0x0D, peek(1) == 0x0A else { return false }
        offset += 2
        return true
    }

    mutating func skipComment() throws(TOMLError) {
        guard take("#") else { return }
        while let byte = peek(), byte != 0x0A {
            if byte == 0x0D, peek(1) == 0x0A { return }
            if byte < 0x20 && byte != 0x09 || byte == 0x7F {
                throw failure("\(whatIsHere()) is not allowed in a comment: remove it.".firstUpper)
            }
            offset += 1
        }
    }

    private mutating func endLine() throws(TOMLError) {
        skipBlanks()
        try skipComment()
        guard offset < bytes.count, !takeNewline() else { return }
        throw failure(
            "The line has to end here, and \(whatIsHere()) follows. One line holds one key; a text "
                + "stands in one pair of quotes.")
    }

    // MARK: Headers and keys

    private mutating func readHeader(_ tree: inout TOMLTreeBuilder) throws(TOMLError) {
        offset += 1
        let isElement = take("[")
        skipBlanks()
        guard startsKey() else {
            throw failure(
                "A section header is [name] or [[name]], and \(whatIsHere()) cannot begin a name.")
        }
        let path = try readPath()
        guard take("]"), !isElement || take("]") else {
            throw failure(
                "A section header ends with \(isElement ? "]]" : "]"), and \(whatIsHere()) "
                    + "stands here.")
        }
        try tree.open(path, isElement: isElement)
    }

    /// `key = value`.
    mutating func readPair(_ tree: inout TOMLTreeBuilder, depth: Int) throws(TOMLError) {
        guard startsKey() else {
            throw failure(
                "A key is expected here, as in hostname = \"mail.example.org\", and "
                    + "\(whatIsHere()) cannot begin one.")
        }
        let path = try readPath()
        guard take("=") else {
            throw failure("After a key, = is expected, and \(whatIsHere()) stands here.")
        }
        skipBlanks()
        try tree.set(path, to: readValue(depth: depth))
    }

    private func startsKey() -> Bool {
        guard let byte = peek() else { return false }
        return byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") || Self.isBareKey(byte)
    }

    static func isBareKey(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x5F: true
        default: false
        }
    }

    /// A key or several with dots between, and the blanks behind.
    private mutating func readPath() throws(TOMLError) -> [TOMLKey] {
        var path: [TOMLKey] = []
        repeat {
            skipBlanks()
            guard path.count < limits.depthMax else {
                throw failure("A key has at most \(limits.depthMax) parts.")
            }
            path.append(try readKey())
            skipBlanks()
        } while take(".")
        return path
    }

    private mutating func readKey() throws(TOMLError) -> TOMLKey {
        let position = position()
        if take("\"") { return TOMLKey(bytes: try readBasic(), position: position) }
        if take("'") { return TOMLKey(bytes: try readLiteral(), position: position) }
        let start = offset
        while let byte = peek(), Self.isBareKey(byte) { offset += 1 }
        guard offset > start else {
            throw failure(
                "A name is expected here, and \(whatIsHere()) cannot begin one. Names with other "
                    + "characters than letters, digits, - and _ stand in quotes.")
        }
        return TOMLKey(bytes: Array(bytes[start..<offset]), position: position)
    }
}

extension String {
    var firstUpper: String { prefix(1).uppercased() + dropFirst() }
}
