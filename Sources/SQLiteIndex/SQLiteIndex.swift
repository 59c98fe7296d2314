import Glibc
import IMAP
import MailFormat
import MailStore
import Node
import Platform
import PlatformLinux
import Synchronization

/// What was parsed of messages, kept in an SQLite file beside the journal.
///
/// A projection: a row says nothing that is not in the body of the same number, so a missing row costs
/// time and nothing else, and the file may be deleted whenever the node is not running. Rows are written
/// behind deliveries by one thread, many in a transaction; each reading thread has a connection of its
/// own.
///
///     summary(id INTEGER PRIMARY KEY,   -- the body's number; ascends with arrival
///             envelope BLOB,            -- ready to send
///             structure BLOB,           -- BODYSTRUCTURE, ready to send
///             fields BLOB)              -- raw fields for lists; NULL if they were too many
///     about(key TEXT PRIMARY KEY, value TEXT)   -- whose index this is, and its layout
public final class SQLiteIndex: SummaryStore {
    static let layout = "1"
    /// Bodies that wait for the writing thread hold at most this; beyond it they are read again.
    private static let backlogMaxOctets = 32 << 20
    /// How long rows are gathered for one transaction.
    private static let gathering = Duration.milliseconds(20)
    private static let rowsPerTransaction = 4_096

    private enum Work: Sendable {
        case add(BodyNumber, [UInt8]?)
        case remove([BodyNumber])
        case flush(@Sendable () -> Void)
    }

    private let path: String
    private let queue = WorkQueue<Work>()
    private let backlogOctets = Atomic<Int>(0)
    private let readers = Mutex<[Reader]>([])
    private let thread = Mutex<WorkerThread?>(nil)
    private let readBody: @Sendable (BodyNumber) throws -> [UInt8]
    private let report: @Sendable (String) -> Void

    /// Opens the index, or makes a new one where there is none, or one of another node, layout or
    /// state of health.
    ///
    /// - Throws: `IndexError`, for instance where the disk is full; the file is left as it is then.
    /// - Parameters:
    ///   - owner: says whose journal this is a projection of.
    ///   - readBody: reads a stored message; called on the index's own thread.
    ///   - report: receives a line about what went wrong; never about content.
    public init(
        path: String, owner: String,
        readBody: @escaping @Sendable (BodyNumber) throws -> [UInt8],
        report: @escaping @Sendable (String) -> Void
    ) throws(IndexError) {
        self.path = path
        self.readBody = readBody
        self.report = report
        let database = try Self.open(path, owner: owner, report: report)
        let writer = try Writer(database)
        thread.withLock {
            $0 = WorkerThread(name: "index", niceness: 5) { [queue = self.queue, self] in
                self.run(queue, writer)
            }
        }
    }

    private static func open(
        _ path: String, owner: String, report: (String) -> Void
    ) throws(IndexError) -> Database {
        let isNew = access(path, F_OK) != 0
        do throws(IndexError) {
            let database = try Database(path: path, readOnly: false)
            try prepare(database)
            if try isUsable(database, owner: owner) { return database }
            if !isNew {
                report("the index belongs to another node or layout and is made anew")
            }
        } catch {
            if error.isOfEnvironment { throw error }
            report("the index cannot be used and is made anew: \(error)")
        }
        remove(path)
        let database = try Database(path: path, readOnly: false)
        try prepare(database)
        // The owner is hexadecimal digits, chosen by us: nothing to quote.
        try database.execute(
            "INSERT INTO about VALUES ('owner', '\(owner)'), ('layout', '\(layout)')")
        return database
    }

    private static func prepare(_ database: Database) throws(IndexError) {
        try database.execute(
            """
            PRAGMA page_size = 8192;
            PRAGMA journal_mode = WAL;
            PRAGMA synchronous = NORMAL;
            PRAGMA wal_autocheckpoint = 4000;
            PRAGMA cache_size = -8192;
            PRAGMA mmap_size = 1073741824;
            CREATE TABLE IF NOT EXISTS about(key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
            CREATE TABLE IF NOT EXISTS summary(
                id INTEGER PRIMARY KEY, envelope BLOB, structure BLOB, fields BLOB);
            """)
    }

    static func isUsable(_ database: Database, owner: String) throws(IndexError) -> Bool {
        let statement = try database.prepare("SELECT key, value FROM about")
        var about: [String: String] = [:]
        while try statement.step() { about[statement.text(0)] = statement.text(1) }
        return about == ["owner": owner, "layout": layout]
    }

    /// Removes the files of an index. Only while nobody has it open.
    public static func remove(_ path: String) {
        for suffix in ["", "-wal", "-shm"] { unlink(path + suffix) }
    }

    // MARK: Writing

    /// Enters a message that just came, behind the caller's back.
    public func add(_ number: BodyNumber, _ bytes: [UInt8]?) {
        var kept = bytes
        if let count = bytes?.count {
            if backlogOctets.load(ordering: .relaxed) + count > Self.backlogMaxOctets {
                kept = nil
            } else {
                backlogOctets.add(count, ordering: .relaxed)
            }
        }
        queue.put(.add(number, kept))
    }

    /// Forgets messages that are gone.
    public func remove(_ numbers: [BodyNumber]) {
        if !numbers.isEmpty { queue.put(.remove(numbers)) }
    }

    /// Waits until all that was entered before is readable.
    public func flush() {
        let done = WorkQueue<Void>()
        guard queue.put(.flush { done.put(()) }) else { return }
        var batch: [Void] = []
        _ = done.takeAll(into: &batch)
    }

    /// Enters what is missing of `live` (ascending) and forgets what is not in it: how an index that
    /// is new, or fell behind in a crash, comes to be equal to the journal again.
    public func reconcile(live: [BodyNumber]) throws {
        let reader = try takeReader()
        defer { returnReader(reader) }
        let known = try reader.allNumbers()
        var missing: [BodyNumber] = []
        var gone: [BodyNumber] = []
        var i = 0
        var j = 0
        while i < live.count || j < known.count {
            if j == known.count || (i < live.count && live[i] < known[j]) {
                missing.append(live[i])
                i += 1
            } else if i == live.count || known[j] < live[i] {
                gone.append(known[j])
                j += 1
            } else {
                i += 1
                j += 1
            }
        }
        remove(gone)
        for number in missing { add(number, nil) }
    }

    /// Writes what waits, and ends.
    public func close() {
        queue.close()
        // The connection that writes goes last: it brings the file up to date and removes the log.
        readers.withLock { $0.removeAll() }
        thread.withLock { $0.take() }?.join()
    }

    private func run(_ queue: WorkQueue<Work>, _ writer: Writer) {
        var batch: [Work] = []
        while queue.takeAll(into: &batch) {
            var start = 0
            while start < batch.count {
                let end = min(batch.count, start + Self.rowsPerTransaction)
                write(batch[start..<end], writer)
                start = end
            }
            let isUrgent = batch.contains { if case .flush = $0 { true } else { false } }
            batch.removeAll(keepingCapacity: batch.count <= Self.rowsPerTransaction)
            if !isUrgent { Self.pause(Self.gathering) }
        }
    }

    private static func pause(_ duration: Duration) {
        usleep(UInt32(duration.wholeNanoseconds / 1_000))
    }

    private func write(_ batch: ArraySlice<Work>, _ writer: Writer) {
        var flushed: [@Sendable () -> Void] = []
        do {
            try writer.begin()
            for work in batch {
                switch work {
                case .add(let number, let bytes):
                    if let bytes { backlogOctets.subtract(bytes.count, ordering: .relaxed) }
                    // A body that is gone already needs no row.
                    guard let message = bytes ?? (try? readBody(number)) else { continue }
                    let summary = message.withUnsafeBytes { MessageSummary.make($0) }
                    try writer.insert(number, summary)
                case .remove(let numbers): try writer.delete(numbers)
                case .flush(let done): flushed.append(done)
                }
            }
            try writer.commit()
        } catch {
            writer.rollBack()
            report("rows could not be written: \(error)")
        }
        for done in flushed { done() }
    }

    // MARK: Reading

    public func read(
        _ column: SummaryColumn, of bodies: [BodyNumber],
        each: (Int, UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let reader = try takeReader()
        defer { returnReader(reader) }
        try reader.read(column, of: bodies, each: each)
    }

    private func takeReader() throws(IndexError) -> Reader {
        if let idle = readers.withLock({ $0.popLast() }) { return idle }
        return try Reader(Database(path: path, readOnly: true))
    }

    private func returnReader(_ reader: Reader) {
        readers.withLock { if $0.count < 8 { $0.append(reader) } }
    }
}
