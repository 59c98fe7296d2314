import CIdn2
import CUnistring

/// The form in which addresses are compared: ASCII letters small, other characters in NFC, domains
/// as A-labels.
public enum AddressForm {
    /// RFC 5321 §4.5.3.1 allows 64 octets, RFC 6531 makes them UTF-8; some senders use more.
    public static let localPartMaxOctets = 256
    /// RFC 5321 §4.5.3.1.2, with room for U-labels.
    public static let domainMaxOctets = 512

    /// The comparable form of a local part, quoted or not; nil if it is empty, over its limit or not
    /// UTF-8.
    public static func localPart(_ bytes: UnsafeRawBufferPointer) -> [UInt8]? {
        guard !bytes.isEmpty, bytes.count <= localPartMaxOctets else { return nil }
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        if bytes[0] == UInt8(ascii: "\"") {
            guard bytes.count >= 2, bytes[bytes.count - 1] == UInt8(ascii: "\"") else { return nil }
            var i = 1
            while i < bytes.count - 1 {
                // RFC 5321 §4.1.2: a backslash has no meaning of its own.
                if bytes[i] == UInt8(ascii: "\\"), i + 1 < bytes.count - 1 { i += 1 }
                out.append(lowercase(bytes[i]))
                i += 1
            }
        } else {
            for byte in bytes { out.append(lowercase(byte)) }
        }
        guard out.contains(where: { $0 >= 0x80 }) else { return out.isEmpty ? nil : out }
        guard String(validating: out, as: UTF8.self) != nil else { return nil }
        var count = 0
        guard let normalised = twinpost_nfc(out, out.count, &count) else { return nil }
        defer { free(normalised) }
        return Array(UnsafeBufferPointer(start: normalised, count: count))
    }

    /// The A-label form of a domain, or nil if it is not one (RFC 5891 §5).
    public static func domain(_ bytes: UnsafeRawBufferPointer) -> [UInt8]? {
        guard !bytes.isEmpty, bytes.count <= domainMaxOctets, !bytes.contains(0) else {
            return nil
        }
        guard bytes.contains(where: { $0 >= 0x80 }) else {
            let out = bytes.map(lowercase)
            return isHostName(out) ? out : nil
        }
        guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
        var result: UnsafeMutablePointer<CChar>?
        let flags = Int32(IDN2_NONTRANSITIONAL.rawValue | IDN2_NFC_INPUT.rawValue)
        guard idn2_to_ascii_8z(text, &result, flags) == Int32(IDN2_OK.rawValue), let result else {
            return nil
        }
        defer { idn2_free(result) }
        let out = Array(String(cString: result).utf8).map(lowercase)
        return isHostName(out) ? out : nil
    }

    public static func localPart(_ text: some StringProtocol) -> [UInt8]? {
        Array(text.utf8).withUnsafeBytes { localPart($0) }
    }

    public static func domain(_ text: some StringProtocol) -> [UInt8]? {
        Array(text.utf8).withUnsafeBytes { domain($0) }
    }

    @inline(__always)
    static func lowercase(_ byte: UInt8) -> UInt8 {
        byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte
    }

    /// Letters, digits, hyphens and underscores, in labels of 1 to 63, together at most 253.
    private static func isHostName(_ name: [UInt8]) -> Bool {
        guard name.count <= 253 else { return false }
        return name.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
            .allSatisfy { label in
                !label.isEmpty && label.count <= 63 && label.first != UInt8(ascii: "-")
                    && label.last != UInt8(ascii: "-")
                    && label.allSatisfy { byte in
                        switch byte {
                        case 0x30...0x39, 0x61...0x7A, 0x2D, 0x5F: true
                        default: false
                        }
                    }
            }
    }
}
