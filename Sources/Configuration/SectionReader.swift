import TOMLKit

/// What several readers of one file share: the problems they find and the keys they know.
final class ReaderContext {
    var problems: [ConfigurationProblem] = []
    var keys: Set<String> = []

    func report(_ path: String, _ message: String) {
        problems.append(ConfigurationProblem(line: nil, column: nil, path: path, message: message))
    }
}

/// Reads one table of the file. Each read names its key; `finish` refuses the keys that nobody named.
struct SectionReader {
    let context: ReaderContext
    private let table: TOMLTable
    /// With indices, for people: `domain[1].name`.
    private let path: String
    /// Without: `domain.name`.
    private let pattern: String
    private var known: [String] = []

    init(_ table: TOMLTable, context: ReaderContext, path: String = "", pattern: String = "") {
        self.table = table
        self.context = context
        self.path = path
        self.pattern = pattern
    }

    func place(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    func report(_ key: String, _ message: String) { context.report(place(key), message) }

    private mutating func value(_ key: String) -> TOMLValue? {
        context.keys.insert(pattern.isEmpty ? key : "\(pattern).\(key)")
        return node(key)
    }

    /// The same for a section, which is no key that holds a value.
    private mutating func node(_ key: String) -> TOMLValue? {
        known.append(key)
        return table.contains(key: key) ? table[key]?.tomlValue : nil
    }

    private func wrongType(_ key: String, _ wanted: String, _ found: TOMLValue) {
        report(key, "This has to be \(wanted), and is of type \(found.type.description).")
    }

    mutating func string(_ key: String) -> String? {
        guard let value = value(key) else { return nil }
        guard let text = value.string else {
            wrongType(key, "a text in quotes", value)
            return nil
        }
        return text
    }

    mutating func string(_ key: String, default fallback: String) -> String {
        string(key) ?? fallback
    }

    /// Reports its absence.
    mutating func required(_ key: String, example: String) -> String {
        if let text = string(key), !text.isEmpty { return text }
        if !context.problems.contains(where: { $0.path == place(key) }) {
            report(key, "This is missing. Write, for example: \(key) = \"\(example)\"")
        }
        return ""
    }

    mutating func choice<T: RawRepresentable & CaseIterable>(_ key: String, default fallback: T)
        -> T where T.RawValue == String
    {
        guard let text = string(key) else { return fallback }
        if let found = T(rawValue: text) { return found }
        let names = T.allCases.map(\.rawValue)
        report(
            key,
            "\"\(text)\" is not known; choose one of \(names.joined(separator: ", "))."
                + Spelling.hint(text, among: names))
        return fallback
    }

    /// One text or a list of them.
    mutating func strings(_ key: String) -> [String] {
        guard let value = value(key) else { return [] }
        return texts(value, key)
    }

    private func texts(_ value: TOMLValue, _ key: String) -> [String] {
        if let text = value.string { return [text] }
        guard let array = value.array else {
            wrongType(key, "a text or a list of texts", value)
            return []
        }
        return array.compactMap { element in
            guard let text = element.string else {
                wrongType(key, "a list of texts only", element.tomlValue)
                return nil
            }
            return text
        }
    }

    /// A table whose keys are the operator's own: in the order of their names.
    mutating func lists(_ key: String) -> [(key: String, values: [String])] {
        guard let value = value(key) else { return [] }
        guard let table = value.table else {
            wrongType(key, "a table", value)
            return []
        }
        return table.keys.sorted().map { name in
            let values = table[name].map { texts($0.tomlValue, "\(key).\"\(name)\"") }
            return (name, values ?? [])
        }
    }

    mutating func integer(_ key: String, default fallback: Int, in range: ClosedRange<Int>) -> Int {
        guard let value = value(key) else { return fallback }
        guard let number = value.int else {
            wrongType(key, "a whole number", value)
            return fallback
        }
        return checked(number, key, range, fallback, describe: { String($0) })
    }

    /// Octets: a number, or a text with a unit.
    mutating func octets(_ key: String, default fallback: Int, in range: ClosedRange<Int>) -> Int {
        guard let value = value(key) else { return fallback }
        guard let number = value.int ?? value.string.flatMap(Units.octets) else {
            report(
                key,
                "This has to be a size: a number of octets, or a text such as \"50 MiB\" "
                    + "(units: B, KiB, MiB, GiB, TiB, kB, MB, GB, TB).")
            return fallback
        }
        return checked(number, key, range, fallback, describe: Units.describe(octets:))
    }

    mutating func duration(
        _ key: String, default fallback: Duration, in range: ClosedRange<Duration>
    ) -> Duration {
        guard let value = value(key) else { return fallback }
        guard let duration = value.string.flatMap(Units.duration) else {
            report(
                key, "This has to be a duration: a text such as \"5m\" (units: ms, s, m, h, d).")
            return fallback
        }
        return checked(duration, key, range, fallback, describe: { "\($0)" })
    }

    private func checked<T: Comparable>(
        _ value: T, _ key: String, _ range: ClosedRange<T>, _ fallback: T,
        describe: (T) -> String
    ) -> T {
        if range.contains(value) { return value }
        report(
            key,
            "This has to lie between \(describe(range.lowerBound)) and "
                + "\(describe(range.upperBound)).")
        return fallback
    }

    /// A section that is there once. An absent one reads as an empty one.
    mutating func section(_ key: String, _ body: (inout SectionReader) -> Void) {
        let found = node(key)
        if let found, found.table == nil {
            wrongType(key, "a section: write [\(place(key))]", found)
        }
        var inner = SectionReader(
            found?.table ?? TOMLTable(), context: context, path: place(key),
            pattern: pattern.isEmpty ? key : "\(pattern).\(key)")
        body(&inner)
        inner.finish()
    }

    /// A section that may be there several times.
    mutating func sections(_ key: String, _ body: (inout SectionReader) -> Void) {
        guard let found = node(key) else { return }
        guard let array = found.array else {
            wrongType(key, "a section that repeats: write [[\(place(key))]]", found)
            return
        }
        for (index, element) in array.enumerated() {
            guard let table = element.table else {
                wrongType(key, "a section that repeats: write [[\(place(key))]]", element.tomlValue)
                continue
            }
            var inner = SectionReader(
                table, context: context, path: "\(place(key))[\(index)]",
                pattern: pattern.isEmpty ? key : "\(pattern).\(key)")
            body(&inner)
            inner.finish()
        }
    }

    func finish() {
        for key in table.keys.sorted() where !known.contains(key) {
            report(
                key,
                "There is no such key." + Spelling.hint(key, among: known)
                    + " Correct it, or remove it.")
        }
    }
}
