/// One part of a key, and where it stands.
struct TOMLKey {
    var bytes: [UInt8]
    var position: TOMLPosition

    /// For messages: short, and without what a terminal would act on.
    var description: String {
        let text = String(decoding: bytes.prefix(80), as: UTF8.self)
        let shown = text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? "?" : "\($0)" }
        return shown.joined() + (bytes.count > 80 ? "…" : "")
    }
}

/// Tables under construction: who may define or extend what (TOML 1.0.0, "Table", "Inline Table" and
/// "Array of Tables").
///
/// | a table is | by | `[it]` | `[[it]]` | `[it.more]` | a dotted key from outside |
/// |---|---|---|---|---|---|
/// | implicit | the header of a table in it | once | no | yes | yes |
/// | explicit | its header | no | no | yes | no |
/// | dotted | dotted keys of a section | no | no | yes | yes |
/// | an element | `[[it]]` | no | the next | yes, the last | no |
/// | a value | `{ }` | no | no | no | no |
///
/// Only the section that made a dotted table can reach it by dotted keys: the way from any other leads
/// through a table that has a header. So nothing has to remember which section that was.
struct TOMLTreeBuilder {
    private enum Definition {
        case implicit, explicit, dotted
    }

    private enum Content {
        case value(TOMLValue)
        /// Of `tables`.
        case table(Int)
        /// Of `lists`.
        case list(Int)
    }

    private struct Entry {
        var key: TOMLKey
        var position: TOMLPosition
        var content: Content
    }

    private struct Table {
        var definition: Definition
        var depth: Int
        var entries: [Entry] = []
        var indices: [[UInt8]: Int] = [:]
    }

    private let depthMax: Int
    private var tables: [Table]
    /// Arrays of tables: the number of each table, and where its header is.
    private var lists: [[(table: Int, position: TOMLPosition)]] = []
    private var current = 0

    init(depthMax: Int, depth: Int = 0) {
        self.depthMax = depthMax
        tables = [Table(definition: .explicit, depth: depth)]
    }

    // MARK: Headers

    /// `[path]`, or `[[path]]`: the keys that follow belong to it.
    mutating func open(_ path: [TOMLKey], isElement: Bool) throws(TOMLError) {
        var table = 0
        for key in path.dropLast() { table = try superTable(key, in: table) }
        guard let key = path.last else { return }
        current =
            isElement
            ? try addElement(key, to: table) : try define(key, in: table)
    }

    private mutating func superTable(_ key: TOMLKey, in table: Int) throws(TOMLError) -> Int {
        guard let entry = entry(key, in: table) else {
            return try addTable(key, to: table, .implicit)
        }
        switch entry.content {
        case .table(let found): return found
        case .list(let list): return lists[list][lists[list].count - 1].table
        case .value(let value): throw closed(key, entry, value)
        }
    }

    private mutating func define(_ key: TOMLKey, in table: Int) throws(TOMLError) -> Int {
        guard let entry = entry(key, in: table) else {
            return try addTable(key, to: table, .explicit)
        }
        switch entry.content {
        case .table(let found):
            guard case .implicit = tables[found].definition else { throw twice(key, entry) }
            tables[found].definition = .explicit
            if let index = tables[table].indices[key.bytes] {
                tables[table].entries[index].position = key.position
            }
            return found
        case .list:
            throw TOMLError(
                position: key.position,
                message: "\"\(key.description)\" is a section that repeats (line "
                    + "\(entry.position.line)): write [[\(key.description)]].")
        case .value(let value): throw closed(key, entry, value)
        }
    }

    private mutating func addElement(_ key: TOMLKey, to table: Int) throws(TOMLError) -> Int {
        guard let entry = entry(key, in: table) else {
            lists.append([])
            let element = try makeTable(key, below: table, .explicit)
            lists[lists.count - 1].append((element, key.position))
            insert(key, .list(lists.count - 1), to: table)
            return element
        }
        switch entry.content {
        case .list(let list):
            let element = try makeTable(key, below: table, .explicit)
            lists[list].append((element, key.position))
            return element
        case .table:
            throw TOMLError(
                position: key.position,
                message: "\"\(key.description)\" is a section that is there once (line "
                    + "\(entry.position.line)): it cannot repeat.")
        case .value(let value): throw closed(key, entry, value)
        }
    }

    // MARK: Keys

    /// `path = value` in the section at hand.
    mutating func set(_ path: [TOMLKey], to node: TOMLNode) throws(TOMLError) {
        var table = current
        for key in path.dropLast() { table = try dottedTable(key, in: table) }
        guard let key = path.last else { return }
        if let entry = entry(key, in: table) { throw twice(key, entry) }
        insert(key, .value(node.value), at: node.position, to: table)
    }

    private mutating func dottedTable(_ key: TOMLKey, in table: Int) throws(TOMLError) -> Int {
        guard let entry = entry(key, in: table) else {
            return try addTable(key, to: table, .dotted)
        }
        switch entry.content {
        case .table(let found):
            switch tables[found].definition {
            case .dotted: return found
            case .implicit:
                tables[found].definition = .dotted
                return found
            case .explicit: throw twice(key, entry)
            }
        case .list: throw twice(key, entry)
        case .value(let value): throw closed(key, entry, value)
        }
    }

    // MARK: Parts

    private func entry(_ key: TOMLKey, in table: Int) -> Entry? {
        tables[table].indices[key.bytes].map { tables[table].entries[$0] }
    }

    private mutating func insert(
        _ key: TOMLKey, _ content: Content, at position: TOMLPosition? = nil, to table: Int
    ) {
        tables[table].indices[key.bytes] = tables[table].entries.count
        tables[table].entries.append(
            Entry(key: key, position: position ?? key.position, content: content))
    }

    private mutating func makeTable(_ key: TOMLKey, below table: Int, _ definition: Definition)
        throws(TOMLError) -> Int
    {
        let depth = tables[table].depth + 1
        guard depth <= depthMax else {
            throw TOMLError(
                position: key.position,
                message: "Sections lie in one another deeper than \(depthMax) levels.")
        }
        tables.append(Table(definition: definition, depth: depth))
        return tables.count - 1
    }

    private mutating func addTable(_ key: TOMLKey, to table: Int, _ definition: Definition)
        throws(TOMLError) -> Int
    {
        let new = try makeTable(key, below: table, definition)
        insert(key, .table(new), to: table)
        return new
    }

    private func twice(_ key: TOMLKey, _ entry: Entry) -> TOMLError {
        TOMLError(
            position: key.position,
            message: "\"\(key.description)\" is there already, in line \(entry.position.line): "
                + "remove one of the two.")
    }

    private func closed(_ key: TOMLKey, _ entry: Entry, _ value: TOMLValue) -> TOMLError {
        TOMLError(
            position: key.position,
            message: "\"\(key.description)\" has a value already, in line "
                + "\(entry.position.line) (a \(value.kind)): nothing can be added to it.")
    }

    // MARK: Result

    func finish() -> TOMLTable { table(0) }

    /// Bounded by `depthMax`, for every table has its depth.
    private func table(_ number: Int) -> TOMLTable {
        let entries = tables[number].entries.map { entry in
            let value: TOMLValue =
                switch entry.content {
                case .value(let value): value
                case .table(let table): .table(self.table(table))
                case .list(let list):
                    .array(
                        lists[list].map { TOMLNode(.table(self.table($0.table)), at: $0.position) })
                }
            return TOMLTable.Entry(
                key: String(decoding: entry.key.bytes, as: UTF8.self),
                keyPosition: entry.key.position, node: TOMLNode(value, at: entry.position))
        }
        return TOMLTable(entries, indices: tables[number].indices)
    }
}
