/// Why a command was refused: BAD with this text, or NO where `code` says that syntax was right.
public struct IMAPSyntaxError: Error, Sendable, Equatable {
    public let text: String
    public let status: IMAPStatus
    public let code: ResponseCode?

    init(_ text: String, status: IMAPStatus = .bad, code: ResponseCode? = nil) {
        self.text = text
        self.status = status
        self.code = code
    }
}

/// A place in a frame; every method takes what it names or throws.
struct CommandCursor {
    let bytes: UnsafeRawBufferPointer
    let streamed: [StreamedLiteral]
    let limits: IMAPLimits
    /// Octets above 127 are allowed in quoted strings, and names are UTF-8.
    let isUTF8: Bool
    var position = 0
    private var nextStreamed = 0

    init(
        _ bytes: UnsafeRawBufferPointer, streamed: [StreamedLiteral], limits: IMAPLimits,
        isUTF8: Bool
    ) {
        self.bytes = bytes
        self.streamed = streamed
        self.limits = limits
        self.isUTF8 = isUTF8
    }

    var isAtEnd: Bool { position == bytes.count }

    /// 0 at the end, which no rule takes.
    var peek: UInt8 { position < bytes.count ? bytes[position] : 0 }

    mutating func skip(_ byte: UInt8) -> Bool {
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    mutating func expect(_ byte: UInt8, _ what: StaticString) throws(IMAPSyntaxError) {
        if !skip(byte) { throw IMAPSyntaxError("Expected \(what)") }
    }

    mutating func space() throws(IMAPSyntaxError) { try expect(0x20, "a space") }

    /// Takes the octets of `name`, given in capitals, in any case.
    mutating func skip(word name: StaticString) -> Bool {
        let count = name.utf8CodeUnitCount
        guard bytes.count - position >= count else { return false }
        for i in 0..<count where IMAPBytes.upper(bytes[position + i]) != name.utf8Start[i] {
            return false
        }
        position += count
        return true
    }

    /// A run of letters, digits, `-`, `.`, `=`, `_` and `+`, in capitals.
    mutating func word(_ what: StaticString) throws(IMAPSyntaxError) -> String {
        let start = position
        while position < bytes.count, Self.isWord(bytes[position]) { position += 1 }
        guard position > start, position - start <= 64 else {
            throw IMAPSyntaxError("Expected \(what)")
        }
        return String(
            decoding: bytes[start..<position].map { IMAPBytes.upper($0) }, as: UTF8.self)
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2B, 0x2D, 0x2E, 0x3D, 0x5F: true
        default: false
        }
    }

    mutating func atom(_ what: StaticString) throws(IMAPSyntaxError) -> Range<Int> {
        let start = position
        while position < bytes.count, IMAPBytes.isAtom(bytes[position]) { position += 1 }
        if position == start { throw IMAPSyntaxError("Expected \(what)") }
        return start..<position
    }

    func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

    // MARK: Numbers

    /// Up to `maximum`, no sign, at least one digit.
    mutating func number(
        _ what: StaticString, maximum: UInt64 = UInt64(UInt32.max)
    ) throws(IMAPSyntaxError) -> UInt64 {
        let start = position
        var value: UInt64 = 0
        while position < bytes.count, IMAPBytes.isDigit(bytes[position]) {
            let digit = UInt64(bytes[position] & 0x0F)
            let (high, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = high.addingReportingOverflow(digit)
            if overflow || carry || sum > maximum {
                throw IMAPSyntaxError("Number too large in \(what)")
            }
            value = sum
            position += 1
        }
        if position == start { throw IMAPSyntaxError("Expected \(what)") }
        return value
    }

    mutating func nonZero(_ what: StaticString) throws(IMAPSyntaxError) -> UInt32 {
        let value = try number(what)
        if value == 0 { throw IMAPSyntaxError("\(what) must not be 0") }
        return UInt32(value)
    }

    /// 63 bits (RFC 7162 §7).
    mutating func modSeq() throws(IMAPSyntaxError) -> UInt64 {
        try number("a mod-sequence", maximum: UInt64(Int64.max))
    }

    /// `1:5,7,*` or `$`.
    mutating func sequenceSet() throws(IMAPSyntaxError) -> SequenceSet {
        if skip(0x24) { return .savedResult }
        var ranges: [SequenceSet.Range] = []
        repeat {
            let first = try sequenceNumber()
            let last = skip(0x3A) ? try sequenceNumber() : first
            if ranges.count == limits.rangesMax {
                throw IMAPSyntaxError(
                    "Too many ranges in a set", status: .no, code: .limit)
            }
            ranges.append(SequenceSet.Range(first, last))
        } while skip(0x2C)
        return SequenceSet(ranges: ranges)
    }

    /// A set without `*` and `$`.
    mutating func knownSet() throws(IMAPSyntaxError) -> SequenceSet {
        let set = try sequenceSet()
        for range in set.ranges where range.first == 0 || range.last == 0 {
            throw IMAPSyntaxError("* is not allowed here")
        }
        if set.isSavedResult { throw IMAPSyntaxError("$ is not allowed here") }
        return set
    }

    private mutating func sequenceNumber() throws(IMAPSyntaxError) -> UInt32 {
        if skip(0x2A) { return 0 }
        return try nonZero("a sequence number")
    }

    // MARK: Strings

    /// `astring`
    mutating func astring(_ what: StaticString) throws(IMAPSyntaxError) -> [UInt8] {
        let start = position
        while position < bytes.count, IMAPBytes.isAstring(bytes[position]) { position += 1 }
        if position > start { return Array(bytes[start..<position]) }
        return try string(what)
    }

    /// Quoted or literal.
    mutating func string(_ what: StaticString) throws(IMAPSyntaxError) -> [UInt8] {
        switch peek {
        case 0x22: return try quoted()
        case 0x7B:
            let range = try literal()
            for byte in bytes[range] where byte == 0 {
                throw IMAPSyntaxError("NUL in a literal")
            }
            return Array(bytes[range])
        default: throw IMAPSyntaxError("Expected \(what)")
        }
    }

    mutating func nstring(_ what: StaticString) throws(IMAPSyntaxError) -> [UInt8]? {
        if skip(word: "NIL") { return nil }
        return try string(what)
    }

    private mutating func quoted() throws(IMAPSyntaxError) -> [UInt8] {
        position += 1
        var result: [UInt8] = []
        while position < bytes.count {
            var byte = bytes[position]
            position += 1
            if byte == 0x22 { return result }
            if byte == 0x5C {
                byte = peek
                guard byte == 0x22 || byte == 0x5C else {
                    throw IMAPSyntaxError("Only \\ and \" may follow \\ in a quoted string")
                }
                position += 1
            }
            if byte == 0 || byte == 0x0A || byte == 0x0D {
                throw IMAPSyntaxError("Control character in a quoted string")
            }
            // Without UTF-8 the grammar has no octets above 127 here; Dovecot and old clients do,
            // and whoever reads the value checks it anyway.
            result.append(byte)
        }
        throw IMAPSyntaxError("Quoted string does not end")
    }

    /// `{n}`, `{n+}`; the octets' place in the frame.
    mutating func literal() throws(IMAPSyntaxError) -> Range<Int> {
        let count = try literalHeader()
        if nextStreamed < streamed.count, streamed[nextStreamed].offset == position {
            throw IMAPSyntaxError("Literal is too big here", code: .tooBig)
        }
        guard count <= bytes.count - position else { throw IMAPSyntaxError("Literal is cut off") }
        position += count
        return position - count..<position
    }

    /// The body of APPEND, held or streamed.
    mutating func messageLiteral() throws(IMAPSyntaxError) -> AppendMessage.Body {
        let count = try literalHeader()
        if nextStreamed < streamed.count, streamed[nextStreamed].offset == position {
            nextStreamed += 1
            return .streamed(nextStreamed - 1)
        }
        guard count <= bytes.count - position else { throw IMAPSyntaxError("Literal is cut off") }
        position += count
        return .held(position - count..<position)
    }

    private mutating func literalHeader() throws(IMAPSyntaxError) -> Int {
        try expect(0x7B, "a literal")
        let count = try number("a literal's size", maximum: UInt64(Int64.max))
        _ = skip(0x2B)
        try expect(0x7D, "} after a literal's size")
        try expect(0x0D, "CRLF after a literal's size")
        try expect(0x0A, "CRLF after a literal's size")
        return Int(count)
    }

    mutating func mailbox() throws(IMAPSyntaxError) -> String {
        let raw = try astring("a mailbox name")
        do throws(MailboxName.Failure) {
            return try raw.withRawBytes { (bytes) throws(MailboxName.Failure) in
                try MailboxName.decode(bytes, isUTF8: isUTF8, limits: limits)
            }
        } catch {
            let isSyntax = error == .badUTF7 || error == .notUTF8
            throw IMAPSyntaxError(
                error.text, status: isSyntax ? .bad : .no, code: isSyntax ? nil : .cannot)
        }
    }

    // MARK: Flags

    mutating func flag() throws(IMAPSyntaxError) -> IMAPFlag {
        if skip(0x5C) {
            switch try word("a flag") {
            case "SEEN": return .seen
            case "ANSWERED": return .answered
            case "FLAGGED": return .flagged
            case "DELETED": return .deleted
            case "DRAFT": return .draft
            case "RECENT": throw IMAPSyntaxError("\\Recent cannot be changed")
            case let name: throw IMAPSyntaxError("Unknown system flag \\\(name)")
            }
        }
        return .keyword(try keyword())
    }

    mutating func keyword() throws(IMAPSyntaxError) -> String {
        let range = try atom("a keyword")
        if range.count > limits.keywordMaxOctets {
            throw IMAPSyntaxError("Keyword is too long", status: .no, code: .limit)
        }
        return text(range)
    }

    /// `(` flags `)`
    mutating func flagList() throws(IMAPSyntaxError) -> [IMAPFlag] {
        try list("(", allowsEmpty: true) { (cursor) throws(IMAPSyntaxError) in try cursor.flag() }
    }

    /// Elements in parentheses, one space between them.
    mutating func list<T>(
        _ what: StaticString, allowsEmpty: Bool = false,
        _ element: (inout CommandCursor) throws(IMAPSyntaxError) -> T
    ) throws(IMAPSyntaxError) -> [T] {
        try expect(0x28, what)
        var result: [T] = []
        if allowsEmpty, skip(0x29) { return result }
        while true {
            if result.count == limits.listItemsMax {
                throw IMAPSyntaxError("List is too long", status: .no, code: .limit)
            }
            result.append(try element(&self))
            if skip(0x29) { return result }
            try space()
        }
    }

    // MARK: Dates

    /// `1-Feb-1994`, quoted or not.
    mutating func date() throws(IMAPSyntaxError) -> IMAPDate {
        let isQuoted = skip(0x22)
        let day = try number("a day", maximum: 31)
        let (month, year) = try monthAndYear()
        if isQuoted { try expect(0x22, "the end of a date") }
        guard let date = IMAPDate(year: year, month: month, day: Int(day)) else {
            throw IMAPSyntaxError("There is no such day")
        }
        return date
    }

    private mutating func monthAndYear() throws(IMAPSyntaxError) -> (Int, Int) {
        try expect(0x2D, "- in a date")
        guard bytes.count - position >= 4,
            let month = IMAPMonth.number(
                bytes[position], bytes[position + 1], bytes[position + 2])
        else { throw IMAPSyntaxError("Expected a month") }
        position += 3
        try expect(0x2D, "- in a date")
        return (month, try digits(4))
    }

    private mutating func digits(_ count: Int) throws(IMAPSyntaxError) -> Int {
        var value = 0
        for _ in 0..<count {
            guard IMAPBytes.isDigit(peek) else { throw IMAPSyntaxError("Expected a digit") }
            value = value * 10 + Int(peek & 0x0F)
            position += 1
        }
        return value
    }

    /// `"17-Jul-1996 02:44:25 -0700"`, the day of one digit after a space.
    mutating func dateTime() throws(IMAPSyntaxError) -> IMAPDateTime {
        try expect(0x22, "a date")
        let day = skip(0x20) ? try digits(1) : try digits(2)
        let (month, year) = try monthAndYear()
        try space()
        let hour = try digits(2)
        try expect(0x3A, ": in a time")
        let minute = try digits(2)
        try expect(0x3A, ": in a time")
        let second = try digits(2)
        try space()
        let isWest = skip(0x2D)
        if !isWest { try expect(0x2B, "a zone") }
        let zoneHour = try digits(2)
        let zoneMinute = try digits(2)
        try expect(0x22, "the end of a date")
        guard let date = IMAPDate(year: year, month: month, day: day) else {
            throw IMAPSyntaxError("There is no such day")
        }
        guard hour < 24, minute < 60, second <= 60, zoneHour < 24, zoneMinute < 60 else {
            throw IMAPSyntaxError("There is no such time")
        }
        let zone = (zoneHour * 60 + zoneMinute) * (isWest ? -1 : 1)
        let local = date.daysSinceEpoch * 86_400 + hour * 3_600 + minute * 60 + second
        return IMAPDateTime(secondsSinceEpoch: Int64(local - zone * 60), zoneMinutes: zone)
    }
}
