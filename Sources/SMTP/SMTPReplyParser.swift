/// Reads replies as a client sees them (RFC 5321 §4.2), one line after the other.
public struct SMTPReplyParser: Sendable {
    /// A whole reply.
    public struct Reply: Hashable, Sendable {
        /// 200 ... 599.
        public var code: UInt16
        /// The texts of the lines, enhanced status code and all, as they came.
        public var lines: [[UInt8]]

        public init(code: UInt16, lines: [[UInt8]]) {
            self.code = code
            self.lines = lines
        }
    }

    /// What a server may not send.
    public enum Fault: Error, Hashable, Sendable {
        /// Not three digits, or not followed by a hyphen, a blank or the end.
        case malformed
        /// The lines of one reply differ in code.
        case codesDiffer
        /// A line or the number of lines exceeds the limit.
        case tooLong
        /// A line that does not end with CRLF.
        case bareLineFeed
    }

    private let lineMaxOctets: Int
    private let linesMax: Int
    private var line: [UInt8] = []
    private var code: UInt16 = 0
    private var lines: [[UInt8]] = []

    /// RFC 5321 §4.5.3.1.5 has 512 octets for a line; servers exceed it.
    public init(lineMaxOctets: Int = 2_048, linesMax: Int = 128) {
        self.lineMaxOctets = lineMaxOctets
        self.linesMax = linesMax
    }

    /// Reads on until a reply is whole or the input ends.
    ///
    /// - Returns: how many octets were consumed, and the reply if one became whole.
    public mutating func receive(_ bytes: UnsafeRawBufferPointer) throws(Fault)
        -> (consumed: Int, reply: Reply?)
    {
        var position = 0
        while position < bytes.count {
            let lf = bytes.firstIndex(of: Byte.lf, in: position..<bytes.count)
            let end = lf.map { $0 + 1 } ?? bytes.count
            guard line.count + (end - position) <= lineMaxOctets else { throw .tooLong }
            line.append(raw: bytes.sub(position..<end))
            position = end
            guard lf != nil else { break }
            guard line.count >= 2, line[line.count - 2] == Byte.cr else { throw .bareLineFeed }
            line.removeLast(2)
            let isLast = try endLine()
            line.removeAll(keepingCapacity: true)
            if isLast {
                let reply = Reply(code: code, lines: lines)
                lines = []
                return (position, reply)
            }
        }
        return (position, nil)
    }

    private mutating func endLine() throws(Fault) -> Bool {
        guard line.count >= 3, (0x32...0x35).contains(line[0]), Byte.isDigit(line[1]),
            Byte.isDigit(line[2])
        else { throw .malformed }
        let value = line[..<3].reduce(UInt16(0)) { $0 * 10 + UInt16($1 - 0x30) }
        let separator = line.count > 3 ? line[3] : Byte.space
        guard separator == Byte.space || separator == Byte.hyphen else { throw .malformed }
        if lines.isEmpty { code = value }
        guard value == code else { throw .codesDiffer }
        guard lines.count < linesMax else { throw .tooLong }
        lines.append(Array(line.dropFirst(4)))
        return separator == Byte.space
    }
}
