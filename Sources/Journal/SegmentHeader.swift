import Platform

/// The first 4,096 octets of a segment.
///
///     0   8  magic "TPJSEGM1"
///     8   4  format version (1)
///     12  4  CRC-32C of octets 0..<12 and 16..<256
///     16 16  cluster id
///     32  1  slot of the node        36  4  generation of the node
///     40  8  incarnation that began the segment
///     48  8  segment number
///     56  8  local position of the first batch
///     64  8  salt
///     72  8  number of the last batch before the segment
///     80  4  CRC of that batch's header
///     84  4  length of the segment
///     88 48  chain head of slot A    136 48  chain head of slot B
///     184 8  next body number
///     192 8  local position of the end of the batch before
///     200 .. zeros to 4,096
///
/// All numbers are little-endian, digests as SHA-256 gives them.
struct SegmentHeader: Equatable {
    static let octets = 4096
    static let version: UInt32 = 1
    private static let magic: UInt64 = 0x314D_4745_534A_5054
    private static let used = 256

    var cluster: UInt128
    var slot: UInt8
    var generation: UInt32
    var incarnation: UInt64
    var number: UInt64
    var salt: UInt64
    var previousBatch: UInt64
    var previousChecksum: UInt32
    var segmentOctets: UInt32
    var heads: Heads
    var nextBody: UInt64
    var previousEnd: LocalPosition

    func encode(into out: UnsafeMutableRawBufferPointer) {
        out.initializeMemory(as: UInt8.self, repeating: 0)
        out.store(Self.magic, at: 0)
        out.store(Self.version, at: 8)
        out.store(cluster, at: 16)
        out.store(slot, at: 32)
        out.store(generation, at: 36)
        out.store(incarnation, at: 40)
        out.store(number, at: 48)
        out.store(LocalPosition(segment: number, offset: Self.octets).value, at: 56)
        out.store(salt, at: 64)
        out.store(previousBatch, at: 72)
        out.store(previousChecksum, at: 80)
        out.store(segmentOctets, at: 84)
        heads.encode(into: out, at: 88)
        out.store(nextBody, at: 184)
        out.store(previousEnd.value, at: 192)
        out.store(Self.checksum(UnsafeRawBufferPointer(out)), at: 12)
    }

    private static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        let first = CRC32C.checksum(bytes.slice(0, 12))
        return CRC32C.checksum(bytes.slice(16, used - 16), continuing: first)
    }

    /// Nil with the reason if the octets are no valid header.
    static func decode(_ bytes: UnsafeRawBufferPointer) -> Result<SegmentHeader, HeaderProblem> {
        guard bytes.count >= used else { return .failure(HeaderProblem("the header is cut short")) }
        guard bytes.load(0, UInt64.self) == magic else {
            return .failure(HeaderProblem("no segment header"))
        }
        guard bytes.load(12, UInt32.self) == checksum(bytes) else {
            return .failure(HeaderProblem("the segment header's checksum is wrong"))
        }
        let version: UInt32 = bytes.load(8)
        guard version == Self.version else {
            return .failure(HeaderProblem("format version \(version) is not known"))
        }
        return .success(
            SegmentHeader(
                cluster: bytes.load(16), slot: bytes.load(32), generation: bytes.load(36),
                incarnation: bytes.load(40), number: bytes.load(48), salt: bytes.load(64),
                previousBatch: bytes.load(72), previousChecksum: bytes.load(80),
                segmentOctets: bytes.load(84), heads: Heads(bytes, at: 88),
                nextBody: bytes.load(184), previousEnd: LocalPosition(value: bytes.load(192))))
    }
}

/// Why a header was refused, in words.
struct HeaderProblem: Error {
    var text: String
    init(_ text: String) { self.text = text }
}

/// The chain heads of both slots.
struct Heads: Equatable, Sendable {
    var a = ChainHead.empty
    var b = ChainHead.empty

    subscript(slot: UInt8) -> ChainHead {
        get { slot == 0 ? a : b }
        set { if slot == 0 { a = newValue } else { b = newValue } }
    }

    static let octets = 96

    init() {}

    init(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        a = Self.head(bytes, offset)
        b = Self.head(bytes, offset + 48)
    }

    private static func head(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> ChainHead {
        ChainHead(
            incarnation: bytes.load(at), sequence: bytes.load(at + 8), hash: bytes.digest(at + 16))
    }

    func encode(into out: UnsafeMutableRawBufferPointer, at offset: Int) {
        for (head, at) in [(a, offset), (b, offset + 48)] {
            out.store(head.incarnation, at: at)
            out.store(head.sequence, at: at + 8)
            out.store(head.hash, at: at + 16)
        }
    }
}
