import MailStore
import Platform

// Sessions, and what goes over them (R1–R3, R15, R16).

/// One conversation with the peer, from handshake to the first missed deadline.
struct Session: Sendable {
    var peerNonce: UInt64
    var sent: UInt64 = 0
    var received: UInt64 = 0
    /// The latest of this node's beats that the peer has answered, and the peer's latest.
    var answered: MonotonicTime
    var peerBeat: MonotonicTime
    var outbox: [LogRecord] = []
    /// The peer has so much of this node's stream that this node lost.
    var takesBackUpTo: UInt64 = 0
    var isHolding = false
    var holdStart = MonotonicTime(nanoseconds: 0)
    var saidReady = false
    var heardReady = false
    /// What was last told: mark, ack, executed.
    var told: (mark: UInt64, ack: UInt64, executed: UInt64) = (0, 0, 0)
}

extension PairNode {
    var isTakingBack: Bool { session.map { $0.takesBackUpTo > own.end } ?? false }

    // MARK: Handshake

    mutating func sendHello() {
        let hello = Hello(
            cluster: configuration.cluster, slot: slot, generation: configuration.generation,
            nonce: nonce, echo: heardNonce, wantsStates: peerHasDiverged,
            own: own.incarnations, yours: peer.incarnations)
        actions.append(
            .send(
                Frame(
                    session: (0, 0), number: 0, beat: now.monotonic,
                    echo: MonotonicTime(nanoseconds: 0), mark: ownDurable, ack: peerDurable,
                    executed: executedDurable, body: .hello(hello))))
    }

    private mutating func receive(_ hello: Hello) {
        if !switches.contains(.trustsAnyone) {
            var reason: String?
            if hello.cluster != configuration.cluster { reason = "another cluster" }
            if hello.slot == slot { reason = "a second live copy of this slot" }
            if hello.generation != configuration.peerGeneration { reason = "a replaced machine" }
            if let reason {
                actions.append(.alarm(.refusedPeer(reason)))
                return
            }
        }
        if let session {
            if hello.nonce == session.peerNonce {
                if hello.echo != nonce { sendHello() }
                return
            }
            // The peer has ended the session, knowing this node's part of it.
            guard hello.echo == nonce else { return }
            goApart()
        }
        heardNonce = hello.nonce
        if hello.echo == nonce { establish(hello) }
        sendHello()
    }

    private mutating func establish(_ hello: Hello) {
        var new = Session(
            peerNonce: hello.nonce, answered: now.monotonic,
            peerBeat: MonotonicTime(nanoseconds: 0))
        let theirCopy = hello.yours.last?.last ?? 0
        let sharedOwn = StreamState.common(hello.yours, own.incarnations)
        let theirEnd = hello.own.last?.last ?? 0
        let sharedPeer = StreamState.common(hello.own, peer.incarnations)
        guard sharedOwn >= own.base, sharedPeer >= peer.base else {
            actions.append(.alarm(.peerBelowCheckpoint))
            return
        }
        let hasDiverged = theirCopy > sharedOwn && own.end > sharedOwn
        if theirCopy > sharedOwn, !hasDiverged, !switches.contains(.givesNothingBack) {
            new.takesBackUpTo = theirCopy
        }
        acknowledgedByPeer = min(sharedOwn, own.end)
        executedByPeer = min(executedByPeer, sharedOwn)
        let peerDiverged = peer.end > sharedPeer && theirEnd > sharedPeer
        let givesBack =
            peer.end > sharedPeer && !peerDiverged && !switches.contains(.givesNothingBack)
        for (isOwn, sequence) in order {
            if isOwn, sequence > sharedOwn { new.outbox.append(own[sequence]) }
            if !isOwn, givesBack, sequence > theirEnd { new.outbox.append(peer[sequence]) }
        }
        session = new
        link = .joining
        if givesBack { actions.append(.alarm(.peerLostRecords(peer.end - theirEnd))) }
        if peer.end > sharedPeer, !givesBack { keepLostWay(sharedPeer) }
        if hasDiverged || hello.wantsStates { sendStates() }
    }

    /// The peer wrote on without what it lost: all this node has of that becomes a branch (R16).
    private mutating func keepLostWay(_ common: UInt64) {
        actions.append(.alarm(.peerDiverged))
        note(.diverged(common: common))
        let lost = noteDivergence(common)
        keepMail(of: lost, all: true)
        for id in accountIDs {
            if accounts[known: id].line.home == slot {
                if accounts[known: id].hasUnmergedBranch { merge(id) }
                // The line rests on mail that its own node has lost.
                let sequence = write(.line(accounts[known: id].line))
                remember(id, sequence)
            } else {
                let state = accounts[known: id].served(at: slot)
                let sequence = write(.branch(id, base: 0, state: state))
                execute(own[sequence])
            }
        }
    }

    /// This node wrote on without what it lost: the peer hears its states as a whole.
    private mutating func sendStates() {
        for id in accountIDs {
            if accounts[known: id].line.home == slot {
                let sequence = write(.line(accounts[known: id].line))
                remember(id, sequence)
            } else if let branch = accounts[known: id].branch {
                let sequence = write(.branch(id, base: 0, state: branch))
                execute(own[sequence])
            }
        }
    }

    /// Mail among what is dropped, and what senders were seen to have heard of it, becomes this node's
    /// own record (R2, R7).
    private mutating func keepMail(of lost: [LogRecord], all: Bool) {
        guard !switches.contains(.dropsAccepts) else { return }
        for record in lost {
            var kept: Entry?
            switch record.entry {
            case .accept(let op, _, let besides):
                if !all, op.deliveries.allSatisfy({ accepted[$0.instance] != nil }) { break }
                kept = .accept(op, kept: true, besides: besides)
            case .acknowledged(let instances):
                let unheard = instances.filter { !accepted.acknowledged.contains($0) }
                if !unheard.isEmpty { kept = .acknowledged(unheard) }
            default: break
            }
            guard let kept else { continue }
            let sequence = write(kept, body: record.body)
            execute(own[sequence])
        }
    }

    // MARK: Frames

    mutating func receive(_ frame: Frame) {
        if case .hello(let hello) = frame.body { return receive(hello) }
        guard session != nil else { return }
        let isOurs =
            frame.session.sender == session!.peerNonce && frame.session.receiver == nonce
        guard isOurs || switches.contains(.oldSessionsAreHeard) else { return }
        if isOurs {
            guard frame.number > session!.received else { return }
            guard frame.number == session!.received + 1 else { return goApart() }
            session!.received = frame.number
        }
        session!.answered = max(session!.answered, frame.echo)
        if switches.contains(.oneWayIsALink) { session!.answered = now.monotonic }
        session!.peerBeat = max(session!.peerBeat, frame.beat)
        if case .ready = frame.body { session!.heardReady = true }
        acknowledgedByPeer = max(acknowledgedByPeer, min(frame.ack, own.end))
        executedByPeer = max(executedByPeer, min(frame.executed, own.end))
        if case .records(let records) = frame.body {
            for record in records {
                guard take(record, mark: frame.mark) else { return goApart() }
            }
        }
        hear(mark: switches.contains(.executesBeyondTheMark) ? peer.end : frame.mark)
        join()
    }

    /// Takes one record into the journal; false if one before it is missing, or if it does not
    /// continue the chain: then one of the two holds another stream than it says (R15).
    private mutating func take(_ record: LogRecord, mark: UInt64) -> Bool {
        if record.origin == slot {
            guard record.sequence > own.end else { return true }
            guard record.sequence == own.end + 1, continues(own, record) else { return false }
            takeBack(record, mark: mark)
            return true
        }
        guard record.sequence > peer.end else { return true }
        guard record.sequence == peer.end + 1, continues(peer, record) else { return false }
        peer.append(record)
        order.append((false, record.sequence))
        clock = max(clock, record.clock)
        log(record, peer: record.sequence)
        return true
    }

    private mutating func continues(_ stream: StreamState, _ record: LogRecord) -> Bool {
        if record.chain == record.chain(after: stream.chain) { return true }
        actions.append(.alarm(.refusedPeer("a stream that does not continue its chain")))
        return false
    }

    /// Takes a record of this node's own back that it had lost, and executes what of the peer's stream
    /// it had executed before it, and no more: a branch forks where it forked (R16, R17).
    private mutating func takeBack(_ record: LogRecord, mark: UInt64) {
        switch record.entry {
        case .branch(_, let base, nil): hear(mark: min(mark, base))
        case .merge(_, let covers): hear(mark: min(mark, covers))
        case .home(_, _, let takes): hear(mark: min(mark, takes))
        case .orders(_, let ops, let answers, _):
            hear(mark: min(mark, answers))
            for case .assign(let assign) in ops {
                for item in assign.items where accepted[item.instance] == nil {
                    hear(mark: min(mark, sequence(accepting: item.instance)))
                }
            }
        default: break
        }
        own.append(record)
        order.append((true, record.sequence))
        clock = max(clock, record.clock)
        log(record, own: record.sequence)
        execute(record)
    }

    private func sequence(accepting instance: InstanceID) -> UInt64 {
        var sequence = executed
        while sequence < peer.end {
            sequence += 1
            if case .accept(let op, _, _) = peer[sequence].entry,
                op.deliveries.contains(where: { $0.instance == instance })
            {
                return sequence
            }
        }
        return 0
    }

    /// The peer's stream is durable there up to `mark`: that is journalled, and executed (R2).
    private mutating func hear(mark: UInt64) {
        let mark = min(mark, peer.end)
        while mark > executed {
            // An account that is handed over is taken over before anything that came after: a node made
            // again from its journal executes in the same order (R29).
            guard handed.isEmpty else { return }
            let stop = firstHandover(upTo: mark) ?? mark
            if !switches.contains(.forgetsTheMark) { note(.mark(stop), executed: stop) }
            executePeer(upTo: stop)
            if !handed.isEmpty { takeOver() }
        }
    }

    // MARK: Joining

    /// What brings two nodes that join nearer to being connected.
    mutating func join() {
        guard link == .joining, session != nil, !isTakingBack else { return }
        for id in accountIDs where accounts[known: id].line.home == slot {
            if accounts[known: id].hasUnmergedBranch, executed == peer.end { merge(id) }
        }
        let lag = configuration.holdLag
        if !session!.isHolding, own.end - acknowledgedByPeer <= lag, peer.end - executed <= lag {
            session!.isHolding = true
            session!.holdStart = now.monotonic
        }
        if session!.isHolding, !session!.saidReady, isReady {
            session!.saidReady = true
            send(.ready)
        }
        guard session!.saidReady, session!.heardReady else { return }
        note(.connected)
        // From here on an answer means two disks (R4).
        for i in replies.indices where replies[i].gate.index > 0 { replies[i].gate.own = own.end }
        for id in accounts.keys {
            for i in accounts[known: id].waiting.indices {
                accounts[known: id].waiting[i].gate.own = own.end
            }
        }
        lastLinkNote = .connected
        peerHasDiverged = false
        link = .connected
        mustMeetPeer = false
        for id in accountIDs {
            accounts[known: id].openedEpoch = nil
            guard accounts[known: id].line.home == slot else { continue }
            accounts[known: id].endBranch()
            placeAll(id)
            writeCheck(id)
        }
        submitHeld()
    }

    private var isReady: Bool {
        // What was adopted must outlive a crash: home forgets the branch.
        guard executedDurable == executed else { return false }
        return accounts.keys.allSatisfy {
            accounts[known: $0].line.home == slot
                ? !accounts[known: $0].hasUnmergedBranch
                : accounts[known: $0].branch == nil || switches.contains(.readyWithABranch)
        }
    }

    /// Home writes what its line and the guest's branch make (R20).
    mutating func merge(_ id: AccountID) {
        let pair = accounts[known: id]
        guard let branch = pair.branch else { return }
        if pair.isRepair || pair.fork == nil {
            // What the guest has may not be what a merge's differences are to: its line may be another,
            // of an account that came back from it, say.
            remember(id, write(.line(pair.line)))
        }
        var fork = pair.fork
        if switches.contains(.comparesWithUnadopted), pair.coveredEnd > 0 { fork = pair.covered }
        let covered = switches.contains(.contentFromFork) ? pair.fork : pair.covered
        let mail = accepted
        var merge = Merge(
            home: pair.line, guest: branch, fork: fork, covered: withSharedRequests(covered, pair),
            retries: [], accepted: { mail[$0]?.message.flags },
            verifierSet: (pair.verifierSet.line, pair.verifierSet.branch),
            isRepair: pair.isRepair, slot: slot,
            switches: switches)
        if !switches.contains(.keepsRetriesAtMerge) {
            var mail = accepted
            for (retried, other) in accepted.unabsorbedRetries()
            where mail.mayBeOne(retried, other) && merge.absorb(retried, other) {
                mail.join([retried, other])
            }
        }
        let op = merge.result()
        let sequence = write(.merge(op, covers: pair.isBranchOwn ? 0 : pair.branchEnd))
        execute(own[sequence])
        accounts[known: id].openedEpoch = op.epoch
    }

    /// The base of a merge's content: requests that both nodes ordered are a part of it, for what came
    /// after them on one side alone is that side's change (R21).
    private func withSharedRequests(_ base: AccountState?, _ pair: AccountPair) -> AccountState? {
        guard var base, !pair.redone.isEmpty, !switches.contains(.countsRequestsTwice) else {
            return base
        }
        var ordered: [UInt64: [Op]] = [:]
        for record in own.records(after: pair.branchBase) {
            guard case .orders(base.id, let ops, let answers, _) = record.entry else { continue }
            if answers > 0 { ordered[answers] = ops }
        }
        for (request, ops) in pair.redone {
            for op in ops {
                for other in ordered[request] ?? [] {
                    if let shared = op.shared(with: other) { base.apply(shared) }
                }
            }
        }
        return base
    }

    // MARK: The end of a session

    mutating func tick() {
        guard session != nil else { return sendHello() }
        let isLate = now.monotonic.since(session!.answered) > configuration.deadline
        let holdsLong =
            link == .joining && session!.isHolding
            && now.monotonic.since(session!.holdStart) > configuration.holdMax
        if isLate || holdsLong {
            goApart()
            return sendHello()
        }
        send(.status)
    }

    /// Ends the session; nothing is done because of it before that is in the journal (R2).
    mutating func goApart() {
        session = nil
        nonce = randomness.next64() | 1
        link = .apart
        if lastLinkNote != .apart || peer.end > executed { note(.apart) }
        lastLinkNote = .apart
        apartIndex = logCount
        let lost = Array(peer.records(after: executed))
        cutPeer(to: executed)
        if switches.contains(.forgetsApart) { apartIndex = 0 }
        let apartIndex = apartIndex
        func loosen(_ gate: inout Gate) {
            if gate.own > 0 || gate.peer > 0 { gate = Gate(index: max(gate.index, apartIndex)) }
        }
        for id in accounts.keys {
            accounts[known: id].openedEpoch = nil
            for i in accounts[known: id].waiting.indices {
                loosen(&accounts[known: id].waiting[i].gate)
            }
        }
        if switches.contains(.refusesWhenApart) {
            for i in replies.indices where replies[i].gate.own > 0 {
                if case .accepted = replies[i].result { replies[i].result = .refused(.unavailable) }
            }
        }
        for i in replies.indices { loosen(&replies[i].gate) }
        for i in effects.indices { loosen(&effects[i].gate) }
        keepMail(of: lost, all: false)
        orderOutstanding()
        for id in accountIDs { placeAll(id) }
        submitHeld()
    }

    // MARK: Sending

    mutating func send(_ body: Frame.Body) {
        guard session != nil else { return }
        session!.sent += 1
        let ack = switches.contains(.acknowledgesEarly) ? peer.end : peerDurable
        session!.told = (ownDurable, ack, executedDurable)
        actions.append(
            .send(
                Frame(
                    session: (nonce, session!.peerNonce), number: session!.sent,
                    beat: now.monotonic, echo: session!.peerBeat, mark: ownDurable, ack: ack,
                    executed: executedDurable, body: body)))
    }

    /// Sends what was written, and how far things are durable, as far as the peer does not know it.
    mutating func flush() {
        guard session != nil else { return }
        if !session!.outbox.isEmpty {
            var records: [LogRecord] = []
            swap(&records, &session!.outbox)
            sendRecords(records)
        } else if session!.told
            != (
                ownDurable, switches.contains(.acknowledgesEarly) ? peer.end : peerDurable,
                executedDurable
            )
        {
            send(.status)
        }
    }
}

extension PairNode {
    /// As many frames as it takes.
    private mutating func sendRecords(_ records: [LogRecord]) {
        var start = 0
        while start < records.count {
            var end = start
            var octets = 0
            repeat {
                octets += records[end].payload.count
                end += 1
            } while end < records.count && end - start < configuration.frameRecordsMax
                && octets + records[end].payload.count <= configuration.frameOctetsMax
            send(.records(Array(records[start..<end])))
            start = end
        }
    }
}

extension Merge {
    /// One sender's message and its retry, each taken over by another node while the two were apart,
    /// become one (R7).
    mutating func absorb(_ retried: InstanceID, _ other: InstanceID) -> Bool {
        // Each absorbs one retry.
        for i in stride(from: 0, to: absorbed.count, by: 2) where absorbed[i] == retried {
            return false
        }
        func isLive(_ instance: InstanceID) -> Bool {
            !dead.contains(instance)
                && (homePlaces[instance] != nil || guestPlaces[instance] != nil)
        }
        // One that was moved on is still there, as another instance.
        func isThere(_ instance: InstanceID) -> Bool {
            isLive(instance)
                || homePlaces.merging(guestPlaces) { a, _ in a }.contains {
                    $0.value.row.facts.emailID.rawValue == instance.rawValue && isLive($0.key)
                }
        }
        guard isLive(retried) || isLive(other), isThere(retried), isThere(other) else {
            return false
        }
        dead.insert(isLive(retried) ? retried : other)
        absorbed += [retried, other]
        return true
    }
}
