import CUnistring

/// Why SASLprep refuses a string.
public enum SASLprepError: Error, Hashable, Sendable {
    case notUTF8
    /// Contains a control character, a private-use character or the like (RFC 4013 §2.3).
    case prohibitedCharacter(UInt32)
    /// Mixes directions in a way that two people could read differently (RFC 3454 §6).
    case mixedDirections
    case empty
}

/// The profile by which user names and passwords are compared (RFC 4013).
///
/// Code points that Unicode 3.2 had not assigned are allowed, as for "query" strings (RFC 3454 §7),
/// in stored passwords too: otherwise nobody could use a character younger than 2002. Normalisation
/// is of the version of Unicode that libunistring knows; it is stable for assigned characters.
public enum SASLprep {
    /// The prepared form of `bytes`.
    public static func prepare(_ bytes: [UInt8]) throws(SASLprepError) -> [UInt8] {
        if isPlainASCII(bytes) { return bytes }
        guard var scalars = decode(bytes) else { throw .notUTF8 }
        scalars = scalars.compactMap { scalar in
            if SASLprepTables.mapsToNothing(scalar) { return nil }
            return SASLprepTables.isNonASCIISpace(scalar) ? 0x20 : scalar
        }
        guard let normalised = decode(normalise(encode(scalars))) else { throw .notUTF8 }
        for scalar in normalised where SASLprepTables.isProhibited(scalar) {
            throw .prohibitedCharacter(scalar)
        }
        try checkDirections(normalised)
        return encode(normalised)
    }

    private static func isPlainASCII(_ bytes: [UInt8]) -> Bool {
        bytes.allSatisfy { $0 >= 0x20 && $0 < 0x7F }
    }

    private static func decode(_ bytes: [UInt8]) -> [UInt32]? {
        guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
        return text.unicodeScalars.map(\.value)
    }

    private static func encode(_ scalars: [UInt32]) -> [UInt8] {
        var text = String.UnicodeScalarView()
        for value in scalars {
            if let scalar = Unicode.Scalar(value) { text.append(scalar) }
        }
        return Array(String(text).utf8)
    }

    private static func normalise(_ bytes: [UInt8]) -> [UInt8] {
        var count = 0
        guard !bytes.isEmpty, let out = twinpost_nfkc(bytes, bytes.count, &count) else { return [] }
        defer { free(out) }
        return Array(UnsafeBufferPointer(start: out, count: count))
    }

    /// RFC 3454 §6: if there is a right-to-left character, there is no left-to-right one, and the
    /// first and the last are right-to-left.
    private static func checkDirections(_ scalars: [UInt32]) throws(SASLprepError) {
        func isRightToLeft(_ scalar: UInt32) -> Bool {
            let category = uc_bidi_category(scalar)
            return category == Int32(UC_BIDI_R) || category == Int32(UC_BIDI_AL)
        }
        guard scalars.contains(where: isRightToLeft) else { return }
        guard let first = scalars.first, let last = scalars.last, isRightToLeft(first),
            isRightToLeft(last),
            !scalars.contains(where: { uc_bidi_category($0) == Int32(UC_BIDI_L) })
        else { throw .mixedDirections }
    }
}

/// The tables of RFC 3454 that RFC 4013 names.
enum SASLprepTables {
    /// Table B.1.
    static func mapsToNothing(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0x00AD, 0x034F, 0x1806, 0x180B...0x180D, 0x200B...0x200D, 0x2060, 0xFE00...0xFE0F,
            0xFEFF:
            true
        default: false
        }
    }

    /// Table C.1.2 without U+200B, which table B.1 has removed by then.
    static func isNonASCIISpace(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0x00A0, 0x1680, 0x2000...0x200A, 0x202F, 0x205F, 0x3000: true
        default: false
        }
    }

    /// Tables C.1.2, C.2.1, C.2.2, C.3, C.4, C.5, C.6, C.7, C.8 and C.9.
    static func isProhibited(_ scalar: UInt32) -> Bool {
        // C.4: the last two code points of every plane.
        if scalar & 0xFFFE == 0xFFFE { return true }
        switch scalar {
        case 0x0000...0x001F, 0x007F...0x009F: return true  // C.2.1, C.2.2
        case 0x06DD, 0x070F, 0x180E, 0x200C...0x200D, 0x2028...0x2029, 0x2060...0x2063: return true
        case 0x206A...0x206F, 0xFEFF, 0xFFF9...0xFFFC, 0x1D173...0x1D17A: return true
        case 0xE000...0xF8FF, 0xF0000...0xFFFFD, 0x100000...0x10FFFD: return true  // C.3
        case 0xFDD0...0xFDEF: return true  // C.4
        case 0xD800...0xDFFF: return true  // C.5
        case 0xFFFD: return true  // C.6
        case 0x2FF0...0x2FFB: return true  // C.7
        case 0x0340...0x0341, 0x200E...0x200F, 0x202A...0x202E: return true  // C.8
        case 0xE0001, 0xE0020...0xE007F: return true  // C.9
        default: return isNonASCIISpace(scalar)
        }
    }
}
