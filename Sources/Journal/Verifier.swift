import Platform

/// What `Journal.verify` read, and what of it is damaged.
public struct JournalVerification: Hashable, Sendable {
    /// Empty if all is well. Each names the file, the offset and the problem.
    public var damage: [Damage] = []
    /// What is legal, but a person may want to know.
    public var notes: [String] = []
    public var segmentCount = 0
    public var batchCount = 0
    public var opCount = 0
    public var bodyCount = 0
    public var bodyOctets: UInt64 = 0

    public init() {}
}

extension Journal {
    /// Reads everything back that is in the journal's directory: the segments' headers and links,
    /// every batch and record with its CRC, the ops' hash chains, every checkpoint, and every live
    /// body with its SHA-256. Goes on behind damage, to find all of it; changes nothing.
    ///
    /// - Parameter configuration: whose journal it must be; sizes and seeds do not matter.
    public static func verify(disk: any Disk, configuration: JournalConfiguration)
        -> JournalVerification
    {
        var verifier = Verifier(disk: disk, configuration: configuration)
        do throws(JournalError) {
            try verifier.run(Journal(disk: disk, configuration: configuration).survey())
        } catch {
            verifier.add(error, file: "directory")
        }
        return verifier.report
    }
}

/// One pass over all files of a journal, which collects damage instead of stopping at it.
private struct Verifier {
    let disk: any Disk
    let configuration: JournalConfiguration
    var report = JournalVerification()

    private let table = BodyTable()
    private let files: SegmentFiles
    /// Where the newest whole checkpoint begins; zero without one.
    private var start = LocalPosition.zero
    /// The end of each slot's chain; nil behind a gap.
    private var heads: [ChainHead?] = [.empty, .empty]
    /// Bodies that ops behind the checkpoint name.
    private var named: [(body: BodyNumber, file: String, offset: Int)] = []

    /// Where a segment's batches end.
    private struct End {
        var segment: UInt64
        var batch: UInt64
        var checksum: UInt32
        var offset: Int
        var heads: [ChainHead?]
    }

    init(disk: any Disk, configuration: JournalConfiguration) {
        self.disk = disk
        self.configuration = configuration
        files = SegmentFiles(disk: disk, configuration: configuration)
    }

    mutating func add(_ error: JournalError, file: String) {
        if case .damage(let damage) = error { return report.damage.append(damage) }
        report.damage.append(Damage(file: file, offset: 0, problem: "\(error)"))
    }

    private mutating func add(_ file: String, _ offset: Int, _ problem: String) {
        report.damage.append(Damage(file: file, offset: UInt64(offset), problem: problem))
    }

    mutating func run(_ found: Journal.Survey) {
        checkpoints(found)
        var end: End?
        for number in found.segments.sorted() {
            let name = FileName.segmentName(number)
            do throws(JournalError) {
                let segment = try SegmentFile.open(number, on: disk, configuration: configuration)
                if let end, end.segment + 1 == number { link(end, segment.header) }
                end = try walk(segment, isFollowed: found.segments.contains(number + 1))
            } catch {
                add(error, file: name)
                end = nil
            }
            report.segmentCount += 1
        }
        missing(found, end)
        bodies(found)
    }

    // MARK: Checkpoints

    private mutating func checkpoints(_ found: Journal.Survey) {
        for value in found.checkpoints.sorted(by: >) {
            let name = FileName.checkpointName(LocalPosition(value: value))
            do throws(JournalError) {
                let reader = try CheckpointReader(name, disk)
                var locations: [(UInt64, BodyLocation)] = []
                try reader.forEachChunk { (kind, content) throws(JournalError) in
                    if kind == 2 { try reader.bodies(content) { locations.append(($0, $1)) } }
                }
                guard UInt64(locations.count) == reader.header.bodyCount else {
                    throw .damage(
                        Damage(file: name, offset: 0, problem: "bodies are missing in it"))
                }
                guard reader.header.position.value == value else {
                    throw .damage(
                        Damage(file: name, offset: 40, problem: "the position is another's"))
                }
                if reader.header.cluster != configuration.cluster
                    || reader.header.slot != configuration.slot
                {
                    throw .foreign("\(name) belongs to another cluster or slot")
                }
                if start == .zero {
                    start = reader.header.position
                    for (number, location) in locations {
                        table.set(BodyNumber(rawValue: number), location)
                    }
                }
            } catch {
                add(error, file: name)
            }
        }
    }

    // MARK: Segments

    /// What the next segment's header says of the end of the one before.
    private mutating func link(_ end: End, _ next: SegmentHeader) {
        let name = FileName.segmentName(end.segment)
        if next.previousBatch != end.batch || next.previousChecksum != end.checksum
            || next.previousEnd.offset != end.offset
        {
            add(
                name, end.offset,
                "the segment ends here at batch \(end.batch), but the next one follows batch "
                    + "\(next.previousBatch)")
            return
        }
        for slot in 0..<2 {
            if let head = end.heads[slot], head != next.heads[UInt8(slot)] {
                add(name, end.offset, "the next segment continues another chain of slot \(slot)")
            }
        }
    }

    private mutating func walk(_ segment: SegmentFile, isFollowed: Bool) throws(JournalError)
        -> End
    {
        heads = [segment.header.heads.a, segment.header.heads.b]
        var number = segment.header.previousBatch
        var checksum = segment.header.previousChecksum
        var isAfterGap = false
        var offset = SegmentHeader.octets
        while true {
            let found = try segment.batch(
                at: offset, number: number &+ 1, previous: isAfterGap ? nil : checksum, rules: [])
            switch found {
            case .batch(let header, let sum, let bytes):
                take(bytes, segment, offset)
                number = header.number
                checksum = sum
                offset += BatchHeader.aligned(Int(header.length))
                isAfterGap = false
            case .none(let problem, let torn):
                let later = try segment.laterBatch(
                    beyond: offset, after: number, alignment: BatchHeader.alignment)
                if let later {
                    add(segment.name, offset, "\(problem), but a later batch follows it")
                    let head = try reading { () throws(DiskError) in
                        try segment.file.read(at: UInt64(later), count: BatchHeader.octets)
                    }
                    let next = head.withUnsafeBytes {
                        BatchHeader.decode($0, seed: segment.seed)?.header.number
                    }
                    number = (next ?? 1) &- 1
                    offset = later
                    isAfterGap = true
                    heads = [nil, nil]
                    continue
                }
                if offset == SegmentHeader.octets {
                    add(segment.name, offset, problem)
                } else if torn, !isFollowed {
                    report.notes.append(
                        "\(segment.name) ends at offset \(offset) in a batch that was never "
                            + "committed")
                }
                return End(
                    segment: segment.header.number, batch: number, checksum: checksum,
                    offset: offset, heads: heads)
            }
        }
    }

    private mutating func take(_ bytes: [UInt8], _ segment: SegmentFile, _ offset: Int) {
        report.batchCount += 1
        let isReplayed = LocalPosition(segment: segment.header.number, offset: offset) >= start
        // The batch was checked: every record decodes.
        try? SegmentFile.forEachRecord(bytes, seed: segment.seed) { record in
            let position = LocalPosition(
                segment: segment.header.number, offset: offset + record.offset)
            switch record.kind {
            case .op:
                report.opCount += 1
                chain(record, segment.name, position.offset)
                if isReplayed, record.opBody.rawValue != 0 {
                    named.append((record.opBody, segment.name, position.offset))
                }
            case .body where isReplayed:
                table.set(
                    record.bodyNumber,
                    BodyLocation(position: position, length: record.bodyLength))
            case .bodyFile where isReplayed:
                table.set(
                    record.bodyNumber, BodyLocation(position: .zero, length: record.bodyLength))
            case .chainReset: heads[Int(record.slot)] = record.chainHead
            case .body, .bodyFile, .start, .note: break
            }
        }
    }

    private mutating func chain(_ record: Record, _ file: String, _ offset: Int) {
        let name = record.opName
        let slot = Int(name.slot)
        let chain = record.opChain
        if let head = heads[slot] {
            let expected = Record.chain(after: head.hash, op: record.bytes)
            if name.sequence != head.sequence &+ 1 || chain != expected {
                add(file, offset, "op \(name) does not continue its chain")
            }
        }
        heads[slot] = ChainHead(
            incarnation: name.incarnation, sequence: name.sequence, hash: chain)
    }

    /// Segments that recovery needs and that are not there.
    private mutating func missing(_ found: Journal.Survey, _ end: End?) {
        guard let last = found.segments.max() else {
            if start != .zero {
                add(FileName.segmentName(start.segment), 0, "the segment is missing")
            }
            return
        }
        let present = Set(found.segments)
        let first = max(1, start.segment)
        if start == .zero, !present.contains(1) {
            return add("checkpoint", 0, "missing: the journal's start is not here")
        }
        var expected = first
        for number in found.segments.sorted() where number >= first {
            if number > expected {
                let count = number - expected
                add(
                    FileName.segmentName(expected), 0,
                    count == 1 ? "the segment is missing" : "\(count) segments are missing")
            }
            expected = number + 1
        }
        if last < first { add(FileName.segmentName(first), 0, "the segment is missing") }
        if let end, end.segment == start.segment, end.offset < start.offset {
            add(
                FileName.segmentName(end.segment), end.offset,
                "the segment ends before the position of the checkpoint")
        }
    }

    // MARK: Bodies

    private mutating func bodies(_ found: Journal.Survey) {
        let reader = BodyReader(table: table, files: files)
        for (body, file, offset) in named where table.location(body) == nil {
            add(file, offset, "the op names body \(body), which is not in the journal")
        }
        for number in table.with({ $0.locations.keys.sorted() }) {
            do throws(JournalError) {
                let bytes = try reader.read(BodyNumber(rawValue: number), verifyDigest: true)
                report.bodyCount += 1
                report.bodyOctets += UInt64(bytes.count)
            } catch {
                add(error, file: "body \(number)")
            }
        }
    }
}
