import MailStore
import Platform

// Which mailboxes there are after a merge, and their names (R23, R24).

extension Merge {
    private var isDeleted: (MailboxID) -> Bool {
        { home.hasDeleted($0) || guest.hasDeleted($0) }
    }

    /// Where each mailbox's messages go.
    mutating func chooseTargets() {
        let ids = Set((home.mailboxes + guest.mailboxes).map(\.id)).sorted()
        for id in ids where !isDeleted(id) { targets[id] = id }
        unifyNewOnes()
        for id in ids where isDeleted(id) {
            // DELETE named what it removes; what is left is new mail (R23).
            guard !switches.contains(.deletesUnnamed), hasSurvivors(id) else { continue }
            let name = (home.mailbox(id) ?? guest.mailbox(id))?.name ?? ""
            if let same = finalMailbox(named: name) {
                targets[id] = same
            } else {
                let new = MailboxID(
                    rawValue: Self.derive(id.rawValue, "what DELETE did not name"))
                targets[id] = new
                targets[new] = new
                names[new] = name
            }
        }
    }

    private static func derive(_ raw: UInt128, _ label: String) -> UInt128 {
        var w = ByteWriter()
        w.fixed(raw)
        w.string(label)
        let words = SHA256Digest(hashing: w.bytes).words
        return UInt128(words.0) << 64 | UInt128(words.1)
    }

    private func hasSurvivors(_ id: MailboxID) -> Bool {
        for mailbox in [home.mailbox(id), guest.mailbox(id)].compactMap({ $0 }) {
            for instance in mailbox.messages.allInstances where !dead.contains(instance) {
                // Home's place counts, where both sides have the message.
                if homePlaces[instance].map({ $0.mailbox == id }) ?? true { return true }
            }
        }
        return false
    }

    private func finalMailbox(named name: String) -> MailboxID? {
        for id in Set(targets.values).sorted()
        where (names[id] ?? mergedName(id)) == name { return id }
        return nil
    }

    /// One name made on both sides since they met is one mailbox (R24).
    private mutating func unifyNewOnes() {
        guard !switches.contains(.allowsEqualNames) else { return }
        for theirs in guest.mailboxes where targets[theirs.id] != nil {
            guard home.mailbox(theirs.id) == nil, fork?.mailbox(theirs.id) == nil,
                let ours = home.mailbox(named: theirs.name), targets[ours.id] == ours.id,
                guest.mailbox(ours.id) == nil, fork?.mailbox(ours.id) == nil
            else { continue }
            let oursAssigned = ours.uidNext > 1
            let theirsAssigned = theirs.uidNext > 1
            let keepsTheirs =
                oursAssigned == theirsAssigned ? theirs.id < ours.id : theirsAssigned
            let kept = keepsTheirs ? theirs.id : ours.id
            let other = keepsTheirs ? ours.id : theirs.id
            targets[other] = kept
            unified.append(other)
        }
    }

    /// Three-way; home's if both renamed it.
    private func mergedName(_ id: MailboxID) -> String {
        guard let ours = home.mailbox(id)?.name else { return guest.mailbox(id)?.name ?? "" }
        guard let theirs = guest.mailbox(id)?.name, let base = covered?.mailbox(id)?.name else {
            return ours
        }
        return ours == base ? theirs : ours
    }

    /// Gives every mailbox its name. On a collision the lower id keeps it (R23).
    mutating func chooseNames() {
        var taken: Set<String> = []
        let ids = Set(targets.values).sorted()
        // INBOX is no matter of ids.
        names[home.inboxID] = "INBOX"
        taken.insert("INBOX")
        for id in ids where id != home.inboxID {
            var name = names[id] ?? mergedName(id)
            if !switches.contains(.allowsEqualNames) {
                while taken.contains(name) { name += "~" + id.description.prefix(8) }
            }
            taken.insert(name)
            names[id] = name
        }
    }
}
