import TOML

/// What several readers of one file share: the problems they find and the keys they know.
final class ReaderContext {
    var problems: [ConfigurationProblem] = []
    var keys: Set<String> = []

    func report(_ path: String, at position: TOMLPosition?, _ message: String) {
        problems.append(
            ConfigurationProblem(
                line: position?.line, column: position?.column, path: path, message: message))
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
    /// Where the section begins, for what is missing in it; nil if the file does not have it.
    private let position: TOMLPosition?
    private var known: [String] = []

    init(
        _ table: TOMLTable, context: ReaderContext, at position: TOMLPosition? = nil,
        path: String = "", pattern: String = ""
    ) {
        self.table = table
        self.context = context
        self.position = position
        self.path = path
        self.pattern = pattern
    }

    func place(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    /// Reports at the key's value, or at the section where there is none.
    func report(_ key: String, _ message: String) {
        context.report(place(key), at: table[key]?.node.position ?? position, message)
    }

    /// Whether the file has the key.
    func names(_ key: String) -> Bool { table[key] != nil }

    private mutating func value(_ key: String) -> TOMLNode? {
        context.keys.insert(pattern.isEmpty ? key : "\(pattern).\(key)")
        return node(key)
    }

    /// The same for a section, which is no key that holds a value.
    private mutating func node(_ key: String) -> TOMLNode? {
        known.append(key)
        return table[key]?.node
    }

    private func wrongType(_ key: String, _ wanted: String, _ found: TOMLNode) {
        context.report(
            place(key), at: found.position,
            "This has to be \(wanted), and is a \(found.value.kind).")
    }

    /// Texts go to the system as C strings, which would end at a NUL.
    private func checked(_ text: String, _ key: String, _ position: TOMLPosition) -> String? {
        guard text.utf8.contains(0) else { return text }
        context.report(place(key), at: position, "This holds a NUL character. Remove it.")
        return nil
    }

    mutating func string(_ key: String) -> String? {
        guard let value = value(key) else { return nil }
        guard case .string(let text) = value.value else {
            wrongType(key, "a text in quotes", value)
            return nil
        }
        return checked(text, key, value.position)
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

    private func texts(_ found: TOMLNode, _ key: String) -> [String] {
        switch found.value {
        case .string(let text): return checked(text, key, found.position).map { [$0] } ?? []
        case .array(let elements):
            return elements.compactMap { element in
                if case .string(let text) = element.value {
                    return checked(text, key, element.position)
                }
                wrongType(key, "a list of texts only", element)
                return nil
            }
        default:
            wrongType(key, "a text or a list of texts", found)
            return []
        }
    }

    /// A table whose keys are the operator's own: in the order of their names.
    mutating func lists(_ key: String) -> [(key: String, values: [String])] {
        guard let value = value(key) else { return [] }
        guard case .table(let table) = value.value else {
            wrongType(key, "a table", value)
            return []
        }
        return table.entries.sorted { $0.key < $1.key }.compactMap { entry in
            guard checked(entry.key, key, entry.keyPosition) != nil else { return nil }
            return (entry.key, texts(entry.node, "\(key).\"\(entry.key)\""))
        }
    }

    mutating func integer(_ key: String, default fallback: Int, in range: ClosedRange<Int>) -> Int {
        guard let value = value(key) else { return fallback }
        guard case .integer(let wide) = value.value, let number = Int(exactly: wide) else {
            wrongType(key, "a whole number", value)
            return fallback
        }
        return checked(number, key, range, fallback, describe: { String($0) })
    }

    /// Octets: a number, or a text with a unit.
    mutating func octets(_ key: String, default fallback: Int, in range: ClosedRange<Int>) -> Int {
        guard let value = value(key) else { return fallback }
        let number: Int? =
            switch value.value {
            case .integer(let wide): Int(exactly: wide)
            case .string(let text): Units.octets(text)
            default: nil
            }
        guard let number else {
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
        guard case .string(let text) = value.value, let duration = Units.duration(text) else {
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
        var table = TOMLTable()
        if case .table(let given)? = found?.value {
            table = given
        } else if let found {
            wrongType(key, "a section: write [\(place(key))]", found)
        }
        var inner = SectionReader(
            table, context: context, at: found?.position, path: place(key),
            pattern: pattern.isEmpty ? key : "\(pattern).\(key)")
        body(&inner)
        inner.finish()
    }

    /// A section that may be there several times.
    mutating func sections(_ key: String, _ body: (inout SectionReader) -> Void) {
        guard let found = node(key) else { return }
        guard case .array(let elements) = found.value else {
            wrongType(key, "a section that repeats: write [[\(place(key))]]", found)
            return
        }
        for (index, element) in elements.enumerated() {
            guard case .table(let table) = element.value else {
                wrongType(key, "a section that repeats: write [[\(place(key))]]", element)
                continue
            }
            var inner = SectionReader(
                table, context: context, at: element.position, path: "\(place(key))[\(index)]",
                pattern: pattern.isEmpty ? key : "\(pattern).\(key)")
            body(&inner)
            inner.finish()
        }
    }

    func finish() {
        for entry in table.entries where !known.contains(entry.key) {
            context.report(
                place(entry.key), at: entry.keyPosition,
                "There is no such key." + Spelling.hint(entry.key, among: known)
                    + " Correct it, or remove it.")
        }
    }
}
