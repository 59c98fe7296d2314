import COpenSSL

/// HMAC-SHA-256 (RFC 2104, FIPS 198-1).
public enum HMACSHA256 {
    public static func authenticate(_ message: [UInt8], key: [UInt8]) -> SHA256Digest {
        var out = [UInt8](repeating: 0, count: SHA256Digest.byteCount)
        var count: UInt32 = 0
        // libcrypto reads a nil key as "use the previous one", so an empty key is one zero octet
        // long in memory and zero octets long by its count.
        let key0 = key.isEmpty ? [0] : key
        let done = HMAC(
            EVP_sha256(), key0, Int32(key.count), message, message.count, &out, &count)
        precondition(done != nil && count == 32, "libcrypto could not compute an HMAC")
        return out.withUnsafeBytes { SHA256Digest(bytes: $0) }
    }
}

/// PBKDF2 with HMAC-SHA-256 (RFC 8018 §5.2), which SCRAM calls `Hi()` (RFC 5802 §2.2).
///
/// It is slow on purpose: never call it on an event loop.
public enum PBKDF2SHA256 {
    /// The first 32 octets of the derived key.
    ///
    /// - Precondition: `iterations > 0`.
    public static func derive(password: [UInt8], salt: [UInt8], iterations: UInt32)
        -> SHA256Digest
    {
        precondition(iterations > 0 && iterations <= UInt32(Int32.max))
        var out = [UInt8](repeating: 0, count: SHA256Digest.byteCount)
        let ok = password.withUnsafeBytes { bytes in
            // As above: a nil password means something else to libcrypto than an empty one.
            let empty: [CChar] = [0]
            return empty.withUnsafeBufferPointer { none in
                PKCS5_PBKDF2_HMAC(
                    bytes.baseAddress?.assumingMemoryBound(to: CChar.self) ?? none.baseAddress,
                    Int32(bytes.count), salt, Int32(salt.count), Int32(iterations), EVP_sha256(),
                    Int32(out.count), &out)
            }
        }
        precondition(ok == 1, "libcrypto could not derive a key")
        return out.withUnsafeBytes { SHA256Digest(bytes: $0) }
    }
}

/// Comparison whose time tells nothing about where two secrets differ.
public enum ConstantTime {
    /// Whether both are equal. Their lengths are not secret.
    public static func equal(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        guard a.count == b.count else { return false }
        return a.isEmpty || CRYPTO_memcmp(a, b, a.count) == 0
    }

    public static func equal(_ a: SHA256Digest, _ b: SHA256Digest) -> Bool {
        let difference =
            (a.words.0 ^ b.words.0) | (a.words.1 ^ b.words.1) | (a.words.2 ^ b.words.2)
            | (a.words.3 ^ b.words.3)
        return difference == 0
    }
}
