import Glibc

/// What `try --json` prints, in one line, when it is ready. Ports that do not exist are null.
struct TryReport: Encodable {
    struct Node: Encodable {
        var name: String
        var address: String
        var pid: Int32
        var argv: [String]
        var smtp: Int
        var imap: Int
        var imaps: Int
        var control: String
        var data: String

        private enum CodingKeys: String, CodingKey {
            case name, address, pid, argv, smtp, submission, submissions, imap, imaps, http
            case control, data
        }

        func encode(to encoder: any Encoder) throws {
            var fields = encoder.container(keyedBy: CodingKeys.self)
            try fields.encode(name, forKey: .name)
            try fields.encode(address, forKey: .address)
            try fields.encode(pid, forKey: .pid)
            try fields.encode(argv, forKey: .argv)
            try fields.encode(smtp, forKey: .smtp)
            try fields.encodeNil(forKey: .submission)
            try fields.encodeNil(forKey: .submissions)
            try fields.encode(imap, forKey: .imap)
            try fields.encode(imaps, forKey: .imaps)
            try fields.encodeNil(forKey: .http)
            try fields.encode(control, forKey: .control)
            try fields.encode(data, forKey: .data)
        }
    }

    struct Account: Codable {
        var address: String
        var password: String
    }

    var nodes: [Node]
    var accounts: [Account]
    /// The path of the authority's certificate.
    var ca: String
}

extension TryReport {
    /// The same for people, with commands that work as they stand.
    func text(keepsData: Bool) -> String {
        guard let node = nodes.first, let first = accounts.first else { return "" }
        let at = node.address
        let logins = accounts.map { "    \(pad($0.address))password \($0.password)" }
        return """

            A Twinpost node serves example.test on this machine.

                SMTP    \(at):\(node.smtp)    STARTTLS
                IMAP    \(at):\(node.imap)    STARTTLS
                IMAPS   \(at):\(node.imaps)    TLS
                CA      \(ca)
                data    \(node.data)\(keepsData ? "" : "    (removed at the end)")

            Log in with

            \(logins.joined(separator: "\n"))

            Send a mail, in another terminal:

                printf 'Subject: Hello\\r\\n\\r\\nIt works.\\r\\n' | curl -sS -T - \\
                    --url smtp://\(at):\(node.smtp) \\
                    --mail-from you@example.net --mail-rcpt \(first.address)

            Read it:

                curl -sS --cacert \(ca) \\
                    --user '\(first.address):\(first.password)' \\
                    'imaps://\(at):\(node.imaps)/INBOX;MAILINDEX=1'

            Kill the node, and start it again on its data:

                kill -9 \(node.pid)
                \(node.argv.map(Self.quoted).joined(separator: " "))

            Control-C stops it. Its log follows.

            """
    }

    private func pad(_ text: String) -> String {
        text + String(repeating: " ", count: max(2, 24 - text.count))
    }

    /// As a shell wants it.
    static func quoted(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2B, 0x2D, 0x2E, 0x2F, 0x3A, 0x40, 0x5F:
                true
            default: false
            }
        }
        if isPlain && !text.isEmpty { return text }
        return "'"
            + text.split(separator: "'", omittingEmptySubsequences: false)
            .joined(separator: "'\\''") + "'"
    }
}
