import Platform

extension Op {
    /// What home made of its own line and the guest's branch (R20): the differences to its own line.
    ///
    /// It holds all that it adds, so that it executes alike on a node that never saw the branch.
    public struct Merge: Hashable, Sendable {
        public var account: AccountID
        /// Home's own epoch that every MODSEQ here is in.
        public var epoch: UInt32
        public var uidValidityCounter: UInt32
        /// Ascending by id: those that are new or differ.
        public var mailboxes: [MergedMailbox]
        /// Those that are no more, ascending.
        public var deletedMailboxes: [MailboxID]
        /// What went with a mailbox, ascending.
        public var buried: [InstanceID]
        /// Accepted messages that no longer wait: they have a place, or were expunged on the branch.
        public var settled: [InstanceID]
        /// Pairs, one after the other, of which it took one for the sender's retry of the other: they
        /// are one message from then on, acknowledged if either is (R7).
        public var absorbed: [InstanceID]
        public var subscriptions: [String]
        public var addresses: [String]
        public var verifier: [UInt8]
        public var quotaOctets: UInt64?

        package init(
            account: AccountID, epoch: UInt32, uidValidityCounter: UInt32,
            mailboxes: [MergedMailbox], deletedMailboxes: [MailboxID], buried: [InstanceID],
            settled: [InstanceID], absorbed: [InstanceID], subscriptions: [String],
            addresses: [String], verifier: [UInt8], quotaOctets: UInt64?
        ) {
            self.account = account
            self.epoch = epoch
            self.uidValidityCounter = uidValidityCounter
            self.mailboxes = mailboxes
            self.deletedMailboxes = deletedMailboxes
            self.buried = buried
            self.settled = settled
            self.absorbed = absorbed
            self.subscriptions = subscriptions
            self.addresses = addresses
            self.verifier = verifier
            self.quotaOctets = quotaOctets
        }
    }

    /// A mailbox after a merge, as differences to home's.
    public struct MergedMailbox: Hashable, Sendable {
        public var mailbox: MailboxID
        public var name: String
        public var uidValidity: UIDValidity
        public var specialUse: SpecialUse?
        public var uidNext: UInt32
        /// Of everything that changes here.
        public var modSeq: ModSeq
        /// The history's epochs without the merge's own (R13).
        public var epochs: [ModSeq]
        /// Everything that was here goes without a trace: the UIDVALIDITY is new.
        public var startsAnew: Bool
        /// Get the merge's MODSEQ, and what is a tombstone here stays one.
        public var tombstones: [Tombstone]
        /// Messages that stay under their UID, with new flags or just a new MODSEQ; ascending.
        public var restamped: [Flagged]
        /// New here, ascending, above all that stay.
        public var additions: [Addition]

        public struct Flagged: Hashable, Sendable {
            public var uid: UInt32
            public var flags: NamedFlags

            package init(uid: UInt32, flags: NamedFlags) {
                self.uid = uid
                self.flags = flags
            }
        }

        public struct Addition: Hashable, Sendable {
            public var uid: UInt32
            public var flags: NamedFlags
            public var facts: MessageFacts

            package init(uid: UInt32, flags: NamedFlags, facts: MessageFacts) {
                self.uid = uid
                self.flags = flags
                self.facts = facts
            }
        }

        package init(
            mailbox: MailboxID, name: String, uidValidity: UIDValidity, specialUse: SpecialUse?,
            uidNext: UInt32, modSeq: ModSeq, epochs: [ModSeq], startsAnew: Bool,
            tombstones: [Tombstone], restamped: [Flagged], additions: [Addition]
        ) {
            self.mailbox = mailbox
            self.name = name
            self.uidValidity = uidValidity
            self.specialUse = specialUse
            self.uidNext = uidNext
            self.modSeq = modSeq
            self.epochs = epochs
            self.startsAnew = startsAnew
            self.tombstones = tombstones
            self.restamped = restamped
            self.additions = additions
        }
    }

    /// The highest epoch that the operation stamps with; nil if it stamps nothing (R13).
    package var epoch: UInt32? {
        switch self {
        case .assign(let op): op.items.last?.modSeq.epoch
        case .setFlags(let op): op.modSeq.epoch
        case .expunge(let op): op.modSeq.epoch
        case .copy(let op): max(op.modSeq, op.sourceModSeq).epoch
        case .createMailbox(let op): op.modSeq.epoch
        case .merge(let op): op.epoch
        default: nil
        }
    }
}

extension Op.Merge {
    package func encode(into w: inout ByteWriter) {
        w.id(account)
        w.fixed(epoch)
        w.fixed(uidValidityCounter)
        w.array(mailboxes) { $1.encode(into: &$0) }
        w.array(deletedMailboxes) { $0.id($1) }
        w.array(buried) { $0.id($1) }
        w.array(settled) { $0.id($1) }
        w.array(absorbed) { $0.id($1) }
        w.array(subscriptions) { $0.string($1) }
        w.array(addresses) { $0.string($1) }
        w.blob(verifier)
        w.optional(quotaOctets) { $0.varint($1) }
    }

    package init(from r: inout ByteReader) throws(DecodingFailure) {
        self.init(
            account: try r.id(), epoch: try r.fixed(), uidValidityCounter: try r.fixed(),
            mailboxes: try r.array(elementOctets: 39) {
                r throws(DecodingFailure) -> Op.MergedMailbox in try Op.MergedMailbox(from: &r)
            },
            deletedMailboxes: try r.array(elementOctets: 16) {
                r throws(DecodingFailure) -> MailboxID in try r.id()
            },
            buried: try r.instances(), settled: try r.instances(),
            absorbed: try r.instances(),
            subscriptions: try r.strings(), addresses: try r.strings(), verifier: try r.blob(),
            quotaOctets: try r.optionalVarint())
    }
}

extension Op.MergedMailbox {
    func encode(into w: inout ByteWriter) {
        w.id(mailbox)
        w.string(name)
        w.fixed(uidValidity.rawValue)
        w.fixed(specialUse?.rawValue ?? 0)
        w.fixed(uidNext)
        w.modSeq(modSeq)
        w.array(epochs) { $0.modSeq($1) }
        w.bool(startsAnew)
        w.array(tombstones) {
            $0.fixed($1.uid)
            $0.modSeq($1.modSeq)
            $0.id($1.instance)
        }
        w.array(restamped) {
            $0.fixed($1.uid)
            $0.flags($1.flags)
        }
        w.array(additions) {
            $0.fixed($1.uid)
            $0.flags($1.flags)
            $0.facts($1.facts)
        }
    }

    init(from r: inout ByteReader) throws(DecodingFailure) {
        self.init(
            mailbox: try r.id(), name: try r.string(),
            uidValidity: UIDValidity(rawValue: try r.fixed()), specialUse: try r.specialUse(),
            uidNext: try r.fixed(), modSeq: try r.modSeq(),
            epochs: try r.array(elementOctets: 8) { r throws(DecodingFailure) -> ModSeq in
                try r.modSeq()
            },
            startsAnew: try r.bool(),
            tombstones: try r.array(elementOctets: 28) { r throws(DecodingFailure) -> Tombstone in
                Tombstone(uid: try r.fixed(), modSeq: try r.modSeq(), instance: try r.id())
            },
            restamped: try r.array(elementOctets: 6) { r throws(DecodingFailure) -> Flagged in
                Flagged(uid: try r.fixed(), flags: try r.flags())
            },
            additions: try r.array(elementOctets: 98) { r throws(DecodingFailure) -> Addition in
                Addition(uid: try r.fixed(), flags: try r.flags(), facts: try r.facts())
            })
    }
}

extension ByteReader {
    package mutating func instances() throws(DecodingFailure) -> [InstanceID] {
        try array(elementOctets: 16) { r throws(DecodingFailure) -> InstanceID in try r.id() }
    }
}
