import MailStore
import Platform
import Replication

/// A node that runs: a reference, since the node is a large value that nobody is to copy by looking.
final class Running {
    private var node: PairNode

    init(_ node: consuming PairNode) { self.node = node }

    var link: PairNode.Link { node.link }
    var isSettled: Bool { node.isSettled }
    var unsettled: String { node.unsettled }

    var recordCount: Int { node.recordCount }

    func end(of slot: Slot) -> UInt64 { node.end(of: slot) }
    func checkpoint() -> [UInt8] { node.checkpoint() }
    func visitBodies(_ visit: (BodyNumber) -> Void) { node.visitBodies(visit) }

    func visible(_ id: AccountID) -> AccountState? { node.visible(id) }
    func served(_ id: AccountID) -> AccountState? { node.served(id) }

    func damage(_ id: AccountID) -> Bool { node.damage(id) }

    func step(_ event: PairNode.Event, now: Now) -> [PairNode.Action] {
        node.step(event, now: now)
    }
}
