/// Mailbox names between the wire and UTF-8 (RFC 3501 §5.1.3, RFC 9051 §5.1).
public enum MailboxName {
    public enum Failure: Error, Sendable, Equatable {
        case notUTF8, badUTF7, control, emptyLevel, tooLong, tooDeep

        /// Text for people.
        public var text: String {
            switch self {
            case .notUTF8: "Mailbox name is not UTF-8"
            case .badUTF7: "Mailbox name is not modified UTF-7"
            case .control: "Mailbox name has control characters"
            case .emptyLevel: "Mailbox name is empty or has an empty level"
            case .tooLong: "Mailbox name is too long"
            case .tooDeep: "Mailbox name has too many levels"
            }
        }
    }

    /// What separates the levels of a name.
    public static let delimiter: Character = "/"

    /// Reads a name from the wire; INBOX in any case, also as first level, becomes `INBOX`.
    /// - Parameter isUTF8: the client has enabled UTF8=ACCEPT or IMAP4rev2.
    public static func decode(
        _ bytes: UnsafeRawBufferPointer, isUTF8: Bool, limits: IMAPLimits
    ) throws(Failure) -> String {
        if bytes.count > limits.mailboxMaxOctets * 3 { throw .tooLong }
        let text = try decodeCharacters(bytes, isUTF8: isUTF8)
        try check(text, limits: limits)
        return normalized(text)
    }

    /// The characters alone, without a check: for LIST patterns and references.
    public static func decodeCharacters(
        _ bytes: UnsafeRawBufferPointer, isUTF8: Bool
    ) throws(Failure) -> String {
        if isUTF8 {
            guard let text = String(validating: bytes, as: UTF8.self) else { throw .notUTF8 }
            return text
        }
        guard let text = decodeUTF7(bytes) else { throw .badUTF7 }
        return text
    }

    private static func normalized(_ text: String) -> String {
        let head = text.utf8.prefix(6)
        guard head.count == 5 || head.last == 0x2F else { return text }
        let name: StaticString = "INBOX"
        for (index, byte) in head.prefix(5).enumerated()
        where IMAPBytes.upper(byte) != name.utf8Start[index] { return text }
        return "INBOX" + text.dropFirst(5)
    }

    /// Net-Unicode (RFC 5198) as far as it matters: no controls, no line or paragraph separators.
    public static func check(_ text: String, limits: IMAPLimits) throws(Failure) {
        if text.utf8.count > limits.mailboxMaxOctets { throw .tooLong }
        var levels = 1
        var isLevelEmpty = true
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029, 0xFEFF: throw .control
            case 0x2F:
                if isLevelEmpty { throw .emptyLevel }
                isLevelEmpty = true
                levels += 1
            default: isLevelEmpty = false
            }
        }
        if isLevelEmpty { throw .emptyLevel }
        if levels > limits.mailboxLevelsMax { throw .tooDeep }
    }

    // MARK: Modified UTF-7

    private static let alphabet: StaticString =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,"

    private static func value(_ byte: UInt8) -> UInt32? {
        switch byte {
        case 0x41...0x5A: UInt32(byte) - 0x41
        case 0x61...0x7A: UInt32(byte) - 0x61 + 26
        case 0x30...0x39: UInt32(byte) - 0x30 + 52
        case 0x2B: 62
        case 0x2C: 63
        default: nil
        }
    }

    /// nil if it is not modified UTF-7 in its one canonical form.
    static func decodeUTF7(_ bytes: UnsafeRawBufferPointer) -> String? {
        var units: [UInt16] = []
        units.reserveCapacity(bytes.count)
        var i = 0
        while i < bytes.count {
            let byte = bytes[i]
            i += 1
            guard byte &- 0x20 < 0x5F else { return nil }
            guard byte == 0x26 else {
                units.append(UInt16(byte))
                continue
            }
            if i < bytes.count, bytes[i] == 0x2D {
                units.append(0x26)
                i += 1
                continue
            }
            var bits: UInt32 = 0
            var count = 0
            while i < bytes.count, let six = value(bytes[i]) {
                bits = bits << 6 | six
                count += 6
                if count >= 16 {
                    count -= 16
                    let unit = UInt16(truncatingIfNeeded: bits >> UInt32(count))
                    // Printable ASCII stands for itself; a second form would be a second name.
                    if unit &- 0x20 < 0x5F { return nil }
                    units.append(unit)
                    bits &= (1 << UInt32(count)) - 1
                }
                i += 1
            }
            guard i < bytes.count, bytes[i] == 0x2D, count < 6, bits == 0 else { return nil }
            i += 1
            // Two runs in a row would be a second form too.
            if i + 1 < bytes.count, bytes[i] == 0x26, bytes[i + 1] != 0x2D { return nil }
        }
        return String(validating: units, as: UTF16.self)
    }

    /// Appends the name in modified UTF-7.
    public static func appendUTF7(_ name: String, to out: inout [UInt8]) {
        var bits: UInt32 = 0
        var count = 0
        var isShifted = false
        for unit in name.utf16 {
            if unit &- 0x20 < 0x5F {
                if isShifted { endRun(&bits, &count, &out) }
                isShifted = false
                out.append(UInt8(unit))
                if unit == 0x26 { out.append(0x2D) }
                continue
            }
            if !isShifted { out.append(0x26) }
            isShifted = true
            bits = bits << 16 | UInt32(unit)
            count += 16
            while count >= 6 {
                count -= 6
                out.append(alphabet.utf8Start[Int(bits >> UInt32(count) & 63)])
            }
            bits &= (1 << UInt32(count)) - 1
        }
        if isShifted { endRun(&bits, &count, &out) }
    }

    private static func endRun(_ bits: inout UInt32, _ count: inout Int, _ out: inout [UInt8]) {
        if count > 0 {
            out.append(alphabet.utf8Start[Int(bits << UInt32(6 - count) & 63)])
        }
        out.append(0x2D)
        bits = 0
        count = 0
    }
}
