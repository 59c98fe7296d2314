import Platform

/// What a server keeps of a password (RFC 5802 §3): enough to check it, by SCRAM or in clear, and
/// too little to log in with.
///
/// Encoded: octet 0 is the format, 1; octets 1–4 the iteration count, big-endian; octet 5 the length
/// of the salt, then the salt, StoredKey (32) and ServerKey (32). Nothing may follow.
public struct Verifier: Hashable, Sendable {
    public let iterations: UInt32
    public let salt: [UInt8]
    public let storedKey: SHA256Digest
    public let serverKey: SHA256Digest

    /// RFC 7677 §4 asks for at least this many.
    public static let iterationsMin: UInt32 = 4096
    /// More than anybody wants, and few enough that one login cannot hold a thread for long.
    public static let iterationsMax: UInt32 = 10_000_000
    /// About 20 ms of one core for us and for a client: what an attacker pays for each guess.
    public static let iterationsDefault: UInt32 = 65_536
    public static let saltOctets = 16

    init(iterations: UInt32, salt: [UInt8], storedKey: SHA256Digest, serverKey: SHA256Digest) {
        self.iterations = iterations
        self.salt = salt
        self.storedKey = storedKey
        self.serverKey = serverKey
    }

    /// The verifier of a password as a person typed it. Slow: see `PBKDF2SHA256`.
    ///
    /// - Parameter salt: 8 to 64 random octets, never used before; `saltOctets` of them is right.
    /// - Throws: `SASLprepError` if the password cannot be used.
    /// - Precondition: the salt has 8 to 64 octets and `iterations` lies within its limits.
    public init(
        password: [UInt8], salt: [UInt8], iterations: UInt32 = Verifier.iterationsDefault
    ) throws(SASLprepError) {
        precondition(salt.count >= 8 && salt.count <= 64)
        precondition(iterations >= Self.iterationsMin && iterations <= Self.iterationsMax)
        let prepared = try SASLprep.prepare(password)
        guard !prepared.isEmpty else { throw .empty }
        let keys = ScramKeys(password: prepared, salt: salt, iterations: iterations)
        self.init(
            iterations: iterations, salt: salt, storedKey: keys.storedKey,
            serverKey: keys.serverKey)
    }

    /// Whether `password`, as it came from a client, is the one. Slow: see `PBKDF2SHA256`.
    ///
    /// A password that SASLprep refuses costs as much time as one that is wrong.
    public func verify(password: [UInt8]) -> Bool {
        let prepared = try? SASLprep.prepare(password)
        let keys = ScramKeys(password: prepared ?? [], salt: salt, iterations: iterations)
        let equal = ConstantTime.equal(keys.storedKey, storedKey)
        return equal && prepared != nil && prepared?.isEmpty == false
    }

    /// What stands in for an account that does not exist, so that an attacker sees the same salt
    /// every time he asks and spends the same time, and learns nothing (RFC 5802 §9 wants this of a
    /// server that hides its users). No password satisfies it.
    ///
    /// - Parameter serverSecret: random, stable over restarts, and equal on both nodes.
    public static func fake(
        username: [UInt8], serverSecret: [UInt8],
        iterations: UInt32 = Verifier.iterationsDefault
    ) -> Verifier {
        func derive(_ label: String) -> SHA256Digest {
            HMACSHA256.authenticate(Array(label.utf8) + [0] + username, key: serverSecret)
        }
        return Verifier(
            iterations: iterations,
            salt: Array(derive("twinpost fake salt").bytes.prefix(saltOctets)),
            storedKey: derive("twinpost fake StoredKey"),
            serverKey: derive("twinpost fake ServerKey"))
    }

    public var encoded: [UInt8] {
        var out: [UInt8] = [1]
        withUnsafeBytes(of: iterations.bigEndian) { out.append(contentsOf: $0) }
        out.append(UInt8(salt.count))
        out += salt
        out += storedKey.bytes
        out += serverKey.bytes
        return out
    }

    /// - Returns: nil if the bytes are not a verifier of a format we know.
    public init?(encoded bytes: [UInt8]) {
        guard bytes.count >= 6, bytes[0] == 1 else { return nil }
        let saltCount = Int(bytes[5])
        guard saltCount >= 8, saltCount <= 64, bytes.count == 6 + saltCount + 64 else {
            return nil
        }
        let iterations = bytes[1...4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        guard iterations >= Self.iterationsMin, iterations <= Self.iterationsMax else {
            return nil
        }
        let keys = bytes.withUnsafeBytes { all in
            (
                SHA256Digest(bytes: .init(rebasing: all[(6 + saltCount)..<(38 + saltCount)])),
                SHA256Digest(bytes: .init(rebasing: all[(38 + saltCount)...]))
            )
        }
        self.init(
            iterations: iterations, salt: Array(bytes[6..<(6 + saltCount)]), storedKey: keys.0,
            serverKey: keys.1)
    }
}

/// The keys of RFC 5802 §3, from a prepared password.
struct ScramKeys {
    let clientKey: SHA256Digest
    let storedKey: SHA256Digest
    let serverKey: SHA256Digest

    init(password: [UInt8], salt: [UInt8], iterations: UInt32) {
        let salted = PBKDF2SHA256.derive(password: password, salt: salt, iterations: iterations)
        clientKey = HMACSHA256.authenticate(Array("Client Key".utf8), key: salted.bytes)
        storedKey = SHA256Digest(hashing: clientKey.bytes)
        serverKey = HMACSHA256.authenticate(Array("Server Key".utf8), key: salted.bytes)
    }
}
