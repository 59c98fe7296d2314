/// Case-insensitive comparison in the manner of i;unicode-casemap (RFC 5051): characters by their
/// lower case, without decomposition.
enum CaseFolding {
    /// Appends valid UTF-8 in lower case.
    static func fold(_ text: UnsafeRawBufferPointer, to out: inout [UInt8]) {
        var i = 0
        let end = text.count
        while i < end {
            let byte = text[i]
            if byte < 0x80 {
                let start = i
                while i < end, text[i] < 0x80 { i += 1 }
                appendLower(UnsafeRawBufferPointer(rebasing: text[start..<i]), to: &out)
                continue
            }
            let length = byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4
            guard byte >= 0xC2, i + length <= end else {
                out.append(byte)
                i += 1
                continue
            }
            var scalar = UInt32(byte) & (0x7F >> UInt32(length))
            for offset in 1..<length { scalar = scalar << 6 | UInt32(text[i + offset] & 0x3F) }
            append(scalar, text, i, length, &out)
            i += length
        }
    }

    private static func appendLower(_ ascii: UnsafeRawBufferPointer, to out: inout [UInt8]) {
        let start = out.count
        out.append(contentsOf: ascii)
        out.withUnsafeMutableBufferPointer { buffer in
            for i in start..<buffer.count { buffer[i] = ASCII.lower(buffer[i]) }
        }
    }

    private static func append(
        _ scalar: UInt32, _ text: UnsafeRawBufferPointer, _ i: Int, _ length: Int,
        _ out: inout [UInt8]
    ) {
        switch scalar {
        case 0xC0...0xD6, 0xD8...0xDE, 0x391...0x3A1, 0x3A3...0x3A9, 0x410...0x42F:
            CharsetDecoder.append(scalar + 32, to: &out)
        case 0x400...0x40F:
            CharsetDecoder.append(scalar + 80, to: &out)
        case 0x3C2:
            // The sigma at the end of a word is the one inside it.
            CharsetDecoder.append(0x3C3, to: &out)
        case 0x80...0xBF, 0xDF...0xFF, 0x3B1...0x3C9, 0x430...0x45F, 0x2010...0x205E,
            0x3000...0xA63F, 0xAC00...0xFAFF:
            for offset in 0..<length { out.append(text[i + offset]) }
        default:
            guard let value = Unicode.Scalar(scalar) else {
                for offset in 0..<length { out.append(text[i + offset]) }
                return
            }
            out.append(contentsOf: value.properties.lowercaseMapping.utf8)
        }
    }

    /// Whether `text`, its ASCII letters taken as lower case, has `needle` (lower case) in it. The
    /// time is the product of both at worst, so the needle is short.
    static func containsIgnoringCase(_ needle: [UInt8], in text: UnsafeRawBufferPointer) -> Bool {
        let count = needle.count
        guard count > 0 else { return true }
        guard count <= text.count else { return false }
        let first = needle[0]
        let last = needle[count - 1]
        let starts = text.count - count + 1
        var i = 0
        // A letter's two cases differ in one bit; other octets are compared as they are.
        let firstBit = SIMD16<UInt8>(repeating: first &- 0x61 < 26 ? 0x20 : 0)
        let lastBit = SIMD16<UInt8>(repeating: last &- 0x61 < 26 ? 0x20 : 0)
        let firsts = SIMD16<UInt8>(repeating: first)
        let lasts = SIMD16<UInt8>(repeating: last)
        while i + 16 <= starts {
            let a = text.loadUnaligned(fromByteOffset: i, as: SIMD16<UInt8>.self) | firstBit
            let b =
                text.loadUnaligned(fromByteOffset: i + count - 1, as: SIMD16<UInt8>.self)
                | lastBit
            // A lane is zero where both octets are the ones looked for.
            let misses = (a ^ firsts) | (b ^ lasts)
            let found = misses .== SIMD16<UInt8>(repeating: 0)
            let words = unsafeBitCast(found, to: SIMD2<UInt64>.self)
            if words[0] | words[1] != 0 {
                for lane in 0..<16 where found[lane] {
                    if matches(needle, text, i + lane) { return true }
                }
            }
            i += 16
        }
        while i < starts {
            if matches(needle, text, i) { return true }
            i += 1
        }
        return false
    }

    @inline(__always)
    private static func matches(
        _ needle: [UInt8], _ text: UnsafeRawBufferPointer, _ start: Int
    ) -> Bool {
        for i in needle.indices where ASCII.lower(text[start + i]) != needle[i] { return false }
        return true
    }

    /// For each prefix of `needle`, the length of the longest proper prefix that ends it (the
    /// table of Knuth, Morris and Pratt).
    static func borders(of needle: [UInt8]) -> [Int] {
        var borders = [Int](repeating: 0, count: needle.count)
        var length = 0
        for i in needle.indices.dropFirst() {
            while length > 0, needle[i] != needle[length] { length = borders[length - 1] }
            if needle[i] == needle[length] { length += 1 }
            borders[i] = length
        }
        return borders
    }

    /// Whether `text` has `needle` in it, octet by octet, in time that no input makes a product.
    static func contains(
        _ needle: [UInt8], borders: [Int], in text: UnsafeRawBufferPointer
    ) -> Bool {
        guard !needle.isEmpty else { return true }
        var length = 0
        for byte in text {
            while length > 0, byte != needle[length] { length = borders[length - 1] }
            if byte == needle[length] { length += 1 }
            if length == needle.count { return true }
        }
        return false
    }
}
