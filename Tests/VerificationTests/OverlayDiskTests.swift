import Platform
import TestSupport
import Testing
import Verification

@Suite struct OverlayDiskTests {
    /// The same steps on a disk and on an overlay over an equal one give the same files.
    @Test(arguments: 0..<20) func itBehavesLikeTheDiskItCovers(seed: Int) throws {
        var random = SeededRandomness(seed: UInt64(seed))
        let plain = FaultyDisk(seed: 1)
        let covered = FaultyDisk(seed: 1)
        for disk in [plain, covered] {
            for name in ["a", "b"] {
                let file = try disk.open(name, create: true)
                try file.write(at: 0, [UInt8](repeating: name.utf8.first ?? 0, count: 10_000))
            }
        }
        let overlay = OverlayDisk(over: covered)
        let names = ["a", "b", "c"]
        for _ in 0..<30 {
            let name = names[Int(random.below(3))]
            let offset = random.below(12_000)
            let octets = Int(random.below(9_000))
            let kind = random.below(9)
            for disk in [plain, overlay] as [any Disk] {
                switch kind {
                case 0 where try disk.list().contains(name): try disk.remove(name)
                case 1 where try disk.list().contains(name): try disk.rename(name, to: "c")
                case 2: try disk.open(name, create: true).truncate(to: offset)
                case 3: try disk.open(name, create: true).fill(to: 8_192)
                default:
                    let bytes = [UInt8](repeating: UInt8(kind), count: octets)
                    try disk.open(name, create: true).write(at: offset, bytes)
                }
            }
            #expect(try Self.contents(overlay) == Self.contents(plain), "seed \(seed)")
        }
        #expect(
            try Self.contents(covered)
                == ["a": 10_000, "b": 10_000].reduce(into: [:]) {
                    $0[$1.key] = [UInt8](repeating: $1.key.utf8.first ?? 0, count: $1.value)
                })
    }

    static func contents(_ disk: any Disk) throws -> [String: [UInt8]] {
        var all: [String: [UInt8]] = [:]
        for name in try disk.list() {
            let file = try disk.open(name, create: false)
            all[name] = try file.read(at: 0, count: Int(try file.size()) + 10)
        }
        return all
    }
}
