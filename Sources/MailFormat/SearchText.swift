/// What a SEARCH key looks for, prepared once for many messages.
public struct SearchNeedle: Hashable, Sendable {
    private static let shortMaxOctets = 64

    let folded: [UInt8]
    /// Short and ASCII: looked for without folding the text first.
    let isPlain: Bool
    /// Whether it has a character in it that ASCII text cannot have.
    let needsNonASCII: Bool
    private let borders: [Int]

    /// - Parameter text: UTF-8; what is not valid cannot be found. Empty text is in every field
    ///   and every body (RFC 9051 §6.4.4).
    public init(utf8 text: [UInt8]) {
        var repaired: [UInt8] = []
        var out: [UInt8] = []
        text.withUnsafeBytes { bytes in
            let taken = UTF8Repair.append(bytes, to: &repaired)
            repaired.append(contentsOf: bytes[taken...])
        }
        repaired.withUnsafeBytes { CaseFolding.fold($0, to: &out) }
        folded = out
        needsNonASCII = !out.allSatisfy { $0 < 0x80 }
        isPlain = out.count <= Self.shortMaxOctets && out.allSatisfy { $0 < 0x80 }
        borders = out.count <= Self.shortMaxOctets ? [] : CaseFolding.borders(of: out)
    }

    /// Whether text has it. A plain needle takes text as it is, others take it folded.
    func isFound(in text: UnsafeRawBufferPointer) -> Bool {
        folded.count <= Self.shortMaxOctets
            ? CaseFolding.containsIgnoringCase(folded, in: text)
            : CaseFolding.contains(folded, borders: borders, in: text)
    }
}

/// Looks for text in messages, in whatever charset and encoding it is there (RFC 9051 §6.4.4):
/// case-insensitive, as substrings.
///
/// It keeps its buffers and converters from one message to the next. Memory does not grow with the
/// message: bodies are read in pieces.
public struct SearchText: ~Copyable {
    private static let pieceOctets = 16_384

    private let needle: SearchNeedle
    private let limits: MIMELimits
    private var charsets = CharsetDecoder()
    private var decoded: [UInt8] = []
    private var text: [UInt8] = []
    private var folded: [UInt8] = []

    public init(_ needle: SearchNeedle, limits: MIMELimits = MIMELimits()) {
        self.needle = needle
        self.limits = limits
    }

    // MARK: Headers

    /// Whether a field's value has the text in it, folds and encoded words undone.
    public mutating func matches(value: UnsafeRawBufferPointer) -> Bool {
        if needle.folded.isEmpty { return true }
        let value = UnsafeRawBufferPointer(
            rebasing: value[..<min(value.count, limits.valueMaxOctets)])
        if !Self.mayHoldEncodedWord(value) {
            if needle.needsNonASCII, value.isASCII { return false }
            if needle.isPlain, value.index(of: ASCII.lf, from: 0, to: value.count) < 0 {
                return needle.isFound(in: value)
            }
        }
        text.removeAll(keepingCapacity: true)
        EncodedWord.decode(value, using: &charsets, to: &text)
        return isFoundInDecoded()
    }

    /// Whether one of the fields called `name` in the header has the text in it. With empty text:
    /// whether there is such a field.
    public mutating func matchesField(
        _ name: [UInt8], of bytes: UnsafeRawBufferPointer, in header: Range<Int>
    ) -> Bool {
        var scanner = HeaderScanner(bytes, in: header)
        while let field = scanner.next() {
            if HeaderBlock.matches(bytes, field.name, name),
                matches(value: field.value.slice(of: bytes))
            {
                return true
            }
        }
        return false
    }

    /// Whether any field of the header has the text in it, in its name or value.
    public mutating func matchesHeader(
        of bytes: UnsafeRawBufferPointer, in header: Range<Int>
    ) -> Bool {
        if needle.folded.isEmpty { return true }
        var scanner = HeaderScanner(bytes, in: header)
        while let field = scanner.next() {
            let line = ByteRange(field.raw.lowerBound, field.value.upperBound)
            if matches(value: line.slice(of: bytes)) { return true }
        }
        return false
    }

    private static func mayHoldEncodedWord(_ value: UnsafeRawBufferPointer) -> Bool {
        var i = 0
        while true {
            i = value.index(of: ASCII.equals, from: i, to: value.count)
            if i < 0 { return false }
            if i + 1 < value.count, value[i + 1] == ASCII.question { return true }
            i += 1
        }
    }

    private mutating func isFoundInDecoded() -> Bool {
        if needle.isPlain {
            return text.withUnsafeBytes { needle.isFound(in: $0) }
        }
        folded.removeAll(keepingCapacity: true)
        text.withUnsafeBytes { CaseFolding.fold($0, to: &folded) }
        return folded.withUnsafeBytes { needle.isFound(in: $0) }
    }

    // MARK: Bodies

    /// BODY: whether a text part, or the header of a message inside, has the text in it.
    public mutating func matchesBody(_ tree: MIMETree, of bytes: UnsafeRawBufferPointer) -> Bool {
        if needle.folded.isEmpty { return true }
        for (index, part) in tree.parts.enumerated() {
            if index > 0, part.isMessageRoot, matchesHeader(of: bytes, in: part.header.range) {
                return true
            }
            if matchesContent(part, bytes) { return true }
        }
        return false
    }

    /// TEXT: whether any header or text part has the text in it.
    public mutating func matchesText(_ tree: MIMETree, of bytes: UnsafeRawBufferPointer) -> Bool {
        if needle.folded.isEmpty { return true }
        for part in tree.parts {
            if matchesHeader(of: bytes, in: part.header.range) { return true }
            if matchesContent(part, bytes) { return true }
        }
        return false
    }

    private mutating func matchesContent(
        _ part: MIMEPart, _ bytes: UnsafeRawBufferPointer
    ) -> Bool {
        guard part.kind == .leaf, part.mediaType == .text, !part.body.isEmpty else { return false }
        let charset = part.charset(in: bytes, limits: limits)
        let body = part.body.slice(of: bytes)
        let keepsASCII = CharsetDecoder.keepsASCII(charset)
        if keepsASCII, part.transferEncoding != .base64,
            part.transferEncoding != .quotedPrintable
        {
            if needle.isPlain { return needle.isFound(in: body) }
            if needle.needsNonASCII, body.isASCII { return false }
        }
        return matchesPieces(
            body, part.transferEncoding, charset, needsText: !(needle.isPlain && keepsASCII))
    }

    /// Decodes piece by piece; the end of each is kept for a match across the cut.
    private mutating func matchesPieces(
        _ body: UnsafeRawBufferPointer, _ encoding: TransferEncoding, _ charset: [UInt8],
        needsText: Bool
    ) -> Bool {
        var decoder = TransferDecoder(encoding)
        charsets.start(charset: charset)
        folded.removeAll(keepingCapacity: true)
        var position = 0
        while true {
            decoded.removeAll(keepingCapacity: true)
            text.removeAll(keepingCapacity: true)
            let end = min(position + Self.pieceOctets, body.count)
            let isLast = position == end
            if isLast {
                decoder.finish(to: &decoded)
            } else {
                decoder.decode(UnsafeRawBufferPointer(rebasing: body[position..<end]), to: &decoded)
            }
            position = end
            if needsText {
                decoded.withUnsafeBytes { charsets.decode($0, to: &text) }
                if isLast { charsets.finish(to: &text) }
                text.withUnsafeBytes { CaseFolding.fold($0, to: &folded) }
            } else {
                folded.append(contentsOf: decoded)
            }
            if folded.withUnsafeBytes({ needle.isFound(in: $0) }) { return true }
            if isLast { return false }
            folded.removeFirst(max(folded.count - needle.folded.count + 1, 0))
        }
    }
}

extension MIMEPart {
    /// The charset parameter of a text, or nothing.
    public func charset(
        in bytes: UnsafeRawBufferPointer, limits: MIMELimits = MIMELimits()
    ) -> [UInt8] {
        var scanner = ParameterScanner(bytes, parameters, maximum: limits.parametersMax)
        while let parameter = scanner.next() {
            guard bytes.equals("charset", at: parameter.name) else { continue }
            var value: [UInt8] = []
            parameter.appendValue(from: bytes, to: &value)
            return value
        }
        return []
    }
}

extension CharsetDecoder {
    /// Whether ASCII octets of the charset are always ASCII characters, and the reverse.
    static func keepsASCII(_ charset: [UInt8]) -> Bool {
        if charset.isEmpty { return true }
        let name = charset.map { ASCII.lower($0) }
        if builtIn(name) != nil { return true }
        let families: [StaticString] = ["iso-8859-", "windows-125", "koi8-", "euc-"]
        return families.contains { family in
            name.count > family.utf8CodeUnitCount
                && (0..<family.utf8CodeUnitCount).allSatisfy { name[$0] == family.utf8Start[$0] }
        }
    }
}
