import FoundationEssentials
import Logging
import MailStore
import Node
import Platform
import PlatformLinux
import Policy
import SASL

/// What the control channel needs of the node.
public struct ControlHooks: Sendable {
    public var gateway: any NodeGateway
    /// The routes of now, to refuse addresses that are not ours.
    public var directory: @Sendable () -> Directory
    /// PBKDF2 iterations for new passwords.
    public var passwordIterations: @Sendable () -> UInt32
    public var status: @Sendable () -> NodeStatus
    /// Reads the configuration again; returns notes, throws what is wrong with it. May block.
    public var reload: @Sendable () throws -> [String]

    public init(
        gateway: any NodeGateway, directory: @escaping @Sendable () -> Directory,
        passwordIterations: @escaping @Sendable () -> UInt32,
        status: @escaping @Sendable () -> NodeStatus,
        reload: @escaping @Sendable () throws -> [String]
    ) {
        self.gateway = gateway
        self.directory = directory
        self.passwordIterations = passwordIterations
        self.status = status
        self.reload = reload
    }
}

/// From a request to its answer. Blocks: until an account's change is durable, while a password is
/// hashed.
public struct ControlRouter: Sendable {
    public struct Request: Sendable {
        public var method: String
        /// Percent-encoded, without a query.
        public var path: String
        public var body: [UInt8]

        public init(_ method: String, _ path: String, body: [UInt8] = []) {
            self.method = method
            self.path = path
            self.body = body
        }
    }

    public struct Response: Sendable {
        public var status: Int
        /// JSON.
        public var body: [UInt8]
    }

    let hooks: ControlHooks
    let logger: Logger

    public init(_ hooks: ControlHooks, logger: Logger) {
        self.hooks = hooks
        self.logger = logger
    }

    public func answer(_ request: Request) -> Response {
        do throws(ControlError) {
            return try route(request)
        } catch {
            return Self.refusal(error)
        }
    }

    static func refusal(_ error: ControlError) -> Response {
        let body = try? encoder().encode(ControlErrorBody(error: error))
        return Response(status: error.status, body: Array(body ?? Data()))
    }

    private func route(_ request: Request) throws(ControlError) -> Response {
        let prefix = ControlVersion.prefix + "/"
        guard request.path.hasPrefix(prefix) else { throw Self.noSuchEndpoint(request.path) }
        let parts = request.path.dropFirst(prefix.count)
            .split(separator: "/", omittingEmptySubsequences: false)
            .map { PathEncoding.unescaped($0) ?? String($0) }
        switch (request.method, parts.count, parts[0], parts.count == 3 ? parts[2] : "") {
        case ("GET", 1, "status", _): return try ok(hooks.status())
        case ("POST", 1, "reload", _): return try ok(try reload())
        case ("GET", 1, "accounts", _): return try ok(list())
        case ("POST", 1, "accounts", _): return try ok(try create(decode(request)), status: 201)
        case ("GET", 2, "accounts", _): return try ok(summary(try account(parts[1])))
        case ("DELETE", 2, "accounts", _): return try ok(try remove(parts[1]))
        case ("POST", 3, "accounts", "password"):
            return try ok(try setPassword(parts[1], decode(request)))
        case ("POST", 3, "accounts", "addresses"):
            return try ok(try setAddresses(parts[1], decode(request)))
        case ("POST", 3, "accounts", "quota"):
            return try ok(try setQuota(parts[1], decode(request)))
        case (_, 1, "status", _), (_, 1, "reload", _), (_, 1...2, "accounts", _),
            (_, 3, "accounts", "password"), (_, 3, "accounts", "addresses"),
            (_, 3, "accounts", "quota"):
            throw ControlError(
                405, "method-not-allowed", "\(request.path) does not take \(request.method).")
        default: throw Self.noSuchEndpoint(request.path)
        }
    }

    private static func noSuchEndpoint(_ path: String) -> ControlError {
        ControlError(
            404, "no-such-endpoint",
            "This node knows no \(path). Use the twinpost command of the node's own version.")
    }

    // MARK: JSON

    static func encoder() -> JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return encoder
    }

    private func ok(_ value: some Encodable, status: Int = 200) throws(ControlError) -> Response {
        do {
            return Response(status: status, body: Array(try Self.encoder().encode(value)))
        } catch {
            throw ControlError(500, "internal", "The answer cannot be encoded: \(error)")
        }
    }

    private func decode<T: Decodable>(_ request: Request) throws(ControlError) -> T {
        do {
            return try JSONDecoder().decode(T.self, from: Data(request.body))
        } catch {
            throw ControlError(
                400, "bad-request", "The request's body is not the JSON object that is needed.")
        }
    }

    // MARK: The node

    private func reload() throws(ControlError) -> ReloadReport {
        do {
            return ReloadReport(notes: try hooks.reload())
        } catch {
            throw ControlError(422, "configuration-refused", "\(error)")
        }
    }

    /// Waits until the change is durable.
    func submit(_ work: NodeRequest.Work) throws(ControlError) {
        let waiter = Waiter()
        hooks.gateway.submit(NodeRequest(work, sink: waiter))
        switch waiter.wait() {
        case .refused(let refusal)?: throw Self.error(refusal)
        case nil:
            throw ControlError(
                503, "timeout", "The node did not answer in time; the change may still happen.")
        default: return
        }
    }

    private static func error(_ refusal: Refusal) -> ControlError {
        switch refusal {
        case .noSuchAccount: ControlError(404, "no-such-account", "There is no such account.")
        case .addressTaken(let address):
            ControlError(
                409, "address-taken",
                "\(address) belongs to an account already: choose another address.")
        case .diskFull:
            ControlError(507, "disk-full", "The node's disk is full: make room and try again.")
        case .unavailable:
            ControlError(
                503, "unavailable", "The node is stopping or its journal failed: see its log.")
        default: ControlError(409, "refused", "The node refused the change: \(refusal).")
        }
    }
}

/// Hears of one request's end.
private final class Waiter: NodeSink {
    private static let timeout = Duration.seconds(60)
    private let results = WorkQueue<ChangeResult>()

    func receive(_ batch: NodeBatch) {
        for completion in batch.completions { results.put(completion.result) }
    }

    /// nil: it did not end in time.
    func wait() -> ChangeResult? {
        var taken: [ChangeResult] = []
        _ = results.takeAll(into: &taken, timeout: Self.timeout)
        return taken.first
    }
}
