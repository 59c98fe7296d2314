import IMAP
import MailStore
import Node
import Platform
import SASL
import Synchronization

/// A node in memory: the production `Node`, whose batches are durable at once.
final class TestNode: NodeGateway {
    struct State {
        var node = Node(slot: .a, randomness: SeededRandomness(seed: 7))
        var bodies: [BodyNumber: [UInt8]] = [:]
        var nextBody: UInt64 = 1
        var sinks: [any NodeSink] = []
        var seconds: Int64 = 1_800_000_000
        var hasRoom = true
        /// Bodies whose reading fails.
        var broken: Set<BodyNumber> = []
        var bodyReads = 0
        var octetsRead = 0
    }

    let state = Mutex(State())
    let summaries: any SummaryStore
    private let store: TestSummaries

    /// - Parameter keepsSummaries: false for an index that lags behind for ever.
    init(keepsSummaries: Bool = true) {
        store = TestSummaries(isEmpty: !keepsSummaries)
        summaries = store
    }

    // MARK: For tests

    func makeAccount(_ address: String, password: String, quota: UInt64? = nil) -> AccountID {
        let verifier = try? Verifier(
            password: Array(password.utf8), salt: Array(repeating: 7, count: 16), iterations: 4096)
        submit(
            NodeRequest(
                .createAccount(
                    addresses: [address], verifier: verifier?.encoded ?? [], quotaOctets: quota)))
        return accountID(address: address)!
    }

    /// Delivers a message as SMTP does.
    func deliver(_ text: String, to account: AccountID) {
        let bytes = Array(text.utf8)
        let digest = SHA256Digest(hashing: bytes)
        // Each is another mail to the memory of retries.
        let received = SHA256Digest(
            hashing: bytes + Array("\(state.withLock { $0.nextBody })".utf8))
        submit(
            NodeRequest(
                .deliver(
                    MailDelivery(
                        body: .bytes(bytes, digest: digest), receivedDigest: received,
                        reversePath: Array("s@example.org".utf8),
                        recipients: [.init(account: account, forwardPath: Array("r".utf8))]),
                    acknowledges: nil)))
    }

    func change(_ account: AccountID, _ change: Change) {
        submit(NodeRequest(.change(account, change)))
    }

    func inbox(_ account: AccountID) -> Mailbox {
        let state = self.account(account)!
        return state.mailbox(state.inboxID)!
    }

    // MARK: NodeGateway

    func account(_ id: AccountID) -> AccountState? { state.withLock { $0.node.accounts[id] } }

    func accountID(address: String) -> AccountID? {
        state.withLock { $0.node.accountsByAddress[address.lowercased()] }
    }

    func accountIDs() -> [AccountID] { state.withLock { $0.node.accounts.keys.sorted() } }

    func addListener(_ sink: any NodeSink) { state.withLock { $0.sinks.append(sink) } }

    func hasRoom(forOctets octets: Int) -> Bool { state.withLock { $0.hasRoom } }

    func readBody(_ body: BodyNumber, range: Range<Int>?) throws -> [UInt8] {
        try state.withLock { state in
            state.bodyReads += 1
            guard !state.broken.contains(body), let bytes = state.bodies[body] else {
                throw TestFailure.noBody
            }
            let wanted = (range ?? 0..<bytes.count).clamped(to: 0..<bytes.count)
            state.octetsRead += wanted.count
            return Array(bytes[wanted])
        }
    }

    func makeSpool() throws -> any BodySpool { TestSpool(self) }

    func submit(_ request: NodeRequest) {
        let (result, touched, sinks) = state.withLock { state in
            state.seconds += 1
            let now = Now(
                wall: Instant(secondsSinceEpoch: state.seconds),
                monotonic: MonotonicTime(nanoseconds: state.seconds * 1_000_000_000))
            let result = step(&state, request.work, now)
            return (result, state.node.takeBatch(now: now).touched, state.sinks)
        }
        if let sink = request.sink {
            sink.receive(
                NodeBatch(
                    completions: [.init(token: request.token, result: result)],
                    changedAccounts: touched))
        }
        for sink in sinks where sink !== request.sink {
            sink.receive(NodeBatch(completions: [], changedAccounts: touched))
        }
    }

    private func step(_ state: inout State, _ work: NodeRequest.Work, _ now: Now) -> ChangeResult {
        switch work {
        case .deliver(let delivery, _):
            let number = keep(&state, delivery.body)
            return state.node.step(.deliver(delivery, body: number), now: now)
        case .acknowledged(let ticket): return state.node.step(.acknowledged(ticket), now: now)
        case .abandoned(let ticket): return state.node.step(.abandoned(ticket), now: now)
        case .append(let account, let mailbox, let messages):
            let new = messages.map { message in
                NewMessage(
                    digest: message.body.digest, body: keep(&state, message.body),
                    sizeOctets: UInt32(message.body.sizeOctets),
                    internalDate: message.internalDate, flags: message.flags)
            }
            return state.node.step(
                .change(account, .append(mailbox: mailbox, new)), now: now)
        case .change(let account, let change):
            return state.node.step(.change(account, change), now: now)
        case .createAccount(let addresses, let verifier, let quota):
            return state.node.step(
                .createAccount(
                    .init(addresses: addresses, verifier: verifier, quotaOctets: quota)),
                now: now)
        case .removeAccount(let account):
            return state.node.step(.removeAccount(account), now: now)
        case .setQuotaDefault(let octets):
            state.node.setQuotaDefault(octets: octets)
            return .done
        }
    }

    private func keep(_ state: inout State, _ body: BodySource) -> BodyNumber {
        switch body {
        case .stored(let stored): return stored.number
        case .bytes(let bytes, _):
            let number = BodyNumber(rawValue: state.nextBody)
            state.nextBody += 1
            state.bodies[number] = bytes
            store.add(number, bytes)
            return number
        }
    }

    fileprivate func keep(_ bytes: [UInt8]) -> BodyNumber {
        state.withLock { state in
            keep(&state, .bytes(bytes, digest: SHA256Digest(hashing: bytes)))
        }
    }
}

enum TestFailure: Error {
    case noBody
    case timeout(String)
}

final class TestSpool: BodySpool {
    private let node: TestNode
    private let bytes = Mutex<[UInt8]>([])

    init(_ node: TestNode) { self.node = node }

    func write(_ more: [UInt8]) throws { bytes.withLock { $0 += more } }

    func finish() throws -> StoredBody {
        let all = bytes.withLock { $0 }
        return StoredBody(
            number: node.keep(all), digest: SHA256Digest(hashing: all),
            sizeOctets: UInt32(all.count))
    }

    func cancel() { bytes.withLock { $0 = [] } }
}

/// Summaries in memory, in descending order to show that nobody relies on the order.
final class TestSummaries: SummaryStore {
    private let isEmpty: Bool
    private let rows = Mutex<[BodyNumber: MessageSummary]>([:])

    init(isEmpty: Bool) { self.isEmpty = isEmpty }

    func add(_ number: BodyNumber, _ bytes: [UInt8]) {
        guard !isEmpty else { return }
        let summary = bytes.withUnsafeBytes { MessageSummary.make($0) }
        rows.withLock { $0[number] = summary }
    }

    func read(
        _ column: SummaryColumn, of bodies: [BodyNumber],
        each: (Int, UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let rows = rows.withLock { $0 }
        for (index, body) in bodies.enumerated().reversed() {
            guard let row = rows[body] else { continue }
            let bytes =
                switch column {
                case .envelope: row.envelope
                case .bodyStructure: row.bodyStructure
                case .listFields: row.listedFields
                case .preview: row.preview
                }
            try bytes.withUnsafeBytes { try each(index, $0) }
        }
    }
}
