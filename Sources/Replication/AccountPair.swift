import MailStore
import Platform

/// What one node holds of an account that two nodes keep.
struct AccountPair: Sendable {
    /// Home's orders, executed: at home all of them, at the guest up to home's durable mark.
    var line: AccountState
    /// The guest's own way on from the fork, if it has gone one; at home as far as it is known.
    var branch: AccountState?
    /// At home: the line where the branch began, and where the branch stood at the last merge.
    var fork: AccountState?
    var covered: AccountState?
    /// At home: the number of its stream that the branch began at, and what the guest made on it, since
    /// the last merge, of requests that it had sent to home (R10).
    var branchBase: UInt64 = 0
    var redone: [(request: UInt64, ops: [Op])] = []
    /// Of the guest's stream: the branch's last order, and what the last merge covered.
    var branchEnd: UInt64 = 0
    var coveredEnd: UInt64 = 0
    /// At home, with a peer: the line after some of home's records, from the last one on that the guest
    /// is known to have executed; those between are made again if they are asked for (R17).
    var history: [(sequence: UInt64, state: AccountState)] = []
    /// How many of home's records changed the line after the last of these.
    var sinceHistory = 0
    /// When the verifier was last set on the line and on the branch (R26).
    var verifierSet: (line: HybridTime, branch: HybridTime) = (.zero, .zero)
    /// Its old home has said that the account is the other's, which has not answered yet (R29).
    var awaitsTakeover = false
    /// At a new home: the number of the record with which it took over, and whether the branch is one that
    /// it made as a guest.
    var tookOver: UInt64 = 0
    var isBranchOwn = false
    /// The branch is another state of the line, to be united with it (R27).
    var isRepair = false
    /// The epoch that this node opened since the link last changed (R13).
    var openedEpoch: UInt32?
    /// The guest's stream went another way: its next branch does not stem from this line.
    var isDiverged = false
    /// What clients see, and what they will see.
    var shown: AccountState
    var waiting: [(gate: Gate, state: AccountState, numbering: UInt64)] = []
    /// Counts what may have renumbered messages; what is shown may be from before the last of these.
    var numbering: UInt64 = 0
    var shownNumbering: UInt64 = 0

    init(_ line: AccountState) {
        self.line = line
        shown = line
    }

    /// What this node's clients are served from.
    func served(at slot: Slot) -> AccountState {
        line.home == slot && !isBranchOwn ? line : branch ?? line
    }

    func hasNothingPending(at slot: Slot) -> Bool {
        line.home == slot || branch == nil ? line.pending.isEmpty : branch!.pending.isEmpty
    }

    /// What is shown is from before something that may have renumbered messages.
    var hasNewNumbers: Bool { shownNumbering != numbering }

    /// At home, connected: the guest serves the line.
    mutating func endBranch() {
        (isDiverged, isBranchOwn, isRepair) = (false, false, false)
        (branch, fork, covered, redone) = (nil, nil, nil, [])
    }

    /// Home knows of orders of the guest that no merge covers.
    var hasUnmergedBranch: Bool { branch != nil && !isBranchOwn && branchEnd > coveredEnd }

    /// Home's record `sequence` has changed the line. What is kept is a copy, and makes the next change
    /// a costly one: so few are.
    mutating func remember(_ sequence: UInt64) {
        sinceHistory += 1
        guard history.isEmpty || sinceHistory >= Self.historyStep else { return }
        sinceHistory = 0
        history.append((sequence, line))
    }

    static let historyStep = 16

    mutating func pruneHistory(executed: UInt64) {
        guard let keep = history.lastIndex(where: { $0.sequence <= executed }), keep > 0 else {
            return
        }
        history.removeFirst(keep)
    }
}

/// What has to be durable before something is shown or answered (R4, R11).
struct Gate: Hashable, Sendable {
    /// Of this node's journal.
    var index: Int
    /// Of this node's stream, at the peer; 0 if nothing is asked of the peer.
    var own: UInt64 = 0
    /// Of the peer's stream, at the peer; 0 likewise.
    var peer: UInt64 = 0
}
