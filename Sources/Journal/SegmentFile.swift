import Platform
import Synchronization

/// A segment that is open for reading, with its verified header.
struct SegmentFile: Sendable {
    var name: String
    var file: any DiskFile
    var header: SegmentHeader
    var seed: UInt32

    static func open(
        _ number: UInt64, on disk: any Disk, configuration: JournalConfiguration
    ) throws(JournalError) -> SegmentFile {
        let name = FileName.segmentName(number)
        let file = try reading { () throws(DiskError) in try disk.open(name, create: false) }
        let bytes = try reading { () throws(DiskError) in try file.read(at: 0, count: 4096) }
        switch bytes.withUnsafeBytes({ SegmentHeader.decode($0) }) {
        case .failure(let problem):
            throw .damage(Damage(file: name, offset: 0, problem: problem.text))
        case .success(let header):
            if header.cluster != configuration.cluster || header.slot != configuration.slot {
                throw .foreign("\(name) belongs to another cluster or slot")
            }
            guard header.number == number, header.segmentOctets % 4096 == 0 else {
                let problem = "the header is segment \(header.number)'s"
                throw .damage(Damage(file: name, offset: 0, problem: problem))
            }
            let size = try reading { () throws(DiskError) in try file.size() }
            guard UInt64(header.segmentOctets) <= size, header.segmentOctets < 1 << 31 else {
                let problem = "the file is shorter than its header says"
                throw .damage(Damage(file: name, offset: size, problem: problem))
            }
            return SegmentFile(
                name: name, file: file, header: header, seed: checksumSeed(salt: header.salt))
        }
    }

    /// What stands at `offset` where a batch may start.
    enum Found {
        case batch(BatchHeader, checksum: UInt32, bytes: [UInt8])
        /// No valid batch; `torn` if the place is not simply unwritten.
        case none(problem: String, torn: Bool)
    }

    /// Reads and checks the batch at `offset`, which must follow batch `number` - 1.
    func batch(at offset: Int, number: UInt64, previous: UInt32?, rules: JournalRuleSwitches)
        throws(JournalError) -> Found
    {
        let limit = Int(header.segmentOctets)
        guard offset + BatchHeader.octets <= limit else {
            return .none(problem: "end of segment", torn: false)
        }
        let head = try reading { () throws(DiskError) in
            try file.read(at: UInt64(offset), count: BatchHeader.octets)
        }
        guard let (batch, checksum) = head.withUnsafeBytes({ BatchHeader.decode($0, seed: seed) })
        else {
            let magic = head.count >= 4 && head.withUnsafeBytes { $0.load(0) } == BatchHeader.magic
            return .none(problem: "no valid batch header", torn: magic)
        }
        let length = Int(batch.length)
        guard batch.number == number, previous == nil || batch.previousChecksum == previous,
            batch.position == LocalPosition(segment: header.number, offset: offset),
            length >= BatchHeader.octets, offset + length <= limit
        else {
            return .none(problem: "a batch that does not belong here", torn: true)
        }
        let bytes = try reading { () throws(DiskError) in
            try file.read(at: UInt64(offset), count: length)
        }
        let problem = bytes.withUnsafeBytes { raw -> HeaderProblem? in
            if raw.count < length { return HeaderProblem("the batch is cut short") }
            if rules.contains(.acceptTornBatch) || rules.contains(.ignoreRecordChecksums) {
                return nil
            }
            return Self.check(raw, batch, seed: seed)
        }
        if let problem { return .none(problem: problem.text, torn: true) }
        return .batch(batch, checksum: checksum, bytes: bytes)
    }

    /// Checks every record of a batch and that they are the ones it was written with.
    static func check(_ raw: UnsafeRawBufferPointer, _ batch: BatchHeader, seed: UInt32)
        -> HeaderProblem?
    {
        var offset = BatchHeader.octets
        var content = seed
        var count: UInt32 = 0
        while offset < raw.count {
            switch Record.decode(raw, at: offset, seed: seed, check: true) {
            case .failure(let problem): return problem
            case .success((let record, let checksum)):
                withUnsafeBytes(of: checksum.littleEndian) {
                    content = CRC32C.checksum($0, continuing: content)
                }
                offset += Record.padded(record.bytes.count)
                count &+= 1
            }
        }
        if count != batch.recordCount || content != batch.contentChecksum {
            return HeaderProblem("the batch is not whole")
        }
        return nil
    }

    /// Hands each record of a checked batch to `body`.
    static func forEachRecord(
        _ bytes: [UInt8], seed: UInt32, rules: JournalRuleSwitches = [],
        _ body: (Record) throws -> Void
    ) throws {
        try bytes.withUnsafeBytes { raw in
            var offset = BatchHeader.octets
            while offset < raw.count {
                let check = rules.contains(.acceptTornBatch)
                guard
                    case .success((let record, _)) = Record.decode(
                        raw, at: offset, seed: seed, check: check)
                else { return }
                try body(record)
                offset += Record.padded(record.bytes.count)
            }
        }
    }

    /// The first offset beyond `offset` where a batch of a later number has a valid header.
    func laterBatch(beyond offset: Int, after number: UInt64, alignment: Int) throws(JournalError)
        -> Int?
    {
        var at = offset + alignment
        let step = 1 << 20
        while at < Int(header.segmentOctets) {
            let start = at
            let bytes = try reading { () throws(DiskError) in
                try file.read(at: UInt64(start), count: step)
            }
            if bytes.isEmpty { return nil }
            let found = bytes.withUnsafeBytes { raw -> Int? in
                var i = 0
                while i + BatchHeader.octets <= raw.count {
                    let window = raw.slice(i, BatchHeader.octets)
                    if let (batch, _) = BatchHeader.decode(window, seed: seed),
                        batch.number > number,
                        batch.position.offset == start + i
                    {
                        return start + i
                    }
                    i += alignment
                }
                return nil
            }
            if let found { return found }
            at += step
        }
        return nil
    }
}

/// Open segments, shared by all readers. At most 128 stay open.
final class SegmentFiles: Sendable {
    let disk: any Disk
    let configuration: JournalConfiguration
    private let open = Mutex<[UInt64: SegmentFile]>([:])

    init(disk: any Disk, configuration: JournalConfiguration) {
        self.disk = disk
        self.configuration = configuration
    }

    func file(_ number: UInt64) throws(JournalError) -> SegmentFile {
        if let file = open.withLock({ $0[number] }) { return file }
        let file = try SegmentFile.open(number, on: disk, configuration: configuration)
        open.withLock {
            if $0.count >= 128 { $0.removeAll() }
            $0[number] = file
        }
        return file
    }

    func forget(_ number: UInt64) {
        open.withLock { $0[number] = nil }
    }
}
