import FoundationEssentials
import Glibc

/// Speaks to a node over its control socket. Each call makes a connection, blocks, and ends it.
public struct ControlClient: Sendable {
    public let path: String
    /// For one answer.
    public var timeout: Duration

    /// - Parameter path: of the socket.
    public init(path: String, timeout: Duration = .seconds(70)) {
        self.path = path
        self.timeout = timeout
    }

    public func status() throws(ControlClientError) -> NodeStatus { try call("GET", "status") }

    public func reload() throws(ControlClientError) -> ReloadReport {
        try call("POST", "reload")
    }

    public func accounts() throws(ControlClientError) -> [AccountSummary] {
        let list: AccountList = try call("GET", "accounts")
        return list.accounts
    }

    public func add(_ account: AccountCreation) throws(ControlClientError) -> AccountSummary {
        try call("POST", "accounts", json(account))
    }

    public func remove(_ account: String) throws(ControlClientError) -> AccountSummary {
        try call("DELETE", "accounts/\(PathEncoding.escaped(account))")
    }

    public func setPassword(_ account: String, _ password: String) throws(ControlClientError)
        -> AccountSummary
    {
        try call(
            "POST", "accounts/\(PathEncoding.escaped(account))/password",
            json(PasswordChange(password: password)))
    }

    public func setAddresses(_ account: String, _ addresses: [String])
        throws(ControlClientError) -> AccountSummary
    {
        try call(
            "POST", "accounts/\(PathEncoding.escaped(account))/addresses",
            json(AddressChange(addresses: addresses)))
    }

    public func setQuota(_ account: String, octets: UInt64?) throws(ControlClientError)
        -> AccountSummary
    {
        try call(
            "POST", "accounts/\(PathEncoding.escaped(account))/quota",
            json(QuotaChange(quotaOctets: octets)))
    }

    // MARK: HTTP

    private func json(_ value: some Encodable) throws(ControlClientError) -> [UInt8] {
        do {
            return Array(try ControlRouter.encoder().encode(value))
        } catch {
            throw .badAnswer("the request cannot be encoded: \(error)")
        }
    }

    private func call<T: Decodable>(_ method: String, _ endpoint: String, _ body: [UInt8] = [])
        throws(ControlClientError) -> T
    {
        let (status, answer) = try exchange(method, endpoint, body)
        let decoder = JSONDecoder()
        if (200..<300).contains(status) {
            guard let value = try? decoder.decode(T.self, from: Data(answer)) else {
                throw .badAnswer("its answer to \(method) \(endpoint) cannot be read")
            }
            return value
        }
        guard var refusal = try? decoder.decode(ControlErrorBody.self, from: Data(answer)).error
        else { throw .badAnswer("it answered \(status) without a reason") }
        refusal.status = status
        throw .refused(refusal)
    }

    /// Sends one request and reads to the end: status and body.
    func exchange(_ method: String, _ endpoint: String, _ body: [UInt8] = [])
        throws(ControlClientError) -> (status: Int, body: [UInt8])
    {
        let descriptor: Int32
        do throws(SocketProblem) {
            descriptor = try UnixSocket.connect(path)
        } catch {
            throw .noNode(error)
        }
        defer { close(descriptor) }
        var limit = timeval()
        limit.tv_sec = Int(timeout.components.seconds)
        limit.tv_usec = Int(timeout.components.attoseconds / 1_000_000_000_000)
        setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        let head =
            "\(method) \(ControlVersion.prefix)/\(endpoint) HTTP/1.1\r\nHost: twinpost\r\n"
            + "Connection: close\r\nContent-Length: \(body.count)\r\n\r\n"
        try send(Array(head.utf8) + body, to: descriptor)
        return try Self.parse(try readToEnd(descriptor))
    }

    private func send(_ bytes: [UInt8], to descriptor: Int32) throws(ControlClientError) {
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count > 0 {
                done += count
            } else if errno != EINTR {
                throw .noNode(SocketProblem(errno, "\(path) cannot be written to"))
            }
        }
    }

    private func readToEnd(_ descriptor: Int32) throws(ControlClientError) -> [UInt8] {
        var all: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while all.count < 64 << 20 {
            let count = recv(descriptor, &chunk, chunk.count, 0)
            if count == 0 { return all }
            if count > 0 {
                all += chunk[..<count]
            } else if errno != EINTR {
                throw .noNode(SocketProblem(errno, "\(path) does not answer"))
            }
        }
        throw .badAnswer("its answer has no end")
    }

    static func parse(_ answer: [UInt8]) throws(ControlClientError) -> (status: Int, body: [UInt8])
    {
        let separator = Array("\r\n\r\n".utf8)
        var end = 0
        while end + 4 <= answer.count, !answer[end..<(end + 4)].elementsEqual(separator) {
            end += 1
        }
        guard end + 4 <= answer.count else { throw .badAnswer("its answer is cut short") }
        let lines = String(decoding: answer[..<end], as: UTF8.self)
            .split(whereSeparator: \.isNewline)
        let words = lines.first?.split(separator: " ") ?? []
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else {
            throw .badAnswer("its answer is not HTTP")
        }
        let body = Array(answer[(end + 4)...])
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, parts[0].lowercased() == "content-length" else { continue }
            guard Int(parts[1].drop { $0 == " " }) == body.count else {
                throw .badAnswer("its answer is cut short")
            }
        }
        return (status, body)
    }
}

/// Why a call over the control socket did not work.
public enum ControlClientError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Nobody answers there.
    case noNode(SocketProblem)
    /// The node said no.
    case refused(ControlError)
    /// Whoever answered is not a node as we know it.
    case badAnswer(String)

    public var description: String {
        switch self {
        case .noNode(let problem) where problem.isPermission:
            "\(problem). The socket belongs to the user that the node runs as: run this as that user "
                + "or as root."
        case .noNode(let problem) where problem.isSilence:
            "The node runs, but does not answer: \(problem). Look into its log."
        case .noNode(let problem):
            "No node runs here: \(problem). Start it (systemctl start twinpost, or twinpostd), or "
                + "name the socket of another with --control."
        case .refused(let error): error.message
        case .badAnswer(let what):
            "The node speaks another language: \(what). Use the twinpost command of its version."
        }
    }
}
