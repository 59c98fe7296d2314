import Platform

extension AccountState {
    /// Writes the whole state: what a checkpoint holds of an account.
    public func encode(into w: inout ByteWriter) {
        w.id(id)
        w.fixed(home.rawValue)
        w.array(addresses) { $0.string($1) }
        w.blob(verifier)
        w.optional(quotaOctets) { $0.varint($1) }
        w.array(subscriptions) { $0.string($1) }
        w.fixed(uidValidityCounter)
        w.fixed(epoch)
        w.array(mailboxes) { $1.encode(into: &$0) }
        w.array(pending.keys.sorted()) { w, key in
            let message = self.pending[key]!
            w.id(message.mailbox)
            w.flags(message.flags)
            w.facts(message.facts)
        }
        w.array(deletedMailboxes) { $0.id($1) }
        w.array(buried) { $0.id($1) }
    }

    public init(from r: inout ByteReader) throws(DecodingFailure) {
        id = try r.id()
        inboxID = .derived(from: id, name: "INBOX")
        home = try r.slot()
        addresses = try r.strings()
        verifier = try r.blob()
        quotaOctets = try r.optionalVarint()
        subscriptions = try r.strings()
        uidValidityCounter = try r.fixed()
        epoch = try r.fixed()
        mailboxes = try r.array { r throws(DecodingFailure) -> Mailbox in try Mailbox(from: &r) }
        let waiting = try r.array(elementOctets: 100) {
            r throws(DecodingFailure) -> PendingMessage in
            PendingMessage(mailbox: try r.id(), flags: try r.flags(), facts: try r.facts())
        }
        for message in waiting { pending[message.facts.instance] = message }
        deletedMailboxes = try r.array(elementOctets: 16) {
            r throws(DecodingFailure) -> MailboxID in
            try r.id()
        }
        buried = try r.array(elementOctets: 16) { r throws(DecodingFailure) -> InstanceID in
            try r.id()
        }
        for (a, b) in zip(mailboxes, mailboxes.dropFirst()) where a.id >= b.id {
            throw DecodingFailure("mailboxes out of order", offset: r.offset)
        }
    }
}

extension Mailbox {
    func encode(into w: inout ByteWriter) {
        w.id(id)
        w.string(name)
        w.fixed(uidValidity.rawValue)
        w.fixed(uidNext)
        w.modSeq(highestModSeq)
        w.modSeq(historyFloor)
        w.array(epochs) { $0.modSeq($1) }
        w.fixed(specialUse?.rawValue ?? 0)
        w.optional(block) { $0.fixed($1.rawValue) }
        w.array(keywords) { $0.string($1.name) }
        w.count(messages.count)
        messages.visit { row in
            w.fixed(row.uid)
            w.fixed(row.flags.rawValue)
            w.modSeq(row.modSeq)
            w.facts(row.facts)
        }
        w.array(tombstones) {
            $0.fixed($1.uid)
            $0.modSeq($1.modSeq)
            $0.id($1.instance)
        }
    }

    init(from r: inout ByteReader) throws(DecodingFailure) {
        id = try r.id()
        name = try r.string()
        uidValidity = UIDValidity(rawValue: try r.fixed())
        uidNext = try r.fixed()
        highestModSeq = try r.modSeq()
        historyFloor = try r.modSeq()
        epochs = try r.array(elementOctets: 8) { r throws(DecodingFailure) -> ModSeq in
            try r.modSeq()
        }
        specialUse = try r.specialUse()
        block = try r.optional { r throws(DecodingFailure) -> UIDBlock in
            UIDBlock(rawValue: try r.fixed())
        }
        keywords = try r.strings().map { Keyword($0) }
        guard keywords.count <= Flags.keywordsMax else {
            throw DecodingFailure("too many keywords", offset: r.offset)
        }
        let length = try r.count(elementOctets: 20)
        for _ in 0..<length {
            let row = MessageColumns.Row(
                uid: try r.fixed(), flags: Flags(rawValue: try r.fixed()), modSeq: try r.modSeq(),
                facts: try r.facts())
            guard row.uid > messages.lastUID ?? 0 else {
                throw DecodingFailure("UIDs out of order", offset: r.offset)
            }
            messages.append(row)
            if !row.flags.contains(.seen) { unseenCount += 1 }
            if row.flags.contains(.deleted) { deletedCount += 1 }
            sizeOctets += UInt64(row.facts.sizeOctets)
        }
        guard messages.lastUID ?? 0 < uidNext else {
            throw DecodingFailure("UIDNEXT is not above all UIDs", offset: r.offset)
        }
        tombstones = try r.array(elementOctets: 28) { r throws(DecodingFailure) -> Tombstone in
            Tombstone(uid: try r.fixed(), modSeq: try r.modSeq(), instance: try r.id())
        }
    }
}

extension ByteWriter {
    package mutating func facts(_ value: MessageFacts) {
        id(value.instance)
        id(value.emailID)
        digest(value.digest)
        fixed(value.body.rawValue)
        fixed(value.sizeOctets)
        instant(value.internalDate)
        instant(value.saveDate)
    }
}

extension ByteReader {
    package mutating func facts() throws(DecodingFailure) -> MessageFacts {
        MessageFacts(
            instance: try id(), emailID: try id(), digest: try digest(),
            body: BodyNumber(rawValue: try fixed()), sizeOctets: try fixed(),
            internalDate: try instant(), saveDate: try instant())
    }
}
