/// A reverse-path or forward-path (RFC 5321 §4.1.2, RFC 6531 §3.3): a mailbox, the null path, or
/// `<postmaster>` without a domain.
///
/// Source routes are gone and the quoting of the local part is undone, so that `"alice"@example.org`
/// and `alice@example.org` are equal, as they must be. Case is as it was sent.
public struct SMTPPath: Hashable, Sendable {
    /// The local part, `@` and the domain. Without a domain there is no `@`; the null path is empty.
    public let bytes: [UInt8]
    /// The number of octets of the local part.
    public let localPartCount: Int
    /// Whether every octet is ASCII.
    public let isASCII: Bool

    init(bytes: [UInt8], localPartCount: Int, isASCII: Bool) {
        self.bytes = bytes
        self.localPartCount = localPartCount
        self.isASCII = isASCII
    }

    /// The null reverse-path `<>`.
    public static let null = SMTPPath(bytes: [], localPartCount: 0, isASCII: true)

    public var isNull: Bool { bytes.isEmpty }
    /// The local part, unquoted.
    public var localPart: ArraySlice<UInt8> { bytes[..<localPartCount] }
    /// The domain or address literal with its brackets; empty for `<postmaster>` and `<>`.
    public var domain: ArraySlice<UInt8> {
        localPartCount < bytes.count ? bytes[(localPartCount + 1)...] : []
    }

    /// Reads `<local@domain>`, or nil if it is not a path. For tests and configuration.
    public init?(_ text: String, limits: SMTPLimits = SMTPLimits()) {
        let bytes = Array(text.utf8)
        let parsed = bytes.withUnsafeBytes { raw -> SMTPPath? in
            var parser = SMTPPathParser(raw, limits: limits)
            guard let path = parser.path(), parser.isAtEnd else { return nil }
            return path
        }
        guard let parsed else { return nil }
        self = parsed
    }

    /// Appends `<local@domain>`, with the local part quoted where it has to be.
    public func append(to out: inout [UInt8]) {
        out.append(Byte.less)
        if !isNull {
            if localPartIsDotString {
                out.append(contentsOf: bytes)
            } else {
                out.append(Byte.quote)
                for byte in localPart {
                    if byte == Byte.quote || byte == Byte.backslash { out.append(Byte.backslash) }
                    out.append(byte)
                }
                out.append(Byte.quote)
                out.append(contentsOf: bytes[localPartCount...])
            }
        }
        out.append(Byte.greater)
    }

    private var localPartIsDotString: Bool {
        var previous = Byte.dot
        for byte in localPart {
            if byte == Byte.dot ? previous == Byte.dot : !SMTPPathParser.isAtomText(byte) {
                return false
            }
            previous = byte
        }
        return previous != Byte.dot
    }
}

extension SMTPPath: CustomStringConvertible {
    public var description: String {
        var out: [UInt8] = []
        append(to: &out)
        return String(decoding: out, as: UTF8.self)
    }
}
