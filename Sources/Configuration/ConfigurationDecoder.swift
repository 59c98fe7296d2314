import Glibc
import Policy
import TOML

/// From text to values.
struct ConfigurationDecoder {
    struct Result {
        var configuration: Configuration?
        var problems: [ConfigurationProblem]
        var keys: Set<String>
    }

    static func decode(_ bytes: [UInt8]) -> Result {
        let context = ReaderContext()
        let table: TOMLTable
        do throws(TOMLError) {
            table = try TOMLTable(parsing: bytes)
        } catch {
            context.report("", at: error.position, error.message)
            return Result(problems: context.problems, keys: [])
        }
        var root = SectionReader(table, context: context)
        let configuration = read(&root)
        root.finish()
        return Result(
            configuration: configuration, problems: context.problems, keys: context.keys)
    }

    private static func read(_ root: inout SectionReader) -> Configuration {
        let hostname = root.required("hostname", example: "mail.example.org")
        if !hostname.isEmpty, AddressForm.domain(hostname) == nil {
            root.report("hostname", "\"\(hostname)\" is not a host name.")
        }
        let dataDirectory = path(&root, "data-directory", default: "/var/lib/twinpost")
        var out = Configuration(
            hostname: hostname, dataDirectory: dataDirectory, controlSocketPath: "",
            tlsMinVersion: .tls12, certificates: [], listeners: [],
            routing: RoutingConfiguration(domains: []), plaintextAuthentication: .never,
            passwordIterations: 0, quotaDefaultOctets: nil, logLevel: .info, logFormat: .text,
            smtp: SMTPServiceLimits(), imap: IMAPServiceLimits())
        root.section("control") {
            out.controlSocketPath = path(&$0, "socket", default: "/run/twinpost/control.sock")
        }
        root.section("tls") { readTLS(&$0, &out) }
        root.sections("listener") { readListener(&$0, &out) }
        root.section("routing") { readRouting(&$0, &out) }
        root.sections("domain") { readDomain(&$0, &out) }
        root.section("authentication") { section in
            out.plaintextAuthentication = section.choice("allow-plaintext", default: .never)
            out.passwordIterations = UInt32(
                section.integer("password-iterations", default: 65_536, in: 4096...10_000_000))
        }
        root.section("accounts") { section in
            let octets = section.octets("quota-default", default: 0, in: 0...(1 << 50))
            out.quotaDefaultOctets = octets == 0 ? nil : octets
        }
        root.section("log") { section in
            out.logLevel = section.choice("level", default: .info)
            out.logFormat = section.choice("format", default: .text)
        }
        root.section("limits") { limits in
            limits.section("smtp") { readLimits(&$0, &out.smtp) }
            limits.section("imap") { readLimits(&$0, &out.imap) }
        }
        return out
    }

    private static func path(
        _ section: inout SectionReader, _ key: String, default fallback: String
    ) -> String {
        let text = section.string(key, default: fallback)
        if !text.hasPrefix("/") {
            section.report(key, "\"\(text)\" has to be an absolute path, one that begins with /.")
        }
        return text
    }

    private static func readTLS(_ tls: inout SectionReader, _ out: inout Configuration) {
        out.tlsMinVersion = tls.choice("min-version", default: .tls12)
        tls.sections("certificate") { section in
            let certificate = section.required(
                "certificate", example: "/etc/twinpost/certificate.pem")
            let key = section.required("key", example: "/etc/twinpost/key.pem")
            var names: [String] = []
            for name in section.strings("server-names") {
                let stars = name.hasPrefix("*.") ? "*." : ""
                guard let form = AddressForm.domain(name.dropFirst(stars.count)) else {
                    section.report("server-names", "\"\(name)\" is not a host name.")
                    continue
                }
                let plain = stars + String(decoding: form, as: UTF8.self)
                if let other = out.certificates.firstIndex(where: { $0.serverNames.contains(plain) }
                ) {
                    section.report(
                        "server-names",
                        "\"\(name)\" is to get tls.certificate[\(other)] already. Remove one.")
                }
                names.append(plain)
            }
            out.certificates.append(
                .init(certificatePath: certificate, keyPath: key, serverNames: names))
        }
    }

    private static func readListener(_ section: inout SectionReader, _ out: inout Configuration) {
        let before = section.context.problems.count
        let service: Configuration.Service = section.choice("service", default: .smtp)
        let tls: Configuration.TLSMode = section.choice(
            "tls", default: service.isImplicitTLS ? .implicit : .starttls)
        if service.isImplicitTLS, tls == .starttls {
            section.report(
                "tls",
                "\(service.rawValue) begins with TLS. Remove this, or write service = "
                    + "\"\(service.rawValue.dropLast())\".")
        }
        if tls == .implicit, out.certificates.isEmpty {
            section.report(
                section.names("tls") ? "tls" : "service",
                "TLS needs a certificate: add a [[tls.certificate]] section.")
        }
        let address = section.string("address")
        let socket = section.string("systemd-socket")
        guard section.context.problems.count == before else { return }
        switch (address, socket) {
        case (let address?, nil):
            guard let endpoint = endpoint(address) else {
                section.report(
                    "address",
                    "\"\(address)\" is not a numeric address and a port. Write, for example, "
                        + "\"0.0.0.0:25\" or \"[::]:25\".")
                return
            }
            out.listeners.append(.init(service: service, endpoint: endpoint, tls: tls))
        case (nil, let name?) where !name.isEmpty:
            out.listeners.append(
                .init(service: service, endpoint: .systemd(name: name), tls: tls))
        default:
            section.report(
                "address", "Write either address = \"[::]:25\" or systemd-socket = \"smtp\".")
            return
        }
        guard let added = out.listeners.last else { return }
        if out.listeners.dropLast().contains(where: { $0.endpoint == added.endpoint }) {
            section.report("address", "Another listener has this address already. Remove one.")
        }
    }

    private static func endpoint(_ text: String) -> Configuration.Endpoint? {
        guard let colon = text.lastIndex(of: ":"),
            let port = UInt16(text[text.index(after: colon)...])
        else { return nil }
        var host = String(text[..<colon])
        var storage = in6_addr()
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
            return inet_pton(AF_INET6, host, &storage) == 1 ? .address(host, port: port) : nil
        }
        return inet_pton(AF_INET, host, &storage) == 1 ? .address(host, port: port) : nil
    }

    private static func readRouting(_ section: inout SectionReader, _ out: inout Configuration) {
        out.routing.postmaster = section.string("postmaster")
        let separator = Array(section.string("detail-separator", default: "+").utf8)
        if separator.count > 1 || separator.contains(where: { !(0x21...0x7E).contains($0) }) {
            section.report(
                "detail-separator", "This has to be one ASCII character, or \"\" for none.")
        }
        out.routing.detailSeparator = separator.first
        out.routing.addressLiterals = section.strings("address-literals")
    }

    private static func readDomain(_ section: inout SectionReader, _ out: inout Configuration) {
        let name = section.required("name", example: "example.org")
        let catchAll = section.string("catch-all")
        let aliases = section.lists("aliases").map {
            RoutingConfiguration.Alias(localPart: $0.key, targets: $0.values)
        }
        out.routing.domains.append(.init(name: name, aliases: aliases, catchAll: catchAll))
    }

    private static func readLimits(_ section: inout SectionReader, _ out: inout SMTPServiceLimits) {
        out.messageSizeMaxOctets = section.octets(
            "message-size-max", default: out.messageSizeMaxOctets, in: (64 << 10)...(2 << 30))
        out.recipientsMax = section.integer(
            "recipients-max", default: out.recipientsMax, in: 100...100_000)
        out.errorsMax = section.integer("errors-max", default: out.errorsMax, in: 1...10_000)
        out.connectionsMax = section.integer(
            "connections-max", default: out.connectionsMax, in: 1...1_000_000)
        out.connectionsPerAddressMax = section.integer(
            "connections-per-address-max", default: out.connectionsPerAddressMax,
            in: 1...1_000_000)
        out.hopsMax = section.integer("hops-max", default: out.hopsMax, in: 10...1000)
        out.commandTimeout = section.duration(
            "command-timeout", default: out.commandTimeout, in: .seconds(1)...(.seconds(3600)))
        out.dataTimeout = section.duration(
            "data-timeout", default: out.dataTimeout, in: .seconds(1)...(.seconds(3600)))
    }

    private static func readLimits(_ section: inout SectionReader, _ out: inout IMAPServiceLimits) {
        out.appendSizeMaxOctets = section.octets(
            "append-size-max", default: out.appendSizeMaxOctets, in: (64 << 10)...(2 << 30))
        out.commandMaxOctets = section.octets(
            "command-size-max", default: out.commandMaxOctets, in: 8192...(16 << 20))
        out.errorsMax = section.integer("errors-max", default: out.errorsMax, in: 1...10_000)
        out.connectionsMax = section.integer(
            "connections-max", default: out.connectionsMax, in: 1...1_000_000)
        out.connectionsPerAddressMax = section.integer(
            "connections-per-address-max", default: out.connectionsPerAddressMax,
            in: 1...1_000_000)
        out.loginTimeout = section.duration(
            "login-timeout", default: out.loginTimeout, in: .seconds(1)...(.seconds(3600)))
        out.idleTimeout = section.duration(
            "idle-timeout", default: out.idleTimeout, in: .seconds(1)...(.seconds(86_400)))
    }
}
