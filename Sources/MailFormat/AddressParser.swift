/// Reads an address list one address at a time (RFC 5322 §3.4 and §4.4, RFC 6532): groups, routes,
/// comments, quoted strings, obsolete and broken forms, 8-bit octets.
///
/// The results stand in buffers that are used again for the next address. Each octet is read once.
public struct AddressParser {
    public enum Element: Hashable, Sendable {
        /// `name`, `route`, `mailbox` and `host` hold an address.
        case mailbox
        /// `mailbox` holds the name of a group; its members follow.
        case groupStart
        case groupEnd
    }

    /// The display name without its quotes, or the comment that stands for it; encoded words are
    /// left as they are.
    public private(set) var name: [UInt8] = []
    public private(set) var hasName = false
    /// The obsolete route, `@a,@b`; empty for none.
    public private(set) var route: [UInt8] = []
    /// The local part without quotes. Empty where it is missing.
    public private(set) var mailbox: [UInt8] = []
    /// The domain. Empty where it is missing.
    public private(set) var host: [UInt8] = []

    private var comment: [UInt8] = []
    private var bytes = UnsafeRawBufferPointer(start: nil, count: 0)
    private var position = 0
    private var end = 0
    private var isInGroup = false
    private var left = 0

    public init() {}

    /// Begins with the list in `range`.
    /// - Parameter maximum: the most addresses that are read.
    public mutating func start(
        _ bytes: UnsafeRawBufferPointer, _ range: ByteRange, maximum: Int = 10_000
    ) {
        self.bytes = bytes
        position = range.range.lowerBound
        end = range.range.upperBound
        isInGroup = false
        left = maximum
    }

    /// The next element, or nil behind the last. A group that is not closed is closed at the end.
    /// - Precondition: the bytes given to `start` still exist.
    public mutating func next() -> Element? {
        while true {
            while position < end,
                bytes[position] == ASCII.comma || ASCII.isFoldingSpace(bytes[position])
            {
                position += 1
            }
            if position >= end || left <= 0 {
                guard isInGroup else { return nil }
                isInGroup = false
                return .groupEnd
            }
            if bytes[position] == ASCII.semicolon {
                position += 1
                guard isInGroup else { continue }
                isInGroup = false
                return .groupEnd
            }
            left -= 1
            if let element = readElement() { return element }
        }
    }

    private mutating func readElement() -> Element? {
        name.removeAll(keepingCapacity: true)
        route.removeAll(keepingCapacity: true)
        mailbox.removeAll(keepingCapacity: true)
        host.removeAll(keepingCapacity: true)
        comment.removeAll(keepingCapacity: true)
        hasName = false
        // What stands before "<", or the whole address, is read as both at once: as a phrase into
        // `name`, and as `local@domain` into `mailbox` and `host`.
        var afterSpace = false
        var afterDot = false
        var sawAt = false
        var sawAngle = false
        scan: while position < end {
            let byte = bytes[position]
            switch byte {
            case ASCII.comma, ASCII.semicolon:
                break scan
            case ASCII.colon where !isInGroup && !sawAt && !name.isEmpty:
                position += 1
                swap(&mailbox, &name)
                name.removeAll(keepingCapacity: true)
                isInGroup = true
                return .groupStart
            case ASCII.less:
                readAngle()
                sawAngle = true
                break scan
            case 9...13, ASCII.space:
                position += 1
                afterSpace = true
            case ASCII.leftParenthesis:
                readComment()
                afterSpace = true
            default:
                if afterSpace, !name.isEmpty {
                    name.append(ASCII.space)
                    if !sawAt, byte != ASCII.at, byte != ASCII.dot, !afterDot {
                        mailbox.removeAll(keepingCapacity: true)
                    }
                }
                afterSpace = false
                afterDot = byte == ASCII.dot
                if byte == ASCII.quote {
                    readQuoted(intoHost: sawAt)
                } else {
                    name.append(byte)
                    position += 1
                    if sawAt {
                        host.append(byte)
                    } else if byte == ASCII.at {
                        sawAt = true
                    } else {
                        mailbox.append(byte)
                    }
                }
            }
        }
        return finish(sawAt: sawAt, sawAngle: sawAngle)
    }

    private mutating func finish(sawAt: Bool, sawAngle: Bool) -> Element? {
        if sawAngle {
            hasName = !name.isEmpty
        } else {
            if name.isEmpty, comment.isEmpty { return nil }
            if !sawAt { swap(&mailbox, &name) }
            name.removeAll(keepingCapacity: true)
        }
        if !hasName, !comment.isEmpty {
            swap(&name, &comment)
            hasName = true
        }
        return .mailbox
    }

    /// Reads from "<" to behind ">" and on to the next delimiter.
    private mutating func readAngle() {
        position += 1
        mailbox.removeAll(keepingCapacity: true)
        host.removeAll(keepingCapacity: true)
        skipSpace()
        if position < end, bytes[position] == ASCII.at { readRoute() }
        var sawAt = false
        scan: while position < end {
            let byte = bytes[position]
            switch byte {
            case ASCII.greater:
                position += 1
                break scan
            case ASCII.comma, ASCII.semicolon:
                break scan
            case 9...13, ASCII.space:
                position += 1
            case ASCII.leftParenthesis:
                readComment()
            case ASCII.quote where !sawAt:
                let kept = name.count
                readQuoted(intoHost: false)
                name.removeLast(name.count - kept)
            case ASCII.at where !sawAt:
                sawAt = true
                position += 1
            default:
                if sawAt { host.append(byte) } else { mailbox.append(byte) }
                position += 1
            }
        }
        while position < end, bytes[position] != ASCII.comma, bytes[position] != ASCII.semicolon {
            if bytes[position] == ASCII.leftParenthesis { readComment() } else { position += 1 }
        }
    }

    /// `@a,@b:` before the address in angle brackets.
    private mutating func readRoute() {
        let start = position
        while position < end, bytes[position] != ASCII.colon, bytes[position] != ASCII.greater {
            if !ASCII.isFoldingSpace(bytes[position]) { route.append(bytes[position]) }
            position += 1
        }
        if position < end, bytes[position] == ASCII.colon {
            position += 1
            skipSpace()
        } else {
            // No route after all: an address without a local part.
            route.removeAll(keepingCapacity: true)
            position = start
        }
    }

    private mutating func readQuoted(intoHost: Bool) {
        position += 1
        while position < end, bytes[position] != ASCII.quote {
            var byte = bytes[position]
            if byte == ASCII.backslash, position + 1 < end {
                position += 1
                byte = bytes[position]
            }
            position += 1
            if byte == ASCII.cr || byte == ASCII.lf { continue }
            name.append(byte)
            if intoHost { host.append(byte) } else { mailbox.append(byte) }
        }
        if position < end { position += 1 }
    }

    private mutating func readComment() {
        comment.removeAll(keepingCapacity: true)
        var depth = 0
        while position < end {
            var byte = bytes[position]
            position += 1
            if byte == ASCII.leftParenthesis {
                depth += 1
                if depth == 1 { continue }
            } else if byte == ASCII.rightParenthesis {
                depth -= 1
                if depth == 0 { break }
            } else if byte == ASCII.backslash, position < end {
                byte = bytes[position]
                position += 1
            }
            if byte != ASCII.cr, byte != ASCII.lf { comment.append(byte) }
        }
    }

    private mutating func skipSpace() {
        while position < end, ASCII.isFoldingSpace(bytes[position]) { position += 1 }
    }
}
