import CertificateMaker
import FoundationEssentials
import Glibc
import Platform
import PlatformLinux

/// The files of a throwaway node:
///
///     ca.pem                       its authority's certificate
///     try.json                     the accounts' passwords
///     a/twinpost.toml              the node's configuration
///     a/certificate.pem, a/key.pem
///     a/control.sock
///     a/data/
struct TryDirectory {
    /// Ports are counted from `basePort`.
    struct Ports {
        var base: Int
        var smtp: Int { base + 25 }
        var imap: Int { base + 43 }
        var imaps: Int { base + 93 }

        var all: [(service: String, port: Int)] {
            [("smtp", smtp), ("imap", imap), ("imaps", imaps)]
        }
    }

    static let domain = "example.test"
    static let address = "127.0.0.1"
    private static let certificateDays = 3_650

    let path: String
    /// Usually in the directory, else where its path is short enough for a socket.
    let controlPath: String
    private let socketDirectory: String?

    var nodePath: String { path + "/a" }
    var dataPath: String { nodePath + "/data" }
    var configurationPath: String { nodePath + "/twinpost.toml" }
    var authorityPath: String { path + "/ca.pem" }
    private var certificatePath: String { nodePath + "/certificate.pem" }
    private var keyPath: String { nodePath + "/key.pem" }
    private var accountsPath: String { path + "/try.json" }

    init(path: String) throws(Failure) {
        try Files.makeDirectory(path)
        self.path = try Files.absolute(path)
        try Files.makeDirectory(self.path + "/a")
        let preferred = self.path + "/a/control.sock"
        // 108 octets with the NUL (unix(7)).
        if preferred.utf8.count < 108 {
            controlPath = preferred
            socketDirectory = nil
        } else {
            let directory = try Files.makeTemporaryDirectory()
            controlPath = directory + "/control.sock"
            socketDirectory = directory
        }
    }

    /// Removes what is not kept: everything, or only what lies outside.
    func cleanUp(keepsData: Bool) {
        if let socketDirectory { Files.removeTree(socketDirectory) }
        if !keepsData { Files.removeTree(path) }
    }

    // MARK: Certificates

    /// Makes authority and certificate, unless they are there.
    func makeCertificates() throws(Failure) {
        let paths = [authorityPath, certificatePath, keyPath]
        if paths.allSatisfy({ access($0, R_OK) == 0 }) { return }
        let authority: [UInt8]
        let issued: IssuedCertificate
        do throws(CertificateError) {
            let maker = try CertificateAuthority(name: "Twinpost try", days: Self.certificateDays)
            authority = try maker.certificatePEM()
            issued = try maker.issue(
                hostNames: ["localhost", Self.domain, "*.\(Self.domain)"],
                addresses: ["127.0.0.1", "::1"], days: Self.certificateDays)
        } catch {
            throw Failure(.internalError, "no-certificate", "There is no certificate: \(error).")
        }
        try Files.write(authorityPath, authority)
        try Files.write(certificatePath, issued.certificate)
        try Files.write(keyPath, issued.key, mode: 0o600)
    }

    // MARK: Configuration

    func writeConfiguration(_ ports: Ports) throws(Failure) {
        var text = """
            # Written by `twinpost try`; written anew each time it starts.
            hostname = "mail.\(Self.domain)"
            data-directory = \(Self.quoted(dataPath))

            [control]
            socket = \(Self.quoted(controlPath))

            [[tls.certificate]]
            certificate = \(Self.quoted(certificatePath))
            key = \(Self.quoted(keyPath))

            [[domain]]
            name = "\(Self.domain)"

            [authentication]
            allow-plaintext = "loopback"
            password-iterations = 4096

            """
        for (service, port) in ports.all {
            text += """

                [[listener]]
                service = "\(service)"
                address = "\(Self.address):\(port)"

                """
        }
        try Files.write(configurationPath, Array(text.utf8), mode: 0o600)
    }

    /// As a TOML basic string.
    private static func quoted(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": out += "\\\(scalar)"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let digits = String(scalar.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }

    // MARK: Accounts

    private struct Accounts: Codable {
        var accounts: [TryReport.Account]
    }

    /// Those of an earlier run, or new ones with passwords of their own.
    func accounts() throws(Failure) -> [TryReport.Account] {
        var known: [TryReport.Account] = []
        if let bytes = Files.read(accountsPath) {
            guard let read = try? JSONDecoder().decode(Accounts.self, from: Data(bytes)) else {
                throw Failure(
                    .dataError, "bad-try-file",
                    "\(accountsPath) cannot be read: remove it, and the accounts get new "
                        + "passwords.")
            }
            known = read.accounts
        }
        let all = ["alice", "bob"].map { name in
            let address = "\(name)@\(Self.domain)"
            return known.first { $0.address == address }
                ?? TryReport.Account(address: address, password: Passwords.generate())
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        if let data = try? encoder.encode(Accounts(accounts: all)) {
            try Files.write(accountsPath, Array(data) + [0x0A], mode: 0o600)
        }
        return all
    }
}
