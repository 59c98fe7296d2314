import MailStore
import Platform

/// A node's whole state and its one way to change it: an event in, actions out.
///
/// Deterministic: the same events with the same randomness give the same actions. It does no I/O; who
/// drives it appends the operations it names to the journal, syncs, and only then lets answers and new
/// states out (`NodeRuntime` on a real machine, the simulator on a pretended one).
///
/// This node has no peer: it is home of every account and orders alone.
public struct Node: Sendable {
    public enum Event: Sendable {
        /// A message from SMTP. Its body is in the journal under `body`, not yet durable.
        case deliver(MailDelivery, body: BodyNumber)
        case change(AccountID, Change)
        case createAccount(NewAccount)
        case removeAccount(AccountID)
        /// The sender of the message with this ticket showed that it saw our `250`.
        case acknowledged(InstanceID)
        /// The session of the message with this ticket ended without such a sign: the message may
        /// come again, and then it is a retry (R7).
        case abandoned(InstanceID)
    }

    public struct NewAccount: Sendable {
        /// The first is the one the account logs in with.
        public var addresses: [String]
        public var verifier: [UInt8]
        public var quotaOctets: UInt64?

        public init(addresses: [String], verifier: [UInt8], quotaOctets: UInt64?) {
            self.addresses = addresses
            self.verifier = verifier
            self.quotaOctets = quotaOctets
        }
    }

    /// What is to be appended to the journal, in order.
    public struct Record: Sendable {
        public var op: Op
        public var clock: HybridTime
        /// For `.accept`: where the body is.
        public var body: BodyNumber
    }

    public private(set) var orderer: Orderer
    public internal(set) var accounts: [AccountID: AccountState] = [:]
    /// By address in lower case.
    public private(set) var accountsByAddress: [String: AccountID] = [:]
    /// Grows whenever `accountsByAddress` may have changed.
    public private(set) var addressGeneration: UInt64 = 0
    public private(set) var clock = HybridTime.zero

    /// What the steps since the last `takeBatch` produced.
    var records: [Record] = []
    var touched: Set<AccountID> = []
    /// Accepted in this batch, without a place yet; by account, in order of arrival.
    var unassigned: [AccountID: Unassigned] = [:]
    var unassignedOrder: [AccountID] = []
    var acknowledged: [InstanceID] = []
    var retries = RetryMemory()
    var undo = Undo()
    var nextExpiry = MonotonicTime(nanoseconds: 0)
    private var randomness: any Randomness & Sendable

    public init(
        slot: Slot, limits: AccountLimits = AccountLimits(),
        randomness: any Randomness & Sendable
    ) {
        orderer = Orderer(slot: slot, limits: limits)
        self.randomness = randomness
    }

    /// What an account may hold that has no quota of its own; nil is no limit.
    public mutating func setQuotaDefault(octets: UInt64?) {
        orderer.limits.quotaDefaultOctets = octets
    }

    // MARK: Steps

    /// Executes an event. What it changes is not to be shown, and its result not to be answered,
    /// before the batch that it belongs to is durable.
    public mutating func step(_ event: Event, now: Now) -> ChangeResult {
        switch event {
        case .deliver(let delivery, let body): return deliver(delivery, body, now)
        case .change(let account, .append(let mailbox, let messages)):
            return append(account, mailbox, messages, now)
        case .change(let account, let change): return order(account, change, now)
        case .createAccount(let new): return create(new, now)
        case .removeAccount(let id):
            guard accounts[id] != nil else { return .refused(.noSuchAccount) }
            assignPending(now)
            record(.removeAccount(.init(account: id)), now)
            remove(id)
            return .done
        case .acknowledged(let ticket):
            acknowledged += retries.acknowledge(ticket)
            return .done
        case .abandoned(let ticket):
            retries.abandon(ticket)
            return .done
        }
    }

    // MARK: Kinds of events

    private mutating func deliver(_ delivery: MailDelivery, _ body: BodyNumber, _ now: Now)
        -> ChangeResult
    {
        var deliveries: [Op.Delivery] = []
        var retried: [InstanceID] = []
        for recipient in delivery.recipients {
            guard let account = accounts[recipient.account] else { continue }
            if let first = self.retried(recipient, of: delivery) {
                retried.append(first)
                continue
            }
            let instance = InstanceID(rawValue: randomness.next128())
            deliveries.append(
                Op.Delivery(
                    instance: instance, emailID: EmailID(rawValue: instance.rawValue),
                    account: account.id, mailbox: account.inboxID, flags: .none,
                    forwardPath: recipient.forwardPath))
        }
        guard let first = deliveries.first else {
            return absorb(retried, ticket: retried.first) ?? .refused(.noSuchAccount)
        }
        let accept = Op.Accept(
            digest: delivery.body.digest, sizeOctets: UInt32(clamping: delivery.body.sizeOctets),
            internalDate: now.wall,
            reversePath: delivery.reversePath, receivedDigest: delivery.receivedDigest,
            deliveries: deliveries)
        self.accept(accept, body, now)
        retries.remember(accept, ticket: first.instance)
        undo.remembered += deliveries.map(\.instance)
        _ = absorb(retried, ticket: first.instance)
        return .accepted(first.instance)
    }

    private mutating func accept(_ accept: Op.Accept, _ body: BodyNumber, _ now: Now) {
        record(.accept(accept), body: body, now)
        var applied: [AccountID] = []
        for delivery in accept.deliveries {
            if unassigned[delivery.account] == nil { unassignedOrder.append(delivery.account) }
            unassigned[delivery.account, default: Unassigned()]
                .add(delivery.instance, octets: accept.sizeOctets)
            // Several recipients may be one account: it applies the whole operation once.
            if applied.contains(delivery.account) { continue }
            save(delivery.account)
            accounts[delivery.account]?.apply(.accept(accept), body: body)
            applied.append(delivery.account)
        }
    }

    private mutating func append(
        _ account: AccountID, _ mailbox: MailboxID, _ messages: [NewMessage], _ now: Now
    ) -> ChangeResult {
        guard let state = accounts[account] else { return .refused(.noSuchAccount) }
        guard let target = state.mailbox(mailbox) else { return .refused(.noSuchMailbox) }
        let octets = messages.reduce(UInt64(0)) { $0 + UInt64($1.sizeOctets) }
        guard orderer.fits(octets, in: state) else { return .refused(.overQuota) }
        guard target.hasRoom(forKeywords: messages.flatMap(\.flags.keywords)) else {
            return .refused(.tooManyKeywords)
        }
        assignPending(now)
        var instances: [InstanceID] = []
        for message in messages {
            let instance = InstanceID(rawValue: randomness.next128())
            let delivery = Op.Delivery(
                instance: instance, emailID: EmailID(rawValue: instance.rawValue),
                account: account, mailbox: mailbox, flags: message.flags, forwardPath: [])
            accept(
                Op.Accept(
                    digest: message.digest, sizeOctets: message.sizeOctets,
                    internalDate: message.internalDate, reversePath: [], receivedDigest: .zero,
                    deliveries: [delivery]),
                message.body, now)
            instances.append(instance)
        }
        let items = assignPending(now)
        // RFC 3502: all or none; `items` holds just these, since nothing else was waiting.
        guard items.count == instances.count else { return .refused(.uidsExhausted) }
        return .appended(target.uidValidity, uids: items.map(\.uid))
    }

    private mutating func order(_ account: AccountID, _ change: Change, _ now: Now)
        -> ChangeResult
    {
        guard accounts[account] != nil else { return .refused(.noSuchAccount) }
        if case .setAddresses(let addresses) = change {
            for address in addresses {
                if let holder = accountsByAddress[address.lowercased()], holder != account {
                    return .refused(.addressTaken(address))
                }
            }
        }
        assignPending(now)
        save(account)
        let (ops, result) = orderer.order(
            change, on: &accounts[account]!, at: now.wall, randomness: &randomness)
        for op in ops { record(op, now) }
        if case .setAddresses = change { indexAddresses() }
        if !ops.isEmpty { touched.insert(account) }
        return result
    }

    private mutating func create(_ new: NewAccount, _ now: Now) -> ChangeResult {
        guard !new.addresses.isEmpty else { return .refused(.noSuchAccount) }
        for address in new.addresses where accountsByAddress[address.lowercased()] != nil {
            return .refused(.addressTaken(address))
        }
        let id = AccountID(rawValue: randomness.next128())
        let op = Accounts.creating(
            id, home: orderer.slot, addresses: new.addresses, quotaOctets: new.quotaOctets,
            at: now.wall)
        assignPending(now)
        record(.createAccount(op), now)
        save(id)
        accounts[id] = .created(by: op)
        let credential = Op.setCredential(.init(account: id, verifier: new.verifier))
        record(credential, now)
        accounts[id]?.apply(credential)
        indexAddresses()
        touched.insert(id)
        return .done
    }

    /// Gives everything accepted so far its place. Orders of other kinds come after, so that MODSEQs
    /// ascend in the journal as they do in the mailbox.
    @discardableResult
    mutating func assignPending(_ now: Now) -> [Op.Assign.Item] {
        var all: [Op.Assign.Item] = []
        for account in unassignedOrder {
            guard let waiting = unassigned[account], let state = accounts[account] else {
                continue
            }
            do throws(Refusal) {
                let assign = try orderer.assign(waiting.instances, in: state, at: now.wall)
                record(.assign(assign), now)
                save(account)
                accounts[account]!.apply(.assign(assign))
                touched.insert(account)
                all += assign.items
            } catch {
                // UIDs are exhausted: the messages stay accepted, and wait for a new UIDVALIDITY.
                continue
            }
        }
        unassigned.removeAll(keepingCapacity: true)
        unassignedOrder.removeAll(keepingCapacity: true)
        return all
    }

    mutating func record(
        _ op: Op, body: BodyNumber = BodyNumber(rawValue: 0), _ now: Now
    ) {
        clock = clock.next(at: now.wall)
        records.append(Record(op: op, clock: clock, body: body))
    }

    // MARK: Recovery

    /// Executes an operation from the journal, as it was executed before.
    public mutating func replay(_ op: Op, clock: HybridTime, body: BodyNumber) {
        self.clock = max(self.clock, clock)
        switch op {
        case .createAccount(let create):
            accounts[create.account] = .created(by: create)
            indexAddresses()
        case .removeAccount(let gone): remove(gone.account)
        case .setAddresses(let change):
            accounts[change.account]?.apply(op)
            indexAddresses()
        case .acknowledged(let seen):
            for instance in seen.instances { retries.forget(instance) }
        case .accept(let accept):
            var applied: [AccountID] = []
            for delivery in accept.deliveries where !applied.contains(delivery.account) {
                accounts[delivery.account]?.apply(op, body: body)
                applied.append(delivery.account)
            }
            retries.remember(accept, ticket: nil)
        default:
            if let account = op.account { accounts[account]?.apply(op) }
        }
    }

    /// The whole state, for a checkpoint.
    public func encodedState() -> [UInt8] {
        var w = ByteWriter(reserving: 1 << 16)
        w.fixed(clock.rawValue)
        w.array(accounts.keys.sorted()) { self.accounts[$1]!.encode(into: &$0) }
        retries.encode(into: &w)
        return w.bytes
    }

    /// Takes the state from a checkpoint. - Precondition: nothing was executed yet.
    public mutating func restore(_ bytes: [UInt8]) throws(DecodingFailure) {
        precondition(accounts.isEmpty && records.isEmpty)
        var r = ByteReader(bytes)
        clock = HybridTime(rawValue: try r.fixed())
        let all = try r.array { r throws(DecodingFailure) -> AccountState in
            try AccountState(from: &r)
        }
        for account in all { accounts[account.id] = account }
        retries = try RetryMemory(from: &r)
        try r.expectEnd()
        indexAddresses()
    }

    /// Lets what a crash left accepted without a place have one in the first batch.
    public mutating func finishRecovery(now: Now) {
        for id in accounts.keys.sorted() {
            let waiting = accounts[id]!.pending.values.sorted {
                $0.facts.instance < $1.facts.instance
            }
            guard !waiting.isEmpty else { continue }
            unassignedOrder.append(id)
            for message in waiting {
                unassigned[id, default: Unassigned()]
                    .add(message.facts.instance, octets: message.facts.sizeOctets)
            }
        }
        retries.forgetExpired(at: now.wall)
        beginBatch()
    }

    // MARK: Addresses

    private mutating func remove(_ id: AccountID) {
        save(id)
        accounts[id] = nil
        indexAddresses()
        touched.insert(id)
    }

    mutating func indexAddresses() {
        addressGeneration += 1
        accountsByAddress.removeAll(keepingCapacity: true)
        for id in accounts.keys.sorted() {
            for address in accounts[id]!.addresses
            where accountsByAddress[address.lowercased()] == nil {
                accountsByAddress[address.lowercased()] = id
            }
        }
    }
}

extension Op {
    /// The account whose state the operation changes; nil where it is several or none.
    public var account: AccountID? {
        switch self {
        case .accept, .acknowledged: nil
        case .assign(let op): op.account
        case .setFlags(let op): op.account
        case .expunge(let op): op.account
        case .copy(let op): op.account
        case .createMailbox(let op): op.account
        case .deleteMailbox(let op): op.account
        case .renameMailboxes(let op): op.account
        case .subscribe(let op): op.account
        case .createAccount(let op): op.account
        case .setCredential(let op): op.account
        case .setAddresses(let op): op.account
        case .setQuota(let op): op.account
        case .removeAccount(let op): op.account
        case .merge(let op): op.account
        }
    }
}
