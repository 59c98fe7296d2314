/// How often what was met. Names are literals, told apart by their address, so that counting costs next
/// to nothing.
struct Counters {
    private static let capacity = 512

    private var keys = [UInt](repeating: 0, count: capacity)
    private var names: [StaticString?] = Array(repeating: nil, count: capacity)
    private var counts = [Int](repeating: 0, count: capacity)

    mutating func add(_ name: StaticString) {
        let key = UInt(bitPattern: name.utf8Start)
        var i = Int(truncatingIfNeeded: key >> 2) & (Self.capacity - 1)
        while keys[i] != key {
            if keys[i] == 0 {
                keys[i] = key
                names[i] = name
                break
            }
            i = (i + 1) & (Self.capacity - 1)
        }
        counts[i] += 1
    }

    var all: [String: Int] {
        var all: [String: Int] = [:]
        for (name, count) in zip(names, counts) {
            if let name { all["\(name)", default: 0] += count }
        }
        return all
    }
}
