import Platform

extension Op {
    /// The payload of the journal's record.
    public var encoded: [UInt8] {
        var w = ByteWriter(reserving: 256)
        encode(into: &w)
        return w.bytes
    }

    func encode(into w: inout ByteWriter) {
        switch self {
        case .accept(let op): op.encode(into: &w)
        case .assign(let op): op.encode(into: &w)
        case .setFlags(let op):
            w.id(op.account)
            w.id(op.mailbox)
            w.uids(op.uids)
            w.fixed(op.change.rawValue)
            w.flags(op.flags)
            w.modSeq(op.modSeq)
        case .expunge(let op):
            w.id(op.account)
            w.id(op.mailbox)
            w.uids(op.uids)
            w.modSeq(op.modSeq)
        case .copy(let op): op.encode(into: &w)
        case .createMailbox(let op): op.encode(into: &w)
        case .deleteMailbox(let op):
            w.id(op.account)
            w.id(op.mailbox)
            w.uids(op.uids)
        case .renameMailboxes(let op):
            w.id(op.account)
            w.array(op.items) {
                $0.id($1.mailbox)
                $0.string($1.name)
                $0.optional($1.uidValidity) { $0.fixed($1.rawValue) }
            }
        case .subscribe(let op):
            w.id(op.account)
            w.string(op.name)
            w.bool(op.subscribed)
        case .createAccount(let op): op.encode(into: &w)
        case .setCredential(let op):
            w.id(op.account)
            w.blob(op.verifier)
        case .setAddresses(let op):
            w.id(op.account)
            w.array(op.addresses) { $0.string($1) }
        case .setQuota(let op):
            w.id(op.account)
            w.optional(op.octets) { $0.varint($1) }
        case .removeAccount(let op): w.id(op.account)
        case .acknowledged(let op): w.array(op.instances) { $0.id($1) }
        case .merge(let op): op.encode(into: &w)
        }
    }

    /// - Returns: nil for a type that this version does not know.
    public init?(type: UInt16, payload: [UInt8]) throws(DecodingFailure) {
        var r = ByteReader(payload)
        switch type {
        case 1: self = .accept(try Accept(from: &r))
        case 2: self = .assign(try Assign(from: &r))
        case 3:
            self = .setFlags(
                SetFlags(
                    account: try r.id(), mailbox: try r.id(), uids: try r.uids(),
                    change: try r.flagChange(), flags: try r.flags(), modSeq: try r.modSeq()))
        case 4:
            self = .expunge(
                Expunge(
                    account: try r.id(), mailbox: try r.id(), uids: try r.uids(),
                    modSeq: try r.modSeq()))
        case 5: self = .copy(try Copy(from: &r))
        case 6: self = .createMailbox(try CreateMailbox(from: &r))
        case 7:
            self = .deleteMailbox(
                DeleteMailbox(account: try r.id(), mailbox: try r.id(), uids: try r.uids()))
        case 8:
            self = .renameMailboxes(
                RenameMailboxes(
                    account: try r.id(),
                    items: try r.array(elementOctets: 18) {
                        r throws(DecodingFailure) -> RenameMailboxes.Item in
                        .init(
                            mailbox: try r.id(), name: try r.string(),
                            uidValidity: try r.optional {
                                r throws(DecodingFailure) -> UIDValidity in
                                UIDValidity(rawValue: try r.fixed())
                            })
                    }))
        case 9:
            self = .subscribe(
                Subscribe(account: try r.id(), name: try r.string(), subscribed: try r.bool()))
        case 10: self = .createAccount(try CreateAccount(from: &r))
        case 11:
            self = .setCredential(SetCredential(account: try r.id(), verifier: try r.blob()))
        case 12:
            self = .setAddresses(SetAddresses(account: try r.id(), addresses: try r.strings()))
        case 13: self = .setQuota(SetQuota(account: try r.id(), octets: try r.optionalVarint()))
        case 14: self = .removeAccount(RemoveAccount(account: try r.id()))
        case 15:
            self = .acknowledged(
                Acknowledged(
                    instances: try r.array(elementOctets: 16) {
                        r throws(DecodingFailure) -> InstanceID in try r.id()
                    }))
        case 16: self = .merge(try Merge(from: &r))
        default: return nil
        }
        try r.expectEnd()
    }
}

extension Op.Accept {
    package func encode(into w: inout ByteWriter) {
        w.digest(digest)
        w.fixed(sizeOctets)
        w.instant(internalDate)
        w.blob(reversePath)
        w.digest(receivedDigest)
        w.array(deliveries) {
            $0.id($1.instance)
            $0.id($1.emailID)
            $0.id($1.account)
            $0.id($1.mailbox)
            $0.flags($1.flags)
            $0.blob($1.forwardPath)
        }
    }

    package init(from r: inout ByteReader) throws(DecodingFailure) {
        self.init(
            digest: try r.digest(), sizeOctets: try r.fixed(), internalDate: try r.instant(),
            reversePath: try r.blob(), receivedDigest: try r.digest(),
            deliveries: try r.array(elementOctets: 66) {
                r throws(DecodingFailure) -> Op.Delivery in
                Op.Delivery(
                    instance: try r.id(), emailID: try r.id(), account: try r.id(),
                    mailbox: try r.id(), flags: try r.flags(), forwardPath: try r.blob())
            })
    }
}

extension Op.Assign {
    func encode(into w: inout ByteWriter) {
        w.id(account)
        w.instant(saveDate)
        w.array(items) {
            $0.id($1.instance)
            $0.id($1.mailbox)
            $0.fixed($1.uid)
            $0.modSeq($1.modSeq)
        }
    }

    init(from r: inout ByteReader) throws(DecodingFailure) {
        self.init(
            account: try r.id(), saveDate: try r.instant(),
            items: try r.array(elementOctets: 44) { r throws(DecodingFailure) -> Item in
                Item(
                    instance: try r.id(), mailbox: try r.id(), uid: try r.fixed(),
                    modSeq: try r.modSeq())
            })
    }
}

extension Op.Copy {
    func encode(into w: inout ByteWriter) {
        w.id(account)
        w.id(source)
        w.id(destination)
        w.bool(isMove)
        w.instant(saveDate)
        w.modSeq(modSeq)
        w.modSeq(sourceModSeq)
        w.array(items) {
            $0.fixed($1.sourceUID)
            $0.fixed($1.uid)
            $0.id($1.instance)
        }
    }

    init(from r: inout ByteReader) throws(DecodingFailure) {
        self.init(
            account: try r.id(), source: try r.id(), destination: try r.id(), isMove: try r.bool(),
            saveDate: try r.instant(), modSeq: try r.modSeq(), sourceModSeq: try r.modSeq(),
            items: try r.array(elementOctets: 24) { r throws(DecodingFailure) -> Item in
                Item(sourceUID: try r.fixed(), uid: try r.fixed(), instance: try r.id())
            })
    }
}

extension Op.CreateMailbox {
    func encode(into w: inout ByteWriter) {
        w.id(account)
        w.id(mailbox)
        w.string(name)
        w.fixed(uidValidity.rawValue)
        w.modSeq(modSeq)
        w.fixed(specialUse?.rawValue ?? 0)
    }

    init(from r: inout ByteReader) throws(DecodingFailure) {
        self.init(
            account: try r.id(), mailbox: try r.id(), name: try r.string(),
            uidValidity: UIDValidity(rawValue: try r.fixed()), modSeq: try r.modSeq(),
            specialUse: try r.specialUse())
    }
}

extension Op.CreateAccount {
    func encode(into w: inout ByteWriter) {
        w.id(account)
        w.fixed(home.rawValue)
        w.array(addresses) { $0.string($1) }
        w.fixed(uidValidityBase)
        w.array(mailboxes) { $1.encode(into: &$0) }
        w.optional(quotaOctets) { $0.varint($1) }
    }

    init(from r: inout ByteReader) throws(DecodingFailure) {
        self.init(
            account: try r.id(), home: try r.slot(), addresses: try r.strings(),
            uidValidityBase: try r.fixed(),
            mailboxes: try r.array(elementOctets: 46) {
                r throws(DecodingFailure) -> Op.CreateMailbox in try Op.CreateMailbox(from: &r)
            },
            quotaOctets: try r.optionalVarint())
    }
}
