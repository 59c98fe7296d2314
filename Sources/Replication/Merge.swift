import MailStore
import Platform

/// Makes one state of home's line and the guest's branch (R18–R26): pure, the same on every run.
public struct Merge {
    /// Home's: its blocks, epochs and UIDVALIDITYs are used.
    let slot: Slot
    let switches: RuleSwitches
    let home: AccountState
    let guest: AccountState
    /// The last position that the guest adopted; what is numbered later is numbered again if both
    /// sides assigned. nil: the branch does not stem from this line as it is, nothing is proved (R16).
    let fork: AccountState?
    /// The branch as the last merge covered it, or the fork: what flags and names are compared with.
    let covered: AccountState?
    /// When each side's verifier was last set, as far as it is known; the guest's since the last merge (R26).
    let verifierSet: (home: HybridTime, guest: HybridTime)

    /// Where a live message is on one side.
    struct Place {
        var mailbox: MailboxID
        var row: MessageColumns.Row
    }

    /// One line that has become two by a fault: where they differ, none can be trusted (R27).
    let isRepair: Bool

    var homePlaces: [InstanceID: Place]
    var guestPlaces: [InstanceID: Place]
    let forkPlaces: [InstanceID: Place]
    let coveredPlaces: [InstanceID: Place]
    /// The flags with which messages were accepted that both sides placed since then.
    private(set) var acceptedFlags: [InstanceID: NamedFlags] = [:]
    /// Expunged on either side, or the retry of a message that is there (R7, R18).
    var dead: Set<InstanceID> = []
    /// Where a mailbox's messages go; a mailbox that is not in it is no more.
    var targets: [MailboxID: MailboxID] = [:]
    var names: [MailboxID: String] = [:]
    var unified: [MailboxID] = []
    /// Pairs of which it took one for the sender's retry of the other (R7).
    var absorbed: [InstanceID] = []
    /// What has no tombstone after the merge, though it is gone.
    var buried: Set<InstanceID> = []

    /// - Parameters:
    ///   - retries: messages that are a sender's retry of others that both stay (R7).
    ///   - accepted: the flags with which a message was accepted, where that is known.
    public init(
        home: AccountState, guest: AccountState, fork: AccountState?, covered: AccountState?,
        retries: [InstanceID], accepted: (InstanceID) -> NamedFlags? = { _ in nil },
        verifierSet: (home: HybridTime, guest: HybridTime) = (.zero, .zero),
        isRepair: Bool = false, slot: Slot,
        switches: RuleSwitches = []
    ) {
        self.slot = slot
        self.switches = switches
        self.home = home
        self.guest = guest
        self.fork = fork
        self.covered = covered
        self.verifierSet = verifierSet
        self.isRepair = isRepair
        homePlaces = Self.places(home)
        guestPlaces = Self.places(guest)
        forkPlaces = fork.map(Self.places) ?? [:]
        coveredPlaces = covered.map(Self.places) ?? [:]
        for instance in homePlaces.keys
        where guestPlaces[instance] != nil && coveredPlaces[instance] == nil {
            acceptedFlags[instance] = accepted(instance)
        }
        for instance in retries { dead.insert(instance) }
        if !switches.contains(.resurrects) {
            bringOut(home, homePlaces)
            // The guest expunges nothing on the line: what is missing there was lost.
            if !isRepair { bringOut(guest, guestPlaces) }
        }
    }

    /// What home journals. Executed on home's line, it gives the merged state.
    public mutating func result() -> Op.Merge {
        chooseTargets()
        chooseNames()
        var counter = max(home.uidValidityCounter, guest.uidValidityCounter)
        let epoch = nextEpoch()
        let modSeq = ModSeq(epoch: epoch, counter: 1)
        let contents = contents()
        var merged: [Op.MergedMailbox] = []
        for id in Set(targets.values).sorted() {
            let result = number(id, contents[id] ?? [], modSeq: modSeq, counter: &counter)
            if let result { merged.append(result) }
        }
        let gone = goneMailboxes()
        for id in gone { buryAll(of: id) }
        let before = Set(home.buried)
        let buried = buried.union(guest.buried).filter { !before.contains($0) }
        let settled = home.pending.keys.filter {
            homePlaces[$0] != nil || guestPlaces[$0] != nil || dead.contains($0)
        }
        return Op.Merge(
            account: home.id, epoch: epoch, uidValidityCounter: counter, mailboxes: merged,
            deletedMailboxes: gone, buried: buried.sorted(), settled: settled.sorted(),
            absorbed: absorbed,
            subscriptions: subscriptions(),
            addresses: threeWay(\.addresses), verifier: verifier(),
            quotaOctets: threeWay(\.quotaOctets))
    }

    // MARK: Messages

    static func places(_ state: AccountState) -> [InstanceID: Place] {
        var places: [InstanceID: Place] = [:]
        for mailbox in state.mailboxes {
            mailbox.messages.visit {
                places[$0.facts.instance] = Place(mailbox: mailbox.id, row: $0)
            }
        }
        return places
    }

    /// Notes what was expunged on a side. A tombstone of something that lives there under another UID
    /// only says that it was renumbered.
    private mutating func bringOut(_ state: AccountState, _ live: [InstanceID: Place]) {
        for mailbox in state.mailboxes {
            for tombstone in mailbox.tombstones where live[tombstone.instance] == nil {
                dead.insert(tombstone.instance)
            }
        }
        for instance in state.buried where live[instance] == nil { dead.insert(instance) }
    }

    /// The messages of each mailbox after the merge. One that both sides placed in different
    /// mailboxes is one message, where home put it (R19).
    private func contents() -> [MailboxID: [InstanceID]] {
        var contents: [MailboxID: [InstanceID]] = [:]
        for (instance, place) in homePlaces where !dead.contains(instance) {
            if let target = targets[place.mailbox] {
                contents[target, default: []].append(instance)
            }
        }
        for (instance, place) in guestPlaces where !dead.contains(instance) {
            if homePlaces[instance] != nil, !switches.contains(.keepsBothPlaces) { continue }
            guard let target = targets[place.mailbox] else { continue }
            if let other = homePlaces[instance], targets[other.mailbox] == target { continue }
            contents[target, default: []].append(instance)
        }
        return contents
    }

    /// Above every epoch that either side has used, with home's parity (R13, R20).
    private func nextEpoch() -> UInt32 {
        var highest = max(home.epoch, guest.epoch)
        for mailbox in home.mailboxes + guest.mailboxes {
            highest = max(highest, mailbox.highestModSeq.epoch)
        }
        return Epochs.next(after: highest, for: slot)
    }

    // MARK: Mailboxes

    private func goneMailboxes() -> [MailboxID] {
        let kept = Set(targets.values)
        var gone = Set(guest.deletedMailboxes).union(unified)
        for mailbox in home.mailboxes where !kept.contains(mailbox.id) { gone.insert(mailbox.id) }
        return gone.filter { home.mailbox($0) != nil || !home.hasDeleted($0) }.sorted()
    }

    /// The account no longer says of a mailbox that goes what was expunged in it.
    private mutating func buryAll(of id: MailboxID) {
        for mailbox in [home.mailbox(id), guest.mailbox(id)].compactMap({ $0 }) {
            for tombstone in mailbox.tombstones where dead.contains(tombstone.instance) {
                buried.insert(tombstone.instance)
            }
            for instance in mailbox.messages.allInstances where dead.contains(instance) {
                buried.insert(instance)
            }
        }
    }

    // MARK: The account's own values

    /// R26: three-way; a tie means subscribed.
    private func subscriptions() -> [String] {
        if switches.contains(.homeSubscriptionsWin) { return home.subscriptions }
        let base = Set(covered?.subscriptions ?? [])
        let ours = Set(home.subscriptions)
        let theirs = Set(guest.subscriptions)
        return ours.union(theirs).filter { name in
            ours.contains(name) && theirs.contains(name) || !base.contains(name)
        }.sorted()
    }

    private func threeWay<T: Equatable>(_ value: (AccountState) -> T) -> T {
        let ours = value(home)
        guard let covered else { return ours }
        return ours == value(covered) ? value(guest) : ours
    }

    /// R26: the later one, but what either side revoked stays revoked.
    private func verifier() -> [UInt8] {
        if let covered {
            // Touched, not changed: who revokes what was never set revokes all the same.
            if guest.verifier == covered.verifier, verifierSet.guest == .zero {
                return home.verifier
            }
            if home.verifier == covered.verifier { return guest.verifier }
        }
        let isRevoked = home.verifier.isEmpty || guest.verifier.isEmpty
        if isRevoked, !switches.contains(.revivesCredentials) { return [] }
        let isGuestLater =
            verifierSet.guest > verifierSet.home && !switches.contains(.homeCredentialsWin)
        return isGuestLater ? guest.verifier : home.verifier
    }
}

/// Epochs of MODSEQs (R13): even ones are slot A's, odd ones slot B's.
package enum Epochs {
    package static func next(after epoch: UInt32, for slot: Slot) -> UInt32 {
        epoch + 1 + ((epoch + 1) % 2 == UInt32(slot.rawValue) ? 0 : 1)
    }
}
