import MailStore
import Platform

// An account's home moves (R29), and both nodes compare what they have (R27).

extension PairNode {
    /// Gives the account to the other node: only its home does, while connected.
    mutating func moveHome(_ token: UInt64, _ id: AccountID) {
        guard accounts.contains(id), !isTakingBack else {
            return reply(token, .refused(.unavailable), unconditionally: true)
        }
        if switches.contains(.movesHomeApart), !isHome(of: id) {
            let sequence = write(.home(id, to: slot, takes: max(executed, 1)))
            execute(own[sequence])
            return reply(token, .done)
        }
        guard isHome(of: id), link == .connected || switches.contains(.movesHomeApart) else {
            return reply(token, .refused(.unavailable), unconditionally: true)
        }
        let sequence = write(.home(id, to: slot.other, takes: 0))
        execute(own[sequence])
        reply(token, .done)
    }

    /// The next record of the peer's that hands an account over.
    func firstHandover(upTo mark: UInt64) -> UInt64? {
        var sequence = executed
        while sequence < mark {
            sequence += 1
            if case .home(_, _, takes: 0) = peer[sequence].entry { return sequence }
        }
        return nil
    }

    mutating func executeHome(_ id: AccountID, _ to: Slot, _ takes: UInt64, _ record: LogRecord) {
        guard accounts.contains(id) else { return }
        switch (record.origin == slot, takes) {
        case (true, 0):
            accounts[known: id].line.moveHome(to: to)
            accounts[known: id].endBranch()
            accounts[known: id].awaitsTakeover = true
            accounts[known: id].history = []
            accounts[known: id].openedEpoch = nil
            (accounts[known: id].branchEnd, accounts[known: id].coveredEnd) = (0, 0)
        case (false, 0):
            handed.append((id, record.sequence))
            return
        case (true, _):
            handed.removeAll { $0.account == id }
            accounts[known: id].line.moveHome(to: slot)
            accounts[known: id].awaitsTakeover = false
            accounts[known: id].tookOver = record.sequence
            accounts[known: id].sinceHistory = 0
            accounts[known: id].history = [(record.sequence, accounts[known: id].line)]
            accounts[known: id].isBranchOwn = accounts[known: id].branch != nil
            if accounts[known: id].isBranchOwn { hasOwnBranches = true }
            accounts[known: id].covered = accounts[known: id].fork
            accounts[known: id].openedEpoch = nil
            (accounts[known: id].branchEnd, accounts[known: id].coveredEnd) = (0, 0)
        case (false, _):
            accounts[known: id].line.moveHome(to: to)
            accounts[known: id].awaitsTakeover = false
        }
        accounts[known: id].numbering += 1
        changed(id, record)
    }

    /// Takes over what the old home has handed over: first all that this node ordered as a guest, and
    /// what it has asked for and got no answer to. Only in a session: a start writes nothing by itself,
    /// since the peer may have what was lost (R16).
    mutating func takeOver() {
        guard session != nil, !isTakingBack else { return }
        let given = handed
        handed.removeAll()
        for (id, sequence) in given where accounts.contains(id) {
            let taking = write(.home(id, to: slot, takes: sequence))
            execute(own[taking])
            mergeOwnBranch(id)
            for entry in outstanding where entry.request.account == id {
                reply(entry.token, orderHere(entry.request))
            }
            outstanding.removeAll { $0.request.account == id }
            if link != .joining { placeAll(id) }
        }
        guard hasOwnBranches else { return }
        hasOwnBranches = false
        for id in accounts.keys { mergeOwnBranch(id) }
    }

    /// What this node ordered as a guest before it took over is in no merge yet: a crash came between.
    mutating func mergeOwnBranch(_ id: AccountID) {
        if accounts[known: id].isBranchOwn { merge(id) }
    }

    /// Home says what its line is like here (R27).
    mutating func writeCheck(_ id: AccountID) {
        write(.check(id, hash: accounts[known: id].line.stateHash))
    }

    /// - Parameter hash: of the line at home, as it is here.
    func differs(_ id: AccountID, _ hash: UInt64) -> Bool {
        accounts.contains(id) && !accounts[known: id].awaitsTakeover
            && accounts[known: id].line.stateHash != hash
    }

    mutating func compare(_ id: AccountID, _ hash: UInt64) {
        guard !isReplaying, !switches.contains(.neverCompares), differs(id, hash) else { return }
        differing.append(id)
    }

    /// The two lines are not the same: that is nobody's doing, and somebody must hear of it. This node
    /// goes on with its own, as a branch, until home has united the two.
    mutating func repair() {
        let found = differing
        differing.removeAll()
        for id in found {
            actions.append(.alarm(.statesDiffer(id)))
            guard accounts[known: id].branch == nil else { continue }
            let sequence = write(.differs(id, accounts[known: id].line))
            execute(own[sequence])
        }
        goApart()
    }

    /// For the simulator: a fault in this node's memory; true if there was something to lose.
    package mutating func damage(_ id: AccountID) -> Bool {
        guard accounts.contains(id), !isHome(of: id), accounts[known: id].branch == nil else {
            return false
        }
        return accounts[known: id].line.loseMessage()
    }
}
