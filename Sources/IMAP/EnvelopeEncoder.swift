import MailFormat

/// Writes the strings of FETCH responses (RFC 9051 §9: `nstring`).
///
/// Quoted where that is allowed for every client, as a literal otherwise: octets above 127 are
/// quoted only for clients that have enabled UTF-8, and what is encoded here is stored for all.
enum StringEncoder {
    /// A quoted string stays shorter than the line limits of clients.
    static let quotedMaxOctets = 4_000

    /// Appends the octets as a string, never NIL.
    static func append(_ text: UnsafeRawBufferPointer, to out: inout [UInt8]) {
        var needsEscape = false
        var needsLiteral = text.count > quotedMaxOctets
        for byte in text {
            if byte &- 0x20 >= 0x5F { needsLiteral = true }
            if byte == 0x22 || byte == 0x5C { needsEscape = true }
        }
        if needsLiteral { return appendLiteral(text, to: &out) }
        out.append(0x22)
        if needsEscape {
            for byte in text {
                if byte == 0x22 || byte == 0x5C { out.append(0x5C) }
                out.append(byte)
            }
        } else {
            out.append(contentsOf: text)
        }
        out.append(0x22)
    }

    static func append(_ text: [UInt8], to out: inout [UInt8]) {
        text.withUnsafeBytes { append($0, to: &out) }
    }

    static func append(_ text: StaticString, to out: inout [UInt8]) {
        out.append(
            contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    private static func appendLiteral(_ text: UnsafeRawBufferPointer, to out: inout [UInt8]) {
        out.append(0x7B)
        appendNumber(text.count, to: &out)
        append("}\r\n", to: &out)
        // NUL cannot be in a literal (RFC 9051 §4.3).
        for byte in text { out.append(byte == 0 ? 0x3F : byte) }
    }

    static func appendNumber(_ number: Int, to out: inout [UInt8]) {
        if number < 10 {
            out.append(0x30 &+ UInt8(truncatingIfNeeded: max(number, 0)))
            return
        }
        var divisor = 1
        while number / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            out.append(0x30 &+ UInt8(truncatingIfNeeded: number / divisor % 10))
            divisor /= 10
        }
    }

    /// Appends a field's value without its folds and the white space around it; NIL if absent.
    static func appendValue(
        _ range: ByteRange, of message: UnsafeRawBufferPointer, maxOctets: Int,
        to out: inout [UInt8]
    ) {
        guard range.isPresent else { return append("NIL", to: &out) }
        var end = min(range.upperBound, range.lowerBound + maxOctets)
        while end > range.lowerBound, message[end - 1] <= 0x20 { end -= 1 }
        let text = UnsafeRawBufferPointer(rebasing: message[range.lowerBound..<end])
        var isFolded = false
        for byte in text where byte == 0x0A || byte == 0x0D { isFolded = true }
        guard isFolded else { return append(text, to: &out) }
        append(text.filter { $0 != 0x0A && $0 != 0x0D }, to: &out)
    }
}

/// Writes ENVELOPE (RFC 9051 §7.5.2), ready to send to any client.
public struct EnvelopeEncoder {
    private var addresses = AddressParser()
    private let limits: MIMELimits

    /// An encoder keeps its buffers from one message to the next.
    public init(limits: MIMELimits = MIMELimits()) {
        self.limits = limits
    }

    /// Appends `(date subject from sender reply-to to cc bcc in-reply-to message-id)`.
    ///
    /// A field that is not there is NIL; one that is there without a value is `""`. Sender and
    /// Reply-To that are missing or empty are those of From. An address without a domain gets
    /// `MISSING_DOMAIN`, because NIL would make it a group, and one without a local part
    /// `MISSING_MAILBOX`, as Dovecot does.
    public mutating func encode(
        _ fields: EnvelopeFields, of message: UnsafeRawBufferPointer, to out: inout [UInt8]
    ) {
        let maxOctets = limits.valueMaxOctets
        out.append(0x28)
        StringEncoder.appendValue(fields.date, of: message, maxOctets: maxOctets, to: &out)
        out.append(0x20)
        StringEncoder.appendValue(fields.subject, of: message, maxOctets: maxOctets, to: &out)
        out.append(0x20)
        let from = out.count
        _ = appendAddresses(fields.from, message, &out)
        let fromEnd = out.count
        appendAddresses(fields.sender, orAgain: from..<fromEnd, message, &out)
        appendAddresses(fields.replyTo, orAgain: from..<fromEnd, message, &out)
        out.append(0x20)
        _ = appendAddresses(fields.to, message, &out)
        out.append(0x20)
        _ = appendAddresses(fields.cc, message, &out)
        out.append(0x20)
        _ = appendAddresses(fields.bcc, message, &out)
        out.append(0x20)
        StringEncoder.appendValue(fields.inReplyTo, of: message, maxOctets: maxOctets, to: &out)
        out.append(0x20)
        StringEncoder.appendValue(fields.messageID, of: message, maxOctets: maxOctets, to: &out)
        out.append(0x29)
    }

    /// Appends a space and an address list; if there is no address, the octets of `earlier`.
    private mutating func appendAddresses(
        _ range: ByteRange, orAgain earlier: Range<Int>, _ message: UnsafeRawBufferPointer,
        _ out: inout [UInt8]
    ) {
        out.append(0x20)
        guard !appendAddresses(range, message, &out) else { return }
        out.removeLast(3)
        for i in earlier { out.append(out[i]) }
    }

    /// Appends an address list, or NIL (and the result is false) if there is no address.
    private mutating func appendAddresses(
        _ range: ByteRange, _ message: UnsafeRawBufferPointer, _ out: inout [UInt8]
    ) -> Bool {
        let start = out.count
        if range.isPresent {
            let end = min(range.upperBound, range.lowerBound + limits.valueMaxOctets)
            addresses.start(
                message, ByteRange(range.lowerBound, end), maximum: limits.addressesMax)
            out.append(0x28)
            while let element = addresses.next() { appendElement(element, to: &out) }
            if out.count > start + 1 {
                out.append(0x29)
                return true
            }
            out.removeLast()
        }
        StringEncoder.append("NIL", to: &out)
        return false
    }

    private func appendElement(_ element: AddressParser.Element, to out: inout [UInt8]) {
        switch element {
        case .groupStart:
            StringEncoder.append("(NIL NIL ", to: &out)
            StringEncoder.append(addresses.mailbox, to: &out)
            StringEncoder.append(" NIL)", to: &out)
        case .groupEnd:
            StringEncoder.append("(NIL NIL NIL NIL)", to: &out)
        case .mailbox:
            out.append(0x28)
            if addresses.hasName {
                StringEncoder.append(addresses.name, to: &out)
                out.append(0x20)
            } else {
                StringEncoder.append("NIL ", to: &out)
            }
            if addresses.route.isEmpty {
                StringEncoder.append("NIL ", to: &out)
            } else {
                StringEncoder.append(addresses.route, to: &out)
                out.append(0x20)
            }
            if addresses.mailbox.isEmpty {
                StringEncoder.append("\"MISSING_MAILBOX\" ", to: &out)
            } else {
                StringEncoder.append(addresses.mailbox, to: &out)
                out.append(0x20)
            }
            if addresses.host.isEmpty {
                StringEncoder.append("\"MISSING_DOMAIN\")", to: &out)
            } else {
                StringEncoder.append(addresses.host, to: &out)
                out.append(0x29)
            }
        }
    }
}
