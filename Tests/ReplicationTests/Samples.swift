import MailStore
import Platform
import Replication

/// One entry of each kind, with every part of it in use.
enum Samples {
    static let noon = Instant(secondsSinceEpoch: 1_000_000)
    static let account = AccountID(rawValue: 7)
    static let instance = InstanceID(rawValue: 1 << 100 | 5)
    static let mailbox = MailboxID(rawValue: 3)
    static let digest = SHA256Digest(words: (1, 2, 3, 4))

    static var state: AccountState {
        var randomness = SeededRandomness(seed: 5)
        var state = AccountState.created(
            by: Accounts.creating(
                account, home: .a, addresses: ["a@example.test", "ä@example.test"],
                quotaOctets: 1 << 40, at: noon))
        for i in 0..<6 {
            let id = InstanceID(rawValue: randomness.next128())
            let delivery = Op.Delivery(
                instance: id, emailID: EmailID(rawValue: id.rawValue), account: account,
                mailbox: state.inboxID,
                flags: NamedFlags(system: .seen, keywords: [Keyword("$Work")]), forwardPath: [1])
            state.apply(
                .accept(
                    .init(
                        digest: digest, sizeOctets: 1, internalDate: noon, reversePath: [2],
                        receivedDigest: .zero, deliveries: [delivery])),
                body: BodyNumber(rawValue: UInt64(i + 1)))
            guard i < 4, let assign = try? Orderer(slot: .a).assign([id], in: state, at: noon)
            else { continue }
            state.apply(.assign(assign))
        }
        for change in [
            Change.setFlags(
                mailbox: state.inboxID, uids: UIDSet([2, 3]), change: .add,
                flags: NamedFlags(system: .deleted), unchangedSince: nil),
            .expunge(mailbox: state.inboxID, uids: UIDSet([2])),
            .createMailbox(name: "Work", specialUse: .archive),
        ] {
            _ = Orderer(slot: .a).order(change, on: &state, at: noon, randomness: &randomness)
        }
        return state
    }

    static var accept: Op.Accept {
        Op.Accept(
            digest: digest, sizeOctets: 70_000, internalDate: noon, reversePath: [97, 64, 98],
            receivedDigest: digest,
            deliveries: [
                Op.Delivery(
                    instance: instance, emailID: EmailID(rawValue: 9), account: account,
                    mailbox: mailbox, flags: NamedFlags(keywords: [Keyword("x")]),
                    forwardPath: [1, 2])
            ])
    }

    static var merge: Op.Merge {
        let home = state
        var guest = home
        var randomness = SeededRandomness(seed: 6)
        for change in [
            Change.setFlags(
                mailbox: home.inboxID, uids: UIDSet([1]), change: .add,
                flags: NamedFlags(system: .flagged), unchangedSince: nil),
            .copy(
                source: home.inboxID, uids: UIDSet([1, 4]),
                destination: home.mailbox(named: "Work")!.id, isMove: true),
        ] {
            _ = Orderer(slot: .b).order(change, on: &guest, at: noon, randomness: &randomness)
        }
        var merge = Merge(
            home: home, guest: guest, fork: home, covered: home, retries: [], slot: .a)
        return merge.result()
    }

    static let changes: [Change] = [
        .append(
            mailbox: mailbox,
            [
                NewMessage(
                    digest: digest, body: BodyNumber(rawValue: 0), sizeOctets: 3,
                    internalDate: noon, flags: NamedFlags(system: .draft))
            ]),
        .setFlags(
            mailbox: mailbox, uids: UIDSet([1, 2, 9]), change: .replace, flags: .none,
            unchangedSince: ModSeq(epoch: 2, counter: 5)),
        .expunge(mailbox: mailbox, uids: nil), .expunge(mailbox: mailbox, uids: UIDSet([4])),
        .copy(
            source: mailbox, uids: UIDSet([4]), destination: MailboxID(rawValue: 1), isMove: true),
        .createMailbox(name: "Archiv/Ä", specialUse: .archive),
        .createMailbox(name: "x", specialUse: nil), .deleteMailbox(mailbox),
        .renameMailbox(mailbox, to: "y"), .subscribe(name: "z", true),
        .renameLevel("Lists", to: "Old"),
        .setCredential(verifier: [1, 2]), .setAddresses(["a", "b"]), .setQuota(octets: nil),
        .setQuota(octets: 5),
    ]

    static let results: [ChangeResult] = [
        .done, .accepted(instance), .appended(UIDValidity(rawValue: 4), uids: [1, 2]),
        .flagsSet(modified: UIDSet([3]), modSeq: nil),
        .flagsSet(modified: UIDSet(), modSeq: ModSeq(epoch: 1, counter: 1)),
        .expunged(UIDSet([1, 2]), modSeq: ModSeq(epoch: 1, counter: 2)),
        .copied(UIDValidity(rawValue: 4), sources: [1], destinations: [7]), .created(mailbox),
        .refused(.noSuchAccount), .refused(.noSuchMailbox), .refused(.mailboxExists),
        .refused(.inboxStays), .refused(.invalidName("a//b")), .refused(.tooManyKeywords),
        .refused(.tooManyMailboxes), .refused(.overQuota), .refused(.uidsExhausted),
        .refused(.addressTaken("a@b")), .refused(.diskFull), .refused(.unavailable),
    ]

    /// Those of a stream.
    static var entries: [Entry] {
        let ops: [Op] = [
            .assign(
                Op.Assign(
                    account: account, saveDate: noon,
                    items: [
                        .init(
                            instance: instance, mailbox: mailbox, uid: 4096,
                            modSeq: ModSeq(epoch: 2, counter: 1))
                    ])),
            .setFlags(
                Op.SetFlags(
                    account: account, mailbox: mailbox, uids: UIDSet([1, 5]), change: .add,
                    flags: NamedFlags(system: .seen), modSeq: ModSeq(epoch: 2, counter: 2))),
        ]
        var entries: [Entry] = [
            .accept(accept, kept: true, besides: [instance]),
            .accept(accept, kept: false, besides: []),
            .branch(account, base: 300, state: nil), .branch(account, base: 0, state: state),
            .merge(merge, covers: 12), .line(state), .acknowledged([instance]),
            .home(account, to: .b, takes: 0), .home(account, to: .a, takes: 1 << 40),
            .check(account, hash: .max - 1), .differs(account, state),
        ]
        for result in results {
            entries.append(.orders(account, ops, answers: 3, result: result))
        }
        entries.append(.orders(account, ops, answers: 0, result: nil))
        for change in changes {
            entries.append(
                .request(
                    Request(
                        account: account, change: change, named: UIDSet([1, 2, 4097]),
                        seed: 1 << 127 | 3, wall: noon)))
        }
        return entries
    }

    static let notes: [Entry] = [.mark(1 << 40), .apart, .connected, .diverged(common: 7)]

    /// A stream of all of them.
    static var records: [LogRecord] {
        var records: [LogRecord] = []
        for (i, entry) in entries.enumerated() {
            records.append(
                LogRecord(
                    entry, origin: .b, incarnation: 0xABCD, sequence: UInt64(i + 1),
                    after: records.last?.chain ?? .zero, clock: HybridTime(rawValue: UInt64(i))))
        }
        return records
    }
}
