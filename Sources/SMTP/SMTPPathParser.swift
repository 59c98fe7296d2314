/// The grammar of paths and domains (RFC 5321 §4.1.2 and §4.1.3, RFC 6531 §3.3).
///
/// It is tolerant where senders differ and nothing can go wrong: dots may stand anywhere in a local
/// part (some providers gave out `a..b@`), and a domain may hold underscores. Octets above 127 have
/// to be UTF-8; whether they are allowed at all is for the caller to say.
struct SMTPPathParser {
    private let bytes: UnsafeRawBufferPointer
    private let limits: SMTPLimits
    private(set) var position = 0

    init(_ bytes: UnsafeRawBufferPointer, limits: SMTPLimits) {
        self.bytes = bytes
        self.limits = limits
    }

    var isAtEnd: Bool { position == bytes.count }

    private func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard peek() == byte else { return false }
        position += 1
        return true
    }

    /// A path in angle brackets: `<>`, `<postmaster>` or a mailbox. The caller refuses what does not
    /// fit its command.
    mutating func path() -> SMTPPath? {
        guard take(Byte.less) else { return nil }
        if take(Byte.greater) { return .null }
        if peek() == Byte.at {
            guard sourceRoute() else { return nil }
        }
        let start = position
        var local: [UInt8]?
        if peek() == Byte.quote {
            guard let unquoted = quotedString() else { return nil }
            local = unquoted
        } else {
            while let byte = peek(), Self.isAtomText(byte) || byte == Byte.dot { position += 1 }
        }
        let localEnd = position
        let localCount = local?.count ?? (localEnd - start)
        guard localCount > 0, localCount <= limits.localPartMaxOctets else { return nil }
        if take(Byte.greater) {
            let word = bytes.sub(start..<localEnd)
            guard local == nil, word.equalsIgnoringCase("postmaster") else { return nil }
            return SMTPPath(bytes: Array(word), localPartCount: localCount, isASCII: true)
        }
        guard take(Byte.at) else { return nil }
        let domainStart = position
        guard domain(), position - domainStart <= limits.domainMaxOctets else { return nil }
        let end = position
        guard take(Byte.greater) else { return nil }
        var joined: [UInt8]
        if let local {
            joined = local
            joined.append(raw: bytes.sub(localEnd..<end))
        } else {
            joined = []
            joined.append(raw: bytes.sub(start..<end))
        }
        let isASCII = !joined.contains { $0 >= 0x80 }
        guard isASCII || Self.isUTF8(joined) else { return nil }
        return SMTPPath(bytes: joined, localPartCount: localCount, isASCII: isASCII)
    }

    /// `@a,@b:` is read and forgotten (RFC 5321 §4.1.1.3 and appendix C).
    private mutating func sourceRoute() -> Bool {
        repeat {
            guard take(Byte.at), domain() else { return false }
        } while take(Byte.comma)
        return take(Byte.colon)
    }

    private mutating func quotedString() -> [UInt8]? {
        guard take(Byte.quote) else { return nil }
        var out: [UInt8] = []
        while let byte = peek() {
            position += 1
            switch byte {
            case Byte.quote:
                return out
            case Byte.backslash:
                guard let escaped = peek(), (0x20...0x7E).contains(escaped) else { return nil }
                position += 1
                out.append(escaped)
            case 0x20...0x7E, 0x80...:
                out.append(byte)
            default:
                return nil
            }
            guard out.count <= limits.localPartMaxOctets else { return nil }
        }
        return nil
    }

    /// A domain or an address literal.
    mutating func domain() -> Bool {
        if peek() == Byte.openBracket { return addressLiteral() }
        var labelStart = position
        while let byte = peek() {
            if byte == Byte.dot {
                guard position > labelStart else { return false }
                labelStart = position + 1
            } else if !(Byte.isAlphanumeric(byte) || byte == Byte.hyphen || byte == 0x5F
                || byte >= 0x80)
            {
                break
            }
            position += 1
            guard position - labelStart <= 63 else { return false }
        }
        return position > labelStart
    }

    private mutating func addressLiteral() -> Bool {
        let limit = min(bytes.count, position + 64)
        guard let close = bytes.firstIndex(of: Byte.closeBracket, in: position..<limit) else {
            return false
        }
        let inner = bytes.sub((position + 1)..<close)
        position = close + 1
        if inner.hasPrefixIgnoringCase("ipv6:") {
            return AddressLiteral.isIPv6(inner.sub(5..<inner.count))
        }
        return AddressLiteral.isIPv4(inner)
    }

    /// `atext` of RFC 5322 §3.2.3, and what RFC 6531 adds to it.
    static func isAtomText(_ byte: UInt8) -> Bool {
        if byte >= 0x80 || Byte.isAlphanumeric(byte) { return true }
        switch byte {
        case 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2F, 0x3D, 0x3F, 0x5E...0x60, 0x7B...0x7E:
            return true
        default:
            return false
        }
    }

    private static func isUTF8(_ bytes: [UInt8]) -> Bool {
        String(validating: bytes, as: UTF8.self) != nil
    }
}
