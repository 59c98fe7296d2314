import Platform

/// The fields that a receiver puts in front of a message (RFC 5321 §4.4).
public enum TraceHeaders {
    /// Appends `Return-Path`.
    public static func appendReturnPath(_ path: SMTPPath, to out: inout [UInt8]) {
        out.append("Return-Path: ")
        path.append(to: &out)
        out.append("\r\n")
    }

    /// What a `Received` field tells.
    public struct Hop: Sendable {
        public var client: SMTPClient
        /// What the client called itself.
        public var hello: [UInt8]
        /// Whether it said EHLO.
        public var isExtended: Bool
        public var isAuthenticated = false
        public var tls: SMTPTLS?
        public var isSMTPUTF8: Bool
        public var hostname: [UInt8]
        public var id: [UInt8]
        /// The recipient, only if it is the only one (RFC 5321 §7.6: a list would disclose the
        /// others).
        public var onlyRecipient: SMTPPath?
        public var time: Instant
    }

    /// Appends `Received`.
    public static func appendReceived(_ hop: Hop, to out: inout [UInt8]) {
        out.append("Received: from ")
        out.append(contentsOf: hop.hello)
        out.append(" (")
        if !hop.client.reverseName.isEmpty {
            out.append(contentsOf: hop.client.reverseName)
            out.append(Byte.space)
        }
        out.append(Byte.openBracket)
        out.append(contentsOf: hop.client.address)
        out.append("])\r\n\tby ")
        out.append(contentsOf: hop.hostname)
        out.append(" with ")
        appendProtocol(hop, to: &out)
        if let tls = hop.tls {
            out.append("\r\n\t(version=")
            out.append(contentsOf: tls.version)
            if !tls.cipher.isEmpty {
                out.append(" cipher=")
                out.append(contentsOf: tls.cipher)
            }
            out.append(")")
        }
        out.append("\r\n\tid ")
        out.append(contentsOf: hop.id)
        if let path = hop.onlyRecipient {
            out.append("\r\n\tfor ")
            path.append(to: &out)
        }
        if let tls = hop.tls, isSuiteName(tls.cipher) {
            // RFC 8314 §4.3, for names of the IANA registry only.
            out.append("\r\n\ttls ")
            out.append(contentsOf: tls.cipher)
        }
        out.append(";\r\n\t")
        appendDate(CivilTime(hop.time), to: &out)
        out.append("\r\n")
    }

    private static func isSuiteName(_ cipher: [UInt8]) -> Bool {
        cipher.withUnsafeBytes { $0.hasPrefixIgnoringCase("tls_") }
    }

    /// The keywords of RFC 3848 and RFC 6531 §4.3.
    private static func appendProtocol(_ hop: Hop, to out: inout [UInt8]) {
        guard hop.isExtended else { return out.append("SMTP") }
        out.append(hop.isSMTPUTF8 ? "UTF8SMTP" : "ESMTP")
        if hop.tls != nil { out.append(UInt8(ascii: "S")) }
        if hop.isAuthenticated { out.append(UInt8(ascii: "A")) }
    }

    /// Appends a date as RFC 5322 §3.3 writes it.
    public static func appendDate(_ time: CivilTime, to out: inout [UInt8]) {
        appendThree(of: "SunMonTueWedThuFriSat", at: time.weekday, to: &out)
        out.append(", ")
        appendDigits(time.day, 2, to: &out)
        out.append(Byte.space)
        appendThree(of: "JanFebMarAprMayJunJulAugSepOctNovDec", at: time.month - 1, to: &out)
        out.append(Byte.space)
        appendDigits(time.year, 4, to: &out)
        out.append(Byte.space)
        appendDigits(time.hour, 2, to: &out)
        out.append(Byte.colon)
        appendDigits(time.minute, 2, to: &out)
        out.append(Byte.colon)
        appendDigits(time.second, 2, to: &out)
        out.append(time.offsetMinutes < 0 ? " -" : " +")
        let offset = abs(time.offsetMinutes)
        appendDigits(offset / 60 * 100 + offset % 60, 4, to: &out)
    }

    private static func appendThree(of names: StaticString, at index: Int, to out: inout [UInt8]) {
        out.append(
            contentsOf: UnsafeBufferPointer(start: names.utf8Start + index * 3, count: 3))
    }

    private static func appendDigits(_ value: Int, _ width: Int, to out: inout [UInt8]) {
        var divisor = 1
        for _ in 1..<width { divisor *= 10 }
        while divisor > 0 {
            out.append(UInt8(ascii: "0") + UInt8(value / divisor % 10))
            divisor /= 10
        }
    }
}
