import NIOCore
import NIOSSL
import Platform
import Synchronization

/// The certificate and key that services present, exchangeable while they run.
///
/// A reload that fails leaves the last good one in use. Connections keep what they began with.
public final class TLSContexts: Sendable {
    /// One certificate in use.
    public struct Entry: Sendable {
        public let context: NIOSSLContext
        /// The `tls-server-end-point` channel binding (RFC 5929 §4): the hash of our certificate.
        public let serverEndPoint: [UInt8]
    }

    /// Where the PEM files are.
    public struct Files: Hashable, Sendable {
        public var certificate: String
        public var privateKey: String
        /// Refuses TLS 1.2.
        public var requiresTLS13: Bool

        public init(certificate: String, privateKey: String, requiresTLS13: Bool = false) {
            self.certificate = certificate
            self.privateKey = privateKey
            self.requiresTLS13 = requiresTLS13
        }
    }

    private let entry: Mutex<Entry?>

    /// No TLS: STARTTLS is not offered.
    public init() { entry = Mutex(nil) }

    /// Without files there is no TLS either.
    public init(_ files: Files?) throws(TLSFileError) {
        var first: Entry?
        if let files { first = try Self.load(files) }
        entry = Mutex(first)
    }

    public var current: Entry? { entry.withLock { $0 } }

    /// Replaces the certificate for connections to come; on an error nothing changes.
    public func reload(_ files: Files) throws(TLSFileError) {
        let new = try Self.load(files)
        entry.withLock { $0 = new }
    }

    /// Reads and checks both files; says in words what is wrong with them.
    public static func load(_ files: Files) throws(TLSFileError) -> Entry {
        let chain: [NIOSSLCertificate]
        do {
            chain = try NIOSSLCertificate.fromPEMFile(files.certificate)
        } catch {
            throw TLSFileError(
                file: files.certificate,
                problem: "is not readable as a PEM certificate",
                remedy: "name a file that holds the certificate and its intermediates in PEM form")
        }
        guard let leaf = chain.first else {
            throw TLSFileError(
                file: files.certificate, problem: "holds no certificate",
                remedy: "name a file that begins with -----BEGIN CERTIFICATE-----")
        }
        let key: NIOSSLPrivateKey
        do {
            key = try NIOSSLPrivateKey(file: files.privateKey, format: .pem)
        } catch {
            throw TLSFileError(
                file: files.privateKey, problem: "is not readable as a PEM private key",
                remedy: "name a file with an unencrypted private key that this user may read")
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = files.requiresTLS13 ? .tlsv13 : .tlsv12
        do {
            let context = try NIOSSLContext(configuration: configuration)
            let der = try leaf.toDERBytes()
            return Entry(context: context, serverEndPoint: SHA256Digest(hashing: der).bytes)
        } catch {
            throw TLSFileError(
                file: files.privateKey,
                problem: "does not belong to the certificate in \(files.certificate)",
                remedy: "name the key that the certificate was made for")
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
