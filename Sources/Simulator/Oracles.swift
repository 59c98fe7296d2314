import MailStore
import Platform
import Replication

// What must hold when everything is whole again.

extension World {
    mutating func checkEnd() {
        for id in accounts {
            guard let a = hosts[0].node!.visible(id), let b = hosts[1].node!.visible(id) else {
                if hosts[0].node!.visible(id) == nil, hosts[1].node!.visible(id) == nil {
                    if !isDishonest { fail("R29: account \(id.rawValue) is lost") }
                    continue
                }
                fail("R27: account \(id.rawValue) is on one node only")
                continue
            }
            if let difference = Self.difference(a, b) { fail("R27: states differ: \(difference)") }
            checkNames(a)
            if !ledger.muddled.contains(id) { checkMail(a) }
            checkVerifier(a)
            checkUsage(a)
        }
        for i in clients.indices where failure == nil {
            // A crash may have mended what a fault had broken before anybody found it.
            let account = clients[i].account
            if ledger.damaged.contains(account), !ledger.isRepaired.contains(account) {
                clients[i].caches = [:]
            }
            for node in [clients[i].node, 1 - clients[i].node] {
                clients[i].node = node
                sync(i)
            }
        }
        // One of the two; what starts again after a crash shows the same of the other.
        if failure == nil { checkRebuilt(Int(seed & 1)) }
        for i in 0...1 where failure == nil {
            guard let disk = hosts[i].disk else { continue }
            checkDisk(i, disk)
            checkBodies(i)
        }
    }

    /// What a client of either node could tell apart.
    static func difference(_ a: AccountState, _ b: AccountState) -> String? {
        if a.mailboxes.map(\.id) != b.mailboxes.map(\.id) {
            return "mailboxes \(a.mailboxes.map(\.name)) and \(b.mailboxes.map(\.name))"
        }
        if a.subscriptions != b.subscriptions { return "subscriptions" }
        if a.verifier != b.verifier { return "verifiers" }
        if a.home != b.home { return "homes" }
        if a.usedOctets != b.usedOctets { return "used octets" }
        for (x, y) in zip(a.mailboxes, b.mailboxes) {
            if x.name != y.name { return "names \(x.name) and \(y.name)" }
            if x.uidValidity != y.uidValidity { return "UIDVALIDITY of \(x.name)" }
            if x.uidNext != y.uidNext { return "UIDNEXT of \(x.name): \(x.uidNext), \(y.uidNext)" }
            if x.highestModSeq != y.highestModSeq { return "HIGHESTMODSEQ of \(x.name)" }
            if x.epochs != y.epochs { return "epochs of \(x.name)" }
            if x.tombstones.map(\.uid) != y.tombstones.map(\.uid) {
                return "tombstones of \(x.name)"
            }
            if x.messages.allUIDs != y.messages.allUIDs { return "UIDs of \(x.name)" }
            for i in 0..<x.messages.count {
                let (p, q) = (x.messages[i], y.messages[i])
                if Self.facts(p) != Self.facts(q) { return "UID \(p.uid) of \(x.name)" }
                if p.modSeq != q.modSeq { return "MODSEQ of UID \(p.uid) of \(x.name)" }
                if Client.message(p, x) != Client.message(q, y) {
                    return "flags of UID \(p.uid) of \(x.name)"
                }
            }
        }
        return nil
    }

    /// Where a node keeps a body is its own affair.
    private static func facts(_ row: MessageColumns.Row) -> MessageFacts {
        var facts = row.facts
        facts.body = BodyNumber(rawValue: 0)
        return facts
    }

    private mutating func checkNames(_ state: AccountState) {
        var names: Set<String> = []
        var validities: Set<UInt32> = []
        for mailbox in state.mailboxes {
            if !names.insert(mailbox.name).inserted { fail("R23: two mailboxes \(mailbox.name)") }
            if !validities.insert(mailbox.uidValidity.rawValue).inserted {
                fail("R25: one UIDVALIDITY twice")
            }
        }
        let lasting = (ledger.subscribed[state.id] ?? []).subtracting(
            ledger.unsubscribed[state.id] ?? [])
        for name in lasting.sorted() where !isDishonest && !state.subscriptions.contains(name) {
            fail("R26: \(name) is no longer subscribed")
        }
        if !state.pending.isEmpty { fail("R19: accepted mail has no place") }
    }

    private mutating func checkVerifier(_ state: AccountState) {
        guard !isDishonest, !ledger.settingVerifier.contains(state.id),
            let said = ledger.verifiers[state.id], state.verifier != said
        else { return }
        if said.isEmpty {
            fail("R26: account \(state.id.rawValue) was disabled and is not")
        } else if !ledger.hadClockJump {
            fail("R26: account \(state.id.rawValue) has another verifier than the last")
        }
    }

    /// What is counted as messages change is what counting them gives.
    private mutating func checkUsage(_ state: AccountState) {
        for mailbox in state.mailboxes {
            var (unseen, deleted, octets) = (0, 0, 0 as UInt64)
            mailbox.messages.visit { row in
                if !row.flags.contains(.seen) { unseen += 1 }
                if row.flags.contains(.deleted) { deleted += 1 }
                octets += UInt64(row.facts.sizeOctets)
            }
            if unseen != mailbox.unseenCount || deleted != mailbox.deletedCount
                || octets != mailbox.sizeOctets
            {
                fail("R26: usage of \(mailbox.name) is not what its messages make")
            }
        }
    }

    private mutating func checkMail(_ state: AccountState) {
        var live: [SHA256Digest: Int] = [:]
        for mailbox in state.mailboxes {
            mailbox.messages.visit { row in
                live[row.facts.digest, default: 0] += 1
                if !isDishonest {
                    if ledger.unmarked.contains(row.facts.instance), row.flags.contains(.answered) {
                        fail("R20: a flag that was removed from \(row.facts.instance) is back")
                    }
                    if let said = ledger.appended[row.facts.digest], said != mailbox.id,
                        ledger.copies[.init(account: state.id, digest: row.facts.digest)] == nil,
                        state.mailbox(said) != nil
                    {
                        fail(
                            "R19: appended message \(row.facts.digest.words.0) is in "
                                + "\(mailbox.name), not where it was put")
                    }
                    if ledger.expunged.contains(row.facts.instance) {
                        fail("R18: \(row.facts.instance) was expunged and is back")
                    }
                    if ledger.flagged.contains(row.facts.instance), !row.flags.contains(.flagged) {
                        fail("R21: \(row.facts.instance) lost its flag")
                    }
                }
            }
        }
        var answered: [SHA256Digest: Int] = [:]
        var sent: [SHA256Digest: Int] = [:]
        for mail in ledger.mails where mail.accounts.contains(state.id) {
            sent[mail.digest, default: 0] += 1
            if mail.state == .answered { answered[mail.digest, default: 0] += 1 }
        }
        for (digest, count) in sent.sorted(by: { $0.key < $1.key }) {
            let content = Ledger.Content(account: state.id, digest: digest)
            let least = (answered[digest] ?? 0) - (ledger.excused[content] ?? 0)
            let most = count + (ledger.copies[content] ?? 0)
            let found = live[digest] ?? 0
            if found < least {
                fail("R4: answered mail \(digest.words.0) is lost: \(found) of \(least)")
            }
            if found > most {
                for mailbox in state.mailboxes {
                    mailbox.messages.visit { row in
                        if row.facts.digest == digest {
                            note("\(mailbox.name) \(row.uid) \(row.facts.instance)")
                        }
                    }
                }
                fail("R7: mail \(digest.words.0) is there \(found) times, explained are \(most)")
            }
        }
    }

    /// What the journal says is what the node knows.
    private mutating func checkRebuilt(_ i: Int) {
        var configuration = PairNode.Configuration(slot: Slot(rawValue: UInt8(i))!, cluster: 7)
        configuration.switches = options.switches
        let again = PairNode(
            configuration, incarnation: 1, journal: hosts[i].journal,
            randomness: SeededRandomness(seed: 1))
        for id in accounts {
            guard let a = hosts[i].node!.served(id), let b = again.served(id) else { continue }
            if let difference = Self.difference(a, b) {
                fail("R2: node \(i) rebuilt from its journal differs: \(difference)")
            }
        }
    }
}
