import COpenSSL
import Glibc
import NIOCore
import NIOSSL
import Synchronization

/// The certificates and keys that services present, exchangeable while they run.
///
/// A reload that fails leaves the last good ones in use. Connections keep what they began with.
public final class TLSContexts: Sendable {
    /// One certificate in use.
    public struct Entry: Sendable {
        public let context: NIOSSLContext
        /// The `tls-server-end-point` channel binding (RFC 5929 §4): the hash of our certificate; nil
        /// where its signature has no hash of its own, which leaves the binding undefined.
        public let serverEndPoint: [UInt8]?
        /// The host names that are to get it, in small ASCII letters, perhaps with `*.` in front.
        public let serverNames: [String]
        /// The first second in which it is not valid any more, since 1970.
        public let endsAt: Int
    }

    /// Where the PEM files are.
    public struct Files: Hashable, Sendable {
        public var certificate: String
        public var privateKey: String
        /// The host names (SNI) that are to get it; without any, those that the certificate names.
        public var serverNames: [String]
        /// Refuses TLS 1.2.
        public var requiresTLS13: Bool

        public init(
            certificate: String, privateKey: String, serverNames: [String] = [],
            requiresTLS13: Bool = false
        ) {
            self.certificate = certificate
            self.privateKey = privateKey
            self.serverNames = serverNames
            self.requiresTLS13 = requiresTLS13
        }
    }

    private let certificates: Mutex<TLSCertificates?>

    /// No TLS: STARTTLS is not offered.
    public init() { certificates = Mutex(nil) }

    /// Without files there is no TLS either.
    public init(_ files: [Files]) throws(TLSFileError) {
        certificates = Mutex(TLSCertificates(try Self.load(files)))
    }

    /// What a connection that begins now is served with; nil without TLS.
    public var current: TLSCertificates? { certificates.withLock { $0 } }

    /// Replaces the certificates for connections to come; on an error nothing changes.
    public func reload(_ files: [Files]) throws(TLSFileError) {
        let new = TLSCertificates(try Self.load(files))
        certificates.withLock { $0 = new }
    }

    private static func load(_ files: [Files]) throws(TLSFileError) -> [Entry] {
        var entries: [Entry] = []
        for one in files { entries.append(try load(one)) }
        return entries
    }

    /// Reads and checks both files; says in words what is wrong with them.
    public static func load(_ files: Files) throws(TLSFileError) -> Entry {
        try checkReadable(files.certificate)
        try checkReadable(files.privateKey)
        let chain = (try? NIOSSLCertificate.fromPEMFile(files.certificate)) ?? []
        guard let leaf = chain.first, let der = try? leaf.toDERBytes() else {
            throw TLSFileError(
                file: files.certificate, problem: "holds no certificate in PEM form",
                remedy: "name a file with the certificate and behind it its intermediates, each "
                    + "from -----BEGIN CERTIFICATE----- on")
        }
        guard let key = try? NIOSSLPrivateKey(file: files.privateKey, format: .pem) else {
            throw TLSFileError(
                file: files.privateKey, problem: "holds no private key in PEM form",
                remedy: "name a file with a private key that is not encrypted")
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = files.requiresTLS13 ? .tlsv13 : .tlsv12
        // A client that does not answer our goodbye must not hold up a stop.
        configuration.shutdownTimeout = .seconds(1)
        guard let context = try? NIOSSLContext(configuration: configuration) else {
            throw TLSFileError(
                file: files.privateKey,
                problem: "does not belong to the certificate in \(files.certificate)",
                remedy: "name the key that the certificate was made for")
        }
        let names = files.serverNames.isEmpty ? dnsNames(der) : files.serverNames
        return Entry(
            context: context, serverEndPoint: serverEndPoint(der),
            serverNames: names.map { $0.lowercased() }, endsAt: Int(leaf.notValidAfter))
    }

    private static func checkReadable(_ file: String) throws(TLSFileError) {
        let descriptor = open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor < 0 else {
            close(descriptor)
            return
        }
        let reason = errno
        throw TLSFileError(
            file: file, problem: "cannot be opened (\(String(cString: strerror(reason))))",
            remedy: reason == EACCES
                ? "let the user that the node runs as read it"
                : "correct the path, or put the file there")
    }

    private static func serverEndPoint(_ der: [UInt8]) -> [UInt8]? {
        var out = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        let count = twinpost_server_end_point(der, der.count, &out)
        return count == 0 ? nil : Array(out[..<Int(count)])
    }

    private static func dnsNames(_ der: [UInt8]) -> [String] {
        var out = [CChar](repeating: 0, count: 64 << 10)
        let count = twinpost_dns_names(der, der.count, &out, out.count)
        let bytes = out[..<count].map { UInt8(bitPattern: $0) }
        return bytes.split(separator: UInt8(ascii: "\n")).map {
            String(decoding: $0, as: UTF8.self)
        }
    }
}

/// A certificate or key file that cannot be used.
public struct TLSFileError: Error, Hashable, Sendable, CustomStringConvertible {
    public var file: String
    public var problem: String
    public var remedy: String

    public var description: String { "\(file) \(problem): \(remedy)" }
}
