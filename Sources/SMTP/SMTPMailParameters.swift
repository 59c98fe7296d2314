/// The parameters of MAIL: SIZE (RFC 1870), BODY (RFC 6152), SMTPUTF8 (RFC 6531).
enum SMTPMailParameters {
    private enum Keyword: UInt8 {
        case size = 1
        case body = 2
        case smtputf8 = 4
    }

    /// Reads ` KEY=VALUE KEY ...` into the envelope.
    ///
    /// - Returns: the reply that refuses them, or nil.
    static func read(
        _ bytes: UnsafeRawBufferPointer, into envelope: inout SMTPEnvelope, limits: SMTPLimits
    ) -> SMTPReply? {
        var position = 0
        var seen: UInt8 = 0
        while true {
            while position < bytes.count, bytes[position] == Byte.space { position += 1 }
            guard position < bytes.count else { return nil }
            let end =
                bytes.firstIndex(of: Byte.space, in: position..<bytes.count) ?? bytes.count
            let word = bytes.sub(position..<end)
            position = end
            let equals = word.firstIndex(of: Byte.equals, in: 0..<word.count)
            let name = word.sub(0..<(equals ?? word.count))
            let value = equals.map { word.sub(($0 + 1)..<word.count) }
            guard let keyword = keyword(name) else { return .parameterUnknown }
            if seen & keyword.rawValue != 0 { return .parameterRepeated }
            seen |= keyword.rawValue
            if let refusal = apply(keyword, value, to: &envelope, limits) { return refusal }
        }
    }

    private static func keyword(_ name: UnsafeRawBufferPointer) -> Keyword? {
        if name.equalsIgnoringCase("size") { return .size }
        if name.equalsIgnoringCase("body") { return .body }
        if name.equalsIgnoringCase("smtputf8") { return .smtputf8 }
        return nil
    }

    private static func apply(
        _ keyword: Keyword, _ value: UnsafeRawBufferPointer?, to envelope: inout SMTPEnvelope,
        _ limits: SMTPLimits
    ) -> SMTPReply? {
        switch keyword {
        case .size:
            guard let octets = value?.decimalClamped else { return .parameterSyntax }
            if octets > limits.messageMaxOctets { return .tooBig }
            envelope.declaredOctets = octets
        case .body:
            guard let value else { return .parameterSyntax }
            if value.equalsIgnoringCase("8bitmime") {
                envelope.is8BitMIME = true
            } else if value.equalsIgnoringCase("binarymime") {
                // RFC 3030 §3 has it; it is not offered.
                return .parameterUnknown
            } else if !value.equalsIgnoringCase("7bit") {
                return .parameterSyntax
            }
        case .smtputf8:
            guard value == nil else { return .parameterSyntax }
            envelope.isSMTPUTF8 = true
        }
        return nil
    }
}
