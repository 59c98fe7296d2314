import MailStore
import Platform

// Executing records: the same way when they are written, when they come, and at recovery.

extension PairNode {
    /// Executes the peer's stream up to its durable mark, and no further (R2).
    mutating func executePeer(upTo mark: UInt64) {
        while executed < mark, executed < peer.end {
            executed += 1
            execute(peer[executed])
        }
    }

    /// - Parameter isApplied: its operations are on the state already.
    mutating func execute(_ record: LogRecord, isApplied: Bool = false) {
        guard let origin = record.origin else { return }
        switch record.entry {
        case .accept(let op, let kept, let besides):
            accept(op, kept: kept, besides: besides, record)
        case .orders(let account, let ops, let answers, let result):
            executeOrders(account, ops, answers, record, isApplied: isApplied)
            if origin != slot, answers > 0, homeSlot(of: account) == origin {
                answer(answers, result)
            }
        case .request(let request):
            if origin != slot { orderRequest(request, record.sequence) }
        case .branch(let id, let base, let state): openBranch(id, base, state, record)
        case .merge(let op, let covers): executeMerge(op, covers, record)
        case .home(let id, let to, let takes): executeHome(id, to, takes, record)
        case .check(let id, let hash): if origin != slot { compare(id, hash) }
        case .differs(let id, let state):
            openBranch(id, 0, state, record)
            if accounts.contains(id) { accounts[known: id].isRepair = true }
        case .line(var state):
            state.setBodies(accepted.body(of:))
            if !accounts.contains(state.id) { accounts[state.id] = AccountPair(state) }
            accounts[known: state.id].line = state
            accounts[known: state.id].numbering += 1
            changed(state.id, record)
        case .acknowledged(let instances):
            for instance in instances { _ = accepted.acknowledge(instance) }
        case .mark, .apart, .connected, .diverged, .unknown: break
        }
    }

    private mutating func accept(
        _ op: Op.Accept, kept: Bool, besides: [InstanceID], _ record: LogRecord
    ) {
        for delivery in op.deliveries {
            let facts = MessageFacts(
                instance: delivery.instance, emailID: delivery.emailID, digest: op.digest,
                body: record.body, sizeOctets: op.sizeOctets,
                internalDate: op.internalDate, saveDate: op.internalDate)
            let message = AccountState.PendingMessage(
                mailbox: delivery.mailbox, flags: delivery.flags, facts: facts)
            let entry = AcceptedMail.Entry(
                message: message, account: delivery.account, origin: record.origin!,
                sequence: record.sequence, clock: record.clock,
                key: RetryMemory.key(op, delivery), besides: besides)
            guard accepted.enter(entry), accounts.contains(delivery.account) else { continue }
            if kept, isPlaced(delivery.instance, delivery.account) { continue }
            accounts[known: delivery.account].line.await(message)
            accounts[known: delivery.account].branch?.await(message)
            if record.origin != slot { placeForPeer(delivery.instance, delivery.account) }
        }
        if record.origin != slot, switches.contains(.repeatsEffects) {
            for delivery in op.deliveries { effects.append((Gate(index: 0), delivery.instance)) }
        }
    }

    private func isPlaced(_ instance: InstanceID, _ account: AccountID) -> Bool {
        for state in [accounts[known: account].line, accounts[known: account].branch].compactMap({
            $0
        }) {
            if state.buried.contains(instance) { return true }
            for mailbox in state.mailboxes {
                if mailbox.messages.allInstances.contains(instance) { return true }
                if mailbox.tombstones.contains(where: { $0.instance == instance }) { return true }
            }
        }
        return false
    }

    private mutating func executeOrders(
        _ id: AccountID, _ ops: [Op], _ answers: UInt64, _ record: LogRecord, isApplied: Bool
    ) {
        if case .createAccount(let create)? = ops.first, !accounts.contains(id) {
            accounts[id] = AccountPair(.created(by: create))
        }
        // A retry is one with the first by the very order that removes it (R7).
        for case .acknowledged(let op) in ops { accepted.join(op.instances) }
        guard accounts.contains(id) else { return }
        let home = accounts[known: id].line.home
        if record.origin != slot, accounts[known: id].awaitsTakeover { return }
        let setsVerifier = ops.contains { if case .setCredential = $0 { true } else { false } }
        if home == record.origin {
            if !isApplied {
                for op in ops { Self.apply(op, to: &accounts[known: id].line, accepted) }
            }
            if home == slot, !ops.isEmpty { remember(id, record.sequence) }
            if setsVerifier { accounts[known: id].verifierSet.line = record.clock }
        } else if accounts[known: id].branch != nil {
            if !isApplied {
                for op in ops { Self.apply(op, to: &accounts[known: id].branch!, accepted) }
            }
            accounts[known: id].branchEnd = record.sequence
            if setsVerifier { accounts[known: id].verifierSet.branch = record.clock }
            if home == slot, answers > 0 { accounts[known: id].redone.append((answers, ops)) }
        }
        notePlaces(id, ops)
        if !ops.isEmpty { changed(id, record) }
    }

    /// Keeps the line as it is after this record of home's, for a fork (R17).
    mutating func remember(_ id: AccountID, _ sequence: UInt64) {
        accounts[known: id].remember(sequence)
    }

    /// The line as it was after home's record `sequence`: the last that was kept before it, and what
    /// home wrote from there on (R17).
    func lineState(_ id: AccountID, at sequence: UInt64) -> AccountState? {
        // Before this node took over, the line was as it took it over.
        let sequence = max(sequence, accounts[known: id].tookOver)
        guard let kept = accounts[known: id].history.last(where: { $0.sequence <= sequence }) else {
            return nil
        }
        var state = kept.state
        var next = kept.sequence + 1
        while next <= min(sequence, own.end) {
            switch own[next].entry {
            case .orders(id, let ops, _, _): for op in ops { Self.apply(op, to: &state, accepted) }
            case .merge(var op, _) where op.account == id:
                op.setBodies(accepted.body(of:))
                state.apply(.merge(op))
            case .line(var line) where line.id == id:
                line.setBodies(accepted.body(of:))
                state = line
            default: break
            }
            next += 1
        }
        return state
    }

    private static func apply(
        _ op: Op, to state: inout AccountState, _ accepted: borrowing AcceptedMail
    ) {
        if case .assign(let assign) = op {
            for item in assign.items where state.pending[item.instance] == nil {
                if let entry = accepted[item.instance] { state.await(entry.message) }
            }
        }
        state.apply(op)
    }

    // MARK: Branches and merges

    private mutating func openBranch(
        _ id: AccountID, _ base: UInt64, _ state: AccountState?, _ record: LogRecord
    ) {
        var state = state
        state?.setBodies(accepted.body(of:))
        // An account that home lost altogether comes back with what the guest has of it.
        if !accounts.contains(id), let state { accounts[id] = AccountPair(state) }
        guard accounts.contains(id) else { return }
        if record.origin != slot, accounts[known: id].awaitsTakeover { return }
        if record.origin == slot {
            accounts[known: id].fork = state == nil ? accounts[known: id].line : nil
            accounts[known: id].branch = state ?? accounts[known: id].line
        } else {
            // At home. Without a known base there is no fork, and nothing to go on from.
            let there = state == nil ? lineState(id, at: base) : nil
            var fork = accounts[known: id].isDiverged ? nil : there
            if switches.contains(.forksAtWhatItHolds), fork != nil {
                fork = accounts[known: id].line
            }
            accounts[known: id].fork = fork
            accounts[known: id].covered = fork
            accounts[known: id].branch = state ?? there
            accounts[known: id].coveredEnd = 0
            accounts[known: id].branchBase = base
            accounts[known: id].redone = []
            if state != nil { accounts[known: id].isDiverged = false }
        }
        accounts[known: id].branchEnd = record.sequence
        accounts[known: id].verifierSet.branch = .zero
    }

    private mutating func executeMerge(_ op: Op.Merge, _ covers: UInt64, _ record: LogRecord) {
        let id = op.account
        guard accounts.contains(id) else { return }
        var op = op
        op.setBodies(accepted.body(of:))
        accounts[known: id].line.apply(.merge(op))
        let set = accounts[known: id].verifierSet
        accounts[known: id].verifierSet = (max(set.line, set.branch), .zero)
        accepted.join(op.absorbed)
        accounts[known: id].numbering += 1
        if record.origin == slot {
            accounts[known: id].coveredEnd = covers
            accounts[known: id].covered = accounts[known: id].branch
            accounts[known: id].redone = []
            accounts[known: id].isRepair = false
            if accounts[known: id].isBranchOwn { accounts[known: id].endBranch() }
            remember(id, record.sequence)
        } else if accounts[known: id].branch != nil,
            covers >= accounts[known: id].branchEnd || switches.contains(.adoptsEarly)
        {
            accounts[known: id].branch = nil
            accounts[known: id].isRepair = false
        }
        for i in appends.indices where appends[i].account == id { settle(i) }
        appends.removeAll { $0.instances.isEmpty }
        changed(id, record)
    }

    /// Drops what the peer sent beyond `sequence`. Mail among it is kept: its sender may have been
    /// answered (R2).
    mutating func cutPeer(to sequence: UInt64) {
        guard peer.end > sequence else { return }
        peer.truncate(to: sequence)
        actions.append(.rewind(slot.other, to: peer.head))
        order.removeAll { !$0.isOwn && $0.sequence > sequence }
        peerDurable = min(peerDurable, sequence)
    }

    /// The peer's stream went another way after `common`. What this node has of the way that is lost
    /// becomes its own branch, with all it holds, and is merged by what is in it (R16).
    mutating func noteDivergence(_ common: UInt64) -> [LogRecord] {
        let lost = Array(peer.records(after: common))
        cutPeer(to: common)
        peerHasDiverged = true
        accepted.adopt(from: slot.other, beyond: common, by: slot)
        executed = min(executed, common)
        executedDurable = min(executedDurable, common)
        for id in accounts.keys where accounts[known: id].line.home == slot {
            accounts[known: id].isDiverged = true
        }
        return lost
    }

    /// What an entry of this node's or the peer's changed is to be shown when that is durable.
    mutating func changed(_ id: AccountID, _ record: LogRecord) {
        guard !isReplaying, accounts.contains(id) else { return }
        let gate = gate(for: record)
        if let last = accounts[known: id].waiting.last?.gate, last == gate {
            accounts[known: id].waiting.removeLast()
        }
        let state = accounts[known: id].served(at: slot)
        let numbering = accounts[known: id].numbering
        accounts[known: id].waiting.append((gate, state, numbering))
        if !showing.contains(id) { showing.append(id) }
    }

    /// What must be durable before anybody sees the effect of `record` (R11).
    func gate(for record: LogRecord) -> Gate {
        var gate = Gate(index: logCount)
        if record.origin == slot, link == .connected, !switches.contains(.showsEarly) {
            gate.own = record.sequence
        }
        if switches.contains(.showsUnsynced) { gate.index = 0 }
        // The mark that let it be executed is the last in the journal by now (R2).
        if record.origin != slot, switches.contains(.forgetsTheMark) { gate.index = 0 }
        return gate
    }
}
