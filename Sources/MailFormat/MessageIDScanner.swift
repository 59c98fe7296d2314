/// Finds the message identifiers in Message-ID, In-Reply-To and References (RFC 5322 §3.6.4).
public struct MessageIDScanner {
    private let bytes: UnsafeRawBufferPointer
    private var position: Int
    private let end: Int

    public init(_ bytes: UnsafeRawBufferPointer, _ range: ByteRange) {
        self.bytes = bytes
        position = range.range.lowerBound
        end = range.range.upperBound
    }

    /// The next identifier with its angle brackets: no white space or "<" in it. What else stands
    /// in the field is passed over.
    public mutating func next() -> ByteRange? {
        while true {
            var open = bytes.index(of: ASCII.less, from: position, to: end)
            guard open >= 0 else { return nil }
            var i = open + 1
            while i < end, bytes[i] != ASCII.greater, !ASCII.isFoldingSpace(bytes[i]) {
                if bytes[i] == ASCII.less { open = i }
                i += 1
            }
            position = i
            if i < end, bytes[i] == ASCII.greater {
                position = i + 1
                if i > open + 1 { return ByteRange(open, i + 1) }
            }
        }
    }
}
