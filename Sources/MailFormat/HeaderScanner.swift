/// One field of a header, as places in the message.
public struct HeaderField: Hashable, Sendable {
    /// The field with its folded lines and its last line break.
    public var raw: ByteRange
    /// The name before the colon; empty for a line that is no field (no colon, junk).
    public var name: ByteRange
    /// The value: no white space before, no line break behind, folds still in it.
    public var value: ByteRange
    public var known: KnownField
}

/// Finds the fields of a header, one at a time, in one pass and without memory.
///
/// Lines end with CRLF or LF alone. The header ends with the first empty line or with the region.
/// A line without a colon is passed on as a field without a name, as Dovecot does, so that a
/// broken line hides nothing behind it.
public struct HeaderScanner {
    private let bytes: UnsafeRawBufferPointer
    private let end: Int
    /// Where the next field starts. After the last: the first octet of the body.
    public private(set) var position: Int
    /// The line feeds passed.
    public private(set) var lines = 0
    /// Whether the empty line behind the last field was there.
    public private(set) var hasBlankLine = false

    /// A scanner over the header that begins at `range.lowerBound`.
    /// - Precondition: the range lies inside `bytes`.
    public init(_ bytes: UnsafeRawBufferPointer, in range: Range<Int>) {
        precondition(range.upperBound <= bytes.count)
        self.bytes = bytes
        position = range.lowerBound
        end = min(range.upperBound, ByteRange.addressable)
    }

    /// The next field, or nil at the end of the header.
    @inline(__always)
    public mutating func next() -> HeaderField? {
        guard !hasBlankLine, position < end else { return nil }
        let start = position
        let first = bytes[start]
        if first == ASCII.lf
            || (first == ASCII.cr && start + 1 < end && bytes[start + 1] == ASCII.lf)
        {
            position = start + (first == ASCII.lf ? 1 : 2)
            lines += 1
            hasBlankLine = true
            return nil
        }
        var firstLineEnd = -1
        var stop = end
        while true {
            let feed = bytes.index(of: ASCII.lf, from: position, to: end)
            if feed < 0 {
                position = end
                if firstLineEnd < 0 { firstLineEnd = end }
                stop = end
                break
            }
            if firstLineEnd < 0 { firstLineEnd = feed }
            lines += 1
            position = feed + 1
            stop = feed
            if position >= end || !ASCII.isSpace(bytes[position]) { break }
        }
        if stop > start, stop < end, bytes[stop - 1] == ASCII.cr { stop -= 1 }
        return field(start, firstLineEnd, stop)
    }

    @inline(__always)
    private func field(_ start: Int, _ firstLineEnd: Int, _ stop: Int) -> HeaderField {
        let raw = ByteRange(start, position)
        var i = start
        while i < firstLineEnd, bytes[i] &- 33 < 94, bytes[i] != ASCII.colon { i += 1 }
        let nameEnd = i
        while i < firstLineEnd, ASCII.isSpace(bytes[i]) { i += 1 }
        guard nameEnd > start, i < firstLineEnd, bytes[i] == ASCII.colon else {
            return HeaderField(
                raw: raw, name: ByteRange(start, start), value: ByteRange(start, stop),
                known: .other)
        }
        i += 1
        while i < stop, ASCII.isFoldingSpace(bytes[i]) { i += 1 }
        return HeaderField(
            raw: raw, name: ByteRange(start, nameEnd), value: ByteRange(min(i, stop), stop),
            known: KnownField.classify(bytes, start, nameEnd))
    }
}

/// The header of a message or part: where it lies, and its fields by name.
public struct HeaderBlock: Hashable, Sendable {
    /// From the first field to behind the empty line that ends the header.
    public var range: ByteRange

    public init(range: ByteRange) {
        self.range = range
    }

    /// The header at the start of `range`.
    public init(scanning bytes: UnsafeRawBufferPointer, in range: Range<Int>) {
        var scanner = HeaderScanner(bytes, in: range)
        while scanner.next() != nil {}
        self.range = ByteRange(range.lowerBound, scanner.position)
    }

    /// The first field with `name`, upper and lower case of ASCII being the same.
    public func first(_ name: some Collection<UInt8>, in bytes: UnsafeRawBufferPointer)
        -> HeaderField?
    {
        var scanner = HeaderScanner(bytes, in: range.range)
        while let field = scanner.next() {
            if Self.matches(bytes, field.name, name) { return field }
        }
        return nil
    }

    static func matches(
        _ bytes: UnsafeRawBufferPointer, _ range: ByteRange, _ name: some Collection<UInt8>
    ) -> Bool {
        guard range.count == name.count, range.count > 0 else { return false }
        var i = range.lowerBound
        for byte in name {
            if ASCII.lower(bytes[i]) != ASCII.lower(byte) { return false }
            i += 1
        }
        return true
    }
}
