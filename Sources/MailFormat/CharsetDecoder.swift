import Glibc

/// Turns text of any charset into valid UTF-8, in pieces of any size.
///
/// UTF-8, US-ASCII and Latin-1 are done here, all others by the C library's `iconv`, whose
/// converters are kept open for the next text. What cannot be read becomes U+FFFD. Octets above
/// 127 in text that calls itself US-ASCII, or says nothing, are tried as UTF-8 (RFC 6532). Text
/// that calls itself ISO-8859-1 is read as windows-1252, as every reader does.
public struct CharsetDecoder: ~Copyable {
    enum Method: Equatable {
        case utf8
        case windows1252
        /// Any charset that nobody knows: only its ASCII is understood.
        case unknown
        case converter(Int)
    }

    private struct Converter {
        var name: [UInt8]
        var handle: iconv_t
    }

    private static let convertersMax = 16
    private var converters: [Converter] = []
    private var method = Method.utf8
    /// The beginning of a character whose rest has not come.
    private var held: [UInt8] = []

    public init() {}

    deinit {
        for converter in converters { iconv_close(converter.handle) }
    }

    /// Begins a new text.
    /// - Parameter charset: its name in any case; empty for none.
    public mutating func start(charset: some Collection<UInt8>) {
        held.removeAll(keepingCapacity: true)
        guard !charset.isEmpty else {
            method = .utf8
            return
        }
        let name = charset.map { ASCII.lower($0) }
        method = Self.builtIn(name) ?? find(name)
        if case .converter(let index) = method {
            iconv(converters[index].handle, nil, nil, nil, nil)
        }
    }

    static func builtIn(_ name: [UInt8]) -> Method? {
        switch String(decoding: name, as: UTF8.self) {
        case "", "utf-8", "utf8", "us-ascii", "ascii", "ansi_x3.4-1968", "iso-646-us",
            "unknown-8bit", "x-unknown", "8bit", "7bit":
            .utf8
        case "iso-8859-1", "iso8859-1", "latin1", "iso_8859-1", "windows-1252", "cp1252",
            "x-cp1252":
            .windows1252
        default: nil
        }
    }

    private mutating func find(_ name: [UInt8]) -> Method {
        if let known = converters.firstIndex(where: { $0.name == name }) {
            return .converter(known)
        }
        // A slash would be an option of the converter, not a name.
        guard name.count <= 40, name.allSatisfy({ $0 > 32 && $0 < 127 && $0 != ASCII.slash }),
            !converters.contains(where: { $0.name == name })
        else { return .unknown }
        guard let handle = iconv_open("UTF-8", String(decoding: name, as: UTF8.self)),
            Int(bitPattern: handle) != -1
        else { return .unknown }
        if converters.count >= Self.convertersMax {
            iconv_close(converters.removeFirst().handle)
        }
        converters.append(Converter(name: name, handle: handle))
        return .converter(converters.count - 1)
    }

    /// Appends the next octets as UTF-8.
    public mutating func decode(_ input: UnsafeRawBufferPointer, to out: inout [UInt8]) {
        guard !input.isEmpty else { return }
        switch method {
        case .windows1252:
            for byte in input { Self.append(Self.scalar1252(byte), to: &out) }
        case .unknown:
            for byte in input { Self.append(byte < 0x80 ? UInt32(byte) : 0xFFFD, to: &out) }
        case .utf8, .converter:
            if held.isEmpty {
                convert(input, &out)
            } else {
                // Only the few octets that complete the held ones are put behind them.
                let joined = held + input
                held.removeAll(keepingCapacity: true)
                joined.withUnsafeBytes { convert($0, &out) }
            }
        }
    }

    /// Ends the text: a character that is not complete becomes U+FFFD.
    public mutating func finish(to out: inout [UInt8]) {
        if !held.isEmpty { Self.append(0xFFFD, to: &out) }
        held.removeAll(keepingCapacity: true)
    }

    private mutating func convert(_ input: UnsafeRawBufferPointer, _ out: inout [UInt8]) {
        if case .converter(let index) = method {
            convert(input, converters[index].handle, &out)
        } else {
            let taken = UTF8Repair.append(input, to: &out)
            held.append(contentsOf: input[taken...])
        }
    }

    private mutating func convert(
        _ input: UnsafeRawBufferPointer, _ handle: iconv_t, _ out: inout [UInt8]
    ) {
        guard let base = input.baseAddress else { return }
        var source: UnsafeMutablePointer<CChar>? = UnsafeMutablePointer(
            mutating: base.assumingMemoryBound(to: CChar.self))
        var left = input.count
        while left > 0 {
            var failure: Int32 = 0
            withUnsafeTemporaryAllocation(byteCount: 4_096, alignment: 8) { buffer in
                guard let start = buffer.baseAddress else { return }
                var target: UnsafeMutablePointer<CChar>? = start.assumingMemoryBound(
                    to: CChar.self)
                var room = 4_096
                if iconv(handle, &source, &left, &target, &room) == -1 { failure = errno }
                Self.appendRepaired(buffer[..<(4_096 - room)], to: &out)
            }
            switch failure {
            case 0, E2BIG: continue
            case EINVAL where left <= 16:
                held.append(contentsOf: input[(input.count - left)...])
                return
            default:
                Self.append(0xFFFD, to: &out)
                left -= 1
                source = source.map { $0 + 1 }
            }
        }
    }

    /// Some converters give what UTF-8 has no place for: surrogates, and numbers above U+10FFFF.
    /// They never cut a character, so each piece can be judged alone.
    private static func appendRepaired(
        _ piece: Slice<UnsafeMutableRawBufferPointer>, to out: inout [UInt8]
    ) {
        if piece.allSatisfy({ $0 < 0x80 }) {
            out.append(contentsOf: piece)
        } else {
            out.append(contentsOf: String(decoding: piece, as: UTF8.self).utf8)
        }
    }

    static func append(_ scalar: UInt32, to out: inout [UInt8]) {
        switch scalar {
        case 0..<0x80: out.append(UInt8(truncatingIfNeeded: scalar))
        case 0x80..<0x800:
            out.append(UInt8(truncatingIfNeeded: 0xC0 | scalar >> 6))
            out.append(UInt8(truncatingIfNeeded: 0x80 | scalar & 0x3F))
        case 0x800..<0x10000:
            out.append(UInt8(truncatingIfNeeded: 0xE0 | scalar >> 12))
            out.append(UInt8(truncatingIfNeeded: 0x80 | scalar >> 6 & 0x3F))
            out.append(UInt8(truncatingIfNeeded: 0x80 | scalar & 0x3F))
        default:
            out.append(UInt8(truncatingIfNeeded: 0xF0 | scalar >> 18))
            out.append(UInt8(truncatingIfNeeded: 0x80 | scalar >> 12 & 0x3F))
            out.append(UInt8(truncatingIfNeeded: 0x80 | scalar >> 6 & 0x3F))
            out.append(UInt8(truncatingIfNeeded: 0x80 | scalar & 0x3F))
        }
    }

    private static func scalar1252(_ byte: UInt8) -> UInt32 {
        guard byte & 0xE0 == 0x80 else { return UInt32(byte) }
        let table: [32 of UInt16] = [
            0x20AC, 0x81, 0x201A, 0x192, 0x201E, 0x2026, 0x2020, 0x2021, 0x2C6, 0x2030, 0x160,
            0x2039, 0x152, 0x8D, 0x17D, 0x8F, 0x90, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
            0x2013, 0x2014, 0x2DC, 0x2122, 0x161, 0x203A, 0x153, 0x9D, 0x17E, 0x178,
        ]
        return UInt32(table[Int(byte & 0x1F)])
    }
}

/// Checks UTF-8 and puts U+FFFD where it is none.
enum UTF8Repair {
    /// Appends the text and says how many octets were taken: all, but for the beginning of a
    /// character at the very end.
    static func append(_ input: UnsafeRawBufferPointer, to out: inout [UInt8]) -> Int {
        var start = 0
        var i = 0
        let end = input.count
        while i < end {
            let byte = input[i]
            if byte < 0x80 {
                i += 1
                continue
            }
            let length = sequence(input, i, end)
            if length > 0 {
                i += length
                continue
            }
            out.append(contentsOf: input[start..<i])
            if length == 0 { return i }
            CharsetDecoder.append(0xFFFD, to: &out)
            i += 1
            start = i
        }
        out.append(contentsOf: input[start..<end])
        return end
    }

    /// The length of the character at `i`; 0 if its end is beyond `end`, -1 if it is none.
    private static func sequence(_ input: UnsafeRawBufferPointer, _ i: Int, _ end: Int) -> Int {
        let lead = input[i]
        let length: Int
        var low: UInt8 = 0x80
        var high: UInt8 = 0xBF
        switch lead {
        case 0xC2...0xDF: length = 2
        case 0xE0...0xEF:
            length = 3
            if lead == 0xE0 { low = 0xA0 }
            if lead == 0xED { high = 0x9F }
        case 0xF0...0xF4:
            length = 4
            if lead == 0xF0 { low = 0x90 }
            if lead == 0xF4 { high = 0x8F }
        default: return -1
        }
        for offset in 1..<length {
            guard i + offset < end else { return 0 }
            let byte = input[i + offset]
            guard byte >= low, byte <= high else { return -1 }
            low = 0x80
            high = 0xBF
        }
        return length
    }
}
