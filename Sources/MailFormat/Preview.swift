/// The first words of a message, for lists (RFC 8970).
public enum Preview {
    public static let maxCharacters = 200
    /// Octets of a part that are read for it.
    static let readMaxOctets = 16_384

    /// Up to 200 characters in UTF-8, white space joined: of the first text/plain part, or of the
    /// first other text, tags of HTML taken out. Empty if there is no text.
    public static func make(_ tree: MIMETree, of bytes: UnsafeRawBufferPointer) -> [UInt8] {
        var chosen: MIMEPart?
        for part in tree.parts where part.kind == .leaf && part.mediaType == .text {
            if part.disposition.isPresent, isAttachment(part, bytes) { continue }
            if !part.subtype.isPresent || bytes.equals("plain", at: part.subtype) {
                chosen = part
                break
            }
            if chosen == nil { chosen = part }
        }
        guard let part = chosen else { return [] }
        let isHTML = part.subtype.isPresent && bytes.equals("html", at: part.subtype)
        let body = part.body.slice(of: bytes)
        let readable = min(body.count, readMaxOctets)
        // Plain text is read until there is enough; HTML may be long before its first word.
        let piece = isHTML ? readMaxOctets : 512
        var charsets = CharsetDecoder()
        charsets.start(charset: part.charset(in: bytes, limits: tree.limits))
        var decoder = TransferDecoder(part.transferEncoding)
        var decoded: [UInt8] = []
        var text: [UInt8] = []
        var writer = Writer()
        var position = 0
        while position < readable, !writer.isFull {
            let end = min(position + piece, readable)
            decoded.removeAll(keepingCapacity: true)
            text.removeAll(keepingCapacity: true)
            decoder.decode(UnsafeRawBufferPointer(rebasing: body[position..<end]), to: &decoded)
            decoded.withUnsafeBytes { charsets.decode($0, to: &text) }
            text.withUnsafeBytes { source in
                if isHTML {
                    HTMLText.write(source, to: &writer)
                } else {
                    for byte in source where !writer.isFull { writer.add(byte) }
                }
            }
            position = end
        }
        return writer.finish()
    }

    private static func isAttachment(_ part: MIMEPart, _ bytes: UnsafeRawBufferPointer) -> Bool {
        let start = part.disposition.lowerBound
        let end = TokenScan.skipToken(bytes, start, part.disposition.upperBound)
        return bytes.equals("attachment", at: ByteRange(start, end))
    }

    /// Joins white space and counts characters.
    struct Writer {
        private var out: [UInt8] = []
        private var characters = 0
        private var needsSpace = false
        private(set) var isFull = false

        mutating func add(_ byte: UInt8) {
            guard !isFull else { return }
            if byte <= 32 || byte == 127 {
                needsSpace = !out.isEmpty
                return
            }
            if byte & 0xC0 != 0x80 {
                let needed = needsSpace ? 2 : 1
                guard characters + needed <= maxCharacters else {
                    isFull = true
                    return
                }
                if needsSpace { out.append(ASCII.space) }
                characters += needed
                needsSpace = false
            }
            out.append(byte)
        }

        func finish() -> [UInt8] { out }
    }
}

/// A crude reader of HTML: good enough for a preview.
enum HTMLText {
    static func write(_ html: UnsafeRawBufferPointer, to writer: inout Preview.Writer) {
        var i = 0
        while i < html.count, !writer.isFull {
            switch html[i] {
            case ASCII.less:
                i = skipTag(html, i)
                writer.add(ASCII.space)
            case 0x26:
                i = entity(html, i, &writer)
            default:
                writer.add(html[i])
                i += 1
            }
        }
    }

    /// Behind the tag at `start`; behind the whole element where its content is no text.
    private static func skipTag(_ html: UnsafeRawBufferPointer, _ start: Int) -> Int {
        let end = html.count
        if start + 3 < end, html[start + 1] == 0x21, html[start + 2] == ASCII.dash {
            var i = start + 3
            while i < end {
                let close = html.index(of: ASCII.greater, from: i, to: end)
                if close < 0 { return end }
                if html[close - 1] == ASCII.dash, html[close - 2] == ASCII.dash { return close + 1 }
                i = close + 1
            }
            return end
        }
        let close = html.index(of: ASCII.greater, from: start, to: end)
        guard close >= 0 else { return end }
        var nameEnd = start + 1
        while nameEnd < close, ASCII.lower(html[nameEnd]) &- 0x61 < 26 { nameEnd += 1 }
        let name = ByteRange(start + 1, nameEnd)
        let isHidden =
            html.equals("style", at: name) || html.equals("script", at: name)
            || html.equals("title", at: name)
        guard isHidden else { return close + 1 }
        // To the next closing tag of the same letter: crude, and linear.
        var i = close + 1
        while true {
            i = html.index(of: ASCII.less, from: i, to: end)
            guard i >= 0, i + 2 < end else { return end }
            if html[i + 1] == ASCII.slash, ASCII.lower(html[i + 2]) == ASCII.lower(html[start + 1])
            {
                return i
            }
            i += 1
        }
    }

    private static func entity(
        _ html: UnsafeRawBufferPointer, _ start: Int, _ writer: inout Preview.Writer
    ) -> Int {
        let limit = min(start + 12, html.count)
        let semicolon = html.index(of: ASCII.semicolon, from: start, to: limit)
        guard semicolon > start + 1 else {
            writer.add(html[start])
            return start + 1
        }
        let name = ByteRange(start + 1, semicolon)
        var scalar: UInt32 = 0xFFFD
        if html[start + 1] == 0x23 {
            scalar = number(html, start + 2, semicolon)
        } else if html.equals("amp", at: name) {
            scalar = 0x26
        } else if html.equals("lt", at: name) {
            scalar = 0x3C
        } else if html.equals("gt", at: name) {
            scalar = 0x3E
        } else if html.equals("quot", at: name) {
            scalar = 0x22
        } else if html.equals("apos", at: name) {
            scalar = 0x27
        } else if html.equals("nbsp", at: name) || html.equals("zwnj", at: name)
            || html.equals("shy", at: name)
        {
            scalar = 0x20
        } else {
            writer.add(html[start])
            return start + 1
        }
        var bytes: [UInt8] = []
        CharsetDecoder.append(scalar, to: &bytes)
        for byte in bytes { writer.add(byte) }
        return semicolon + 1
    }

    private static func number(_ html: UnsafeRawBufferPointer, _ start: Int, _ end: Int) -> UInt32 {
        var value: UInt32 = 0
        var i = start
        let isHex = i < end && ASCII.lower(html[i]) == 0x78
        if isHex { i += 1 }
        while i < end {
            guard let digit = ASCII.hexValue(html[i]), isHex || digit < 10 else { return 0xFFFD }
            value = min(value * (isHex ? 16 : 10) + UInt32(digit), 0x11_0000)
            i += 1
        }
        return Unicode.Scalar(value) == nil || value == 0 ? 0xFFFD : value
    }
}
