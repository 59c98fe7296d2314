import MailStore
import Platform

// Clients' changes and accepted mail: who orders them, where, and when (R4–R13).

extension PairNode {
    var isStandingReady: Bool { session?.isHolding ?? false }

    // MARK: Clients

    mutating func createAccount(_ token: UInt64, _ create: Op.CreateAccount) {
        guard !accounts.contains(create.account), create.home == slot, !isTakingBack else {
            reply(token, .refused(.unavailable))
            return
        }
        let sequence = write(
            .orders(create.account, [.createAccount(create)], answers: 0, result: nil))
        execute(own[sequence])
        reply(token, .done)
    }

    mutating func submit(
        _ token: UInt64, _ id: AccountID, _ change: Change, seen: AccountState? = nil
    ) {
        guard accounts.contains(id) else {
            return reply(token, .refused(.noSuchAccount), unconditionally: true)
        }
        guard !mustMeetPeer else {
            return reply(token, .refused(.unavailable), unconditionally: true)
        }
        let shown = accounts[known: id].shown
        let isHome = isHome(of: id)
        if isTakingBack {
            held.append((token, id, resolve(change, shown), shown))
            return
        }
        if !isHome, isStandingReady, link != .connected {
            if !switches.contains(.neverHolds) {
                held.append((token, id, resolve(change, shown), shown))
                return
            }
        }
        if case .append(let mailbox, let messages) = change {
            append(token, id, mailbox, messages)
            return
        }
        var request = Request(
            account: id, change: resolve(change, shown), named: UIDSet(),
            seed: randomness.next128(), wall: now.wall)
        switch change {
        case .deleteMailbox(let mailbox), .renameMailbox(let mailbox, _):
            let seen = (seen ?? shown).mailbox(mailbox)
            request.named = UIDSet(seen?.messages.allUIDs ?? [])
        default: break
        }
        if seen != nil || accounts[known: id].hasNewNumbers {
            request.rename(from: seen ?? shown, to: accounts[known: id].served(at: slot))
        }
        if !isHome, link == .connected,
            !switches.contains(.guestOrdersConnected)
        {
            let sequence = write(.request(request))
            if switches.contains(.answersRequestsEarly) {
                var copy = accounts[known: id].served(at: slot)
                let orderer = Orderer(slot: slot, limits: configuration.limits)
                reply(token, Self.order(request, on: &copy, orderer, &randomness, switches).1)
            } else {
                outstanding.append((sequence, token, request))
            }
        } else {
            let result = orderHere(request)
            reply(token, result)
        }
    }

    /// The change, naming what it means as its client saw it (R9, R23).
    private func resolve(_ change: Change, _ shown: AccountState) -> Change {
        guard case .expunge(let id, let uids) = change, let mailbox = shown.mailbox(id) else {
            return change
        }
        var named = UIDSet()
        mailbox.messages.visit { row in
            if row.flags.contains(.deleted), uids?.contains(row.uid) ?? true {
                named.appendSorted(row.uid...row.uid)
            }
        }
        return .expunge(mailbox: id, uids: named)
    }

    private mutating func append(
        _ token: UInt64, _ id: AccountID, _ mailbox: MailboxID, _ messages: [NewMessage]
    ) {
        guard accounts[known: id].shown.mailbox(mailbox) != nil else {
            return reply(token, .refused(.noSuchMailbox), unconditionally: true)
        }
        let instances = messages.map { _ in InstanceID(rawValue: randomness.next128()) }
        appends.append(WaitingAppend(token: token, account: id, instances: instances))
        for (message, instance) in zip(messages, instances) {
            let delivery = Op.Delivery(
                instance: instance, emailID: EmailID(rawValue: instance.rawValue), account: id,
                mailbox: mailbox, flags: message.flags, forwardPath: [])
            let sequence = write(
                .accept(
                    Op.Accept(
                        digest: message.digest, sizeOctets: message.sizeOctets,
                        internalDate: message.internalDate, reversePath: [], receivedDigest: .zero,
                        deliveries: [delivery]), kept: false, besides: []), body: message.body)
            execute(own[sequence])
        }
        placeOwn(instances, id)
    }

    // MARK: SMTP

    mutating func deliver(_ token: UInt64, _ incoming: Incoming) {
        guard !isTakingBack else {
            return reply(token, .refused(.unavailable), unconditionally: true)
        }
        // One that this node does not have yet must not miss what the others get.
        guard incoming.recipients.allSatisfy({ accounts.contains($0.account) }) else {
            return reply(token, .refused(.noSuchAccount), unconditionally: true)
        }
        var deliveries: [Op.Delivery] = []
        var besides: [InstanceID] = []
        var absorbed: [(instance: InstanceID, sequence: UInt64)] = []
        for recipient in incoming.recipients {
            let key = RetryMemory.key(
                reversePath: incoming.reversePath, forwardPath: recipient.forwardPath,
                account: recipient.account, received: incoming.receivedDigest)
            if !switches.contains(.keepsRetries), let first = known(key) {
                absorbed.append(first)
                continue
            }
            besides += accepted.all(key)
            let instance = InstanceID(rawValue: randomness.next128())
            deliveries.append(
                Op.Delivery(
                    instance: instance, emailID: EmailID(rawValue: instance.rawValue),
                    account: recipient.account,
                    mailbox: accounts[known: recipient.account].line.inboxID, flags: .none,
                    forwardPath: recipient.forwardPath))
        }
        let instances = deliveries.map(\.instance) + absorbed.map(\.instance)
        guard let ticket = instances.first else {
            return reply(token, .refused(.noSuchAccount), unconditionally: true)
        }
        senders[token] = instances
        if !deliveries.isEmpty {
            let accept = Op.Accept(
                digest: incoming.digest, sizeOctets: incoming.sizeOctets, internalDate: now.wall,
                reversePath: incoming.reversePath, receivedDigest: incoming.receivedDigest,
                deliveries: deliveries)
            let sequence = write(
                .accept(accept, kept: false, besides: besides), body: incoming.body)
            execute(own[sequence])
        }
        // What is here already waits for what its own answer waited for.
        reply(token, .accepted(ticket), peer: absorbed.map(\.sequence).max() ?? 0)
        guard !deliveries.isEmpty else { return }
        let gate = gate(for: own[own.end])
        for delivery in deliveries {
            effects.append((gate, delivery.instance))
            placeOwn([delivery.instance], delivery.account)
        }
    }

    /// The message of which another with this key is a retry, and, if it is the peer's, where in its
    /// stream it is. What is not executed yet counts: should the peer lose it, it is kept.
    private func known(_ key: SHA256Digest) -> (instance: InstanceID, sequence: UInt64)? {
        let unexecuted = peer.records(after: executed)
        var acknowledged: Set<InstanceID> = []
        for case .acknowledged(let instances) in unexecuted.lazy.map(\.entry) {
            acknowledged.formUnion(instances)
        }
        if let first = accepted.retried(key, besides: acknowledged, switches) {
            let entry = accepted[first]!
            return (first, entry.origin == slot ? 0 : entry.sequence)
        }
        for record in unexecuted {
            guard case .accept(let op, _, let besides) = record.entry else { continue }
            for delivery in op.deliveries
            where accepted[delivery.instance] == nil && !acknowledged.contains(delivery.instance)
                && RetryMemory.key(op, delivery) == key
                && !accepted.hasItsRetry(delivery.instance, key, besides: besides)
            {
                return (delivery.instance, record.sequence)
            }
        }
        return nil
    }

    // MARK: Placing accepted mail

    /// This node's own mail, as soon as it is accepted, where this node orders.
    private mutating func placeOwn(_ instances: [InstanceID], _ id: AccountID) {
        guard accounts.contains(id) else { return }
        if isHome(of: id) {
            place(instances, id)
        } else if link == .apart || (link == .joining && !isStandingReady) {
            ensureBranch(id)
            place(instances, id)
        } else if switches.contains(.guestOrdersConnected) {
            ensureBranch(id)
            place(instances, id)
        }
    }

    /// Mail of the peer. While the two join, the merge places it: its node may have done so.
    mutating func placeForPeer(_ instance: InstanceID, _ id: AccountID) {
        guard link == .connected, isHome(of: id) else { return }
        place([instance], id)
    }

    /// Everything that waits, in the order in which it came.
    mutating func placeAll(_ id: AccountID) {
        guard accounts.contains(id), !accounts[known: id].hasNothingPending(at: slot) else {
            return
        }
        let waiting = accounts[known: id].served(at: slot).pending.values.sorted { a, b in
            let (x, y) = (a.facts.internalDate, b.facts.internalDate)
            return x == y ? a.facts.instance < b.facts.instance : x < y
        }
        if !isHome(of: id) { ensureBranch(id) }
        place(waiting.map(\.facts.instance), id)
    }

    private mutating func place(_ instances: [InstanceID], _ id: AccountID) {
        var orderer = Orderer(slot: slot, limits: configuration.limits)
        orderer.waitsForUnknownMailboxes = !switches.contains(.unknownMailboxIsGone)
        orderer.sharesBlocks = switches.contains(.sharesBlocks)
        mergeOwnBranch(id)
        prepareEpoch(id)
        let state = accounts[known: id].served(at: slot)
        guard
            let assign = try? orderer.assign(instances, in: state, at: now.wall),
            !assign.items.isEmpty
        else { return }
        let sequence = write(
            .orders(
                id, [.assign(assign)] + expunges(of: assign, in: state, orderer), answers: 0,
                result: nil))
        execute(own[sequence])
    }

    /// A sender's retry that the other node took over, not knowing of the first, goes as it comes: it
    /// gets a place, so that nobody waits for one, and a tombstone, in one order (R7).
    private mutating func expunges(
        of assign: Op.Assign, in state: AccountState, _ orderer: Orderer
    ) -> [Op] {
        // Apart, the other node might let the other one go: then it is the merge's choice.
        guard link == .connected, !switches.contains(.keepsRetriesAtMerge) else { return [] }
        var gone: [MailboxID: [UInt32]] = [:]
        var absorbed: [InstanceID] = []
        var placed: Set<InstanceID> = []
        for item in assign.items {
            placed.insert(item.instance)
            guard let other = accepted.counterpart(of: item.instance),
                state.pending[other] == nil || placed.contains(other)
            else { continue }
            gone[item.mailbox, default: []].append(item.uid)
            absorbed += [other, item.instance]
        }
        guard !gone.isEmpty else { return [] }
        var after = state
        after.apply(.assign(assign))
        var ops: [Op] = [.acknowledged(.init(instances: absorbed))]
        for id in gone.keys.sorted() {
            guard let mailbox = after.mailbox(id) else { continue }
            ops.append(
                .expunge(
                    Op.Expunge(
                        account: assign.account, mailbox: id, uids: UIDSet(gone[id]!),
                        modSeq: orderer.nextModSeq(mailbox, epoch: after.epoch))))
        }
        return ops
    }

    // MARK: Ordering

    /// Orders a change on this node's line or branch and writes it. `answering` is its number in the
    /// guest's stream, if home was asked to order it.
    mutating func orderHere(
        _ request: Request, answering: UInt64 = 0
    ) -> ChangeResult {
        let id = request.account
        let isHome = isHome(of: id)
        mergeOwnBranch(id)
        if !isHome { ensureBranch(id) }
        var orderer = Orderer(slot: slot, limits: configuration.limits)
        orderer.sharesBlocks = switches.contains(.sharesBlocks)
        orderer.sharesValidities = switches.contains(.sharesValidities)
        if !switches.contains(.choosesIdentifiersAnew) { orderer.seed = request.seed }
        prepareEpoch(id)
        let (ops, result) =
            isHome
            ? Self.order(request, on: &accounts[known: id].line, orderer, &randomness, switches)
            : Self.order(request, on: &accounts[known: id].branch!, orderer, &randomness, switches)
        if !ops.isEmpty || (answering > 0 && isHome) {
            let sequence = write(
                .orders(
                    id, ops, answers: answering, result: answering > 0 && isHome ? result : nil))
            execute(own[sequence], isApplied: true)
        }
        return result
    }

    private static func order<R: Randomness>(
        _ request: Request, on state: inout AccountState, _ orderer: Orderer,
        _ randomness: inout R, _ switches: RuleSwitches
    ) -> ([Op], ChangeResult) {
        do throws(Refusal) {
            if let (ops, result) = try orderNamed(
                request, on: state, orderer, &randomness, switches)
            {
                for op in ops { state.apply(op) }
                return (ops, result)
            }
        } catch {
            return ([], .refused(error))
        }
        var change = request.change
        if switches.contains(.moveLeavesSource),
            case .copy(let from, let uids, let to, true) = change
        {
            change = .copy(source: from, uids: uids, destination: to, isMove: false)
        }
        return orderer.order(
            change, on: &state, at: request.wall, randomness: &randomness)
    }

    /// What takes only the messages that its client saw (R23); nil for other changes.
    private static func orderNamed<R: Randomness>(
        _ request: Request, on state: AccountState, _ orderer: Orderer, _ randomness: inout R,
        _ switches: RuleSwitches
    ) throws(Refusal) -> ([Op], ChangeResult)? {
        switch request.change {
        case .deleteMailbox(let id) where !switches.contains(.deletesUnnamed):
            let ops = try orderer.delete(
                state, id, naming: request.named, at: request.wall, &randomness)
            return (ops, .done)
        case .renameMailbox(let id, let name):
            return try orderer.rename(
                state, id, name, naming: request.named, at: request.wall, &randomness)
        default: return nil
        }
    }

    /// Home orders what a guest's client asked for. Only while connected: else the guest has done it.
    mutating func orderRequest(_ request: Request, _ sequence: UInt64) {
        guard link == .connected, isHome(of: request.account) else { return }
        _ = orderHere(request, answering: sequence)
    }

    /// Home's answer to a request has come, with its effect.
    mutating func answer(_ sequence: UInt64, _ result: ChangeResult?) {
        guard let i = outstanding.firstIndex(where: { $0.sequence == sequence }) else { return }
        replies.append((Gate(index: logCount), outstanding[i].token, result ?? .done))
        outstanding.remove(at: i)
    }

    /// What home did not get to order, the guest orders on its branch: with the same identifiers, so
    /// that it is done once if home did it all the same (R9, R10).
    mutating func orderOutstanding() {
        let waiting = outstanding
        outstanding.removeAll()
        for entry in waiting where accounts.contains(entry.request.account) {
            reply(entry.token, orderHere(entry.request, answering: entry.sequence))
        }
    }

    mutating func submitHeld() {
        let waiting = held
        held.removeAll()
        for entry in waiting { submit(entry.token, entry.account, entry.change, seen: entry.seen) }
    }

    /// The guest's way on from what it last executed of home's line (R17).
    mutating func ensureBranch(_ id: AccountID) {
        guard accounts[known: id].branch == nil else { return }
        let sequence = write(.branch(id, base: executed, state: nil))
        execute(own[sequence])
    }

    /// An epoch of this node's own above every one it knows of, unless it is using one (R13).
    private mutating func prepareEpoch(_ id: AccountID) {
        guard accounts.contains(id) else { return }
        let isHome = isHome(of: id)
        let highest = max(
            accounts[known: id].line.epoch, accounts[known: id].branch?.epoch ?? 0)
        let opened = accounts[known: id].openedEpoch
        if opened == highest { return }
        if opened != nil, switches.contains(.staysInEpoch) { return }
        if switches.contains(.sharesEpochs) { return }
        let new = Epochs.next(after: highest, for: slot)
        accounts[known: id].openedEpoch = new
        if isHome {
            accounts[known: id].line.openEpoch(new)
        } else {
            accounts[known: id].branch?.openEpoch(new)
        }
    }

    // MARK: Answers

    /// Answers when everything written so far is durable: here, and connected on the peer too (R4).
    /// `peer`: when the peer's stream is executed so far, too.
    mutating func reply(
        _ token: UInt64, _ result: ChangeResult, peer: UInt64 = 0, unconditionally: Bool = false
    ) {
        var gate = Gate(index: unconditionally ? 0 : logCount)
        if link == .connected, !unconditionally, !switches.contains(.answersAlone) {
            gate.own = own.end
            gate.peer = peer
        }
        replies.append((gate, token, result))
    }

    /// Messages that wait for their places, and have got them (R10).
    mutating func notePlaces(_ id: AccountID, _ ops: [Op]) {
        guard !appends.isEmpty else { return }
        for op in ops {
            guard case .assign(let assign) = op else { continue }
            for item in assign.items {
                for i in appends.indices where appends[i].instances.contains(item.instance) {
                    let served = accounts[known: id].served(at: slot)
                    guard let mailbox = served.mailbox(item.mailbox),
                        mailbox.messages.position(ofUID: item.uid) != nil
                    else { continue }
                    appends[i].placed[item.instance] = (
                        item.mailbox, mailbox.uidValidity, item.uid
                    )
                }
            }
        }
        for i in appends.indices where appends[i].account == id { settle(i) }
        appends.removeAll { $0.instances.isEmpty }
    }

    /// Answers an APPEND if none of its messages waits any more.
    mutating func settle(_ i: Int) {
        let append = appends[i]
        let pending = accounts[known: append.account].served(at: slot).pending
        guard !append.instances.contains(where: { pending[$0] != nil }) else { return }
        let places = append.instances.compactMap { append.placed[$0] }
        var result = ChangeResult.done
        if let first = places.first, places.count == append.instances.count,
            places.allSatisfy({ $0.mailbox == first.mailbox && $0.validity == first.validity })
        {
            result = .appended(first.validity, uids: places.map(\.uid))
        }
        reply(append.token, result)
        appends[i].instances.removeAll()
    }
}
