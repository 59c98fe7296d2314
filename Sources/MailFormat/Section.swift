/// What of a part a FETCH names (RFC 9051 §6.4.5.1).
public enum SectionKind: Hashable, Sendable {
    /// `BODY[]` with an empty path, `BODY[1.2]` otherwise.
    case whole
    /// `HEADER`, of a message.
    case header
    /// `TEXT`, of a message.
    case text
    /// `MIME`, of a part.
    case mime
}

extension MIMETree {
    /// The part that `path` names. The path of the message itself is empty.
    ///
    /// A message that is no multipart has one part, 1: its body (RFC 9051 §6.4.5.1).
    public func part(at path: some Sequence<Int>) -> Int? {
        place(at: path)?.index
    }

    private enum Place {
        case part(Int)
        /// The body of a message that is no multipart: the root of the message.
        case bodyOf(Int)
        /// The part that a multipart without parts is shown to have.
        case nothing(Int)

        var index: Int {
            switch self {
            case .part(let index), .bodyOf(let index), .nothing(let index): index
            }
        }
    }

    private func place(at path: some Sequence<Int>) -> Place? {
        var place = Place.part(0)
        for number in path {
            guard number >= 1 else { return nil }
            switch place {
            case .nothing: return nil
            case .part(let index):
                // Part 0, and what lies in message/rfc822, is entered through its message.
                var entity = index
                if index != 0, parts[index].kind == .message {
                    guard let root = parts[index].firstChild else { return nil }
                    entity = root
                }
                guard let next = enter(entity, number) else { return nil }
                place = next
            case .bodyOf(let index):
                guard parts[index].kind == .message, let root = parts[index].firstChild,
                    let next = enter(root, number)
                else { return nil }
                place = next
            }
        }
        return place
    }

    private func enter(_ entity: Int, _ number: Int) -> Place? {
        guard parts[entity].kind == .multipart else {
            return number == 1 && parts[entity].isMessageRoot ? .bodyOf(entity) : nil
        }
        guard var child = parts[entity].firstChild else {
            return number == 1 ? .nothing(entity) : nil
        }
        for _ in 1..<number {
            guard let next = parts[child].nextSibling else { return nil }
            child = next
        }
        return .part(child)
    }

    /// The octets that a section names, or nil where there is no such part, or it has no such
    /// section. What BODYSTRUCTURE shows and the message does not have is an empty range.
    public func range(of path: some Sequence<Int>, _ kind: SectionKind) -> ByteRange? {
        guard let place = place(at: path) else { return nil }
        let part = parts[place.index]
        let isWholeMessage: Bool
        if case .part(0) = place { isWholeMessage = true } else { isWholeMessage = false }
        if case .nothing = place {
            let end = part.body.upperBound
            return kind == .whole || kind == .mime ? ByteRange(end, end) : nil
        }
        if isWholeMessage {
            switch kind {
            case .whole: return ByteRange(part.header.lowerBound, part.body.upperBound)
            case .header: return part.header
            case .text: return part.body
            case .mime: return nil
            }
        }
        switch kind {
        case .whole: return part.body
        case .mime:
            // The only part of a message has the message's header for its own.
            return part.header
        case .header, .text:
            guard part.kind == .message, let root = part.firstChild else { return nil }
            return kind == .header ? parts[root].header : parts[root].body
        }
    }
}

/// Parts of a header (RFC 9051 §6.4.5.1: `HEADER.FIELDS` and `HEADER.FIELDS.NOT`).
public enum HeaderSubset {
    /// Appends the fields of the header in `range` that are named (or not, if `isExcluding`), as
    /// they stand there, and the empty line.
    ///
    /// Lines that are no fields have no name, so only `HEADER.FIELDS.NOT` shows them.
    public static func append(
        _ names: [[UInt8]], isExcluding: Bool, of bytes: UnsafeRawBufferPointer,
        in range: Range<Int>, to out: inout [UInt8]
    ) {
        // Bit n: a name of n octets is asked for. Most fields are told off by this.
        var lengths: UInt64 = 0
        for name in names { lengths |= 1 << UInt64(min(name.count, 63)) }
        var scanner = HeaderScanner(bytes, in: range)
        var runStart = 0
        var runEnd = 0
        while let field = scanner.next() {
            var isNamed = false
            if lengths >> UInt64(min(field.name.count, 63)) & 1 == 1 {
                isNamed = names.contains { HeaderBlock.matches(bytes, field.name, $0) }
            }
            guard isNamed != isExcluding else { continue }
            if field.raw.lowerBound != runEnd || runEnd == runStart {
                out.append(contentsOf: bytes[runStart..<runEnd])
                runStart = field.raw.lowerBound
            }
            runEnd = field.raw.upperBound
        }
        out.append(contentsOf: bytes[runStart..<runEnd])
        if runEnd > runStart, bytes[runEnd - 1] != ASCII.lf {
            out.append(ASCII.cr)
            out.append(ASCII.lf)
        }
        out.append(ASCII.cr)
        out.append(ASCII.lf)
    }
}

/// BINARY (RFC 9051 §6.4.5.1): a part without its transfer encoding.
public enum BinarySection {
    /// Appends the decoded body of a part, or returns false for an encoding that is not known
    /// (the answer is then NO with UNKNOWN-CTE). Multiparts and messages are not decoded.
    public static func append(
        _ part: MIMEPart, of bytes: UnsafeRawBufferPointer, to out: inout [UInt8]
    ) -> Bool {
        if part.kind != .leaf {
            out.append(contentsOf: bytes[part.body.range])
            return true
        }
        guard part.transferEncoding != .unknown else { return false }
        var decoder = TransferDecoder(part.transferEncoding)
        decoder.decode(part.body.slice(of: bytes), to: &out)
        decoder.finish(to: &out)
        return true
    }
}
