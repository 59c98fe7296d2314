/// Undoes base64 and quoted-printable (RFC 2045 §6.7, §6.8), in pieces of any size, forgiving: what
/// is not base64 is passed over, what is not quoted-printable stays as it is.
public struct TransferDecoder: Sendable {
    private let encoding: TransferEncoding
    private var bits: UInt32 = 0
    private var bitCount = 0
    /// Quoted-printable: what may yet turn out to be an escape, a soft line break, or white space
    /// before a line break.
    private var held: [UInt8] = []

    public init(_ encoding: TransferEncoding) {
        self.encoding = encoding
    }

    /// Decodes the next octets. The output is never more than the input and what was held.
    public mutating func decode(_ input: UnsafeRawBufferPointer, to out: inout [UInt8]) {
        switch encoding {
        case .identity, .unknown: out.append(contentsOf: input)
        case .base64: decodeBase64(input, &out)
        case .quotedPrintable: decodeQuoted(input, &out)
        }
    }

    /// Passes on what was held at the end of the input.
    public mutating func finish(to out: inout [UInt8]) {
        if held.first == ASCII.equals || encoding != .quotedPrintable {
            out.append(contentsOf: held)
        }
        held.removeAll()
        bits = 0
        bitCount = 0
    }

    private mutating func decodeBase64(_ input: UnsafeRawBufferPointer, _ out: inout [UInt8]) {
        if out.isEmpty { out.reserveCapacity(input.count / 4 * 3 + 3) }
        for byte in input {
            let value: UInt8
            switch byte {
            case 65...90: value = byte &- 65
            case 97...122: value = byte &- 71
            case 48...57: value = byte &+ 4
            case 43: value = 62
            case 47: value = 63
            case ASCII.equals:
                // The end of a run; another may follow.
                bits = 0
                bitCount = 0
                continue
            default: continue
            }
            bits = bits << 6 | UInt32(value)
            bitCount += 6
            if bitCount >= 8 {
                bitCount -= 8
                out.append(UInt8(truncatingIfNeeded: bits >> UInt32(bitCount)))
            }
        }
    }

    private mutating func decodeQuoted(_ input: UnsafeRawBufferPointer, _ out: inout [UInt8]) {
        var i = 0
        while i < input.count {
            if held.isEmpty {
                i = passPlain(input, i, &out)
                guard i < input.count else { return }
                held.append(input[i])
                i += 1
                continue
            }
            let byte = input[i]
            i += 1
            if held[0] == ASCII.equals {
                escape(byte, &out)
            } else if ASCII.isSpace(byte) {
                held.append(byte)
                if held.count > 1_000 { flush(&out) }
            } else {
                // White space before a line break is the transport's (rule 3).
                if byte == ASCII.cr || byte == ASCII.lf {
                    held.removeAll(keepingCapacity: true)
                } else {
                    flush(&out)
                }
                if byte == ASCII.equals { held.append(byte) } else { out.append(byte) }
            }
        }
    }

    /// Passes on what needs no second look, and returns where that ends.
    private func passPlain(
        _ input: UnsafeRawBufferPointer, _ start: Int, _ out: inout [UInt8]
    ) -> Int {
        var i = start
        while i < input.count, input[i] != ASCII.equals {
            if ASCII.isSpace(input[i]) {
                // White space stays if a character follows; else it is to be held.
                guard i + 1 < input.count else { break }
                let next = input[i + 1]
                if ASCII.isFoldingSpace(next) || next == ASCII.equals { break }
            }
            i += 1
        }
        out.append(contentsOf: UnsafeRawBufferPointer(rebasing: input[start..<i]))
        return i
    }

    /// The next octet behind "=".
    private mutating func escape(_ byte: UInt8, _ out: inout [UInt8]) {
        if byte == ASCII.lf {
            // A soft line break, if nothing but white space stood before it.
            if held.count == 1 || held[1] == ASCII.cr || ASCII.isSpace(held[1]) {
                held.removeAll(keepingCapacity: true)
                return
            }
        } else if held.count == 1 {
            if ASCII.hexValue(byte) != nil || byte == ASCII.cr || ASCII.isSpace(byte) {
                held.append(byte)
                return
            }
        } else if let high = ASCII.hexValue(held[1]) {
            if let low = ASCII.hexValue(byte) {
                held.removeAll(keepingCapacity: true)
                out.append(high << 4 | low)
                return
            }
        } else if held.count < 100, byte == ASCII.cr || ASCII.isSpace(byte) {
            held.append(byte)
            return
        }
        flush(&out)
        if byte == ASCII.equals { held.append(byte) } else { out.append(byte) }
    }

    private mutating func flush(_ out: inout [UInt8]) {
        out.append(contentsOf: held)
        held.removeAll(keepingCapacity: true)
    }
}
