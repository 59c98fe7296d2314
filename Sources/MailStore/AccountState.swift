import Platform

/// Everything a node knows of one account: a fold of `apply` over operations.
///
/// A value: a copy is a snapshot that readers use while the writer goes on.
public struct AccountState: Sendable {
    public let id: AccountID
    public let inboxID: MailboxID
    public internal(set) var home: Slot
    /// The first is the one the account logs in with.
    public internal(set) var addresses: [String]
    /// Opaque here; empty means that nobody can log in with a password.
    public internal(set) var verifier: [UInt8] = []
    /// nil is without limit.
    public internal(set) var quotaOctets: UInt64?
    /// Ascending by id.
    public internal(set) var mailboxes: [Mailbox] = []
    /// Names, ascending; a name may have no mailbox (RFC 9051 §6.3.7).
    public internal(set) var subscriptions: [String] = []
    /// The last UIDVALIDITY given out; never goes down (R25).
    public internal(set) var uidValidityCounter: UInt32
    /// The epoch new MODSEQs are stamped with (R13).
    public internal(set) var epoch: UInt32
    /// Accepted, but without a place yet.
    public internal(set) var pending: [InstanceID: PendingMessage] = [:]
    /// Mailboxes that are no more, ascending: what is accepted for one of them goes to INBOX, while
    /// what is accepted for a mailbox that is merely unknown here waits for it (R19).
    public internal(set) var deletedMailboxes: [MailboxID] = []
    /// Messages that went with their mailbox, ascending: they have no tombstone elsewhere, and a merge
    /// must not bring them back (R18).
    public internal(set) var buried: [InstanceID] = []

    /// An accepted message that waits for its UID.
    public struct PendingMessage: Hashable, Sendable {
        public var mailbox: MailboxID
        public var flags: NamedFlags
        public var facts: MessageFacts

        package init(mailbox: MailboxID, flags: NamedFlags, facts: MessageFacts) {
            self.mailbox = mailbox
            self.flags = flags
            self.facts = facts
        }
    }

    init(_ op: Op.CreateAccount) {
        id = op.account
        inboxID = .derived(from: op.account, name: "INBOX")
        home = op.home
        addresses = op.addresses
        quotaOctets = op.quotaOctets
        uidValidityCounter = op.uidValidityBase
        epoch = UInt32(op.home.rawValue)
        for mailbox in op.mailboxes { create(mailbox, subscribed: true) }
    }

    /// The account that `op` makes.
    public static func created(by op: Op.CreateAccount) -> AccountState { AccountState(op) }

    // MARK: Reading

    /// Octets of all messages; a body that several messages share counts for each.
    public var usedOctets: UInt64 { mailboxes.reduce(0) { $0 + $1.sizeOctets } }

    public func mailbox(_ id: MailboxID) -> Mailbox? {
        index(of: id).map { mailboxes[$0] }
    }

    /// By full name; INBOX in any case (RFC 9051 §5.1).
    public func mailbox(named name: String) -> Mailbox? {
        let canonical = MailboxName.canonical(name)
        return mailboxes.first { $0.name == canonical }
    }

    func index(of id: MailboxID) -> Int? {
        var low = 0
        var high = mailboxes.count
        while low < high {
            let middle = (low + high) / 2
            if mailboxes[middle].id < id { low = middle + 1 } else { high = middle }
        }
        return low < mailboxes.count && mailboxes[low].id == id ? low : nil
    }

    // MARK: Applying

    /// Executes an operation of this account. `body` is where this node keeps the body of an
    /// `.accept`; other operations do not look at it.
    ///
    /// Whatever the operation refers to that is not here is passed over: an operation never fails.
    public mutating func apply(_ op: Op, body: BodyNumber = BodyNumber(rawValue: 0)) {
        switch op {
        case .accept(let op): apply(op, body: body)
        case .assign(let op): apply(op)
        case .setFlags(let op):
            guard let i = index(of: op.mailbox) else { return }
            mailboxes[i].setFlags(op.uids, op.change, op.flags, modSeq: op.modSeq)
        case .expunge(let op):
            guard let i = index(of: op.mailbox) else { return }
            mailboxes[i].expunge(op.uids, modSeq: op.modSeq)
        case .copy(let op): apply(op)
        case .createMailbox(let op): create(op, subscribed: false)
        case .deleteMailbox(let op): apply(op)
        case .renameMailboxes(let op): apply(op)
        case .subscribe(let op): subscribe(op.name, op.subscribed)
        case .setCredential(let op): verifier = op.verifier
        case .setAddresses(let op): addresses = op.addresses
        case .setQuota(let op): quotaOctets = op.octets
        case .merge(let op): apply(op)
        case .createAccount, .removeAccount, .acknowledged: break
        }
        if let used = op.epoch, used > epoch { epoch = used }
    }

    private mutating func apply(_ op: Op.Accept, body: BodyNumber) {
        for delivery in op.deliveries where delivery.account == id {
            let facts = MessageFacts(
                instance: delivery.instance, emailID: delivery.emailID, digest: op.digest,
                body: body, sizeOctets: op.sizeOctets, internalDate: op.internalDate,
                saveDate: op.internalDate)
            pending[delivery.instance] = PendingMessage(
                mailbox: delivery.mailbox, flags: delivery.flags, facts: facts)
        }
    }

    private mutating func apply(_ op: Op.Assign) {
        for item in op.items {
            guard let i = index(of: item.mailbox),
                var message = pending.removeValue(forKey: item.instance)
            else { continue }
            message.facts.saveDate = op.saveDate
            mailboxes[i].add(
                uid: item.uid, flags: message.flags, modSeq: item.modSeq, facts: message.facts)
            enterBlock(of: item.uid, at: i)
        }
    }

    private mutating func apply(_ op: Op.Copy) {
        guard let from = index(of: op.source), let to = index(of: op.destination) else { return }
        var moved = UIDSet()
        for item in op.items {
            guard let position = mailboxes[from].messages.position(ofUID: item.sourceUID) else {
                continue
            }
            let row = mailboxes[from].messages[position]
            var facts = row.facts
            facts.instance = item.instance
            facts.saveDate = op.saveDate
            let flags = mailboxes[from].named(row.flags)
            mailboxes[to].add(uid: item.uid, flags: flags, modSeq: op.modSeq, facts: facts)
            enterBlock(of: item.uid, at: to)
            moved.appendSorted(item.sourceUID...item.sourceUID)
        }
        if op.isMove { mailboxes[from].expunge(moved, modSeq: op.sourceModSeq) }
    }

    private mutating func enterBlock(of uid: UInt32, at index: Int) {
        mailboxes[index].block = UIDBlock(containing: uid)
    }

    private mutating func create(_ op: Op.CreateMailbox, subscribed: Bool) {
        guard index(of: op.mailbox) == nil else { return }
        let mailbox = Mailbox(
            id: op.mailbox, name: op.name, uidValidity: op.uidValidity, modSeq: op.modSeq,
            specialUse: op.specialUse)
        let at = mailboxes.firstIndex { $0.id > op.mailbox } ?? mailboxes.count
        mailboxes.insert(mailbox, at: at)
        uidValidityCounter = max(uidValidityCounter, op.uidValidity.rawValue)
        if subscribed { subscribe(op.name, true) }
    }

    private mutating func apply(_ op: Op.DeleteMailbox) {
        guard let i = index(of: op.mailbox), op.mailbox != inboxID else { return }
        let gone = mailboxes.remove(at: i)
        bury(gone.messages.allInstances + gone.tombstones.map(\.instance))
        noteDeleted(gone.id)
    }

    private mutating func apply(_ op: Op.RenameMailboxes) {
        for item in op.items {
            guard let i = index(of: item.mailbox) else { continue }
            mailboxes[i].name = item.name
            if let validity = item.uidValidity {
                mailboxes[i].uidValidity = validity
                uidValidityCounter = max(uidValidityCounter, validity.rawValue)
            }
        }
    }

    private mutating func subscribe(_ name: String, _ subscribed: Bool) {
        let at = subscriptions.firstIndex { $0 >= name } ?? subscriptions.count
        let present = at < subscriptions.count && subscriptions[at] == name
        if subscribed && !present { subscriptions.insert(name, at: at) }
        if !subscribed && present { subscriptions.remove(at: at) }
    }
}

/// Names of mailboxes: levels separated by "/", INBOX in any case (RFC 9051 §5.1).
public enum MailboxName {
    public static let separator: Character = "/"

    /// The name with a leading INBOX level in capitals.
    public static func canonical(_ name: String) -> String {
        let head = name.utf8.prefix(5)
        guard head.count == 5, String(decoding: head, as: UTF8.self).uppercased() == "INBOX" else {
            return name
        }
        let rest = name.utf8.dropFirst(5)
        guard rest.isEmpty || rest.first == UInt8(ascii: "/") else { return name }
        return "INBOX" + String(decoding: rest, as: UTF8.self)
    }

    /// The names above `name`, outermost first.
    public static func ancestors(of name: String) -> [String] {
        let levels = name.split(separator: separator, omittingEmptySubsequences: false)
        guard levels.count > 1 else { return [] }
        return (1..<levels.count).map { levels[..<$0].joined(separator: String(separator)) }
    }
}
