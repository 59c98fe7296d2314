import CChecksum
import COpenSSL

/// CRC-32C (Castagnoli), as in RFC 3720: for damage on disk, never against an attacker.
public enum CRC32C {
    /// The checksum of `bytes`, continuing from `crc`, the checksum of what came before.
    @inlinable
    public static func checksum(_ bytes: UnsafeRawBufferPointer, continuing crc: UInt32 = 0)
        -> UInt32
    {
        twinpost_crc32c(crc, bytes.baseAddress, bytes.count)
    }

    @inlinable
    public static func checksum(_ bytes: [UInt8], continuing crc: UInt32 = 0) -> UInt32 {
        bytes.withUnsafeBytes { checksum($0, continuing: crc) }
    }
}

/// A SHA-256 value (FIPS 180-4), held as four words so that it costs no allocation.
public struct SHA256Digest: Hashable, Comparable, Sendable {
    /// The 32 bytes, big-endian, eight at a time.
    public var words: (UInt64, UInt64, UInt64, UInt64)

    public static let byteCount = 32
    public static let zero = SHA256Digest(words: (0, 0, 0, 0))

    public init(words: (UInt64, UInt64, UInt64, UInt64)) {
        self.words = words
    }

    /// - Precondition: `bytes.count == 32`.
    public init(bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count == 32)
        func word(_ i: Int) -> UInt64 {
            UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: i * 8, as: UInt64.self))
        }
        words = (word(0), word(1), word(2), word(3))
    }

    /// The digest of `bytes`.
    public init(hashing bytes: UnsafeRawBufferPointer) {
        var out: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        withUnsafeMutableBytes(of: &out) { destination in
            let done = EVP_Digest(
                bytes.baseAddress, bytes.count,
                destination.baseAddress!.assumingMemoryBound(to: UInt8.self), nil,
                SHA256Method.fetched, nil)
            precondition(done == 1)
        }
        words = (
            UInt64(bigEndian: out.0), UInt64(bigEndian: out.1), UInt64(bigEndian: out.2),
            UInt64(bigEndian: out.3)
        )
    }

    public init(hashing bytes: [UInt8]) {
        self = bytes.withUnsafeBytes { SHA256Digest(hashing: $0) }
    }

    public var bytes: [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(32)
        for word in [words.0, words.1, words.2, words.3] {
            withUnsafeBytes(of: word.bigEndian) { out.append(contentsOf: $0) }
        }
        return out
    }

    /// Lower-case hexadecimal, 64 characters.
    public var hex: String { Hex.encode(bytes) }

    public static func == (a: SHA256Digest, b: SHA256Digest) -> Bool { a.words == b.words }

    public static func < (a: SHA256Digest, b: SHA256Digest) -> Bool { a.words < b.words }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
    }
}

/// The library's implementation, looked up once: it costs as much as hashing a short message.
private enum SHA256Method {
    // Unsafe in name only: the pointer is set once, and the library never changes what it points to.
    nonisolated(unsafe) static let fetched = EVP_MD_fetch(nil, "SHA256", nil)
}

/// SHA-256 over bytes that come in pieces.
public struct SHA256Hasher: ~Copyable {
    private let context: OpaquePointer

    public init() {
        guard let context = EVP_MD_CTX_new() else { fatalError("out of memory") }
        self.context = context
        precondition(EVP_DigestInit_ex(context, SHA256Method.fetched, nil) == 1)
    }

    deinit { EVP_MD_CTX_free(context) }

    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        precondition(EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) == 1)
    }

    public mutating func update(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { update($0) }
    }

    public consuming func finalize() -> SHA256Digest {
        var out = [UInt8](repeating: 0, count: 32)
        precondition(EVP_DigestFinal_ex(context, &out, nil) == 1)
        return out.withUnsafeBytes { SHA256Digest(bytes: $0) }
    }
}

/// Hexadecimal in lower case.
public enum Hex {
    public static func encode(_ bytes: some Sequence<UInt8>) -> String {
        String(decoding: encodeBytes(bytes), as: UTF8.self)
    }

    /// The same, as ASCII.
    public static func encodeBytes(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        func digit(_ value: UInt8) -> UInt8 {
            value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
        }
        var out: [UInt8] = []
        out.reserveCapacity(bytes.underestimatedCount * 2)
        for byte in bytes {
            out.append(digit(byte >> 4))
            out.append(digit(byte & 15))
        }
        return out
    }

    /// The bytes that `text` names, or nil if it is not an even number of hexadecimal digits.
    public static func decode(_ text: some StringProtocol) -> [UInt8]? {
        var out: [UInt8] = []
        var high: UInt8?
        for character in text.utf8 {
            let value: UInt8
            switch character {
            case 0x30...0x39: value = character - 0x30
            case 0x61...0x66: value = character - 0x61 + 10
            case 0x41...0x46: value = character - 0x41 + 10
            default: return nil
            }
            if let h = high {
                out.append(h << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        return high == nil ? out : nil
    }
}
