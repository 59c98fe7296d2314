import Platform

/// Who the journal belongs to, and its sizes.
public struct JournalConfiguration: Sendable {
    public var cluster: UInt128
    /// This node's slot: 0 is A, 1 is B.
    public var slot: UInt8
    public var generation: UInt32
    /// 64 random bits, new at each start.
    public var incarnation: UInt64
    /// 64 secret random bits, new at each start: what the segments' salts are made from.
    public var saltSeed: UInt64

    /// The length of a segment file; a multiple of 4,096, less than 4 GiB.
    public var segmentOctets = 64 << 20
    /// The most octets of records in one batch.
    public var batchOctetsMax = 16 << 20
    /// The longest record, header included. Longer bodies go to files of their own.
    public var recordOctetsMax = 8 << 20
    /// Segments that are kept ready, written full of zeros. The last one is for what must work on
    /// a full disk.
    public var spareSegments = 2
    /// Free space under which no body is accepted any more, in octets.
    public var reserveOctets: UInt64 = 128 << 20
    /// The part of a segment that must be dead before its live bodies are moved, in percent.
    public var compactionDeadPercent = 50

    package var rules: JournalRuleSwitches = []

    public init(
        cluster: UInt128, slot: UInt8, generation: UInt32 = 1, incarnation: UInt64, saltSeed: UInt64
    ) {
        self.cluster = cluster
        self.slot = slot
        self.generation = generation
        self.incarnation = incarnation
        self.saltSeed = saltSeed
    }
}

/// Each breaks one rule of `docs/journal.md`, so that a test can show that it is needed.
package struct JournalRuleSwitches: OptionSet, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// J1
    package static let skipSync = Self(rawValue: 1 << 0)
    /// J2
    package static let skipDirectorySync = Self(rawValue: 1 << 1)
    /// J3
    package static let truncateBeyondValidBatch = Self(rawValue: 1 << 2)
    /// J4
    package static let ignoreRecordChecksums = Self(rawValue: 1 << 3)
    /// J5
    package static let noSalt = Self(rawValue: 1 << 4)
    /// J6
    package static let goOnAfterFailedSync = Self(rawValue: 1 << 5)
    /// J7
    package static let reclaimBeforeCheckpoint = Self(rawValue: 1 << 6)
    /// J8
    package static let bodyFileNotSynced = Self(rawValue: 1 << 7)
    /// J9
    package static let checkpointNotSynced = Self(rawValue: 1 << 8)
    /// J10
    package static let unalignedBatches = Self(rawValue: 1 << 9)
    /// J11
    package static let chainNotVerified = Self(rawValue: 1 << 10)
    /// J12
    package static let recoveredTailNotSynced = Self(rawValue: 1 << 11)
    /// J13
    package static let acceptTornBatch = Self(rawValue: 1 << 12)
    /// J14
    package static let segmentLinkNotVerified = Self(rawValue: 1 << 13)
    /// J15
    package static let ignoreRetainedOps = Self(rawValue: 1 << 14)
    /// J16
    package static let bodyNumbersRestart = Self(rawValue: 1 << 15)
    /// J18
    package static let recoveredTailNotRewritten = Self(rawValue: 1 << 17)
    /// J17
    package static let keepUnreferencedBodyFiles = Self(rawValue: 1 << 16)
}
