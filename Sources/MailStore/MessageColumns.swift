import Platform

/// What never changes of a message in a mailbox.
public struct MessageFacts: Hashable, Sendable {
    public var instance: InstanceID
    public var emailID: EmailID
    /// Names the stored bytes, trace headers included.
    public var digest: SHA256Digest
    public var body: BodyNumber
    public var sizeOctets: UInt32
    public var internalDate: Instant
    public var saveDate: Instant

    public init(
        instance: InstanceID, emailID: EmailID, digest: SHA256Digest, body: BodyNumber,
        sizeOctets: UInt32, internalDate: Instant, saveDate: Instant
    ) {
        self.instance = instance
        self.emailID = emailID
        self.digest = digest
        self.body = body
        self.sizeOctets = sizeOctets
        self.internalDate = internalDate
        self.saveDate = saveDate
    }
}

/// A run of messages, in columns: a change of flags copies two of them, not the facts.
public struct MessageChunk: Sendable {
    public internal(set) var uids: [UInt32] = []
    public internal(set) var flags: [Flags] = []
    public internal(set) var modSeqs: [ModSeq] = []
    public internal(set) var facts: [MessageFacts] = []

    public var count: Int { uids.count }

    /// Whether both hold the very same columns, not just equal ones: a cheap "nothing changed".
    public func isIdentical(to other: MessageChunk) -> Bool {
        count == other.count && Self.same(uids, other.uids) && Self.same(flags, other.flags)
            && Self.same(modSeqs, other.modSeqs)
    }

    /// Whether both hold the same messages, whatever their flags.
    public func hasSameMessages(as other: MessageChunk) -> Bool {
        count == other.count && Self.same(uids, other.uids)
    }

    private static func same<T>(_ a: [T], _ b: [T]) -> Bool {
        a.withUnsafeBufferPointer { p in
            b.withUnsafeBufferPointer { q in p.baseAddress == q.baseAddress }
        }
    }
}

/// The messages of a mailbox in the order of their UIDs, in chunks that snapshots share.
///
/// Copying is O(1); after a copy the first change copies the table of chunks and the columns that
/// it touches. Positions count from 0: a message's sequence number is its position + 1.
public struct MessageColumns: Sendable {
    static let chunkCapacity = 512

    public private(set) var chunks: [MessageChunk] = []
    /// The position of each chunk's first message.
    public private(set) var starts: [Int] = []
    public private(set) var count = 0

    public init() {}

    public var isEmpty: Bool { count == 0 }
    public var lastUID: UInt32? { chunks.last?.uids.last }

    /// One message, all columns.
    public struct Row: Sendable, Hashable {
        public var uid: UInt32
        public var flags: Flags
        public var modSeq: ModSeq
        public var facts: MessageFacts

        public init(uid: UInt32, flags: Flags, modSeq: ModSeq, facts: MessageFacts) {
            self.uid = uid
            self.flags = flags
            self.modSeq = modSeq
            self.facts = facts
        }
    }

    public subscript(position: Int) -> Row {
        let (chunk, index) = locate(position)
        let c = chunks[chunk]
        return Row(
            uid: c.uids[index], flags: c.flags[index], modSeq: c.modSeqs[index],
            facts: c.facts[index])
    }

    public func uid(at position: Int) -> UInt32 {
        let (chunk, index) = locate(position)
        return chunks[chunk].uids[index]
    }

    /// The chunk that holds `position`, and the index in it.
    public func locate(_ position: Int) -> (chunk: Int, index: Int) {
        precondition(position >= 0 && position < count)
        var low = 0
        var high = starts.count
        while low + 1 < high {
            let middle = (low + high) / 2
            if starts[middle] <= position { low = middle } else { high = middle }
        }
        return (low, position - starts[low])
    }

    /// The position of the first message with a UID at or above `uid`; `count` if there is none.
    public func lowerBound(uid: UInt32) -> Int {
        var low = 0
        var high = chunks.count
        while low < high {
            let middle = (low + high) / 2
            if chunks[middle].uids.last! < uid { low = middle + 1 } else { high = middle }
        }
        guard low < chunks.count else { return count }
        return starts[low] + Self.lowerBound(chunks[low].uids, uid)
    }

    public func position(ofUID uid: UInt32) -> Int? {
        let position = lowerBound(uid: uid)
        guard position < count, self.uid(at: position) == uid else { return nil }
        return position
    }

    static func lowerBound(_ uids: [UInt32], _ uid: UInt32) -> Int {
        var low = 0
        var high = uids.count
        while low < high {
            let middle = (low + high) / 2
            if uids[middle] < uid { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Calls `body` with each message in order.
    public func visit(_ body: (Row) throws -> Void) rethrows {
        for chunk in chunks {
            for i in 0..<chunk.count {
                try body(
                    Row(
                        uid: chunk.uids[i], flags: chunk.flags[i], modSeq: chunk.modSeqs[i],
                        facts: chunk.facts[i]))
            }
        }
    }

    // MARK: Changes

    /// - Precondition: `row.uid` is above every UID here.
    public mutating func append(_ row: Row) {
        precondition(lastUID.map { $0 < row.uid } ?? true, "UIDs must ascend")
        if chunks.isEmpty || chunks[chunks.count - 1].count >= Self.chunkCapacity {
            starts.append(count)
            chunks.append(MessageChunk())
        }
        let last = chunks.count - 1
        chunks[last].uids.append(row.uid)
        chunks[last].flags.append(row.flags)
        chunks[last].modSeqs.append(row.modSeq)
        chunks[last].facts.append(row.facts)
        count += 1
    }

    /// Calls `change` for each message in `uids` that exists, with its flags and MODSEQ to change in
    /// place; returns how many there were.
    @discardableResult
    public mutating func update(
        _ uids: UIDSet, _ change: (UInt32, inout Flags, inout ModSeq) -> Void
    ) -> Int {
        var touched = 0
        for (chunk, range) in runs(of: uids) {
            for i in range {
                var flags = chunks[chunk].flags[i]
                var modSeq = chunks[chunk].modSeqs[i]
                change(chunks[chunk].uids[i], &flags, &modSeq)
                chunks[chunk].flags[i] = flags
                chunks[chunk].modSeqs[i] = modSeq
            }
            touched += range.count
        }
        return touched
    }

    /// Enters the number of each message's body, where it differs.
    mutating func setBodies(_ number: (MessageFacts) -> BodyNumber) {
        for i in chunks.indices {
            for j in chunks[i].facts.indices {
                let body = number(chunks[i].facts[j])
                if chunks[i].facts[j].body != body { chunks[i].facts[j].body = body }
            }
        }
    }

    /// Removes the messages in `uids` that exist and returns them in order.
    public mutating func remove(_ uids: UIDSet) -> [Row] {
        let runs = runs(of: uids)
        var removed: [Row] = []
        for (chunk, range) in runs {
            let c = chunks[chunk]
            for i in range {
                removed.append(
                    Row(
                        uid: c.uids[i], flags: c.flags[i], modSeq: c.modSeqs[i], facts: c.facts[i]))
            }
        }
        // From the back, so that the indices of runs further in front stay valid.
        for (chunk, range) in runs.reversed() {
            chunks[chunk].uids.removeSubrange(range)
            chunks[chunk].flags.removeSubrange(range)
            chunks[chunk].modSeqs.removeSubrange(range)
            chunks[chunk].facts.removeSubrange(range)
        }
        if !removed.isEmpty {
            chunks.removeAll { $0.count == 0 }
            renumber()
        }
        return removed
    }

    private mutating func renumber() {
        starts.removeAll(keepingCapacity: true)
        count = 0
        for chunk in chunks {
            starts.append(count)
            count += chunk.count
        }
    }

    /// The runs of existing messages whose UIDs lie in one range of `uids` and in one chunk, in
    /// ascending order: the chunk's number and the indices in it.
    public func runs(of uids: UIDSet) -> [(chunk: Int, range: Range<Int>)] {
        var runs: [(chunk: Int, range: Range<Int>)] = []
        var chunk = 0
        for range in uids.ranges {
            // Ranges ascend, so the search never goes back.
            chunk = firstChunk(from: chunk, reaching: range.lowerBound)
            while chunk < chunks.count, chunks[chunk].uids[0] <= range.upperBound {
                let column = chunks[chunk].uids
                let from = Self.lowerBound(column, range.lowerBound)
                let to =
                    range.upperBound == .max
                    ? column.count : Self.lowerBound(column, range.upperBound + 1)
                if from < to { runs.append((chunk, from..<to)) }
                if column[column.count - 1] <= range.upperBound { chunk += 1 } else { break }
            }
            if chunk == chunks.count { break }
        }
        return runs
    }

    private func firstChunk(from start: Int, reaching uid: UInt32) -> Int {
        var low = start
        var high = chunks.count
        while low < high {
            let middle = (low + high) / 2
            if chunks[middle].uids.last! < uid { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
