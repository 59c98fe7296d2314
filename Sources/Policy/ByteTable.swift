/// A table from byte strings to indices, for look-ups from raw bytes without an allocation.
///
/// It is filled from the configuration and never by strangers, so its hash needs no secret.
struct ByteTable: Sendable {
    private struct Entry: Sendable {
        var offset: Int
        var count: Int
        var value: Int
    }

    private var keys: [UInt8] = []
    private var entries: [Entry] = []
    /// Indices into `entries` plus one; 0 is a free slot. The count is a power of two.
    private var slots: [Int32] = Array(repeating: 0, count: 16)

    /// Adds the key unless it is there; the value that stands under it afterwards.
    mutating func insert(_ key: [UInt8], value: Int) -> Int {
        key.withUnsafeBytes { bytes in
            let slot = find(bytes)
            if slots[slot] != 0 { return entries[Int(slots[slot]) - 1].value }
            entries.append(Entry(offset: keys.count, count: bytes.count, value: value))
            keys.append(contentsOf: bytes)
            slots[slot] = Int32(entries.count)
            if entries.count * 2 > slots.count { grow() }
            return value
        }
    }

    func value(of key: UnsafeRawBufferPointer) -> Int? {
        let index = slots[find(key)]
        return index == 0 ? nil : entries[Int(index) - 1].value
    }

    private func find(_ key: UnsafeRawBufferPointer) -> Int {
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: Self.hash(key)) & mask
        while slots[slot] != 0 {
            let entry = entries[Int(slots[slot]) - 1]
            if entry.count == key.count, matches(key, at: entry.offset) { return slot }
            slot = (slot + 1) & mask
        }
        return slot
    }

    private func matches(_ key: UnsafeRawBufferPointer, at offset: Int) -> Bool {
        for i in 0..<key.count where keys[offset + i] != key[i] { return false }
        return true
    }

    private mutating func grow() {
        slots = Array(repeating: 0, count: slots.count * 2)
        let mask = slots.count - 1
        for (index, entry) in entries.enumerated() {
            let hash = keys.withUnsafeBytes { all in
                Self.hash(.init(rebasing: all[entry.offset..<(entry.offset + entry.count)]))
            }
            var slot = Int(truncatingIfNeeded: hash) & mask
            while slots[slot] != 0 { slot = (slot + 1) & mask }
            slots[slot] = Int32(index + 1)
        }
    }

    /// FNV-1a, finished by a multiplication that brings the high bits down.
    private static func hash(_ key: UnsafeRawBufferPointer) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in key { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return hash ^ (hash >> 32)
    }
}
