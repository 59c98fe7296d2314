import Journal
import MailStore
import Platform
import Replication
import TestSupport
import Testing

/// What goes to the journal and to the peer, as octets and back.
@Suite struct CodingTests {
    private func decoded(_ type: UInt16, _ payload: [UInt8]) -> Entry? {
        try? Entry(type: type, mustUnderstand: true, payload: payload)
    }

    @Test func everyEntryIsReadBackAsItWasWritten() throws {
        for entry in Samples.entries + Samples.notes {
            let payload = entry.encoded
            let again = try Entry(type: entry.type, mustUnderstand: true, payload: payload)
            #expect(again.encoded == payload)
            #expect("\(again)".count > 0 && again.type == entry.type)
        }
        for change in Samples.changes {
            var w = ByteWriter()
            w.change(change)
            var r = ByteReader(w.bytes)
            #expect(try r.change() == change)
        }
        for result in Samples.results {
            var w = ByteWriter()
            w.result(result)
            var r = ByteReader(w.bytes)
            #expect(try r.result() == result)
        }
    }

    /// As many of the smallest elements as there may be: what they say of their size is not too much.
    @Test func manySmallElementsAreReadBack() throws {
        var op = Samples.merge
        let mailbox = try #require(op.mailboxes.firstIndex { !$0.additions.isEmpty })
        op.mailboxes[mailbox].additions[0].flags = .none
        let addition = op.mailboxes[mailbox].additions[0]
        op.mailboxes[mailbox].additions = Array(repeating: addition, count: 2000)
        let payload = Entry.merge(op, covers: 0).encoded
        #expect(decoded(36, payload)?.encoded == payload)
        var records: [LogRecord] = []
        for i in 1...500 as ClosedRange<UInt64> {
            records.append(
                LogRecord(
                    .acknowledged([]), origin: .a, incarnation: 1, sequence: i,
                    after: records.last?.chain ?? .zero, clock: .zero, payload: [0]))
        }
        let frame = Frame(
            session: (1, 2), number: 1, beat: MonotonicTime(nanoseconds: 0),
            echo: MonotonicTime(nanoseconds: 0), mark: 0, ack: 0, executed: 0,
            body: .records(records))
        #expect(try Frame(decoding: frame.encoded).encoded == frame.encoded)
    }

    @Test func anEntryThatIsCutShortOrTooLongIsRefused() {
        for entry in Samples.entries + Samples.notes {
            let payload = entry.encoded
            for length in payload.indices {
                #expect(decoded(entry.type, Array(payload[..<length])) == nil)
            }
            #expect(decoded(entry.type, payload + [0]) == nil)
        }
    }

    /// A changed payload is another entry, or none; it never stops the process.
    @Test func aFlippedBitStopsNothing() {
        for entry in Samples.entries + Samples.notes {
            var payload = entry.encoded
            let step = max(1, payload.count / 120)
            for i in stride(from: 0, to: payload.count, by: step) {
                for bit in 0..<8 {
                    payload[i] ^= 1 << UInt8(bit)
                    if let other = decoded(entry.type, payload) {
                        #expect(decoded(entry.type, other.encoded)?.encoded == other.encoded)
                    }
                    payload[i] ^= 1 << UInt8(bit)
                }
            }
        }
    }

    @Test func aTypeOfANewerVersionStopsUnlessItMayBePassedOver() throws {
        #expect(throws: RecordFailure.unknownType(48)) {
            try Entry(type: 48, mustUnderstand: true, payload: [1])
        }
        let name = OpName(slot: 1, incarnation: 4, sequence: 1)
        let header = OpHeader(type: 48, mustUnderstand: false, clock: 6)
        let op = OpRecord(
            name: name, header: header,
            chain: OpRecord.chain(after: .zero, name, header, payload: [1, 2]), payload: [1, 2])
        // It is kept and sent on, octet for octet.
        #expect(try LogRecord(op).opRecord == op)
        for form in 0..<3 {
            var other = op
            if form == 0 { other.header.compression = 1 }
            if form == 1 { other.header.encryption = 1 }
            if form == 2 { other.header.algorithm = 1 }
            #expect(throws: RecordFailure.unknownForm) { try LogRecord(other) }
        }
        #expect(throws: RecordFailure.misplaced(0x8001)) {
            var note = op
            note.header.type = 0x8001
            return try LogRecord(note)
        }
        #expect(throws: RecordFailure.misplaced(33)) {
            try LogRecord(NoteRecord(type: 33, clock: 1, payload: []))
        }
    }

    /// The number of a body is one node's own affair.
    @Test func noBodyNumberGoesToThePeer() throws {
        var bodies = 0
        Samples.state.visitBodies { bodies += $0.rawValue > 0 ? 1 : 0 }
        #expect(bodies > 0)
        for entry in [
            Entry.line(Samples.state), .branch(Samples.account, base: 0, state: Samples.state),
            .differs(Samples.account, Samples.state),
        ] {
            let again = try Entry(
                type: entry.type, mustUnderstand: true, payload: entry.encoded)
            switch again {
            case .line(let state), .branch(_, _, let state?), .differs(_, let state):
                state.visitBodies { #expect($0.rawValue == 0) }
            default: Issue.record("another entry")
            }
        }
        guard
            case .merge(let op, _)? = decoded(36, Entry.merge(Samples.merge, covers: 1).encoded)
        else { return #expect(Bool(false)) }
        #expect(
            Samples.merge.mailboxes.contains {
                $0.additions.contains { $0.facts.body.rawValue > 0 }
            })
        #expect(op.mailboxes.allSatisfy { $0.additions.allSatisfy { $0.facts.body.rawValue == 0 } })
    }

    // MARK: The journal

    @Test func aJournalHandsOutTheRecordsOfBothStreamsAndTheNotesInTheirOrder() throws {
        var configuration = JournalConfiguration(
            cluster: 1, slot: 0, incarnation: 1, saltSeed: 1)
        configuration.segmentOctets = 1 << 17
        configuration.spareSegments = 0
        let disk = FaultyDisk(seed: 1)
        let journal = try Journal.open(disk: disk, configuration: configuration)
        var records: [LogRecord] = []
        for (i, record) in Samples.records.enumerated() {
            records.append(record)
            if i % 3 == 0 {
                records.append(
                    LogRecord(
                        .acknowledged([Samples.instance]), origin: .a,
                        incarnation: UInt64(i / 9), sequence: UInt64(i / 3 + 1),
                        after: records.last { $0.origin == .a }?.chain ?? .zero,
                        clock: HybridTime(rawValue: 9), body: BodyNumber(rawValue: UInt64(i))))
            }
            records.append(
                LogRecord(
                    note: Samples.notes[i % Samples.notes.count],
                    clock: HybridTime(rawValue: 9)))
        }
        for record in records {
            try journal.append(record)
            if record.sequence % 4 == 0 { try journal.commit() }
        }
        try journal.commit()
        var found: [LogRecord] = []
        _ = try Journal.read(disk: disk, configuration: configuration) {
            (item) throws(JournalError) in
            do throws(RecordFailure) {
                switch item {
                case .op(let op, _): found.append(try LogRecord(op))
                case .note(let note, _): found.append(try LogRecord(note))
                default: break
                }
            } catch {
                throw .foreign("\(error)")
            }
        }
        #expect(found.map(\.opRecord) == records.map(\.opRecord))
        #expect(found.map(\.noteRecord) == records.map(\.noteRecord))
        // A record that does not continue its stream is none of it.
        let stray = LogRecord(
            .acknowledged([]), origin: .b, incarnation: 1,
            sequence: UInt64(Samples.records.count + 1), after: .zero, clock: .zero)
        #expect(throws: JournalError.self) { try journal.append(stray) }
    }

    // MARK: Frames

    private var frames: [Frame] {
        let extents = [
            StreamState.Extent(incarnation: 1, last: 300, chain: Samples.digest),
            StreamState.Extent(incarnation: .max, last: 1 << 50, chain: .zero),
        ]
        let hello = Hello(
            cluster: 1, slot: .b, generation: 2, nonce: 3, echo: .max, wantsStates: true,
            own: extents, yours: [])
        let bodies: [Frame.Body] = [
            .hello(hello), .records([]), .records(Array(Samples.records.prefix(3))),
            .records(Samples.records), .status, .ready,
        ]
        return bodies.map {
            Frame(
                session: (7, .max), number: 128, beat: MonotonicTime(nanoseconds: -5),
                echo: MonotonicTime(nanoseconds: .max), mark: 1 << 63, ack: 0, executed: 127,
                body: $0)
        }
    }

    @Test func everyFrameIsReadBackAsItWasWritten() throws {
        for frame in frames {
            let again = try Frame(decoding: frame.encoded)
            #expect(again.encoded == frame.encoded)
            #expect(again.session == frame.session && again.number == frame.number)
            #expect(again.beat == frame.beat && again.echo == frame.echo)
            #expect(again.mark == frame.mark && again.ack == frame.ack)
            #expect(again.executed == frame.executed)
        }
        guard case .records(let records) = try Frame(decoding: frames[3].encoded).body else {
            return #expect(Bool(false))
        }
        #expect(records.map(\.opRecord) == Samples.records.map(\.opRecord))
    }

    @Test func aFrameThatIsCutShortOrTooLongIsRefused() {
        for frame in frames {
            let bytes = frame.encoded
            for length in 0..<min(bytes.count, 3000) {
                #expect(throws: FrameFailure.self) {
                    try Frame(decoding: Array(bytes[..<length]))
                }
            }
            #expect(throws: FrameFailure.self) { try Frame(decoding: bytes + [0]) }
        }
    }

    @Test func aFlippedBitInAFrameStopsNothing() {
        for frame in frames {
            var bytes = frame.encoded
            let step = max(1, bytes.count / 60)
            for i in stride(from: 0, to: bytes.count, by: step) {
                for bit in 0..<8 {
                    bytes[i] ^= 1 << UInt8(bit)
                    bytes.withUnsafeBytes { ReplicationFuzz.run($0) }
                    if let other = try? Frame(decoding: bytes) {
                        #expect((try? Frame(decoding: other.encoded)) != nil)
                    }
                    bytes[i] ^= 1 << UInt8(bit)
                }
            }
        }
    }

    @Test func aFrameBeyondItsLimitsIsRefused() {
        var limits = FrameLimits()
        limits.octetsMax = 60
        limits.recordsMax = 2
        limits.incarnationsMax = 1
        let bytes = frames.map(\.encoded)
        #expect(throws: FrameFailure.tooLong(octets: bytes[2].count)) {
            try Frame(decoding: bytes[2], limits: limits)
        }
        limits.octetsMax = 1 << 20
        #expect(throws: FrameFailure.tooMany) { try Frame(decoding: bytes[0], limits: limits) }
        #expect(throws: FrameFailure.tooMany) { try Frame(decoding: bytes[2], limits: limits) }
        #expect(throws: FrameFailure.unknownVersion(2)) {
            try Frame(decoding: [2] + bytes[4][1...])
        }
        #expect(throws: FrameFailure.self) { try Frame(decoding: [1, 9] + bytes[4][2...]) }
    }

    // MARK: Fuzzing

    @Test func theFuzzersEntryTakesWhatNodesWrite() {
        var random = SeededRandomness(seed: 1)
        for record in Samples.records {
            let payload = record.payload
            let type = record.entry.type
            for kind in 0..<12 {
                var changed = payload
                if kind > 0, !changed.isEmpty {
                    changed[Int(random.below(UInt64(changed.count)))] = UInt8(random.below(256))
                }
                ([1, UInt8(type & 255), UInt8(type >> 8)] + changed).withUnsafeBytes {
                    ReplicationFuzz.run($0)
                }
                let size = UInt16(truncatingIfNeeded: changed.count)
                let head = [3, UInt8(type - 32), UInt8(size & 255), UInt8(size >> 8)]
                (head + changed + head[1...] + payload).withUnsafeBytes {
                    ReplicationFuzz.run($0)
                }
            }
        }
    }
}
