import Platform

/// Memory for one batch, aligned for direct writes, reused from batch to batch.
final class BatchBuffer {
    private(set) var base: UnsafeMutableRawPointer
    private(set) var capacity: Int
    var count = 0

    init(capacity: Int) {
        self.capacity = capacity
        base = .allocate(byteCount: capacity, alignment: 4096)
    }

    deinit { base.deallocate() }

    /// Makes room for `octets` more behind `count`.
    @inline(__always)
    func reserve(_ octets: Int) {
        if count + octets > capacity { grow(octets) }
    }

    private func grow(_ octets: Int) {
        var size = capacity
        while size < count + octets { size *= 2 }
        let larger = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 4096)
        larger.copyMemory(from: base, byteCount: count)
        base.deallocate()
        base = larger
        capacity = size
    }

    @inline(__always)
    func append(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress else { return }
        reserve(bytes.count)
        (base + count).copyMemory(from: source, byteCount: bytes.count)
        count += bytes.count
    }

    @inline(__always)
    func appendZeros(_ octets: Int) {
        reserve(octets)
        (base + count).initializeMemory(as: UInt8.self, repeating: 0, count: octets)
        count += octets
    }

    func bytes(_ range: Range<Int>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: base + range.lowerBound, count: range.count)
    }

    /// The memory from `offset` on, for a header to be written into.
    func mutable(at offset: Int, count: Int) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: base + offset, count: count)
    }
}

extension UnsafeMutableRawBufferPointer {
    @inline(__always)
    func store<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, at offset: Int) {
        storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
    }

    func store(_ digest: SHA256Digest, at offset: Int) {
        storeBytes(of: digest.words.0.bigEndian, toByteOffset: offset, as: UInt64.self)
        storeBytes(of: digest.words.1.bigEndian, toByteOffset: offset + 8, as: UInt64.self)
        storeBytes(of: digest.words.2.bigEndian, toByteOffset: offset + 16, as: UInt64.self)
        storeBytes(of: digest.words.3.bigEndian, toByteOffset: offset + 24, as: UInt64.self)
    }
}

extension UnsafeRawBufferPointer {
    /// The caller has checked that the value lies inside.
    @inline(__always)
    func load<T: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, _: T.Type = T.self) -> T {
        T(littleEndian: loadUnaligned(fromByteOffset: offset, as: T.self))
    }

    func digest(_ offset: Int) -> SHA256Digest {
        SHA256Digest(bytes: slice(offset, 32))
    }

    @inline(__always)
    func slice(_ offset: Int, _ count: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: self[offset..<offset + count])
    }
}

/// The CRC's start value for a segment: records of its former life never validate.
@inline(__always)
func checksumSeed(salt: UInt64) -> UInt32 {
    withUnsafeBytes(of: salt.littleEndian) { CRC32C.checksum($0) }
}
