import IMAP
import MailStore
import Node
import Platform

/// The one connection that writes. Confined to the index's thread.
final class Writer: @unchecked Sendable {
    // Unchecked: made by the opener, then used by the index's thread alone.
    private let database: Database
    private let insertion: Statement
    private let deletion: Statement

    init(_ database: Database) throws(IndexError) {
        self.database = database
        insertion = try database.prepare("INSERT OR REPLACE INTO summary VALUES (?, ?, ?, ?)")
        deletion = try database.prepare("DELETE FROM summary WHERE id = ?")
    }

    func begin() throws(IndexError) { try database.execute("BEGIN IMMEDIATE") }
    func commit() throws(IndexError) { try database.execute("COMMIT") }

    func rollBack() {
        // Fails only if the transaction is gone already.
        do { try database.execute("ROLLBACK") } catch {}
    }

    func insert(_ number: BodyNumber, _ summary: MessageSummary) throws(IndexError) {
        var failure: IndexError?
        insertion.bind(1, Int64(bitPattern: number.rawValue))
        summary.envelope.withUnsafeBytes { envelope in
            summary.bodyStructure.withUnsafeBytes { structure in
                summary.listedFields.withUnsafeBytes { fields in
                    insertion.bind(2, envelope)
                    insertion.bind(3, structure)
                    if summary.listedFieldsAreComplete {
                        insertion.bind(4, fields)
                    } else {
                        insertion.bindNull(4)
                    }
                    do throws(IndexError) {
                        _ = try insertion.step()
                    } catch {
                        failure = error
                    }
                    insertion.reset()
                }
            }
        }
        if let failure { throw failure }
    }

    func delete(_ numbers: [BodyNumber]) throws(IndexError) {
        for number in numbers {
            deletion.bind(1, Int64(bitPattern: number.rawValue))
            _ = try deletion.step()
            deletion.reset()
        }
    }
}

/// A connection that reads. Used by one thread at a time.
final class Reader: @unchecked Sendable {
    // Unchecked: `SQLiteIndex` lends it to one thread at a time.
    private let database: Database
    private var ranges: [SummaryColumn: Statement] = [:]

    init(_ database: Database) throws(IndexError) {
        self.database = database
        try database.execute("PRAGMA mmap_size = 1073741824; PRAGMA cache_size = -4096")
    }

    func allNumbers() throws(IndexError) -> [BodyNumber] {
        let statement = try database.prepare("SELECT id FROM summary ORDER BY id")
        var numbers: [BodyNumber] = []
        while try statement.step() {
            numbers.append(BodyNumber(rawValue: UInt64(bitPattern: statement.integer(0))))
        }
        return numbers
    }

    private func range(_ column: SummaryColumn) throws(IndexError) -> Statement? {
        if let known = ranges[column] { return known }
        let name: String
        switch column {
        case .envelope: name = "envelope"
        case .bodyStructure: name = "structure"
        case .listFields: name = "fields"
        case .preview: return nil
        }
        let statement = try database.prepare(
            "SELECT id, \(name) FROM summary WHERE id BETWEEN ? AND ? ORDER BY id")
        ranges[column] = statement
        return statement
    }

    /// Numbers that lie close together are read with one scan.
    func read(
        _ column: SummaryColumn, of bodies: [BodyNumber],
        each: (Int, UnsafeRawBufferPointer) throws -> Void
    ) throws {
        guard let statement = try range(column) else { return }
        let order = Self.ascending(bodies)
        func number(_ i: Int) -> UInt64 { bodies[order?[i] ?? i].rawValue }
        var start = 0
        while start < bodies.count {
            var end = start + 1
            while end < bodies.count, number(end) - number(end - 1) <= 8 { end += 1 }
            statement.bind(1, Int64(bitPattern: number(start)))
            statement.bind(2, Int64(bitPattern: number(end - 1)))
            defer { statement.reset() }
            var i = start
            while i < end, try statement.step() {
                let id = UInt64(bitPattern: statement.integer(0))
                while i < end, number(i) < id { i += 1 }
                while i < end, number(i) == id {
                    if let bytes = statement.blob(1) { try each(order?[i] ?? i, bytes) }
                    i += 1
                }
            }
            start = end
        }
    }

    /// The order in which numbers ascend; nil if they do already.
    private static func ascending(_ bodies: [BodyNumber]) -> [Int]? {
        if zip(bodies, bodies.dropFirst()).allSatisfy({ $0 <= $1 }) { return nil }
        return bodies.indices.sorted { bodies[$0] < bodies[$1] }
    }
}
