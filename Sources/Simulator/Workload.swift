import MailStore
import Platform
import Replication

// What people and programs do to the pair.

extension World {
    mutating func setUp() {
        mood.cut = pick([0, 2, 4, 8]) ?? 2
        mood.crash = pick([0, 1, 2, 4]) ?? 1
        mood.flap = chance(15)
        mood.loss = pick([0, 0, 0, 1]) ?? 0
        mood.lies = chance(8)
        mood.rollback = chance(10)
        mood.structure = pick([2, 10, 30]) ?? 10
        mood.slowDisk = chance(30)
        mood.holdLag = pick([64, 64, 3, 0]) ?? 64
        mood.queues = chance(10)
        mood.damages = chance(6)
        mood.moves = chance(30)
        mood.jumps = chance(60)
        if options.hasHonestDisks { (mood.lies, mood.rollback) = (false, false) }
        for i in 0...1 {
            if options.usesJournal {
                hosts[i].disk = HostDisk(
                    slot: Slot(rawValue: UInt8(i))!, seed: seed &* 2 &+ UInt64(i),
                    rules: options.journalRules)
            }
            start(i)
        }
        for number in 0..<3 {
            let home = number % 2
            let id = AccountID(rawValue: UInt128(number + 1))
            let op = Accounts.creating(
                id, home: Slot(rawValue: UInt8(home))!, addresses: ["u\(number)@example.test"],
                quotaOctets: nil, at: clock(home).wall)
            accounts.append(id)
            create(number, op)
            setVerifier(id, at: home)
        }
        for number in 0..<6 {
            clients.append(
                Client(
                    account: accounts[number % accounts.count],
                    kind: Client.Kind.allCases[Int(random.below(3))], hops: chance(60),
                    node: Int(random.below(2))))
        }
        queue.add(.work, at: now + milliseconds(500...1500))
    }

    /// A person asks for the account, and again, until it is there: what was not answered may be lost.
    mutating func create(_ number: Int, _ op: Op.CreateAccount) {
        let home = number % 2
        if isDishonest || hosts[home].node?.visible(op.account) != nil { return }
        queue.add(.create(number, op), at: now + 3000 * Self.millisecond)
        guard hosts[home].node != nil else { return }
        step(home, .createAccount(token: token(.other, home), op))
    }

    mutating func token(_ waiting: Ledger.Waiting, _ node: Int) -> UInt64 {
        nextToken += 1
        ledger.waiting[nextToken] = waiting
        hosts[node].tokens[nextToken] = now
        return nextToken
    }

    mutating func work() {
        if fault() { return }
        // What a node forgot that wrote on may be where the home is: see the limits.
        if mood.moves, !mood.lies, !mood.rollback, chance(1) {
            let node = Int(random.below(2))
            guard hosts[node].node != nil else { return }
            return step(node, .moveHome(token: token(.other, node), pick(accounts)!))
        }
        switch random.below(100) {
        case 0..<30: send()
        case 30..<75: change()
        default:
            let i = Int(random.below(UInt64(clients.count)))
            if clients[i].hops, chance(50) { clients[i].node = 1 - clients[i].node }
            sync(i)
        }
    }

    // MARK: Senders

    private mutating func send() {
        let account = pick(accounts)!
        // A monitor sends the same bytes again, once the first were acknowledged.
        if chance(10),
            let first = ledger.mails.indices.last(where: { ledger.mails[$0].seenBy != nil }),
            let seen = ledger.mails[first].seenBy, !isDishonest,
            hosts[seen.node].node != nil, hosts[seen.node].life == seen.life,
            hosts[seen.node].safe >= seen.index
        {
            let node = seen.node
            var mail = ledger.mails[first]
            mail.state = .sending
            mail.attempts = 0
            mail.instance = nil
            ledger.mails[first].seenBy = nil
            mail.seenBy = nil
            ledger.mails.append(mail)
            count("R7 equal mail")
            attempt(ledger.mails.count - 1, at: node)
            return
        }
        let number = UInt64(ledger.mails.count + 1)
        let digest = SHA256Digest(words: (number, 1, 0, 0))
        var to = [account]
        if number.isMultiple(of: 4) {
            to.append(accounts[(accounts.firstIndex(of: account)! + 1) % accounts.count])
            count("R7 mail to a group")
        }
        ledger.mails.append(.init(digest: digest, accounts: to, sender: [UInt8(number & 63)]))
        attempt(ledger.mails.count - 1)
    }

    mutating func attempt(_ mail: Int, at fixed: Int? = nil) {
        guard ledger.mails[mail].state == .sending else { return }
        ledger.mails[mail].attempts += 1
        let node = fixed ?? Int(random.below(2))
        let entry = ledger.mails[mail]
        queue.add(.retry(mail), at: now + milliseconds(3000...9000))
        guard hosts[node].node != nil else { return }
        guard let body = store(entry.digest, node) else { return }
        if entry.attempts > 1 { count("R7 retry") }
        note("mail \(mail) to node \(node), attempt \(entry.attempts)")
        let token = token(.mail(mail), node)
        ledger.mails[mail].token = token
        ledger.accepting = token
        defer { ledger.accepting = nil }
        ledger.mails[mail].heard = acknowledged(at: node)
        attempting = mail
        step(
            node,
            .deliver(
                token: token,
                .init(
                    digest: entry.digest, sizeOctets: 1000, reversePath: entry.sender,
                    receivedDigest: entry.digest,
                    recipients: entry.accounts.map { ($0, [1]) }, body: body)))
        attempting = nil
    }

    mutating func replied(_ token: UInt64, _ result: ChangeResult, at node: Int) {
        // Whoever asked a node that died has not heard the answer.
        guard hosts[node].tokens.removeValue(forKey: token) != nil,
            let waiting = ledger.waiting[token]
        else {
            return
        }
        ledger.waiting[token] = nil
        if case .refused = result, ledger.written.contains(token) {
            fail("R5: a message was refused after its ACCEPT was written")
        }
        switch (waiting, result) {
        case (.mail(let mail), .accepted(let instance)):
            note("mail \(mail) is answered by \(node): \(instance)")
            checkDurable(instance, node)
            // The connection may have gone before the sender read the 250.
            guard ledger.mails[mail].token == token, ledger.mails[mail].state == .sending,
                !chance(12)
            else {
                queue.add(
                    .lost(node: node, life: hosts[node].life, token: token),
                    at: now + Self.millisecond)
                return count("R7 answer lost")
            }
            ledger.mails[mail].state = .answered
            ledger.mails[mail].instance = instance
            excuseAbsorbed(mail)
            queue.add(
                .seen(mail: mail, node: node, life: hosts[node].life, token: token),
                at: now + milliseconds(1...40))
        case (.append(let mail, let mailbox), .appended):
            ledger.mails[mail].state = .answered
            ledger.appended[ledger.mails[mail].digest] = mailbox
        case (.append(let mail, _), .done):
            ledger.mails[mail].state = .answered
        case (.append(let mail, _), _):
            ledger.mails[mail].state = .givenUp
        case (.flag(_, let instances), .flagsSet(let modified, _)):
            if modified.isEmpty { ledger.flagged.formUnion(instances) }
        case (.gone(let named), .expunged(let uids, _)):
            if uids.ranges.reduce(0, { $0 + $1.count }) == named.count {
                ledger.expunged.formUnion(named)
            }
        case (.gone(let named), .copied(_, let sources, _)):
            if sources.count == named.count { ledger.expunged.formUnion(named) }
        case (.mark(let instances), .flagsSet): ledger.marked.formUnion(instances)
        case (.unmark(let instances), .flagsSet): ledger.unmarked.formUnion(instances)
        case (.verifier(let account, let verifier), .done):
            ledger.verifiers[account] = verifier
            ledger.settingVerifier.remove(account)
        case (.subscribe(let account, let name), .done):
            ledger.subscribed[account, default: []].insert(name)
        default: break
        }
    }

    /// The mails of which the node's journal says that their senders know them to be taken over: these
    /// themselves, or one that orders which this node executed took for a retry of theirs.
    private mutating func acknowledged(at node: Int) -> Set<InstanceID> {
        hosts[node].heard.read(hosts[node].journal, of: Slot(rawValue: UInt8(node))!)
        return hosts[node].heard.all
    }

    /// A node that never heard that the first of two equal mails was acknowledged must take the second
    /// for its retry: else every retry at the other node would double a mail.
    private mutating func excuseAbsorbed(_ mail: Int) {
        let entry = ledger.mails[mail]
        let isAnother = ledger.mails.indices.contains {
            $0 != mail && ledger.mails[$0].instance == entry.instance
        }
        guard isAnother, !entry.heard.contains(entry.instance!) else { return }
        count("R7 equal mail absorbed by a node that had not heard")
        for account in entry.accounts { excuse(entry.digest, account) }
    }

    /// Whose messages a record is about.
    mutating func noteMail(_ record: LogRecord, _ i: Int) {
        if case .accept(let op, kept: false, _) = record.entry, let attempting,
            record.origin?.rawValue == UInt8(i)
        {
            for delivery in op.deliveries { ledger.mailOf[delivery.instance] = attempting }
        }
        excuseMistaken(record, at: i)
    }

    mutating func excuse(_ digest: SHA256Digest, _ account: AccountID) {
        ledger.excused[.init(account: account, digest: digest), default: 0] += 1
    }

    mutating func allow(_ digest: SHA256Digest, _ account: AccountID) {
        ledger.copies[.init(account: account, digest: digest), default: 0] += 1
    }

    /// The same at a merge: a mail that was answered, but of which its sender had not yet shown that it
    /// saw that, goes for the retry of an equal one.
    private mutating func excuseMistaken(_ record: LogRecord, at node: Int) {
        var pairs: [InstanceID] = []
        var to: AccountID?
        switch record.entry {
        case .merge(let op, _): (pairs, to) = (op.absorbed, op.account)
        case .orders(let account, let ops, _, _):
            to = account
            for case .acknowledged(let op) in ops { pairs += op.instances }
        default: return
        }
        guard let to, !pairs.isEmpty, record.origin?.rawValue == UInt8(node) else { return }
        let known = acknowledged(at: node)
        for i in stride(from: 0, to: pairs.count, by: 2) {
            let pair = [pairs[i], pairs[i + 1]]
            let mails = pair.map { ledger.mailOf[$0] }
            guard let one = mails[0], let other = mails[1], one != other,
                let retried = pair.first(where: { !known.contains($0) }),
                ledger.mistaken.insert(retried).inserted
            else { continue }
            count("R7 equal mail absorbed before its sender was heard of")
            excuse(ledger.mails[one].digest, to)
        }
    }

    /// An answer in connected state is on two disks.
    private mutating func checkDurable(_ instance: InstanceID, _ node: Int) {
        guard hosts[node].node?.link == .connected, !isDishonest else { return }
        for i in 0...1 where ledger.held[i][instance].map({ $0 > hosts[i].durable }) ?? true {
            fail("R4: \(instance) was answered, and is not durable on node \(i)")
        }
    }

    mutating func seen(_ mail: Int, _ node: Int, _ life: Int, _ token: UInt64) {
        guard hosts[node].node != nil, hosts[node].life == life else { return }
        step(node, .acknowledged(token: token))
        ledger.mails[mail].seenBy = (node, hosts[node].life, hosts[node].journal.count)
    }

    // MARK: Clients' changes

    private mutating func change() {
        let i = Int(random.below(UInt64(clients.count)))
        let client = clients[i]
        guard let node = hosts[client.node].node, let state = node.visible(client.account),
            let mailbox = pick(
                state.mailboxes.filter { !$0.messages.isEmpty } + [state.mailbox(state.inboxID)!])
        else { return }
        let roll = random.below(100)
        if roll < mood.structure { return changeMailboxes(client, state) }
        var uids: [UInt32] = []
        for uid in mailbox.messages.allUIDs where chance(30) { uids.append(uid) }
        if roll < 70, uids.isEmpty { return }
        switch roll % 10 {
        case 0...4: store(client, mailbox, uids)
        case 5: expunge(client, mailbox)
        case 6: copy(client, state, mailbox, uids, isMove: false)
        case 7, 8: copy(client, state, mailbox, uids, isMove: true)
        default: append(client, state)
        }
    }

    private mutating func store(_ client: Client, _ mailbox: Mailbox, _ uids: [UInt32]) {
        if chance(25) { return markOrUnmark(client, mailbox, uids) }
        let kinds: [(FlagChange, NamedFlags)] = [
            (.add, NamedFlags(system: .flagged)), (.add, NamedFlags(system: .seen)),
            (.remove, NamedFlags(system: .seen)), (.add, NamedFlags(system: .deleted)),
            (.add, NamedFlags(keywords: [Keyword("$Work")])),
            (.remove, NamedFlags(keywords: [Keyword("$Work")])),
        ]
        let (kind, flags) = pick(kinds)!
        let isLasting = flags.system == .flagged
        let instances = uids.compactMap { uid in
            mailbox.messages.position(ofUID: uid).map { mailbox.messages[$0].facts.instance }
        }
        submit(
            client, isLasting ? .flag(mailbox: mailbox.id, instances) : .other,
            .setFlags(
                mailbox: mailbox.id, uids: UIDSet(uids), change: kind, flags: flags,
                unchangedSince: nil))
    }

    /// Sets \Answered where it never was, or removes it where its setting was answered.
    private mutating func markOrUnmark(_ client: Client, _ mailbox: Mailbox, _ uids: [UInt32]) {
        var fresh: [(uid: UInt32, instance: InstanceID)] = []
        var old: [(uid: UInt32, instance: InstanceID)] = []
        for uid in uids {
            let row = mailbox.messages[mailbox.messages.position(ofUID: uid)!]
            let instance = row.facts.instance
            if row.flags.contains(.answered), ledger.marked.contains(instance) {
                old.append((uid, instance))
            } else if ledger.marking.insert(instance).inserted {
                fresh.append((uid, instance))
            }
        }
        let (kind, chosen) = old.isEmpty ? (FlagChange.add, fresh) : (.remove, old)
        guard !chosen.isEmpty else { return }
        count(kind == .add ? "R21 add seen flag" : "R21 remove seen flag")
        submit(
            client,
            kind == .add ? .mark(chosen.map(\.instance)) : .unmark(chosen.map(\.instance)),
            .setFlags(
                mailbox: mailbox.id, uids: UIDSet(chosen.map(\.uid)), change: kind,
                flags: NamedFlags(system: .answered), unchangedSince: nil))
    }

    private mutating func expunge(_ client: Client, _ mailbox: Mailbox) {
        var named: [InstanceID] = []
        mailbox.messages.visit { row in
            if row.flags.contains(.deleted) {
                excuse(row.facts.digest, client.account)
                named.append(row.facts.instance)
            }
        }
        guard !named.isEmpty else { return }
        count("R18 expunge")
        submit(client, .gone(named), .expunge(mailbox: mailbox.id, uids: nil))
    }

    private mutating func copy(
        _ client: Client, _ state: AccountState, _ mailbox: Mailbox, _ uids: [UInt32], isMove: Bool
    ) {
        guard !uids.isEmpty, let to = pick(state.mailboxes), to.id != mailbox.id else { return }
        var named: [InstanceID] = []
        for uid in uids {
            let row = mailbox.messages[mailbox.messages.position(ofUID: uid)!]
            allow(row.facts.digest, client.account)
            named.append(row.facts.instance)
        }
        count(isMove ? "R22 move" : "R22 copy")
        submit(
            client, isMove ? .gone(named) : .other,
            .copy(source: mailbox.id, uids: UIDSet(uids), destination: to.id, isMove: isMove))
    }

    private mutating func append(_ client: Client, _ state: AccountState) {
        let to = pick(state.mailboxes)!
        let number = UInt64(ledger.mails.count + 1)
        let digest = SHA256Digest(words: (number, 2, 0, 0))
        guard let body = store(digest, client.node) else { return }
        var mail = Ledger.Mail(digest: digest, accounts: [client.account], sender: [])
        // Nobody tries again.
        mail.state = .givenUp
        ledger.mails.append(mail)
        count("R10 append")
        let message = NewMessage(
            digest: digest, body: body, sizeOctets: 10,
            internalDate: clock(client.node).wall, flags: .none)
        submit(client, .append(ledger.mails.count - 1, to.id), .append(mailbox: to.id, [message]))
    }

    private mutating func changeMailboxes(_ client: Client, _ state: AccountState) {
        let names = ["Work", "Home", "Home/Bills", "Lists", "Lists/Swift"]
        let others = state.mailboxes.filter { $0.id != state.inboxID }
        switch random.below(11) {
        case 10: setVerifier(client.account, at: client.node)
        case 0...3:
            count("R24 create")
            submit(client, .other, .createMailbox(name: pick(names)!, specialUse: nil))
        case 4, 5:
            guard let doomed = pick(others) else { return }
            doomed.messages.visit { excuse($0.facts.digest, client.account) }
            count("R23 delete")
            submit(client, .other, .deleteMailbox(doomed.id))
        case 6, 7:
            guard let renamed = pick(others) else { return }
            count("R23 rename")
            submit(client, .other, .renameMailbox(renamed.id, to: pick(names)!))
        case 8:
            count("R26 subscribe")
            let name = pick(names)!
            let wants = chance(70)
            if !wants { ledger.unsubscribed[client.account, default: []].insert(name) }
            submit(
                client, wants ? .subscribe(client.account, name) : .other,
                .subscribe(name: name, wants))
        default:
            guard chance(20), let inbox = state.mailbox(state.inboxID) else { return }
            inbox.messages.visit { allow($0.facts.digest, client.account) }
            count("R23 rename of INBOX")
            submit(client, .other, .renameMailbox(inbox.id, to: pick(names)!))
        }
    }

    /// Somebody sets a new password, or, once, disables the account for good.
    private mutating func setVerifier(_ id: AccountID, at node: Int) {
        guard !ledger.settingVerifier.contains(id), !ledger.isRevoked.contains(id) else { return }
        ledger.settingVerifier.insert(id)
        var verifier: [UInt8] = []
        if ledger.verifiers[id] == nil || chance(75) {
            verifier = random.bytes(4)
            count("R26 verifier")
        } else {
            ledger.isRevoked.insert(id)
            count("R26 revocation")
        }
        let token = token(.verifier(id, verifier), node)
        step(node, .submit(token: token, id, .setCredential(verifier: verifier)))
    }

    private mutating func submit(_ client: Client, _ waiting: Ledger.Waiting, _ change: Change) {
        let token = token(waiting, client.node)
        note("client of \(client.account.rawValue) at \(client.node): \(brief(change))")
        step(client.node, .submit(token: token, client.account, change))
    }
}
