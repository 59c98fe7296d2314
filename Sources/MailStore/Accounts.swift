import Platform

/// How a new account looks.
public enum Accounts {
    /// The mailboxes that every account starts with (RFC 6154), besides INBOX.
    public static let standardMailboxes: [(name: String, use: SpecialUse)] = [
        ("Archive", .archive), ("Drafts", .drafts), ("Junk", .junk), ("Sent", .sent),
        ("Trash", .trash),
    ]

    /// The operation that makes an account with its first mailboxes.
    ///
    /// UIDVALIDITY counts up from the time of creation in seconds, so that an account that is made
    /// again under an old address has values that no client of the old one has seen (R25).
    public static func creating(
        _ id: AccountID, home: Slot, addresses: [String], quotaOctets: UInt64?, at wall: Instant
    ) -> Op.CreateAccount {
        var validity = UInt32(truncatingIfNeeded: max(1, wall.secondsSinceEpoch)) & 0x7FFF_FFFF
        if validity % 2 != UInt32(home.rawValue) { validity += 1 }
        let base = validity
        let modSeq = ModSeq(epoch: UInt32(home.rawValue), counter: 1)
        var mailboxes: [Op.CreateMailbox] = []
        for (name, use) in [("INBOX", SpecialUse?.none)] + standardMailboxes.map({ ($0, $1) }) {
            validity += 2
            mailboxes.append(
                .init(
                    account: id, mailbox: .derived(from: id, name: name), name: name,
                    uidValidity: UIDValidity(rawValue: validity), modSeq: modSeq, specialUse: use))
        }
        return Op.CreateAccount(
            account: id, home: home, addresses: addresses, uidValidityBase: base,
            mailboxes: mailboxes, quotaOctets: quotaOctets)
    }
}
