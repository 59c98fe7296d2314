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
            if origin != slot, answers > 0, accounts[account]?.line.home == origin {
                answer(answers, result)
            }
        case .request(let request):
            if origin != slot { orderRequest(request, record.sequence) }
        case .branch(let id, let base, let state): openBranch(id, base, state, record)
        case .merge(let op, let covers): executeMerge(op, covers, record)
        case .line(let state):
            if accounts[state.id] == nil { accounts[state.id] = AccountPair(state) }
            accounts[state.id]!.line = state
            accounts[state.id]!.numbering += 1
            changed(state.id, record)
        case .acknowledged(let instances):
            for instance in instances { _ = accepted.acknowledge(instance) }
        case .mark, .apart, .connected, .diverged: break
        }
    }

    private mutating func accept(
        _ op: Op.Accept, kept: Bool, besides: [InstanceID], _ record: LogRecord
    ) {
        for delivery in op.deliveries {
            let facts = MessageFacts(
                instance: delivery.instance, emailID: delivery.emailID, digest: op.digest,
                body: BodyNumber(rawValue: 0), sizeOctets: op.sizeOctets,
                internalDate: op.internalDate, saveDate: op.internalDate)
            let message = AccountState.PendingMessage(
                mailbox: delivery.mailbox, flags: delivery.flags, facts: facts)
            let entry = AcceptedMail.Entry(
                message: message, account: delivery.account, origin: record.origin!,
                sequence: record.sequence, clock: record.clock,
                key: AcceptedMail.key(op, delivery), besides: besides)
            guard accepted.enter(entry), accounts[delivery.account] != nil else { continue }
            if kept, isPlaced(delivery.instance, delivery.account) { continue }
            accounts[delivery.account]!.line.await(message)
            accounts[delivery.account]!.branch?.await(message)
            if record.origin != slot { placeForPeer(delivery.instance, delivery.account) }
        }
        if record.origin != slot, switches.contains(.repeatsEffects) {
            for delivery in op.deliveries { effects.append((Gate(index: 0), delivery.instance)) }
        }
    }

    private func isPlaced(_ instance: InstanceID, _ account: AccountID) -> Bool {
        for state in [accounts[account]!.line, accounts[account]!.branch].compactMap({ $0 }) {
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
        if case .createAccount(let create)? = ops.first, accounts[id] == nil {
            accounts[id] = AccountPair(.created(by: create))
        }
        // An absorbed retry is acknowledged in the order that removes it: both or neither (R7).
        for case .acknowledged(let op) in ops {
            for instance in op.instances { _ = accepted.acknowledge(instance) }
        }
        guard let home = accounts[id]?.line.home else { return }
        if home == record.origin {
            if !isApplied { for op in ops { apply(op, to: &accounts[id]!.line) } }
            if home == slot, !ops.isEmpty { remember(id, record.sequence) }
        } else if accounts[id]!.branch != nil {
            if !isApplied { for op in ops { apply(op, to: &accounts[id]!.branch!) } }
            accounts[id]!.branchEnd = record.sequence
            if home == slot, answers > 0 { accounts[id]!.redone.append((answers, ops)) }
        }
        notePlaces(id, ops)
        if !ops.isEmpty { changed(id, record) }
    }

    /// Keeps the line as it is after this record of home's, for a fork (R17).
    mutating func remember(_ id: AccountID, _ sequence: UInt64) {
        accounts[id]!.history.append((sequence, accounts[id]!.line))
    }

    private func apply(_ op: Op, to state: inout AccountState) {
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
        // An account that home lost altogether comes back with what the guest has of it.
        guard var pair = accounts[id] ?? state.map({ AccountPair($0) }) else { return }
        accounts[id] = nil
        if record.origin == slot {
            pair.branch = state ?? pair.line
        } else {
            // At home. Without a known base there is no fork, and nothing to go on from.
            pair.fork = state == nil && !pair.isDiverged ? pair.state(at: base) : nil
            if switches.contains(.forksAtWhatItHolds), pair.fork != nil { pair.fork = pair.line }
            pair.covered = pair.fork
            pair.branch = state ?? pair.state(at: base)
            pair.coveredEnd = 0
            pair.branchBase = base
            pair.redone = []
            if state != nil { pair.isDiverged = false }
        }
        pair.branchEnd = record.sequence
        accounts[id] = pair
    }

    private mutating func executeMerge(_ op: Op.Merge, _ covers: UInt64, _ record: LogRecord) {
        let id = op.account
        guard accounts[id] != nil else { return }
        accounts[id]!.line.apply(.merge(op))
        for instance in op.absorbed { _ = accepted.acknowledge(instance) }
        accounts[id]!.numbering += 1
        if record.origin == slot {
            accounts[id]!.coveredEnd = covers
            accounts[id]!.covered = accounts[id]!.branch
            accounts[id]!.redone = []
            remember(id, record.sequence)
        } else if accounts[id]!.branch != nil,
            covers >= accounts[id]!.branchEnd || switches.contains(.adoptsEarly)
        {
            accounts[id]!.branch = nil
        }
        for i in appends.indices where appends[i].account == id { settle(i) }
        appends.removeAll { $0.instances.isEmpty }
        changed(id, record)
    }

    /// Drops what the peer sent beyond `sequence`. Mail among it is kept: its sender may have been
    /// answered (R2).
    mutating func cutPeer(to sequence: UInt64) {
        guard peer.end > sequence else { return }
        _ = peer.truncate(to: sequence)
        order.removeAll { !$0.isOwn && $0.sequence > sequence }
        peerDurable = min(peerDurable, sequence)
    }

    /// The peer's stream went another way after `common`. What this node has of the way that is lost
    /// becomes its own branch, with all it holds, and is merged by what is in it (R16).
    mutating func noteDivergence(_ common: UInt64) -> [LogRecord] {
        let lost = peer.end > common ? Array(peer.records[Int(common)...]) : []
        cutPeer(to: common)
        peerHasDiverged = true
        executed = min(executed, common)
        executedDurable = min(executedDurable, common)
        for id in accounts.keys where accounts[id]!.line.home == slot {
            accounts[id]!.isDiverged = true
        }
        return lost
    }

    /// What an entry of this node's or the peer's changed is to be shown when that is durable.
    mutating func changed(_ id: AccountID, _ record: LogRecord) {
        guard let state = accounts[id]?.served(at: slot) else { return }
        let gate = gate(for: record)
        if let last = accounts[id]!.waiting.last?.gate, last == gate {
            accounts[id]!.waiting.removeLast()
        }
        accounts[id]!.waiting.append((gate, state, accounts[id]!.numbering))
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
