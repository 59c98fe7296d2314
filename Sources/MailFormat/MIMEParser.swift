import Glibc

/// Reads a message once, from front to end, with a stack of what is open.
///
/// Each line is looked at once for a delimiter, and compared with the boundaries that are open: at
/// most `depthMax`, and only with those of its own length. So the cost is linear in the message.
struct MIMEParser {
    /// A multipart or message that is open.
    private struct Frame {
        var part: Int
        /// Where its boundary lies in `boundaries`. Empty: none (a message, or a multipart whose
        /// closing delimiter has passed).
        var boundary: Range<Int>
    }

    /// The end of what was being read.
    private struct Stop {
        /// The frame whose delimiter it is, or -1 for the end of the message.
        var frame: Int
        var isClosing: Bool
        /// Where the content before it ends, and the line feeds up to there.
        var contentEnd: Int
        var contentLines: Int
    }

    private let bytes: UnsafeRawBufferPointer
    private let end: Int
    private let limits: MIMELimits
    private(set) var parts: [MIMEPart] = []
    private(set) var envelopes: [EnvelopeFields] = []
    private(set) var listedFields: [ByteRange] = []
    private var frames: [Frame] = []
    private var boundaries: [UInt8] = []
    private var openBoundaries = 0
    private var position = 0
    private var lines = 0

    init(_ bytes: UnsafeRawBufferPointer, _ limits: MIMELimits) {
        self.bytes = bytes
        end = min(bytes.count, ByteRange.addressable)
        self.limits = limits
    }

    mutating func parse() {
        var current = open(parent: -1, isMessage: true)
        while true {
            var stop = readHeader(of: current)
            if stop == nil {
                switch parts[current].kind {
                case .message:
                    frames.append(Frame(part: current, boundary: 0..<0))
                    current = open(parent: current, isMessage: true)
                    continue
                case .multipart:
                    stop = readPreamble(of: current)
                case .leaf, .opaque:
                    stop = readToDelimiter()
                }
            }
            guard var hit = stop else { preconditionFailure("a part ends") }
            if parts[current].kind != .multipart || frames.last?.part != current {
                close(current, hit)
            }
            while hit.frame >= 0, hit.isClosing {
                closeFrames(above: hit.frame, hit)
                frames[hit.frame].boundary = 0..<0
                openBoundaries -= 1
                hit = readToDelimiter()
            }
            closeFrames(above: hit.frame, hit)
            guard hit.frame >= 0 else { return }
            current = open(parent: frames[hit.frame].part, isMessage: false)
        }
    }

    // MARK: Parts

    private mutating func open(parent: Int, isMessage: Bool) -> Int {
        let index = parts.count
        var part = MIMEPart()
        part.header = ByteRange(position, position)
        part.parentIndex = Int32(parent)
        part.depth = UInt16(frames.count)
        if isMessage {
            part.envelopeIndex = Int32(envelopes.count)
            envelopes.append(EnvelopeFields())
        }
        if parent >= 0 {
            let last = parts[parent].lastChildIndex
            if last >= 0 {
                parts[Int(last)].nextSiblingIndex = Int32(index)
            } else {
                parts[parent].firstChildIndex = Int32(index)
            }
            parts[parent].lastChildIndex = Int32(index)
        }
        parts.append(part)
        return index
    }

    private mutating func close(_ index: Int, _ stop: Stop) {
        let start = min(parts[index].body.lowerBound, stop.contentEnd)
        parts[index].header.end = min(parts[index].header.end, UInt32(stop.contentEnd))
        parts[index].body = ByteRange(start, stop.contentEnd)
        parts[index].bodyLines = max(stop.contentLines - parts[index].bodyLines, 0)
    }

    private mutating func closeFrames(above frame: Int, _ stop: Stop) {
        while frames.count - 1 > frame, let last = frames.popLast() {
            close(last.part, stop)
            if !last.boundary.isEmpty {
                openBoundaries -= 1
                boundaries.removeLast(boundaries.count - last.boundary.lowerBound)
            }
        }
    }

    // MARK: Headers

    /// Reads the header at `position`. A result means that a delimiter cut it off.
    private mutating func readHeader(of index: Int) -> Stop? {
        let start = position
        let linesBefore = lines
        let envelope = Int(parts[index].envelopeIndex)
        var scanner = HeaderScanner(bytes, in: position..<end)
        var part = parts[index]
        var envelopeFields = EnvelopeFields()
        var contentType = ByteRange.absent
        var cut: (frame: Int, isClosing: Bool)?
        while true {
            if openBoundaries > 0 {
                cut = delimiter(at: scanner.position)
                if cut != nil { break }
            }
            guard let field = scanner.next() else { break }
            guard field.known != .other else { continue }
            switch field.known {
            case .contentType: Self.set(&contentType, field)
            case .contentTransferEncoding: Self.set(&part.encodingValue, field)
            case .contentDisposition: Self.set(&part.disposition, field)
            case .contentID: Self.set(&part.id, field)
            case .contentDescription: Self.set(&part.description, field)
            case .contentMD5: Self.set(&part.md5, field)
            case .contentLanguage: Self.set(&part.language, field)
            case .contentLocation: Self.set(&part.location, field)
            default: if envelope >= 0 { envelopeFields.note(field) }
            }
            if index == 0, field.known.isListed { noteListed(field.raw) }
        }
        position = scanner.position
        lines = linesBefore + scanner.lines
        part.header = ByteRange(start, position)
        part.body = ByteRange(position, position)
        part.bodyLines = lines
        classify(&part, contentType)
        parts[index] = part
        if envelope >= 0 { envelopes[envelope] = envelopeFields }
        guard let cut else { return nil }
        // What a cut header announced cannot follow.
        if part.kind == .message { parts[index].kind = .opaque }
        return stop(cut, at: position, notBefore: start)
    }

    @inline(__always)
    private static func set(_ range: inout ByteRange, _ field: HeaderField) {
        if !range.isPresent { range = field.value }
    }

    private mutating func noteListed(_ raw: ByteRange) {
        if let last = listedFields.last, last.end == raw.start {
            listedFields[listedFields.count - 1].end = raw.end
        } else {
            if listedFields.isEmpty { listedFields.reserveCapacity(8) }
            listedFields.append(raw)
        }
    }

    private func classify(_ part: inout MIMEPart, _ contentType: ByteRange) {
        part.transferEncoding = TransferEncoding(bytes, part.encodingValue)
        var isMessage = false
        if contentType.isPresent, let value = ContentTypeValue(bytes, contentType) {
            part.type = value.type
            part.subtype = value.subtype
            part.parameters = value.parameters
            if bytes.equals("text", at: value.type) {
                part.mediaType = .text
            } else if bytes.equals("multipart", at: value.type) {
                part.mediaType = .multipart
            } else if bytes.equals("message", at: value.type) {
                part.mediaType = .message
                isMessage =
                    bytes.equals("rfc822", at: value.subtype)
                    || bytes.equals("global", at: value.subtype)
            } else {
                part.mediaType = .other
            }
        } else if part.parentIndex >= 0, parts[Int(part.parentIndex)].kind == .multipart,
            bytes.equals("digest", at: parts[Int(part.parentIndex)].subtype)
        {
            part.isDigestDefault = true
            part.mediaType = .message
            isMessage = true
        }
        let tooDeep = Int(part.depth) >= limits.depthMax
        if part.mediaType == .multipart {
            part.kind = tooDeep ? .opaque : .multipart
        } else if isMessage {
            part.kind = tooDeep || parts.count >= limits.partsMax ? .opaque : .message
        }
    }

    // MARK: Bodies

    private mutating func readPreamble(of index: Int) -> Stop {
        let before = boundaries.count
        var scanner = ParameterScanner(
            bytes, parts[index].parameters, maximum: limits.parametersMax)
        while let parameter = scanner.next() {
            guard bytes.equals("boundary", at: parameter.name) else { continue }
            parameter.appendValue(from: bytes, to: &boundaries)
            while boundaries.count > before, ASCII.isFoldingSpace(boundaries[boundaries.count - 1])
            {
                boundaries.removeLast()
            }
            break
        }
        if boundaries.count - before > 1_000 { boundaries.removeLast(boundaries.count - before) }
        frames.append(Frame(part: index, boundary: before..<boundaries.count))
        if boundaries.count > before { openBoundaries += 1 }
        return readToDelimiter()
    }

    /// Passes everything up to the next delimiter of an open multipart, or to the end.
    private mutating func readToDelimiter() -> Stop {
        let start = position
        if openBoundaries > 0, parts.count < limits.partsMax {
            var line = start
            while true {
                if let hit = delimiter(at: line) { return stop(hit, at: line, notBefore: start) }
                let feed = bytes.index(of: ASCII.lf, from: line, to: end)
                guard feed >= 0 else { break }
                lines += 1
                line = feed + 1
            }
        } else {
            lines += bytes.countLineFeeds(from: start, to: end)
        }
        position = end
        return Stop(frame: -1, isClosing: false, contentEnd: end, contentLines: lines)
    }

    /// The frame whose delimiter begins at `line`, if one does.
    @inline(__always)
    private func delimiter(at line: Int) -> (frame: Int, isClosing: Bool)? {
        guard line + 2 < end, bytes[line] == ASCII.dash, bytes[line + 1] == ASCII.dash else {
            return nil
        }
        return delimiterSlowly(at: line + 2)
    }

    @inline(never)
    private func delimiterSlowly(at start: Int) -> (frame: Int, isClosing: Bool)? {
        guard parts.count < limits.partsMax else { return nil }
        // A line longer than any boundary need not be searched for its end.
        let window = min(end, start + 2_000)
        let feed = bytes.index(of: ASCII.lf, from: start, to: window)
        var stop = feed < 0 ? window : feed
        if feed < 0, window < end { return nil }
        while stop > start, ASCII.isFoldingSpace(bytes[stop - 1]) { stop -= 1 }
        let count = stop - start
        let closes =
            count > 2 && bytes[stop - 1] == ASCII.dash && bytes[stop - 2] == ASCII.dash
        for index in frames.indices.reversed() where !frames[index].boundary.isEmpty {
            let boundary = frames[index].boundary
            if boundary.count == count, matches(boundary, at: start) { return (index, false) }
            if closes, boundary.count == count - 2, matches(boundary, at: start) {
                return (index, true)
            }
        }
        return nil
    }

    private func matches(_ boundary: Range<Int>, at start: Int) -> Bool {
        boundaries.withUnsafeBytes { all in
            guard let base = all.baseAddress, let text = bytes.baseAddress else { return false }
            return memcmp(base + boundary.lowerBound, text + start, boundary.count) == 0
        }
    }

    private mutating func stop(
        _ hit: (frame: Int, isClosing: Bool), at line: Int, notBefore floor: Int
    ) -> Stop {
        var contentEnd = line
        if contentEnd > floor, bytes[contentEnd - 1] == ASCII.lf {
            contentEnd -= 1
            if contentEnd > floor, bytes[contentEnd - 1] == ASCII.cr { contentEnd -= 1 }
        }
        let contentLines = contentEnd < line ? lines - 1 : lines
        let feed = bytes.index(of: ASCII.lf, from: line, to: end)
        if feed >= 0 { lines += 1 }
        position = feed < 0 ? end : feed + 1
        return Stop(
            frame: hit.frame, isClosing: hit.isClosing, contentEnd: contentEnd,
            contentLines: contentLines)
    }
}
