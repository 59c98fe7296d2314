import MailStore
import Platform

/// An IMAP client with a cache, of one of the kinds that there are.
struct Client {
    enum Kind: CaseIterable {
        /// Fetches what is above the UIDNEXT that it remembers, and keeps it.
        case naive
        /// RFC 7162 CHANGEDSINCE for flags; learns of what is gone by listing.
        case condstore
        /// RFC 7162 QRESYNC.
        case qresync
    }

    var account: AccountID
    var kind: Kind
    var hops: Bool
    var node: Int
    /// By name, as clients know mailboxes; another UIDVALIDITY is another mailbox.
    var caches: [String: Cache] = [:]

    struct Cache {
        var validity: UIDValidity
        var uidNext: UInt32 = 1
        var modSeq: ModSeq = .zero
        var messages: [UInt32: Message] = [:]
        /// As it was when the cache was last compared with it, at which node.
        var verified: (node: Int, mailbox: Mailbox)?
        /// How much of each node's journal it may come from.
        var sources = [0, 0]
    }

    struct Message: Equatable {
        var instance: InstanceID
        var flags: NamedFlags
    }

    /// Nothing has happened to the mailbox since the cache was compared with it.
    func isVerified(_ mailbox: Mailbox, _ node: Int) -> Bool {
        guard let cache = caches[mailbox.name], let (there, before) = cache.verified, there == node,
            cache.modSeq == mailbox.highestModSeq, cache.validity == mailbox.uidValidity,
            before.uidNext == mailbox.uidNext,
            before.messages.chunks.count == mailbox.messages.chunks.count
        else { return false }
        return zip(before.messages.chunks, mailbox.messages.chunks).allSatisfy {
            $0.isIdentical(to: $1)
        }
    }

    /// Brings the cache of one mailbox to what the server shows, in this client's way.
    mutating func synchronise(_ mailbox: Mailbox, durable: Int) {
        var cache = caches[mailbox.name] ?? Cache(validity: mailbox.uidValidity)
        if cache.validity != mailbox.uidValidity { cache = Cache(validity: mailbox.uidValidity) }
        let foreign = mailbox.isForeign(cache.modSeq)
        let isNew = cache.uidNext == 1 && cache.messages.isEmpty
        switch kind {
        case .naive:
            mailbox.messages.visit { row in
                if row.uid >= cache.uidNext { cache.messages[row.uid] = Self.message(row, mailbox) }
            }
        case .condstore, .qresync:
            var vanished =
                kind == .qresync && !foreign ? mailbox.vanished(since: cache.modSeq) : nil
            if vanished == nil {
                vanished = UIDSet(
                    cache.messages.keys.filter { mailbox.messages.position(ofUID: $0) == nil })
            }
            for uid in cache.messages.keys.sorted() where vanished!.contains(uid) {
                cache.messages[uid] = nil
            }
            mailbox.messages.visit { row in
                if isNew || foreign || row.modSeq > cache.modSeq || row.uid >= cache.uidNext {
                    cache.messages[row.uid] = Self.message(row, mailbox)
                }
            }
        }
        cache.uidNext = max(cache.uidNext, mailbox.uidNext)
        cache.modSeq = mailbox.highestModSeq
        if kind != .naive { cache.sources = [0, 0] }
        cache.sources[node] = durable
        caches[mailbox.name] = cache
    }

    static func message(_ row: MessageColumns.Row, _ mailbox: Mailbox) -> Message {
        let flags = mailbox.named(row.flags)
        if flags.keywords.count < 2 { return Message(instance: row.facts.instance, flags: flags) }
        return Message(
            instance: row.facts.instance,
            flags: NamedFlags(system: flags.system, keywords: flags.keywords.sorted()))
    }
}

extension World {
    /// The client looks at all its mailboxes.
    mutating func sync(_ i: Int) {
        let client = clients[i]
        guard let state = hosts[client.node].node?.visible(client.account) else { return }
        if hosts[client.node].isRestored {
            fail("R16: node \(client.node) was restored, and serves before it met its peer")
        }
        note("client \(i) (\(client.kind)) looks at node \(client.node)")
        switch client.kind {
        case .naive: count(client.hops ? "client naive that hops" : "client naive")
        case .condstore: count(client.hops ? "client condstore that hops" : "client condstore")
        case .qresync: count(client.hops ? "client qresync that hops" : "client qresync")
        }
        for mailbox in state.mailboxes {
            if let cache = clients[i].caches[mailbox.name],
                cache.validity == mailbox.uidValidity, mailbox.isForeign(cache.modSeq)
            {
                count("R13 foreign value")
            }
            if !isChecked(mailbox, client.node) {
                checkPlaces(mailbox, checked[client.node][mailbox.id])
                checkShown(mailbox, client.node)
                checked[client.node][mailbox.id] = mailbox
            }
            if clients[i].isVerified(mailbox, client.node) { continue }
            clients[i].synchronise(mailbox, durable: hosts[client.node].durable)
            if check(clients[i], mailbox) {
                clients[i].caches[mailbox.name]!.verified = (client.node, mailbox)
            }
        }
        clients[i].caches = clients[i].caches.filter { state.mailbox(named: $0.key) != nil }
    }

    /// The same messages in the same places as when a client last looked at this node.
    private func isChecked(_ mailbox: Mailbox, _ node: Int) -> Bool {
        guard let before = checked[node][mailbox.id], before.uidValidity == mailbox.uidValidity,
            before.messages.chunks.count == mailbox.messages.chunks.count
        else { return false }
        return zip(before.messages.chunks, mailbox.messages.chunks).allSatisfy {
            $0.hasSameMessages(as: $1)
        }
    }

    /// - Parameter before: what was checked of this mailbox at this node the last time.
    private mutating func checkPlaces(_ mailbox: Mailbox, _ before: Mailbox?) {
        let known = before.flatMap { $0.uidValidity == mailbox.uidValidity ? $0.messages : nil }
        var next = 0
        mailbox.messages.visit { row in
            if let known {
                while next < known.count, known.uid(at: next) < row.uid { next += 1 }
                if next < known.count, known[next].facts.instance == row.facts.instance,
                    known.uid(at: next) == row.uid
                {
                    return
                }
            }
            let place = Ledger.Place(
                mailbox: mailbox.id, validity: mailbox.uidValidity, uid: row.uid)
            if let before = ledger.places[place], before != row.facts.instance,
                !isDishonest || isDoomed(mailbox.id, row.uid)
            {
                fail(
                    "R12: UID \(row.uid) of \(mailbox.name) is \(row.facts.instance) and was \(before)"
                )
            }
            ledger.places[place] = row.facts.instance
        }
    }

    private func isDoomed(_ mailbox: MailboxID, _ uid: UInt32) -> Bool {
        guard !ledger.doomed.isEmpty else { return false }
        return ledger.doomed.contains(
            Ledger.Place(mailbox: mailbox, validity: UIDValidity(rawValue: 0), uid: uid))
    }

    /// What was placed since the nodes are connected shows only when both disks have it.
    private mutating func checkShown(_ mailbox: Mailbox, _ node: Int) {
        guard !isDishonest, hosts[node].node?.link == .connected else { return }
        for uid in mailbox.messages.allUIDs {
            let place = Ledger.Place(
                mailbox: mailbox.id, validity: UIDValidity(rawValue: 0), uid: uid)
            guard let here = ledger.placed[node][place], here > connectedAt[node] else { continue }
            let there = ledger.placed[1 - node][place] ?? .max
            if here > hosts[node].durable || there > hosts[1 - node].durable {
                fail("R11: UID \(uid) of \(mailbox.name) shows on node \(node) before both have it")
            }
        }
    }

    /// The cache is what the server shows; false if that was not asked.
    mutating func check(_ client: Client, _ mailbox: Mailbox) -> Bool {
        let cache = client.caches[mailbox.name]!
        // Naive clients that hop between nodes that are apart miss mail until these have met; and
        // where a disk lost what it had synced, numbers mean nothing until then.
        if !isHealing,
            isDishonest || ledger.damaged.contains(client.account)
                || (client.kind == .naive && client.hops)
        {
            return false
        }
        mailbox.messages.visit { row in
            guard let known = cache.messages[row.uid] else {
                return fail(
                    "\(client.kind): a message of \(mailbox.name) is missing: UID \(row.uid)")
            }
            let truth = Client.message(row, mailbox)
            if known.instance != truth.instance {
                fail("\(client.kind): UID \(row.uid) of \(mailbox.name) is another message")
            } else if client.kind != .naive, known != truth {
                fail("\(client.kind): flags of UID \(row.uid) of \(mailbox.name) are stale")
            }
        }
        if client.kind != .naive, cache.messages.count != mailbox.messages.count {
            fail("\(client.kind): the cache of \(mailbox.name) holds what is gone")
        }
        return true
    }
}
