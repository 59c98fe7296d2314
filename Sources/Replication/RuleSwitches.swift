/// Breaks one rule each, so that the simulator can show that it would notice (docs/simulator.md).
/// Empty in every product.
public struct RuleSwitches: OptionSet, Hashable, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    private init(bit: UInt64) { rawValue = 1 << bit }

    /// R1: frames of an ended session are taken.
    public static let oldSessionsAreHeard = RuleSwitches(bit: 0)
    /// R1: a link that only receives counts as a link.
    public static let oneWayIsALink = RuleSwitches(bit: 1)
    /// R2: the other's orders are executed before they are known to be durable there.
    public static let executesBeyondTheMark = RuleSwitches(bit: 2)
    /// R2: what the other's mark covers is shown before the mark is in the journal.
    public static let forgetsTheMark = RuleSwitches(bit: 3)
    /// R2: accepted mail beyond the other's mark is dropped with the orders.
    public static let dropsAccepts = RuleSwitches(bit: 4)
    /// R3: the guest calls itself ready while it serves its own branch.
    public static let readyWithABranch = RuleSwitches(bit: 5)
    /// R3: a joining guest never holds its clients' changes.
    public static let neverHolds = RuleSwitches(bit: 6)
    /// R4: a positive answer waits for the local journal only.
    public static let answersAlone = RuleSwitches(bit: 7)
    /// R4: acknowledges what it has received, durable or not.
    public static let acknowledgesEarly = RuleSwitches(bit: 8)
    /// R7: a sender's retry is another mail.
    public static let keepsRetries = RuleSwitches(bit: 9)
    /// R7: a retry on the other node is not recognised at merge.
    public static let keepsRetriesAtMerge = RuleSwitches(bit: 10)
    /// R7: an equal mail is a retry although the first was acknowledged.
    public static let absorbsEqualMails = RuleSwitches(bit: 11)
    /// R9: identifiers of copies and mailboxes are chosen anew by each execution.
    public static let choosesIdentifiersAnew = RuleSwitches(bit: 12)
    /// R10: the guest orders on its own while connected.
    public static let guestOrdersConnected = RuleSwitches(bit: 13)
    /// R11: an ordered change shows as soon as it is durable here.
    public static let showsEarly = RuleSwitches(bit: 14)
    /// R11: what is not durable shows.
    public static let showsUnsynced = RuleSwitches(bit: 15)
    /// R12: the guest assigns on in home's block.
    public static let sharesBlocks = RuleSwitches(bit: 16)
    /// R12: a crash while apart opens no new block.
    public static let keepsBlockAfterCrash = RuleSwitches(bit: 17)
    /// R13: going apart opens no epoch of its own.
    public static let sharesEpochs = RuleSwitches(bit: 18)
    /// R13: an epoch is used on although a higher one came.
    public static let staysInEpoch = RuleSwitches(bit: 19)
    /// R16: what a node lost is not given back to it.
    public static let givesNothingBack = RuleSwitches(bit: 20)
    /// R16: a line that was written on twice counts as proved.
    public static let trustsDivergedMaps = RuleSwitches(bit: 21)
    /// R17: the fork is what the guest holds, not what it executed.
    public static let forksAtWhatItHolds = RuleSwitches(bit: 22)
    /// R18: what was expunged on one side comes back from the other.
    public static let resurrects = RuleSwitches(bit: 23)
    /// R19: only the guest's additions are renumbered.
    public static let renumbersOneSide = RuleSwitches(bit: 24)
    /// R19: additions that are gone again do not count as assigned.
    public static let countsOnlyLiveAdditions = RuleSwitches(bit: 25)
    /// R19: accepted mail for a mailbox unknown here goes to INBOX at once.
    public static let unknownMailboxIsGone = RuleSwitches(bit: 26)
    /// R19: a message placed in two mailboxes stays in both.
    public static let keepsBothPlaces = RuleSwitches(bit: 27)
    /// R20: a merge numbers on in the current block.
    public static let mergesInOldBlock = RuleSwitches(bit: 28)
    /// R20: the guest adopts a merge that does not cover all its orders.
    public static let adoptsEarly = RuleSwitches(bit: 29)
    /// R20: the numbers of the next merge are compared with the last merge, adopted or not.
    public static let comparesWithUnadopted = RuleSwitches(bit: 30)
    /// R20: the content of the next merge is compared with the fork, not with what was covered.
    public static let contentFromFork = RuleSwitches(bit: 31)
    /// R21: flags that differ are home's.
    public static let homeFlagsWin = RuleSwitches(bit: 32)
    /// R21: what both nodes made of one request counts as each side's own change.
    public static let countsRequestsTwice = RuleSwitches(bit: 46)
    /// R21: a change that came back to where it was gets no new MODSEQ.
    public static let stampsNetChanges = RuleSwitches(bit: 33)
    /// R21: tombstones get no new MODSEQ.
    public static let keepsTombstoneStamps = RuleSwitches(bit: 34)
    /// R22: the tombstones of a MOVE are forgotten.
    public static let moveLeavesSource = RuleSwitches(bit: 35)
    /// R23: DELETE takes what it did not name.
    public static let deletesUnnamed = RuleSwitches(bit: 36)
    /// R23: two mailboxes may get one name.
    public static let allowsEqualNames = RuleSwitches(bit: 37)
    /// R25: UIDVALIDITYs are taken without the slot's parity.
    public static let sharesValidities = RuleSwitches(bit: 39)
    /// R26: subscriptions are home's.
    public static let homeSubscriptionsWin = RuleSwitches(bit: 40)
    /// R28: what is executed again has its side effects again.
    public static let repeatsEffects = RuleSwitches(bit: 41)
    /// R15: a session is opened with whoever answers.
    public static let trustsAnyone = RuleSwitches(bit: 42)
    /// R2: the peer's frames act before the end of the session is in the journal.
    public static let forgetsApart = RuleSwitches(bit: 45)
    /// R5: whose ACCEPT is written but not yet answered is refused when the nodes part.
    public static let refusesWhenApart = RuleSwitches(bit: 43)
    /// R10: the guest answers a request before home has ordered it.
    public static let answersRequestsEarly = RuleSwitches(bit: 44)
    /// R26: where both sides changed the verifier, home's is taken.
    public static let homeCredentialsWin = RuleSwitches(bit: 47)
    /// R26: a later verifier wins over a revocation on the other side.
    public static let revivesCredentials = RuleSwitches(bit: 48)
    /// R29: an account's home is wherever somebody asks for it, connected or not.
    public static let movesHomeApart = RuleSwitches(bit: 50)
    /// R27: states are not compared after the two have met.
    public static let neverCompares = RuleSwitches(bit: 51)
    /// R16: a restored node serves its clients before it has met its peer.
    public static let servesRestored = RuleSwitches(bit: 49)
}
