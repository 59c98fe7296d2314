import Platform

/// An operation: what the journal keeps, the peer receives, and `AccountState.apply` executes.
///
/// Every choice (identifiers, UIDs, MODSEQs, which messages) is already made in it, so that executing
/// it gives the same state everywhere, and the clock or chance have no say.
public enum Op: Hashable, Sendable {
    case accept(Accept)
    case assign(Assign)
    case setFlags(SetFlags)
    case expunge(Expunge)
    case copy(Copy)
    case createMailbox(CreateMailbox)
    case deleteMailbox(DeleteMailbox)
    case renameMailboxes(RenameMailboxes)
    case subscribe(Subscribe)
    case createAccount(CreateAccount)
    case setCredential(SetCredential)
    case setAddresses(SetAddresses)
    case setQuota(SetQuota)
    case removeAccount(RemoveAccount)
    case acknowledged(Acknowledged)
    case merge(Merge)

    /// A message was taken over: body, envelope, and which mailboxes it is for; no UID yet (R4).
    public struct Accept: Hashable, Sendable {
        public var digest: SHA256Digest
        public var sizeOctets: UInt32
        public var internalDate: Instant
        /// Without angle brackets; empty is the null reverse-path.
        public var reversePath: [UInt8]
        /// Of the bytes as they were received, before the trace headers were added: by it a sender's
        /// retry is known (R7).
        public var receivedDigest: SHA256Digest
        public var deliveries: [Delivery]

        public init(
            digest: SHA256Digest, sizeOctets: UInt32, internalDate: Instant, reversePath: [UInt8],
            receivedDigest: SHA256Digest, deliveries: [Delivery]
        ) {
            self.digest = digest
            self.sizeOctets = sizeOctets
            self.internalDate = internalDate
            self.reversePath = reversePath
            self.receivedDigest = receivedDigest
            self.deliveries = deliveries
        }
    }

    /// One of the places an accepted message goes to.
    public struct Delivery: Hashable, Sendable {
        public var instance: InstanceID
        public var emailID: EmailID
        public var account: AccountID
        public var mailbox: MailboxID
        public var flags: NamedFlags
        /// The forward-path that led here, without angle brackets; empty for APPEND.
        public var forwardPath: [UInt8]

        public init(
            instance: InstanceID, emailID: EmailID, account: AccountID, mailbox: MailboxID,
            flags: NamedFlags, forwardPath: [UInt8]
        ) {
            self.instance = instance
            self.emailID = emailID
            self.account = account
            self.mailbox = mailbox
            self.flags = flags
            self.forwardPath = forwardPath
        }
    }

    /// Accepted messages get their places (R9: SEQ).
    public struct Assign: Hashable, Sendable {
        public var account: AccountID
        public var saveDate: Instant
        public var items: [Item]

        public struct Item: Hashable, Sendable {
            public var instance: InstanceID
            public var mailbox: MailboxID
            public var uid: UInt32
            public var modSeq: ModSeq

            public init(instance: InstanceID, mailbox: MailboxID, uid: UInt32, modSeq: ModSeq) {
                self.instance = instance
                self.mailbox = mailbox
                self.uid = uid
                self.modSeq = modSeq
            }
        }

        public init(account: AccountID, saveDate: Instant, items: [Item]) {
            self.account = account
            self.saveDate = saveDate
            self.items = items
        }
    }

    public struct SetFlags: Hashable, Sendable {
        public var account: AccountID
        public var mailbox: MailboxID
        public var uids: UIDSet
        public var change: FlagChange
        public var flags: NamedFlags
        public var modSeq: ModSeq

        package init(
            account: AccountID, mailbox: MailboxID, uids: UIDSet, change: FlagChange,
            flags: NamedFlags, modSeq: ModSeq
        ) {
            self.account = account
            self.mailbox = mailbox
            self.uids = uids
            self.change = change
            self.flags = flags
            self.modSeq = modSeq
        }
    }

    public struct Expunge: Hashable, Sendable {
        public var account: AccountID
        public var mailbox: MailboxID
        public var uids: UIDSet
        public var modSeq: ModSeq

        package init(account: AccountID, mailbox: MailboxID, uids: UIDSet, modSeq: ModSeq) {
            self.account = account
            self.mailbox = mailbox
            self.uids = uids
            self.modSeq = modSeq
        }
    }

    /// COPY or MOVE. A MOVE makes new instances and leaves tombstones (R22).
    public struct Copy: Hashable, Sendable {
        public var account: AccountID
        public var source: MailboxID
        public var destination: MailboxID
        public var isMove: Bool
        public var saveDate: Instant
        /// Of the copies, in the destination.
        public var modSeq: ModSeq
        /// Of the tombstones, in the source; `zero` for COPY.
        public var sourceModSeq: ModSeq
        public var items: [Item]

        public struct Item: Hashable, Sendable {
            public var sourceUID: UInt32
            public var uid: UInt32
            public var instance: InstanceID

            package init(sourceUID: UInt32, uid: UInt32, instance: InstanceID) {
                self.sourceUID = sourceUID
                self.uid = uid
                self.instance = instance
            }
        }

        package init(
            account: AccountID, source: MailboxID, destination: MailboxID, isMove: Bool,
            saveDate: Instant, modSeq: ModSeq, sourceModSeq: ModSeq, items: [Item]
        ) {
            self.account = account
            self.source = source
            self.destination = destination
            self.isMove = isMove
            self.saveDate = saveDate
            self.modSeq = modSeq
            self.sourceModSeq = sourceModSeq
            self.items = items
        }
    }

    public struct CreateMailbox: Hashable, Sendable {
        public var account: AccountID
        public var mailbox: MailboxID
        public var name: String
        public var uidValidity: UIDValidity
        public var modSeq: ModSeq
        public var specialUse: SpecialUse?

        package init(
            account: AccountID, mailbox: MailboxID, name: String, uidValidity: UIDValidity,
            modSeq: ModSeq, specialUse: SpecialUse?
        ) {
            self.account = account
            self.mailbox = mailbox
            self.name = name
            self.uidValidity = uidValidity
            self.modSeq = modSeq
            self.specialUse = specialUse
        }
    }

    /// Names the messages it removes: others are new mail and survive (R23).
    public struct DeleteMailbox: Hashable, Sendable {
        public var account: AccountID
        public var mailbox: MailboxID
        public var uids: UIDSet

        package init(account: AccountID, mailbox: MailboxID, uids: UIDSet) {
            self.account = account
            self.mailbox = mailbox
            self.uids = uids
        }
    }

    public struct RenameMailboxes: Hashable, Sendable {
        public var account: AccountID
        public var items: [Item]

        public struct Item: Hashable, Sendable {
            public var mailbox: MailboxID
            public var name: String
            public var uidValidity: UIDValidity?

            package init(mailbox: MailboxID, name: String, uidValidity: UIDValidity?) {
                self.mailbox = mailbox
                self.name = name
                self.uidValidity = uidValidity
            }
        }

        package init(account: AccountID, items: [Item]) {
            self.account = account
            self.items = items
        }
    }

    public struct Subscribe: Hashable, Sendable {
        public var account: AccountID
        public var name: String
        public var subscribed: Bool

        package init(account: AccountID, name: String, subscribed: Bool) {
            self.account = account
            self.name = name
            self.subscribed = subscribed
        }
    }

    public struct CreateAccount: Hashable, Sendable {
        public var account: AccountID
        public var home: Slot
        public var addresses: [String]
        /// The first value of the account's UIDVALIDITY counter.
        public var uidValidityBase: UInt32
        /// The mailboxes it starts with, INBOX first.
        public var mailboxes: [CreateMailbox]
        public var quotaOctets: UInt64?

        package init(
            account: AccountID, home: Slot, addresses: [String], uidValidityBase: UInt32,
            mailboxes: [CreateMailbox], quotaOctets: UInt64?
        ) {
            self.account = account
            self.home = home
            self.addresses = addresses
            self.uidValidityBase = uidValidityBase
            self.mailboxes = mailboxes
            self.quotaOctets = quotaOctets
        }
    }

    /// A verifier of a password, opaque here; empty means that nobody can log in with one.
    public struct SetCredential: Hashable, Sendable {
        public var account: AccountID
        public var verifier: [UInt8]

        package init(account: AccountID, verifier: [UInt8]) {
            self.account = account
            self.verifier = verifier
        }
    }

    /// The first is the one the account logs in with.
    public struct SetAddresses: Hashable, Sendable {
        public var account: AccountID
        public var addresses: [String]

        package init(account: AccountID, addresses: [String]) {
            self.account = account
            self.addresses = addresses
        }
    }

    /// nil is without limit.
    public struct SetQuota: Hashable, Sendable {
        public var account: AccountID
        public var octets: UInt64?

        package init(account: AccountID, octets: UInt64?) {
            self.account = account
            self.octets = octets
        }
    }

    public struct RemoveAccount: Hashable, Sendable {
        public var account: AccountID

        package init(account: AccountID) {
            self.account = account
        }
    }

    /// Senders that showed that they saw our `250` for these: a later equal mail is another mail (R7).
    /// Among orders of a pair of nodes, it names pairs of which one is the sender's retry of the other.
    public struct Acknowledged: Hashable, Sendable {
        public var instances: [InstanceID]

        package init(instances: [InstanceID]) {
            self.instances = instances
        }
    }

    /// The number by which the journal knows the kind of operation. Never reused.
    public var type: UInt16 {
        switch self {
        case .accept: 1
        case .assign: 2
        case .setFlags: 3
        case .expunge: 4
        case .copy: 5
        case .createMailbox: 6
        case .deleteMailbox: 7
        case .renameMailboxes: 8
        case .subscribe: 9
        case .createAccount: 10
        case .setCredential: 11
        case .setAddresses: 12
        case .setQuota: 13
        case .removeAccount: 14
        case .acknowledged: 15
        case .merge: 16
        }
    }
}
