import COpenSSL
import Glibc

/// A certificate and its private key, both as PEM text. The key is not encrypted.
public struct IssuedCertificate: Sendable {
    public var certificate: [UInt8]
    public var key: [UInt8]
}

/// The TLS library refused to make something; `step` says what.
public struct CertificateError: Error, Hashable, Sendable, CustomStringConvertible {
    public var step: String
    public var description: String { "libcrypto cannot \(step)" }
}

/// A certificate authority of our own, which lives as long as this object: for throwaway nodes.
///
/// Keys are on P-256, signatures ECDSA with SHA-256, fields as RFC 5280 wants them.
public final class CertificateAuthority {
    private let key: OpaquePointer
    private let certificate: OpaquePointer

    /// - Parameters:
    ///   - name: the common name.
    ///   - days: how long it is valid, from yesterday on, so that clocks may differ.
    public init(name: String, days: Int) throws(CertificateError) {
        key = try Self.makeKey()
        do throws(CertificateError) {
            certificate = try Self.makeCertificate(key: key, name: name, days: days)
        } catch {
            EVP_PKEY_free(key)
            throw error
        }
        try Self.setIssuer(of: certificate, to: certificate)
        try Self.add(
            [
                (NID_basic_constraints, "critical,CA:TRUE,pathlen:0"),
                (NID_key_usage, "critical,keyCertSign,cRLSign"),
                (NID_subject_key_identifier, "hash"),
            ], to: certificate, issuer: certificate)
        try Self.sign(certificate, with: key)
    }

    deinit {
        X509_free(certificate)
        EVP_PKEY_free(key)
    }

    /// The authority's own certificate, as PEM text.
    public func certificatePEM() throws(CertificateError) -> [UInt8] {
        try Self.pem(certificate)
    }

    /// A server certificate with a new key.
    ///
    /// - Parameters:
    ///   - hostNames: DNS names; `*.` in front is allowed. The first is the common name.
    ///   - addresses: numeric, IPv4 or IPv6.
    public func issue(hostNames: [String], addresses: [String], days: Int)
        throws(CertificateError) -> IssuedCertificate
    {
        let leafKey = try Self.makeKey()
        defer { EVP_PKEY_free(leafKey) }
        let leaf = try Self.makeCertificate(key: leafKey, name: hostNames.first ?? "", days: days)
        defer { X509_free(leaf) }
        try Self.setIssuer(of: leaf, to: certificate)
        let names = hostNames.map { "DNS:\($0)" } + addresses.map { "IP:\($0)" }
        try Self.add(
            [
                (NID_basic_constraints, "critical,CA:FALSE"),
                (NID_key_usage, "critical,digitalSignature"),
                (NID_ext_key_usage, "serverAuth"),
                (NID_subject_key_identifier, "hash"),
                (NID_authority_key_identifier, "keyid:always"),
                (NID_subject_alt_name, names.joined(separator: ",")),
            ], to: leaf, issuer: certificate)
        try Self.sign(leaf, with: key)
        return IssuedCertificate(certificate: try Self.pem(leaf), key: try Self.pem(key: leafKey))
    }

    // MARK: Pieces

    private static func makeKey() throws(CertificateError) -> OpaquePointer {
        guard let key = twinpost_new_p256_key() else {
            throw CertificateError(step: "make a key")
        }
        return key
    }

    /// Version 3, with a random serial number, subject and times; issuer and signature are missing.
    private static func makeCertificate(key: OpaquePointer, name: String, days: Int)
        throws(CertificateError) -> OpaquePointer
    {
        guard let certificate = X509_new() else {
            throw CertificateError(step: "make a certificate")
        }
        var serial: UInt64 = 0
        _ = getentropy(&serial, 8)
        let subject = X509_get_subject_name(certificate)
        guard X509_set_version(certificate, 2) == 1,
            ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1 | 1) == 1,
            X509_gmtime_adj(X509_getm_notBefore(certificate), -86_400) != nil,
            X509_gmtime_adj(X509_getm_notAfter(certificate), days * 86_400) != nil,
            X509_set_pubkey(certificate, key) == 1,
            X509_NAME_add_entry_by_txt(
                subject, "CN", Int32(MBSTRING_FLAG), name, Int32(name.utf8.count), -1, 0) == 1
        else {
            X509_free(certificate)
            throw CertificateError(step: "fill a certificate")
        }
        return certificate
    }

    private static func setIssuer(of certificate: OpaquePointer, to issuer: OpaquePointer)
        throws(CertificateError)
    {
        guard X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 else {
            throw CertificateError(step: "name an issuer")
        }
    }

    private static func add(
        _ extensions: [(Int32, String)], to certificate: OpaquePointer, issuer: OpaquePointer
    ) throws(CertificateError) {
        for (kind, value) in extensions
        where twinpost_add_extension(certificate, issuer, kind, value) != 1 {
            throw CertificateError(step: "add the extension \(value)")
        }
    }

    private static func sign(_ certificate: OpaquePointer, with key: OpaquePointer)
        throws(CertificateError)
    {
        guard X509_sign(certificate, key, EVP_sha256()) > 0 else {
            throw CertificateError(step: "sign a certificate")
        }
    }

    private static func pem(_ certificate: OpaquePointer) throws(CertificateError) -> [UInt8] {
        try text { PEM_write_bio_X509($0, certificate) }
    }

    private static func pem(key: OpaquePointer) throws(CertificateError) -> [UInt8] {
        try text { PEM_write_bio_PKCS8PrivateKey($0, key, nil, nil, 0, nil, nil) }
    }

    private static func text(_ write: (OpaquePointer) -> Int32) throws(CertificateError)
        -> [UInt8]
    {
        guard let memory = BIO_new(BIO_s_mem()) else {
            throw CertificateError(step: "make a buffer")
        }
        defer { BIO_free(memory) }
        guard write(memory) == 1 else { throw CertificateError(step: "write PEM") }
        var out: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4_096)
        while true {
            let count = BIO_read(memory, &chunk, Int32(chunk.count))
            guard count > 0 else { return out }
            out += chunk[..<Int(count)]
        }
    }
}
