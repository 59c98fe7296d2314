import Journal
import MailStore
import Platform

// A node's state as a checkpoint of its journal holds it (R33), so that a start need not execute
// everything from the beginning.
//
//     1 version (2); 8 clock; count of the journal's records before it; 1 link: 0 apart, 2 connected;
//     1 whether the peer has diverged; executed
//     both streams, this node's first: base; 32 chain at the base; incarnations as in a hello; the
//         records beyond the base, each as in a frame, and the number of its body here
//     the order of these records in the journal: for each an octet, 1 if it is this node's
//     accounts, ascending: line; branch, fork and covered state, if there are; branch's base and end,
//         covered end; whether the guest diverged; the line after each of home's last records;
//         requests that the guest ordered itself, each with its operations; 8 when the verifier was set
//         on the line and 8 on the branch; 1 whether a takeover is awaited; the record of this node's own
//         takeover, or 0; 1 whether the branch is this home's own; 1 whether it is to be repaired
//     accounts that the peer handed over and that are not taken over yet, each with its record's sequence
//     accepted mail: entries, ascending by instance; equal mails of each sender, in their order;
//         acknowledged instances; what is one message with what
//
// It is one node's own: it holds the numbers of bodies, and notes of nobody else. Sessions, answers
// that wait, and epochs and blocks in use end with the start that made them.

extension PairNode {
    private static let checkpointVersion: UInt8 = 2

    /// How many records the journal holds, from its beginning.
    public var recordCount: Int { logCount }

    /// The state to be written as a checkpoint of the journal behind the last record. What the peer
    /// is known to have for good is no longer kept, unless `Configuration.keepsAllRecords` says so.
    ///
    /// - Precondition: every record that this node named is in the journal.
    public mutating func checkpoint() -> [UInt8] {
        if !configuration.keepsAllRecords { forgetRecords() }
        var w = ByteWriter(reserving: 1 << 16)
        w.fixed(Self.checkpointVersion)
        w.fixed(clock.rawValue)
        w.count(logCount)
        w.fixed(UInt8(lastLinkNote == .connected ? 2 : 0))
        w.bool(peerHasDiverged)
        w.varint(executed)
        own.encode(into: &w)
        peer.encode(into: &w)
        w.array(order) { $0.bool($1.isOwn) }
        let ids = accountIDs
        w.count(ids.count)
        for id in ids { accounts[known: id].encode(into: &w) }
        w.array(handed) {
            $0.id($1.account)
            $0.varint($1.sequence)
        }
        accepted.encode(into: &w)
        return w.bytes
    }

    /// Keeps no longer what the peer has for good, as far as it must have executed it.
    private mutating func forgetRecords() {
        peer.forget(upTo: executedDurable)
        // A merge looks at what home ordered since a branch began.
        let branches = accountIDs.compactMap {
            accounts[known: $0].branch == nil ? nil : accounts[known: $0].branchBase
        }
        let end = min(acknowledgedByPeer, executedByPeer, ownDurable, branches.min() ?? .max)
        for id in accountIDs where isHome(of: id) && end > own.base {
            // From here on a fork may be asked for, and not before.
            guard accounts[known: id].history.contains(where: { $0.sequence < end }),
                let state = lineState(id, at: end)
            else { continue }
            accounts[known: id].history.removeAll { $0.sequence <= end }
            accounts[known: id].history.insert((end, state), at: 0)
        }
        own.forget(upTo: end)
        order.removeAll { $0.sequence <= ($0.isOwn ? own.base : peer.base) }
    }

    /// How many records of the journal a checkpoint's state stands for; 0 if it is none.
    public static func recordCount(ofCheckpoint bytes: [UInt8]) -> Int {
        var r = ByteReader(bytes)
        guard (try? r.fixed(UInt8.self)) == checkpointVersion, (try? r.fixed(UInt64.self)) != nil
        else { return 0 }
        return (try? r.varint(as: Int.self)) ?? 0
    }

    /// What this node has of a slot's stream: the last sequence number.
    public func end(of stream: Slot) -> UInt64 { stream == slot ? own.end : peer.end }

    mutating func restore(_ bytes: [UInt8]) throws(DecodingFailure) {
        var r = ByteReader(bytes)
        guard try r.fixed(UInt8.self) == Self.checkpointVersion else {
            throw DecodingFailure("a checkpoint of an unknown version", offset: 0)
        }
        clock = HybridTime(rawValue: try r.fixed())
        logCount = try r.varint(as: Int.self)
        let note: UInt8 = try r.fixed()
        guard note == 0 || note == 2 else {
            throw DecodingFailure("no such link state", offset: r.offset)
        }
        lastLinkNote = note == 2 ? .connected : .apart
        peerHasDiverged = try r.bool()
        executed = try r.varint()
        own = try StreamState(from: &r, slot)
        peer = try StreamState(from: &r, slot.other)
        guard executed <= peer.end, executed >= peer.base else {
            throw DecodingFailure("executed beyond the peer's stream", offset: r.offset)
        }
        try restoreOrder(&r)
        let pairs = try r.array { r throws(DecodingFailure) -> AccountPair in
            try AccountPair(from: &r)
        }
        for pair in pairs {
            accounts[pair.line.id] = pair
            if pair.isBranchOwn { hasOwnBranches = true }
        }
        handed = try r.array(elementOctets: 2) {
            r throws(DecodingFailure) -> (account: AccountID, sequence: UInt64) in
            (try r.id(), try r.varint())
        }
        accepted = try AcceptedMail(from: &r)
        try r.expectEnd()
    }

    private mutating func restoreOrder(_ r: inout ByteReader) throws(DecodingFailure) {
        let kinds = try r.array { r throws(DecodingFailure) -> Bool in try r.bool() }
        var (nextOwn, nextPeer) = (own.base, peer.base)
        for isOwn in kinds {
            if isOwn { nextOwn += 1 } else { nextPeer += 1 }
            order.append((isOwn, isOwn ? nextOwn : nextPeer))
        }
        guard nextOwn == own.end, nextPeer == peer.end else {
            throw DecodingFailure("the order is not that of the records", offset: r.offset)
        }
    }

    /// Calls `visit` with the number of every body that may still be asked for: of messages, of accepted
    /// mail that the peer may lack, and of what clients wait to have appended. Some come more than once.
    public func visitBodies(_ visit: (BodyNumber) -> Void) {
        for id in accountIDs {
            let pair = accounts[known: id]
            pair.line.visitBodies(visit)
            pair.shown.visitBodies(visit)
            // What the peer goes on from may come back as a copy that it made.
            for state in [pair.branch, pair.fork, pair.covered] { state?.visitBodies(visit) }
            for entry in pair.history { entry.state.visitBodies(visit) }
        }
        for stream in [own, peer] {
            for record in stream.records(after: stream.base) { visit(record.body) }
        }
        for entry in held {
            guard case .append(_, let messages) = entry.change else { continue }
            for message in messages { visit(message.body) }
        }
    }
}

extension StreamState {
    func encode(into w: inout ByteWriter) {
        w.varint(base)
        w.digest(baseChain)
        w.array(incarnations) { $1.encode(into: &$0) }
        w.array(Array(records(after: base))) {
            $1.encode(into: &$0)
            $0.fixed($1.body.rawValue)
        }
    }

    init(from r: inout ByteReader, _ slot: Slot) throws(DecodingFailure) {
        let base = try r.varint()
        let chain = try r.digest()
        let incarnations = try r.extents()
        let records = try r.array(elementOctets: 62) { r throws(DecodingFailure) -> LogRecord in
            var op = try OpRecord(from: &r)
            op.body = BodyNumber(rawValue: try r.fixed())
            do throws(RecordFailure) { return try LogRecord(op) } catch {
                throw DecodingFailure("\(error)", offset: r.offset)
            }
        }
        var last = base
        for record in records {
            guard record.origin == slot, record.sequence == last &+ 1 else {
                throw DecodingFailure("records of a stream out of order", offset: r.offset)
            }
            last = record.sequence
        }
        guard incarnations.last?.last ?? 0 == last else {
            throw DecodingFailure("a stream that ends elsewhere", offset: r.offset)
        }
        self.init(base: base, chain: chain, incarnations: incarnations, records: records)
    }
}

extension AccountPair {
    func encode(into w: inout ByteWriter) {
        line.encode(into: &w)
        for state in [branch, fork, covered] { w.optional(state) { $1.encode(into: &$0) } }
        w.varint(branchBase)
        w.varint(branchEnd)
        w.varint(coveredEnd)
        w.bool(isDiverged)
        w.array(history) {
            $0.varint($1.sequence)
            $1.state.encode(into: &$0)
        }
        w.array(redone) {
            $0.varint($1.request)
            $0.ops($1.ops)
        }
        w.fixed(verifierSet.line.rawValue)
        w.fixed(verifierSet.branch.rawValue)
        w.bool(awaitsTakeover)
        w.varint(tookOver)
        w.bool(isBranchOwn)
        w.bool(isRepair)
    }

    init(from r: inout ByteReader) throws(DecodingFailure) {
        func state(_ r: inout ByteReader) throws(DecodingFailure) -> AccountState? {
            try r.optional { r throws(DecodingFailure) -> AccountState in
                try AccountState(from: &r)
            }
        }
        self.init(try AccountState(from: &r))
        branch = try state(&r)
        fork = try state(&r)
        covered = try state(&r)
        branchBase = try r.varint()
        branchEnd = try r.varint()
        coveredEnd = try r.varint()
        isDiverged = try r.bool()
        history = try r.array {
            r throws(DecodingFailure) -> (sequence: UInt64, state: AccountState) in
            (try r.varint(), try AccountState(from: &r))
        }
        redone = try r.array(elementOctets: 2) {
            r throws(DecodingFailure) -> (request: UInt64, ops: [Op]) in
            (try r.varint(), try r.ops())
        }
        verifierSet = (HybridTime(rawValue: try r.fixed()), HybridTime(rawValue: try r.fixed()))
        awaitsTakeover = try r.bool()
        tookOver = try r.varint()
        isBranchOwn = try r.bool()
        isRepair = try r.bool()
    }
}

extension AcceptedMail {
    /// Where this node keeps the body of a message: copies keep the EMAILID of what was accepted.
    func body(of facts: MessageFacts) -> BodyNumber {
        entries[InstanceID(rawValue: facts.emailID.rawValue)]?.message.facts.body ?? .none
    }

    func encode(into w: inout ByteWriter) {
        w.array(entries.keys.sorted()) { w, instance in
            let entry = self.entries[instance]!
            w.id(entry.message.mailbox)
            w.flags(entry.message.flags)
            w.facts(entry.message.facts)
            w.id(entry.account)
            w.fixed(entry.origin.rawValue)
            w.varint(entry.sequence)
            w.fixed(entry.clock.rawValue)
            w.optional(entry.key) { $0.digest($1) }
            w.array(entry.besides) { $0.id($1) }
        }
        // In the order of the first of each.
        let groups = byKey.values.sorted { $0.first < $1.first }
        w.array(groups) { w, group in w.array(group.all) { $0.id($1) } }
        w.array(acknowledged.sorted()) { $0.id($1) }
        w.array(joined.keys.sorted()) { w, one in
            w.id(one)
            w.array(self.joined[one] ?? []) { $0.id($1) }
        }
    }

    init(from r: inout ByteReader) throws(DecodingFailure) {
        self.init()
        let all = try r.array(elementOctets: 100) { r throws(DecodingFailure) -> Entry in
            Entry(
                message: AccountState.PendingMessage(
                    mailbox: try r.id(), flags: try r.flags(), facts: try r.facts()),
                account: try r.id(), origin: try r.slot(), sequence: try r.varint(),
                clock: HybridTime(rawValue: try r.fixed()),
                key: try r.optional { r throws(DecodingFailure) -> SHA256Digest in
                    try r.digest()
                }, besides: try r.instances())
        }
        let groups = try r.array { r throws(DecodingFailure) -> [InstanceID] in
            try r.instances()
        }
        let acknowledged = try r.instances()
        let joined = try r.array(elementOctets: 17) {
            r throws(DecodingFailure) -> (one: InstanceID, others: [InstanceID]) in
            (try r.id(), try r.instances())
        }
        guard restore(all, groups, acknowledged, joined) else {
            throw DecodingFailure("a sender's mail that was not accepted", offset: r.offset)
        }
    }
}
