import Glibc
import IMAP
import MailStore
import Platform

/// How an index file compares with the messages that it is a projection of.
public struct IndexAudit: Hashable, Sendable {
    public var rows = 0
    /// Live messages without a row: the index lags.
    public var missing = 0
    /// Rows of messages that are gone: the index lags.
    public var extra = 0
    /// Rows that say something else than the message.
    public var different: [BodyNumber] = []

    public init() {}
}

/// Reads the rows of an index file one after the other, ascending, and changes nothing.
public final class IndexRows {
    private let statement: Statement
    private var next: BodyNumber?
    public private(set) var audit = IndexAudit()

    /// - Returns: nil if there is no file.
    /// - Throws: `IndexError` if it is not an index of `owner`.
    public init?(path: String, owner: String) throws(IndexError) {
        guard access(path, F_OK) == 0 else { return nil }
        var status = stat()
        // Without a log of changes beside it the file is all there is, and SQLite need not make one.
        let isWhole = stat(path + "-wal", &status) != 0 || status.st_size == 0
        let database = try Database(path: path, readOnly: true, isImmutable: isWhole)
        guard try SQLiteIndex.isUsable(database, owner: owner) else {
            throw IndexError(code: 0, message: "\(path) belongs to another node or version")
        }
        statement = try database.prepare(
            "SELECT id, envelope, structure, fields FROM summary ORDER BY id")
        try step()
    }

    private func step() throws(IndexError) {
        next = nil
        guard try statement.step() else { return }
        audit.rows += 1
        next = BodyNumber(rawValue: UInt64(bitPattern: statement.integer(0)))
    }

    /// Compares the row of a live message; to be called with ascending numbers.
    public func compare(_ number: BodyNumber, _ summary: MessageSummary) throws(IndexError) {
        try skip(below: number)
        guard next == number else {
            audit.missing += 1
            return
        }
        let fields = summary.listedFieldsAreComplete ? summary.listedFields : nil
        let isEqual =
            Self.equal(statement.blob(1), summary.envelope)
            && Self.equal(statement.blob(2), summary.bodyStructure)
            && Self.equal(statement.blob(3), fields)
        if !isEqual { audit.different.append(number) }
        try step()
    }

    /// Counts what is left over.
    public func finish() throws(IndexError) {
        while next != nil {
            audit.extra += 1
            try step()
        }
    }

    private func skip(below number: BodyNumber) throws(IndexError) {
        while let found = next, found < number {
            audit.extra += 1
            try step()
        }
    }

    private static func equal(_ stored: UnsafeRawBufferPointer?, _ wanted: [UInt8]?) -> Bool {
        guard let stored, let wanted else { return stored == nil && wanted == nil }
        return stored.elementsEqual(wanted)
    }
}
