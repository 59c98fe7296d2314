/// The parts of a Content-Type value (RFC 2045 §5.1).
struct ContentTypeValue {
    var type: ByteRange
    var subtype: ByteRange
    var parameters: ByteRange

    /// Nil if there is no `type/subtype`: the default holds then (RFC 2045 §5.2).
    init?(_ bytes: UnsafeRawBufferPointer, _ value: ByteRange) {
        let end = value.upperBound
        var i = TokenScan.skipSpaceAndComments(bytes, value.lowerBound, end)
        let typeStart = i
        i = TokenScan.skipToken(bytes, i, end)
        type = ByteRange(typeStart, i)
        i = TokenScan.skipSpaceAndComments(bytes, i, end)
        guard !type.isEmpty, i < end, bytes[i] == ASCII.slash else { return nil }
        i = TokenScan.skipSpaceAndComments(bytes, i + 1, end)
        let subtypeStart = i
        i = TokenScan.skipToken(bytes, i, end)
        guard i > subtypeStart else { return nil }
        subtype = ByteRange(subtypeStart, i)
        parameters = ByteRange(i, end)
    }
}

/// Steps over what MIME fields are made of.
package enum TokenScan {
    /// Behind white space, folds and comments; a comment that is not closed reaches to the end.
    package static func skipSpaceAndComments(
        _ bytes: UnsafeRawBufferPointer, _ start: Int, _ end: Int
    ) -> Int {
        var i = start
        while i < end {
            if ASCII.isFoldingSpace(bytes[i]) {
                i += 1
            } else if bytes[i] == ASCII.leftParenthesis {
                i = skipComment(bytes, i, end)
            } else {
                break
            }
        }
        return i
    }

    /// Behind the comment that opens at `start`.
    package static func skipComment(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ end: Int)
        -> Int
    {
        var depth = 0
        var i = start
        while i < end {
            switch bytes[i] {
            case ASCII.leftParenthesis: depth += 1
            case ASCII.rightParenthesis:
                depth -= 1
                if depth == 0 { return i + 1 }
            case ASCII.backslash: i += 1
            default: break
            }
            i += 1
        }
        return end
    }

    /// Behind the token at `start`: no white space, no control, none of the delimiters.
    @inline(__always)
    package static func skipToken(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ end: Int) -> Int
    {
        var i = start
        while i < end {
            switch bytes[i] {
            case 0...32, 127, ASCII.quote, ASCII.leftParenthesis, ASCII.rightParenthesis,
                ASCII.comma, ASCII.slash, ASCII.colon, ASCII.semicolon, ASCII.equals, ASCII.less,
                ASCII.greater, ASCII.at, ASCII.leftBracket, ASCII.rightBracket, ASCII.backslash,
                ASCII.question:
                return i
            default: i += 1
            }
        }
        return i
    }
}

/// One `; name=value`, as places in the message.
public struct MIMEParameterField: Hashable, Sendable {
    public var name: ByteRange
    /// The value, without the quotes around it.
    public var value: ByteRange
    /// Whether the value has backslashes or folds that `appendValue` takes out.
    public var needsUnquoting: Bool

    /// Appends the value as it is meant.
    public func appendValue(from bytes: UnsafeRawBufferPointer, to out: inout [UInt8]) {
        guard needsUnquoting else {
            out.append(contentsOf: bytes[value.range])
            return
        }
        var i = value.lowerBound
        while i < value.upperBound {
            var byte = bytes[i]
            if byte == ASCII.backslash, i + 1 < value.upperBound {
                i += 1
                byte = bytes[i]
            }
            if byte != ASCII.cr, byte != ASCII.lf { out.append(byte) }
            i += 1
        }
    }
}

/// Reads the parameters of Content-Type and Content-Disposition one at a time (RFC 2045 §5.1),
/// forgiving: values with spaces, missing quotes, doubled semicolons.
public struct ParameterScanner {
    private let bytes: UnsafeRawBufferPointer
    private var position: Int
    private let end: Int
    private var left: Int

    /// - Parameters:
    ///   - range: what follows the type or disposition; absent means no parameter.
    ///   - maximum: the most parameters that are read.
    public init(_ bytes: UnsafeRawBufferPointer, _ range: ByteRange, maximum: Int) {
        self.bytes = bytes
        position = range.range.lowerBound
        end = range.range.upperBound
        left = maximum
    }

    public mutating func next() -> MIMEParameterField? {
        while left > 0 {
            var i = position
            while true {
                i = TokenScan.skipSpaceAndComments(bytes, i, end)
                guard i < end, bytes[i] == ASCII.semicolon else { break }
                i += 1
            }
            guard i < end else { break }
            let nameStart = i
            while i < end, bytes[i] != ASCII.equals, bytes[i] != ASCII.semicolon,
                !ASCII.isFoldingSpace(bytes[i]), bytes[i] != ASCII.quote
            {
                i += 1
            }
            let name = ByteRange(nameStart, i)
            i = TokenScan.skipSpaceAndComments(bytes, i, end)
            guard i < end, bytes[i] == ASCII.equals, !name.isEmpty else {
                // No value: passed over to the next semicolon.
                let semicolon = bytes.index(of: ASCII.semicolon, from: i, to: end)
                position = semicolon < 0 ? end : semicolon
                continue
            }
            left -= 1
            return readValue(name, TokenScan.skipSpaceAndComments(bytes, i + 1, end))
        }
        return nil
    }

    private mutating func readValue(_ name: ByteRange, _ start: Int) -> MIMEParameterField {
        var i = start
        var needsUnquoting = false
        if i < end, bytes[i] == ASCII.quote {
            i += 1
            let valueStart = i
            while i < end, bytes[i] != ASCII.quote {
                if bytes[i] == ASCII.backslash {
                    needsUnquoting = true
                    i += 1
                } else if bytes[i] == ASCII.lf || bytes[i] == ASCII.cr {
                    needsUnquoting = true
                }
                i += 1
            }
            let valueEnd = min(i, end)
            let semicolon = bytes.index(of: ASCII.semicolon, from: valueEnd, to: end)
            position = semicolon < 0 ? end : semicolon
            return MIMEParameterField(
                name: name, value: ByteRange(valueStart, valueEnd),
                needsUnquoting: needsUnquoting)
        }
        while i < end, bytes[i] != ASCII.semicolon {
            if bytes[i] == ASCII.leftParenthesis, i > start, ASCII.isFoldingSpace(bytes[i - 1]) {
                break
            }
            if bytes[i] == ASCII.lf || bytes[i] == ASCII.cr { needsUnquoting = true }
            i += 1
        }
        var valueEnd = i
        while valueEnd > start, ASCII.isFoldingSpace(bytes[valueEnd - 1]) { valueEnd -= 1 }
        let semicolon = bytes.index(of: ASCII.semicolon, from: i, to: end)
        position = semicolon < 0 ? end : semicolon
        return MIMEParameterField(
            name: name, value: ByteRange(start, valueEnd), needsUnquoting: needsUnquoting)
    }
}

extension TransferEncoding {
    /// The encoding that a Content-Transfer-Encoding value names.
    public init(_ bytes: UnsafeRawBufferPointer, _ value: ByteRange) {
        guard value.isPresent else {
            self = .identity
            return
        }
        let start = TokenScan.skipSpaceAndComments(bytes, value.lowerBound, value.upperBound)
        let token = ByteRange(start, TokenScan.skipToken(bytes, start, value.upperBound))
        if token.isEmpty || bytes.equals("7bit", at: token) || bytes.equals("8bit", at: token)
            || bytes.equals("binary", at: token)
        {
            self = .identity
        } else if bytes.equals("base64", at: token) {
            self = .base64
        } else if bytes.equals("quoted-printable", at: token) {
            self = .quotedPrintable
        } else {
            self = .unknown
        }
    }
}
