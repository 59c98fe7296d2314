import ArgumentParser

/// A number of octets, as people write it.
struct Octets: ExpressibleByArgument {
    private static let units: [(name: String, octets: UInt64)] = [
        ("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1),
    ]

    var count: UInt64

    init(_ count: UInt64) { self.count = count }

    init?(argument: String) {
        let text = argument.filter { $0 != " " }
        let unit = Self.units.first { text.lowercased().hasSuffix($0.name.lowercased()) }
        let number = UInt64(unit.map { text.dropLast($0.name.count) } ?? text[...])
        guard let number else { return nil }
        let (count, isTooMuch) = number.multipliedReportingOverflow(by: unit?.octets ?? 1)
        guard !isTooMuch else { return nil }
        self.count = count
    }

    /// In the largest unit of which it is at least one, to a tenth.
    var text: String {
        guard let unit = Self.units.first(where: { count >= $0.octets && $0.octets > 1 }) else {
            return "\(count) B"
        }
        let tenths = count / (unit.octets / 10)
        return "\(tenths / 10).\(tenths % 10) \(unit.name)"
    }
}
