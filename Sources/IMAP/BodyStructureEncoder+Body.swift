import MailFormat

extension BodyStructureEncoder {
    /// BODY made of an encoded BODYSTRUCTURE: the same without the extension data.
    ///
    /// - Parameter bodyStructure: what `encode` has written. Anything else gives nil where it
    ///   cannot be read.
    public static func body(from bodyStructure: [UInt8]) -> [UInt8]? {
        var out: [UInt8] = []
        let isReadable = bodyStructure.withUnsafeBytes { appendBody(from: $0, to: &out) }
        return isReadable ? out : nil
    }

    /// Appends the BODY made of an encoded BODYSTRUCTURE; false, and nothing appended, where that
    /// cannot be read.
    public static func appendBody(
        from bodyStructure: UnsafeRawBufferPointer, to out: inout [UInt8]
    ) -> Bool {
        let count = out.count
        var reader = StructureReader(bytes: bodyStructure)
        guard reader.copyBody(depth: 0, &out), reader.position == bodyStructure.count else {
            out.removeLast(out.count - count)
            return false
        }
        reader.flush(&out)
        return true
    }

    /// Whether the octets are one list of strings, numbers, NIL and lists, and nothing behind it.
    public static func isBalanced(_ encoded: [UInt8]) -> Bool {
        encoded.withUnsafeBytes { bytes in
            var reader = StructureReader(bytes: bytes)
            return bytes.first == 0x28 && reader.skipValue() != nil
                && reader.position == bytes.count
        }
    }
}

/// Walks over encoded structures.
private struct StructureReader {
    /// Deeper than any structure that is encoded: twice the greatest `depthMax`, and some.
    private static let depthMax = 1_100

    let bytes: UnsafeRawBufferPointer
    var position = 0
    /// All between here and `position` belongs to the copy and is not in it yet.
    private var keptStart = 0

    init(bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    private func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }

    /// Passes one value and says where it lies.
    mutating func skipValue() -> Range<Int>? {
        let start = position
        var depth = 0
        repeat {
            guard let byte = peek() else { return nil }
            switch byte {
            case 0x28:
                depth += 1
                position += 1
            case 0x29:
                depth -= 1
                guard depth >= 0 else { return nil }
                position += 1
            case 0x20 where depth > 0: position += 1
            case 0x22: guard skipQuoted() else { return nil }
            case 0x7B: guard skipLiteral() else { return nil }
            default: guard skipAtom() else { return nil }
            }
        } while depth > 0
        return start..<position
    }

    private mutating func skipQuoted() -> Bool {
        position += 1
        while let byte = peek() {
            position += 1
            if byte == 0x22 { return true }
            if byte == 0x5C { position += 1 }
            if byte < 0x20 || byte > 0x7E { return false }
        }
        return false
    }

    private mutating func skipLiteral() -> Bool {
        position += 1
        var count = 0
        while let byte = peek(), byte &- 0x30 < 10, count < bytes.count {
            count = count * 10 + Int(byte &- 0x30)
            position += 1
        }
        guard bytes.count - position >= 3, bytes[position] == 0x7D, bytes[position + 1] == 13,
            bytes[position + 2] == 10, bytes.count - position - 3 >= count
        else { return false }
        position += 3 + count
        return true
    }

    private mutating func skipAtom() -> Bool {
        let start = position
        while let byte = peek(), byte &- 0x30 < 10 { position += 1 }
        if position > start { return true }
        guard bytes.count - position >= 3, bytes[position] == 0x4E, bytes[position + 1] == 0x49,
            bytes[position + 2] == 0x4C
        else { return false }
        position += 3
        return true
    }

    /// Appends what is kept up to here.
    mutating func flush(_ out: inout [UInt8]) {
        out.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[keptStart..<position]))
        keptStart = position
    }

    /// Copies one body without its extension data.
    mutating func copyBody(depth: Int, _ out: inout [UInt8]) -> Bool {
        guard depth < Self.depthMax, peek() == 0x28 else { return false }
        position += 1
        if peek() == 0x28 {
            while peek() == 0x28 {
                guard copyBody(depth: depth + 1, &out) else { return false }
            }
            guard keepValue(afterSpace: true) != nil else { return false }
        } else {
            guard let type = keepValue(afterSpace: false), let subtype = keepValue(afterSpace: true)
            else { return false }
            for _ in 0..<5 { guard keepValue(afterSpace: true) != nil else { return false } }
            if isMessage(type, subtype) {
                guard keepValue(afterSpace: true) != nil, peek() == 0x20 else { return false }
                position += 1
                guard copyBody(depth: depth + 1, &out) else { return false }
                guard keepValue(afterSpace: true) != nil else { return false }
            } else if bytes.equals("\"text\"", at: type) {
                guard keepValue(afterSpace: true) != nil else { return false }
            }
        }
        return leaveOutExtension(&out)
    }

    private func isMessage(_ type: ByteRange, _ subtype: ByteRange) -> Bool {
        bytes.equals("\"message\"", at: type)
            && (bytes.equals("\"rfc822\"", at: subtype) || bytes.equals("\"global\"", at: subtype))
    }

    private mutating func keepValue(afterSpace: Bool) -> ByteRange? {
        if afterSpace {
            guard peek() == 0x20 else { return nil }
            position += 1
        }
        guard let range = skipValue() else { return nil }
        return ByteRange(range.lowerBound, range.upperBound)
    }

    private mutating func leaveOutExtension(_ out: inout [UInt8]) -> Bool {
        if peek() == 0x20 {
            flush(&out)
            while peek() == 0x20 {
                position += 1
                guard skipValue() != nil else { return false }
            }
            keptStart = position
        }
        guard peek() == 0x29 else { return false }
        position += 1
        return true
    }
}

extension MailFormatFuzz {
    /// Encodes any octets as a message and stops where the results contradict each other.
    public static func runEncoders(_ bytes: UnsafeRawBufferPointer) {
        let limits = MIMELimits(
            depthMax: 20, partsMax: 500, addressesMax: 1_000, parametersMax: 50)
        let tree = MIMETree(parsing: bytes, limits: limits)
        let summary = MessageSummary.make(bytes, tree: tree, limits: limits)
        precondition(BodyStructureEncoder.isBalanced(summary.envelope))
        precondition(BodyStructureEncoder.isBalanced(summary.bodyStructure))
        var body: [UInt8] = []
        var encoder = BodyStructureEncoder(limits: limits)
        encoder.encode(tree, of: bytes, extended: false, to: &body)
        precondition(BodyStructureEncoder.body(from: summary.bodyStructure) == body)
    }
}
