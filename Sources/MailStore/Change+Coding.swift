import Platform

// What a client asks for and what it was answered, in the project's binary form: the first octet says
// which case it is, its values follow in their order. The number of a body is one node's own affair:
// a message that is asked for by its bytes travels without it.

extension ByteWriter {
    package mutating func change(_ change: Change) {
        switch change {
        case .append(let mailbox, let messages):
            fixed(UInt8(1))
            id(mailbox)
            array(messages) {
                $0.digest($1.digest)
                $0.fixed($1.sizeOctets)
                $0.instant($1.internalDate)
                $0.flags($1.flags)
            }
        case .setFlags(let mailbox, let set, let change, let names, let since):
            fixed(UInt8(2))
            id(mailbox)
            uids(set)
            fixed(change.rawValue)
            flags(names)
            optional(since) { $0.modSeq($1) }
        case .expunge(let mailbox, let set):
            fixed(UInt8(3))
            id(mailbox)
            optional(set) { $0.uids($1) }
        case .copy(let source, let set, let destination, let isMove):
            fixed(UInt8(4))
            id(source)
            uids(set)
            id(destination)
            bool(isMove)
        case .createMailbox(let name, let use):
            fixed(UInt8(5))
            string(name)
            fixed(use?.rawValue ?? 0)
        case .deleteMailbox(let mailbox):
            fixed(UInt8(6))
            id(mailbox)
        case .renameMailbox(let mailbox, let name):
            fixed(UInt8(7))
            id(mailbox)
            string(name)
        case .subscribe(let name, let isWanted):
            fixed(UInt8(8))
            string(name)
            bool(isWanted)
        case .setCredential(let verifier):
            fixed(UInt8(9))
            blob(verifier)
        case .setAddresses(let addresses):
            fixed(UInt8(10))
            array(addresses) { $0.string($1) }
        case .setQuota(let octets):
            fixed(UInt8(11))
            optional(octets) { $0.varint($1) }
        case .renameLevel(let level, let name):
            fixed(UInt8(12))
            string(level)
            string(name)
        }
    }

    package mutating func result(_ result: ChangeResult) {
        switch result {
        case .done: fixed(UInt8(1))
        case .accepted(let instance):
            fixed(UInt8(2))
            id(instance)
        case .appended(let validity, let uids):
            fixed(UInt8(3))
            fixed(validity.rawValue)
            array(uids) { $0.fixed($1) }
        case .flagsSet(let modified, let stamp):
            fixed(UInt8(4))
            uids(modified)
            optional(stamp) { $0.modSeq($1) }
        case .expunged(let gone, let stamp):
            fixed(UInt8(5))
            uids(gone)
            modSeq(stamp)
        case .copied(let validity, let sources, let destinations):
            fixed(UInt8(6))
            fixed(validity.rawValue)
            array(sources) { $0.fixed($1) }
            array(destinations) { $0.fixed($1) }
        case .created(let mailbox):
            fixed(UInt8(7))
            id(mailbox)
        case .refused(let why):
            fixed(UInt8(8))
            refusal(why)
        }
    }

    private mutating func refusal(_ refusal: Refusal) {
        switch refusal {
        case .noSuchAccount: fixed(UInt8(1))
        case .noSuchMailbox: fixed(UInt8(2))
        case .mailboxExists: fixed(UInt8(3))
        case .inboxStays: fixed(UInt8(4))
        case .invalidName(let name):
            fixed(UInt8(5))
            string(name)
        case .tooManyKeywords: fixed(UInt8(6))
        case .tooManyMailboxes: fixed(UInt8(7))
        case .overQuota: fixed(UInt8(8))
        case .uidsExhausted: fixed(UInt8(9))
        case .addressTaken(let address):
            fixed(UInt8(10))
            string(address)
        case .diskFull: fixed(UInt8(11))
        case .unavailable: fixed(UInt8(12))
        }
    }
}

extension ByteReader {
    package mutating func change() throws(DecodingFailure) -> Change {
        let kind: UInt8 = try fixed()
        switch kind {
        case 1: return .append(mailbox: try id(), try newMessages())
        case 2:
            return .setFlags(
                mailbox: try id(), uids: try uids(), change: try flagChange(), flags: try flags(),
                unchangedSince: try optionalModSeq())
        case 3:
            return .expunge(
                mailbox: try id(),
                uids: try optional { r throws(DecodingFailure) -> UIDSet in try r.uids() })
        case 4:
            return .copy(
                source: try id(), uids: try uids(), destination: try id(), isMove: try bool())
        case 5: return .createMailbox(name: try string(), specialUse: try specialUse())
        case 6: return .deleteMailbox(try id())
        case 7: return .renameMailbox(try id(), to: try string())
        case 8: return .subscribe(name: try string(), try bool())
        case 9: return .setCredential(verifier: try blob())
        case 10: return .setAddresses(try strings())
        case 11: return .setQuota(octets: try optionalVarint())
        case 12: return .renameLevel(try string(), to: try string())
        default: throw DecodingFailure("no such change", offset: offset)
        }
    }

    private mutating func newMessages() throws(DecodingFailure) -> [NewMessage] {
        try array(elementOctets: 46) { r throws(DecodingFailure) -> NewMessage in
            NewMessage(
                digest: try r.digest(), body: BodyNumber(rawValue: 0), sizeOctets: try r.fixed(),
                internalDate: try r.instant(), flags: try r.flags())
        }
    }

    package mutating func result() throws(DecodingFailure) -> ChangeResult {
        let kind: UInt8 = try fixed()
        switch kind {
        case 1: return .done
        case 2: return .accepted(try id())
        case 3: return .appended(UIDValidity(rawValue: try fixed()), uids: try numbers())
        case 4: return .flagsSet(modified: try uids(), modSeq: try optionalModSeq())
        case 5: return .expunged(try uids(), modSeq: try modSeq())
        case 6:
            return .copied(
                UIDValidity(rawValue: try fixed()), sources: try numbers(),
                destinations: try numbers())
        case 7: return .created(try id())
        case 8: return .refused(try refusal())
        default: throw DecodingFailure("no such result", offset: offset)
        }
    }

    private mutating func refusal() throws(DecodingFailure) -> Refusal {
        let kind: UInt8 = try fixed()
        switch kind {
        case 1: return .noSuchAccount
        case 2: return .noSuchMailbox
        case 3: return .mailboxExists
        case 4: return .inboxStays
        case 5: return .invalidName(try string())
        case 6: return .tooManyKeywords
        case 7: return .tooManyMailboxes
        case 8: return .overQuota
        case 9: return .uidsExhausted
        case 10: return .addressTaken(try string())
        case 11: return .diskFull
        case 12: return .unavailable
        default: throw DecodingFailure("no such refusal", offset: offset)
        }
    }

    private mutating func optionalModSeq() throws(DecodingFailure) -> ModSeq? {
        try optional { r throws(DecodingFailure) -> ModSeq in try r.modSeq() }
    }

    private mutating func numbers() throws(DecodingFailure) -> [UInt32] {
        try array(elementOctets: 4) { r throws(DecodingFailure) -> UInt32 in try r.fixed() }
    }
}
