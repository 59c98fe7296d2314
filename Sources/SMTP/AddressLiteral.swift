/// Addresses as text (RFC 5321 §4.1.3).
enum AddressLiteral {
    /// Four decimal numbers up to 255.
    static func isIPv4(_ text: UnsafeRawBufferPointer) -> Bool {
        var parts = 0
        var position = 0
        while parts < 4 {
            var value = 0
            let start = position
            while position < text.count, Byte.isDigit(text[position]), position - start < 3 {
                value = value * 10 + Int(text[position] - 0x30)
                position += 1
            }
            guard position > start, value <= 255 else { return false }
            parts += 1
            if parts < 4 {
                guard position < text.count, text[position] == Byte.dot else { return false }
                position += 1
            }
        }
        return position == text.count
    }

    /// Up to eight groups of up to four hexadecimal digits, one `::`, and perhaps an IPv4 address at
    /// the end.
    static func isIPv6(_ text: UnsafeRawBufferPointer) -> Bool {
        var groups = 0
        var compressed = false
        var position = 0
        if text.count >= 2, text[0] == Byte.colon {
            guard text[1] == Byte.colon else { return false }
            compressed = true
            position = 2
        }
        while position < text.count {
            let start = position
            while position < text.count, isHexadecimal(text[position]) { position += 1 }
            if position < text.count, text[position] == Byte.dot {
                guard isIPv4(text.sub(start..<text.count)) else { return false }
                groups += 2
                position = text.count
                break
            }
            guard (1...4).contains(position - start) else { return false }
            groups += 1
            guard position < text.count else { break }
            guard text[position] == Byte.colon, position + 1 < text.count else { return false }
            position += 1
            if text[position] == Byte.colon {
                guard !compressed else { return false }
                compressed = true
                position += 1
            }
        }
        return compressed ? groups <= 7 : groups == 8
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        Byte.isDigit(byte) || (byte | 0x20) &- 0x61 < 6
    }
}
