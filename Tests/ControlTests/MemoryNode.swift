import MailStore
import Node
import Platform
import Synchronization

/// A node without a disk: changes happen at once.
final class MemoryNode: NodeGateway {
    private let node = Mutex(Node(slot: .a, randomness: SeededRandomness(seed: 7)))
    let isStopping = Atomic<Bool>(false)

    func account(_ id: AccountID) -> AccountState? { node.withLock { $0.accounts[id] } }

    func accountID(address: String) -> AccountID? {
        node.withLock { $0.accountsByAddress[address.lowercased()] }
    }

    func accountIDs() -> [AccountID] { node.withLock { $0.accounts.keys.sorted() } }

    func submit(_ request: NodeRequest) {
        let event: Node.Event
        switch request.work {
        case .createAccount(let addresses, let verifier, let quota):
            event = .createAccount(
                .init(addresses: addresses, verifier: verifier, quotaOctets: quota))
        case .removeAccount(let id): event = .removeAccount(id)
        case .change(let id, let change): event = .change(id, change)
        default: return
        }
        let now = Now(
            wall: Instant(secondsSinceEpoch: 1_000_000), monotonic: MonotonicTime(nanoseconds: 0))
        let result: ChangeResult =
            isStopping.load(ordering: .relaxed)
            ? .refused(.unavailable) : node.withLock { $0.step(event, now: now) }
        request.sink?.receive(
            NodeBatch(
                completions: [.init(token: request.token, result: result)], changedAccounts: []))
    }

    func addListener(_ sink: any NodeSink) {}
    func readBody(_ body: BodyNumber, range: Range<Int>?) throws -> [UInt8] { [] }
    func hasRoom(forOctets octets: Int) -> Bool { true }
    func makeSpool() throws -> any BodySpool { throw Refusal.diskFull }
    var summaries: any SummaryStore { EmptySummaries() }
}

private final class EmptySummaries: SummaryStore {
    func read(
        _ column: SummaryColumn, of bodies: [BodyNumber],
        each: (Int, UnsafeRawBufferPointer) throws -> Void
    ) throws {}
}
