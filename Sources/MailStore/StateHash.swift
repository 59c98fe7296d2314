/// A hash of what two nodes must agree on (R27), the same on every machine.
struct StateHash {
    private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    mutating func add(_ word: UInt64) {
        var z = value ^ word
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        value = (z ^ (z >> 31)) &+ 0x9E37_79B9_7F4A_7C15
    }

    mutating func add(_ text: String) {
        add(UInt64(text.utf8.count))
        for byte in text.utf8 { add(UInt64(byte)) }
    }
}

extension Mailbox {
    /// Of its name, its UIDVALIDITY and its messages; not of tombstones, which nodes may prune apart.
    package var stateHash: UInt64 {
        var hash = StateHash()
        hash.add(name)
        hash.add(UInt64(uidValidity.rawValue) << 32 | UInt64(uidNext))
        var words: [UInt64] = []
        for keyword in keywords {
            var one = StateHash()
            one.add(keyword.folded)
            words.append(one.value)
        }
        messages.visit { row in
            hash.add(UInt64(row.uid))
            hash.add(UInt64(truncatingIfNeeded: row.facts.instance.rawValue))
            hash.add(row.facts.digest.words.0)
            hash.add(row.modSeq.rawValue)
            // The tables of keywords may be in another order.
            var flags = row.flags.intersection(.system).rawValue
            for (i, word) in words.enumerated()
            where row.flags.rawValue & 1 << UInt64(Flags.firstKeywordBit + i) != 0 {
                flags &+= word
            }
            hash.add(flags)
        }
        return hash.value
    }

    mutating func loseLast() {
        guard let uid = messages.lastUID else { return }
        discard(UIDSet(CollectionOfOne(uid)))
    }
}
