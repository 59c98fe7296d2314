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
    var caches: [MailboxID: Cache] = [:]

    struct Cache {
        var validity: UIDValidity
        var uidNext: UInt32 = 1
        var modSeq: ModSeq = .zero
        var messages: [UInt32: Message] = [:]
    }

    struct Message: Equatable {
        var instance: InstanceID
        var flags: NamedFlags
    }

    /// Brings the cache of one mailbox to what the server shows, in this client's way.
    mutating func synchronise(_ mailbox: Mailbox) {
        var cache = caches[mailbox.id] ?? Cache(validity: mailbox.uidValidity)
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
        caches[mailbox.id] = cache
    }

    static func message(_ row: MessageColumns.Row, _ mailbox: Mailbox) -> Message {
        let flags = mailbox.named(row.flags)
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
        note("client \(i) (\(client.kind)) looks at node \(client.node)")
        count("client \(client.kind)\(client.hops ? " that hops" : "")")
        for mailbox in state.mailboxes {
            if let cache = clients[i].caches[mailbox.id], mailbox.isForeign(cache.modSeq) {
                count("R13 foreign value")
            }
            checkPlaces(mailbox)
            checkShown(mailbox, client.node)
            clients[i].synchronise(mailbox)
            check(clients[i], mailbox)
        }
        clients[i].caches = clients[i].caches.filter { state.mailbox($0.key) != nil }
    }

    private mutating func checkPlaces(_ mailbox: Mailbox) {
        mailbox.messages.visit { row in
            let place = Ledger.Place(
                mailbox: mailbox.id, validity: mailbox.uidValidity, uid: row.uid)
            if let before = ledger.places[place], before != row.facts.instance, !isDishonest {
                fail(
                    "R12: UID \(row.uid) of \(mailbox.name) is \(row.facts.instance) and was \(before)"
                )
            }
            ledger.places[place] = row.facts.instance
        }
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

    /// The cache is what the server shows.
    mutating func check(_ client: Client, _ mailbox: Mailbox) {
        let cache = client.caches[mailbox.id]!
        // Naive clients that hop between nodes that are apart miss mail until these have met; and
        // where a disk lost what it had synced, numbers mean nothing until then.
        if !isHealing, isDishonest || (client.kind == .naive && client.hops) { return }
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
    }
}
