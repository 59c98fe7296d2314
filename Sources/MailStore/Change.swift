import Platform

/// What a client asks to be changed in an account, before identifiers and numbers are chosen.
public enum Change: Hashable, Sendable {
    /// New messages for one mailbox: APPEND, and what SMTP delivers.
    case append(mailbox: MailboxID, [NewMessage])
    case setFlags(
        mailbox: MailboxID, uids: UIDSet, change: FlagChange, flags: NamedFlags,
        /// Messages with a higher MODSEQ, or all if it is foreign, are left alone (RFC 7162 §3.1.3).
        unchangedSince: ModSeq?)
    /// Removes those of `uids` (all, if nil) that have \Deleted.
    case expunge(mailbox: MailboxID, uids: UIDSet?)
    case copy(source: MailboxID, uids: UIDSet, destination: MailboxID, isMove: Bool)
    case createMailbox(name: String, specialUse: SpecialUse?)
    case deleteMailbox(MailboxID)
    /// With all mailboxes below it; INBOX's messages move and it stays (RFC 9051 §6.3.6).
    case renameMailbox(MailboxID, to: String)
    /// The mailboxes below a name that is no mailbox itself: its children make it a level.
    case renameLevel(String, to: String)
    case subscribe(name: String, Bool)
    case setCredential(verifier: [UInt8])
    case setAddresses([String])
    case setQuota(octets: UInt64?)
}

/// A message that is about to be stored; its body is in the journal already, not yet durable.
public struct NewMessage: Hashable, Sendable {
    public var digest: SHA256Digest
    public var body: BodyNumber
    public var sizeOctets: UInt32
    public var internalDate: Instant
    public var flags: NamedFlags

    public init(
        digest: SHA256Digest, body: BodyNumber, sizeOctets: UInt32, internalDate: Instant,
        flags: NamedFlags
    ) {
        self.digest = digest
        self.body = body
        self.sizeOctets = sizeOctets
        self.internalDate = internalDate
        self.flags = flags
    }
}

/// How a change ended.
public enum ChangeResult: Hashable, Sendable {
    case done
    /// Taken over for all recipients; the identifier by which the sender's next command acknowledges
    /// that it saw the answer (R7).
    case accepted(InstanceID)
    /// What APPENDUID says (RFC 4315 §3), in the order of the messages given.
    case appended(UIDValidity, uids: [UInt32])
    /// `modified` failed UNCHANGEDSINCE. `modSeq` is nil if nothing changed.
    case flagsSet(modified: UIDSet, modSeq: ModSeq?)
    case expunged(UIDSet, modSeq: ModSeq)
    /// What COPYUID says: the n-th source became the n-th destination.
    case copied(UIDValidity, sources: [UInt32], destinations: [UInt32])
    case created(MailboxID)
    case refused(Refusal)
}

/// Why a change was not made. Nothing was.
public enum Refusal: Error, Hashable, Sendable {
    case noSuchAccount
    case noSuchMailbox
    case mailboxExists
    case inboxStays
    case invalidName(String)
    case tooManyKeywords
    case tooManyMailboxes
    case overQuota
    case uidsExhausted
    case addressTaken(String)
    /// The disk has no room for new mail; what frees room still works.
    case diskFull
    /// The node is stopping or its journal failed: the change may be tried again elsewhere.
    case unavailable
}

/// What an account may hold.
public struct AccountLimits: Hashable, Sendable {
    public var mailboxesMax = 10_000
    public var mailboxNameMaxOctets = 1_000
    public var subscriptionsMax = 20_000
    /// What an account may hold that has no quota of its own; nil is no limit.
    public var quotaDefaultOctets: UInt64?

    public init() {}
}
