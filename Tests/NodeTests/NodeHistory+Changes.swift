import MailStore
import Node
import Platform

extension NodeHistory {
    mutating func create(_ address: String) {
        let quota: UInt64? = random.below(2) == 0 ? nil : 20_000
        _ = node.step(
            .createAccount(
                .init(addresses: [address], verifier: [1, 2, 3], quotaOctets: quota)), now: now)
    }

    /// What IMAP clients and the administrator do, in one batch.
    mutating func changeBatch() throws {
        var batch = Batch(before: node)
        for _ in 0...random.below(4) {
            counters.events += 1
            let all = node.accounts.keys.sorted()
            switch random.below(40) {
            case 0: create("u\(random.below(9))@example.test")
            case 1 where all.count > 2: _ = node.step(.removeAccount(all[0]), now: now)
            default:
                guard !all.isEmpty else { continue }
                let account = all[Int(random.below(UInt64(all.count)))]
                guard let state = node.accounts[account],
                    let change = try change(state)
                else { continue }
                let result = node.step(.change(account, change), now: now)
                if case .refused = result {
                    counters.refusedChanges += 1
                } else {
                    counters.changes += 1
                }
            }
        }
        try commit(&batch)
    }

    private mutating func change(_ state: AccountState) throws -> Change? {
        let count = UInt64(state.mailboxes.count)
        let mailbox = state.mailboxes[Int(random.below(count))]
        let other = state.mailboxes[Int(random.below(count))]
        let name = "box \(random.below(6))" + (random.below(4) == 0 ? "/sub" : "")
        switch random.below(20) {
        case 0..<4: return try append(mailbox.id)
        case 4..<9:
            let kinds: [FlagChange] = [.add, .remove, .replace]
            return .setFlags(
                mailbox: mailbox.id, uids: uids(mailbox),
                change: kinds[Int(random.below(3))], flags: flags(),
                unchangedSince: random.below(4) == 0 ? mailbox.highestModSeq : nil)
        case 9..<11:
            return .expunge(
                mailbox: mailbox.id, uids: random.below(2) == 0 ? nil : uids(mailbox))
        case 11..<14:
            return .copy(
                source: mailbox.id, uids: uids(mailbox), destination: other.id,
                isMove: random.below(2) == 0)
        case 14: return .createMailbox(name: name, specialUse: nil)
        case 15: return random.below(3) == 0 ? .deleteMailbox(mailbox.id) : nil
        case 16: return .renameMailbox(mailbox.id, to: name)
        case 17: return .subscribe(name: name, random.below(2) == 0)
        case 18: return .setCredential(verifier: random.bytes(Int(random.below(40))))
        default:
            if random.below(2) == 0 {
                return .setQuota(octets: random.below(2) == 0 ? nil : 10_000)
            }
            return .setAddresses(state.addresses.prefix(1) + ["v\(random.below(9))@example.test"])
        }
    }

    private mutating func append(_ mailbox: MailboxID) throws -> Change {
        var messages: [NewMessage] = []
        for _ in 0...random.below(3) {
            // Equal messages in one batch on purpose.
            let bytes = [UInt8](repeating: UInt8(random.below(3)), count: 900)
            guard let journal, journal.canAcceptBody(octets: 900) else { break }
            let digest = SHA256Digest(hashing: bytes)
            messages.append(
                NewMessage(
                    digest: digest, body: try journal.append(body: bytes, digest: digest),
                    sizeOctets: 900, internalDate: now.wall, flags: flags()))
        }
        counters.appends += messages.count
        return .append(mailbox: mailbox, messages)
    }

    private mutating func flags() -> NamedFlags {
        NamedFlags(
            system: Flags(rawValue: random.below(32)),
            keywords: random.below(3) == 0 ? [Keyword("k\(random.below(5))")] : [])
    }

    private mutating func uids(_ mailbox: Mailbox) -> UIDSet {
        UIDSet(mailbox.messages.allUIDs.filter { _ in random.below(4) == 0 })
    }
}
