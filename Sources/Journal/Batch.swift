import Platform

/// The head of a batch, at a multiple of 4,096 octets.
///
///     0   4  magic "TPJB"
///     4   4  CRC-32C of octets 8..<64, seeded with the salt
///     8   8  batch number, counts on over segments
///     16  4  length: header and records, without what fills up to 4,096
///     20  4  record count
///     24  8  durable mark: the local position that was durable when the batch was written
///     32  4  CRC of the batch before (octets 4..<8 of its header)
///     36  4  CRC-32C over the records' CRCs in order, seeded with the salt
///     40  8  the batch's own local position
///     48 16  zeros
struct BatchHeader: Equatable {
    static let octets = 64
    static let alignment = 4096
    static let magic: UInt32 = 0x424A_5054

    var number: UInt64
    var length: UInt32
    var recordCount: UInt32
    var durableMark: LocalPosition
    var previousChecksum: UInt32
    var contentChecksum: UInt32
    var position: LocalPosition

    /// Writes the header and returns its CRC, which the next batch repeats.
    func encode(into out: UnsafeMutableRawBufferPointer, seed: UInt32) -> UInt32 {
        out.store(Self.magic, at: 0)
        out.store(number, at: 8)
        out.store(length, at: 16)
        out.store(recordCount, at: 20)
        out.store(durableMark.value, at: 24)
        out.store(previousChecksum, at: 32)
        out.store(contentChecksum, at: 36)
        out.store(position.value, at: 40)
        out.store(UInt64(0), at: 48)
        out.store(UInt64(0), at: 56)
        let checksum = CRC32C.checksum(UnsafeRawBufferPointer(out).slice(8, 56), continuing: seed)
        out.store(checksum, at: 4)
        return checksum
    }

    /// Nil unless magic and CRC are right.
    static func decode(_ bytes: UnsafeRawBufferPointer, seed: UInt32)
        -> (header: BatchHeader, checksum: UInt32)?
    {
        guard bytes.count >= octets, bytes.load(0, UInt32.self) == magic else { return nil }
        let checksum: UInt32 = bytes.load(4)
        guard CRC32C.checksum(bytes.slice(8, 56), continuing: seed) == checksum else { return nil }
        let header = BatchHeader(
            number: bytes.load(8), length: bytes.load(16), recordCount: bytes.load(20),
            durableMark: LocalPosition(value: bytes.load(24)), previousChecksum: bytes.load(32),
            contentChecksum: bytes.load(36), position: LocalPosition(value: bytes.load(40)))
        return (header, checksum)
    }
}

/// The head of a record; records start at multiples of 8 octets inside their batch.
///
///     0   4  length: header and payload, without what fills up to 8 (zeros)
///     4   4  CRC-32C of octets 0..<4 and 8..<length, seeded with the salt
///     8   1  kind: 1 op, 2 body, 3 chain reset, 4 body file, 5 start, 6 note
///     9   1  flags: 1 must understand, 2 moved by compaction
///     10  2  op type
///     12  1  compression, 13 1 encryption, 14 2 algorithm: 0 is none
///     op (88):          16 1 slot, 24 8 incarnation, 32 8 sequence, 40 8 clock, 48 32 chain,
///                       80 8 number of the body it names here, or 0: not part of the chain
///     body (64):        16 8 number, 24 8 length, 32 32 SHA-256
///     body file (64):   as body, without payload
///     chain reset (72): 16 1 slot, 24 48 chain head
///     start (40):       16 1 slot, 20 4 generation, 24 8 incarnation, 32 8 continued position
///     note (24):        16 8 clock; op type and flags as of an op: this node's own, in no chain
struct Record {
    enum Kind: UInt8 {
        case op = 1
        case body = 2
        case chainReset = 3
        case bodyFile = 4
        case start = 5
        case note = 6

        var headerOctets: Int {
            switch self {
            case .op: 88
            case .body, .bodyFile: 64
            case .chainReset: 72
            case .start: 40
            case .note: 24
            }
        }
    }

    static let mustUnderstand: UInt8 = 1
    static let moved: UInt8 = 2

    var kind: Kind
    /// The whole record without filling.
    var bytes: UnsafeRawBufferPointer
    /// Octets from the start of the batch.
    var offset: Int

    var flags: UInt8 { bytes.load(9) }
    var slot: UInt8 { bytes.load(16) }
    var payload: UnsafeRawBufferPointer {
        bytes.slice(kind.headerOctets, bytes.count - kind.headerOctets)
    }
    var bodyNumber: BodyNumber { BodyNumber(rawValue: bytes.load(16)) }
    var bodyLength: UInt64 { bytes.load(24) }
    var bodyDigest: SHA256Digest { bytes.digest(32) }
    var opName: OpName {
        OpName(slot: slot, incarnation: bytes.load(24), sequence: bytes.load(32))
    }
    var opHeader: OpHeader {
        OpHeader(
            type: bytes.load(10), mustUnderstand: flags & Self.mustUnderstand != 0,
            clock: bytes.load(40), compression: bytes.load(12), encryption: bytes.load(13),
            algorithm: bytes.load(14))
    }
    var opChain: SHA256Digest { bytes.digest(48) }
    var opRecord: OpRecord {
        OpRecord(
            name: opName, header: opHeader, chain: opChain, payload: [UInt8](payload), body: opBody)
    }
    var noteRecord: NoteRecord {
        NoteRecord(
            type: bytes.load(10), mustUnderstand: flags & Self.mustUnderstand != 0,
            clock: bytes.load(16), payload: [UInt8](payload))
    }
    var opBody: BodyNumber { BodyNumber(rawValue: bytes.load(80)) }
    /// Of a chain reset.
    var chainHead: ChainHead {
        ChainHead(incarnation: bytes.load(24), sequence: bytes.load(32), hash: bytes.digest(40))
    }

    /// The CRC a record should have.
    static func checksum(_ bytes: UnsafeRawBufferPointer, seed: UInt32) -> UInt32 {
        let first = CRC32C.checksum(bytes.slice(0, 4), continuing: seed)
        return CRC32C.checksum(bytes.slice(8, bytes.count - 8), continuing: first)
    }

    /// Puts an op's name and header where they stand in its record.
    static func store(
        _ name: OpName, _ header: OpHeader, in out: UnsafeMutableRawBufferPointer
    ) {
        out.store(header.mustUnderstand ? mustUnderstand : 0, at: 9)
        out.store(header.type, at: 10)
        out.store(header.compression, at: 12)
        out.store(header.encryption, at: 13)
        out.store(header.algorithm, at: 14)
        out.store(name.slot, at: 16)
        out.store(name.incarnation, at: 24)
        out.store(name.sequence, at: 32)
        out.store(header.clock, at: 40)
    }

    /// The chain after the op: over the chain before it and the record without CRC, chain and the
    /// body's number, which is this node's own affair.
    static func chain(after previous: SHA256Digest, op bytes: UnsafeRawBufferPointer)
        -> SHA256Digest
    {
        withUnsafeTemporaryAllocation(byteCount: bytes.count, alignment: 8) { scratch in
            scratch.store(previous, at: 0)
            scratch.baseAddress!.advanced(by: 32).copyMemory(from: bytes.baseAddress!, byteCount: 4)
            scratch.baseAddress!.advanced(by: 36).copyMemory(
                from: bytes.baseAddress! + 8, byteCount: 40)
            let payload = bytes.count - Kind.op.headerOctets
            if payload > 0 {
                scratch.baseAddress!.advanced(by: 76).copyMemory(
                    from: bytes.baseAddress! + Kind.op.headerOctets, byteCount: payload)
            }
            return SHA256Digest(
                hashing: UnsafeRawBufferPointer(start: scratch.baseAddress!, count: 76 + payload))
        }
    }

    /// Parses the record at `offset` of a batch's octets, nil with a reason if it is not valid.
    static func decode(_ batch: UnsafeRawBufferPointer, at offset: Int, seed: UInt32, check: Bool)
        -> Result<(Record, UInt32), HeaderProblem>
    {
        guard offset + 16 <= batch.count else { return .failure(HeaderProblem("record cut short")) }
        let length = Int(batch.load(offset, UInt32.self))
        guard length >= 16, offset + length <= batch.count else {
            return .failure(HeaderProblem("record length \(length) does not fit its batch"))
        }
        let bytes = batch.slice(offset, length)
        let stored: UInt32 = bytes.load(4)
        if check, checksum(bytes, seed: seed) != stored {
            return .failure(HeaderProblem("the record's checksum is wrong"))
        }
        guard let kind = Kind(rawValue: bytes.load(8)) else {
            return .failure(HeaderProblem("record kind \(bytes.load(8, UInt8.self)) is not known"))
        }
        guard length >= kind.headerOctets else {
            return .failure(HeaderProblem("the record is shorter than its header"))
        }
        let record = Record(kind: kind, bytes: bytes, offset: offset)
        switch kind {
        case .op, .chainReset, .start:
            if record.slot > 1 { return .failure(HeaderProblem("slot \(record.slot)")) }
        case .body, .bodyFile:
            // A number at the end of its range, which no journal reaches, would leave no next one.
            if record.bodyNumber.rawValue >= BodyTable.numberLimit
                || record.bodyLength >= BodyTable.octetsLimit
            {
                return .failure(HeaderProblem("the body's number or length is out of range"))
            }
        case .note: break
        }
        if kind == .body {
            if record.bodyLength != UInt64(length - kind.headerOctets) {
                return .failure(HeaderProblem("the body's length is not its record's"))
            }
        }
        return .success((record, stored))
    }

    static func padded(_ length: Int) -> Int { (length + 7) & ~7 }
}
