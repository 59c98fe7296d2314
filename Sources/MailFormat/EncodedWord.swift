/// Decodes field values: folds and encoded words (RFC 2047, with the language of RFC 2231 §5) into
/// UTF-8.
public enum EncodedWord {
    /// Appends the text that `value` stands for, as valid UTF-8.
    ///
    /// Words that only white space parts are joined, also where a character is cut between them.
    /// What is no encoded word stays as it is.
    public static func decode(
        _ value: UnsafeRawBufferPointer, using charsets: inout CharsetDecoder,
        to out: inout [UInt8]
    ) {
        var state = State()
        var position = 0
        var textStart = 0
        while true {
            let mark = value.index(of: ASCII.equals, from: position, to: value.count)
            guard mark >= 0 else { break }
            position = mark + 1
            guard let word = Word(value, mark) else { continue }
            let gap = UnsafeRawBufferPointer(rebasing: value[textStart..<mark])
            if !(state.isInWord && gap.allSatisfy(ASCII.isFoldingSpace)) {
                state.endWord(&charsets, &out)
                appendPlain(gap, &charsets, &out)
            }
            state.add(word, value, &charsets, &out)
            position = word.end
            textStart = word.end
        }
        state.endWord(&charsets, &out)
        appendPlain(
            UnsafeRawBufferPointer(rebasing: value[textStart...]), &charsets, &out)
    }

    /// Text outside of words: line breaks of folds go, the white space stays.
    private static func appendPlain(
        _ text: UnsafeRawBufferPointer, _ charsets: inout CharsetDecoder, _ out: inout [UInt8]
    ) {
        guard !text.isEmpty else { return }
        charsets.start(charset: [])
        var start = 0
        for i in text.indices where text[i] == ASCII.lf || text[i] == ASCII.cr {
            charsets.decode(UnsafeRawBufferPointer(rebasing: text[start..<i]), to: &out)
            start = i + 1
        }
        charsets.decode(UnsafeRawBufferPointer(rebasing: text[start...]), to: &out)
        charsets.finish(to: &out)
    }

    private struct State {
        var isInWord = false
        var charset: [UInt8] = []

        mutating func add(
            _ word: Word, _ value: UnsafeRawBufferPointer, _ charsets: inout CharsetDecoder,
            _ out: inout [UInt8]
        ) {
            let name = value[word.charset].map { ASCII.lower($0) }
            if !isInWord || name != charset {
                endWord(&charsets, &out)
                charset = name
                charsets.start(charset: name)
            }
            isInWord = true
            var decoded: [UInt8] = []
            let text = UnsafeRawBufferPointer(rebasing: value[word.text])
            if word.isBase64 {
                var decoder = TransferDecoder(.base64)
                decoder.decode(text, to: &decoded)
            } else {
                decodeQ(text, &decoded)
            }
            decoded.withUnsafeBytes { charsets.decode($0, to: &out) }
        }

        mutating func endWord(_ charsets: inout CharsetDecoder, _ out: inout [UInt8]) {
            if isInWord { charsets.finish(to: &out) }
            isInWord = false
        }

        private func decodeQ(_ text: UnsafeRawBufferPointer, _ out: inout [UInt8]) {
            var i = 0
            while i < text.count {
                if text[i] == ASCII.underscore {
                    out.append(ASCII.space)
                } else if text[i] == ASCII.equals, i + 2 < text.count,
                    let high = ASCII.hexValue(text[i + 1]), let low = ASCII.hexValue(text[i + 2])
                {
                    out.append(high << 4 | low)
                    i += 2
                } else if text[i] != ASCII.cr, text[i] != ASCII.lf {
                    out.append(text[i])
                }
                i += 1
            }
        }
    }

    /// `=?charset*language?encoding?text?=`
    private struct Word {
        var charset: Range<Int>
        var isBase64: Bool
        var text: Range<Int>
        var end: Int

        init?(_ value: UnsafeRawBufferPointer, _ start: Int) {
            let end = value.count
            guard start + 7 < end, value[start + 1] == ASCII.question else { return nil }
            var i = start + 2
            var charsetEnd = -1
            // Names of charsets are short: a limit keeps this from reading on and on.
            while i < end, i < start + 80, value[i] != ASCII.question {
                guard value[i] > ASCII.space, value[i] < 127 else { return nil }
                if value[i] == ASCII.asterisk, charsetEnd < 0 { charsetEnd = i }
                i += 1
            }
            guard i + 3 < end, value[i] == ASCII.question, value[i + 2] == ASCII.question,
                i > start + 2
            else { return nil }
            charset = start + 2..<(charsetEnd < 0 ? i : charsetEnd)
            switch ASCII.lower(value[i + 1]) {
            case 0x62: isBase64 = true
            case 0x71: isBase64 = false
            default: return nil
            }
            let textStart = i + 3
            let mark = value.index(of: ASCII.question, from: textStart, to: end)
            guard mark >= 0, mark + 1 < end, value[mark + 1] == ASCII.equals else { return nil }
            text = textStart..<mark
            self.end = mark + 2
        }
    }
}

extension MIMEParameter {
    /// The value as UTF-8: percent-encoded octets and charset of RFC 2231 undone, and encoded words
    /// too, which do not belong here but are common.
    public func decodedValue(using charsets: inout CharsetDecoder) -> [UInt8] {
        var out: [UInt8] = []
        guard isEncoded else {
            value.withUnsafeBytes { EncodedWord.decode($0, using: &charsets, to: &out) }
            return out
        }
        var text = value[...]
        var charset: ArraySlice<UInt8> = []
        if let first = text.firstIndex(of: ASCII.apostrophe),
            let second = text[(first + 1)...].firstIndex(of: ASCII.apostrophe)
        {
            charset = text[..<first]
            text = text[(second + 1)...]
        }
        var octets: [UInt8] = []
        var i = text.startIndex
        while i < text.endIndex {
            if text[i] == ASCII.percent, i + 2 < text.endIndex,
                let high = ASCII.hexValue(text[i + 1]), let low = ASCII.hexValue(text[i + 2])
            {
                octets.append(high << 4 | low)
                i += 3
            } else {
                octets.append(text[i])
                i += 1
            }
        }
        charsets.start(charset: charset)
        octets.withUnsafeBytes { charsets.decode($0, to: &out) }
        charsets.finish(to: &out)
        return out
    }
}
