import Glibc
import Journal
import MailStore
import Node
import Platform
import PlatformLinux

/// Why a node's data cannot be used: a sentence for people, with what to do.
public struct NodeDataError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Kind: Hashable, Sendable {
        /// Another process works on it.
        case busy
        /// What is there is not what was written, or not this node's: no further try helps.
        case damaged
        /// The system does not let us: a path, a permission, a disk.
        case system
    }

    public var kind: Kind
    public var description: String

    public init(_ description: String, kind: Kind) {
        self.description = description
        self.kind = kind
    }

    /// With the reason of a call that failed just now.
    static func system(_ what: String) -> NodeDataError {
        let reason = errno
        let remedy =
            reason == EACCES || reason == EPERM
            ? ": run this as the user that the node runs as, or as root" : ""
        return NodeDataError(
            "\(what) (\(String(cString: strerror(reason))))\(remedy)", kind: .system)
    }
}

/// Whose data it is: made once, with the directory.
public struct NodeIdentity: Hashable, Sendable {
    public var cluster: UInt128
    public var slot: Slot
    public var generation: UInt32

    /// What the index notes of whose projection it is.
    public var owner: String {
        Hex.encode(withUnsafeBytes(of: cluster.bigEndian) { Array($0) }) + "-\(slot.rawValue)"
    }

    var text: String {
        let id = Hex.encode(withUnsafeBytes(of: cluster.bigEndian) { Array($0) })
        return "cluster \(id)\nslot \(slot == .a ? "A" : "B")\ngeneration \(generation)\n"
    }

    init(cluster: UInt128, slot: Slot, generation: UInt32) {
        self.cluster = cluster
        self.slot = slot
        self.generation = generation
    }

    init?(text: String) {
        var values: [Substring: Substring] = [:]
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 2 else { return nil }
            values[words[0]] = words[1]
        }
        guard let bytes = values["cluster"].flatMap({ Hex.decode($0) }), bytes.count == 16,
            let slot = values["slot"], slot == "A" || slot == "B",
            let generation = values["generation"].flatMap({ UInt32($0) })
        else { return nil }
        cluster = bytes.reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
        self.slot = slot == "A" ? .a : .b
        self.generation = generation
    }
}

/// The directory that holds all of a node:
///
///     identity        whose it is; written once
///     secret          32 octets; written once
///     lock            held while a process uses the directory
///     journal/        the truth (docs/journal.md)
///     index.sqlite    a projection; may be deleted while nothing runs
public final class NodeData: Sendable {
    public let path: String
    public let identity: NodeIdentity
    private let lockDescriptor: Int32

    public var indexPath: String { path + "/index.sqlite" }
    public var journalPath: String { path + "/journal" }

    /// Takes hold of the directory, and makes it if there is none and `create` says so.
    public init(path: String, create: Bool) throws(NodeDataError) {
        self.path = path
        if create {
            try Self.makeDirectory(path)
            try Self.makeDirectory(path + "/journal")
        }
        var status = stat()
        guard stat(path + "/journal", &status) == 0 else {
            if errno != ENOENT && errno != ENOTDIR { throw .system("\(path) cannot be read") }
            throw NodeDataError(
                "\(path) holds no Twinpost data: name the node's data-directory with --dir",
                kind: .system)
        }
        var descriptor = Glibc.open(path + "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        if descriptor < 0, !create, errno == EROFS || errno == EACCES {
            // Who only reads may do so where nobody can write.
            descriptor = Glibc.open(path + "/lock", O_RDONLY | O_CLOEXEC)
        }
        guard descriptor >= 0 else {
            throw .system("\(path)/lock cannot be opened")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw NodeDataError(
                "\(path) is in use by another process: stop that node first", kind: .busy)
        }
        lockDescriptor = descriptor
        identity = try Self.identity(path, create: create)
    }

    deinit { close(lockDescriptor) }

    private static func makeDirectory(_ path: String) throws(NodeDataError) {
        if mkdir(path, 0o700) != 0 && errno != EEXIST {
            throw .system("\(path) cannot be made")
        }
    }

    private static func identity(_ path: String, create: Bool) throws(NodeDataError)
        -> NodeIdentity
    {
        do throws(DiskError) {
            let disk = try LinuxDisk(path: path, readOnly: !create)
            if try disk.list().contains("identity") {
                let file = try disk.open("identity", create: false)
                let bytes = try file.read(at: 0, count: 4_096)
                if let identity = NodeIdentity(text: String(decoding: bytes, as: UTF8.self)) {
                    return identity
                }
            } else if create {
                var randomness = SystemRandomness()
                let new = NodeIdentity(cluster: randomness.next128(), slot: .a, generation: 1)
                let file = try disk.open("identity.new", create: true)
                try file.truncate(to: 0)
                try file.write(at: 0, Array(new.text.utf8))
                try file.sync()
                try disk.rename("identity.new", to: "identity")
                try disk.syncDirectory()
                return new
            }
        } catch {
            throw NodeDataError("\(path)/identity: \(error)", kind: .system)
        }
        throw NodeDataError(
            "\(path)/identity is missing or unreadable: restore it from the backup of this node",
            kind: .damaged)
    }

    /// 32 secret octets that stay the same: what makes an unknown user look like a known one.
    public func serverSecret() throws(NodeDataError) -> [UInt8] {
        do throws(DiskError) {
            let disk = try LinuxDisk(path: path)
            if try disk.list().contains("secret") {
                let bytes = try disk.open("secret", create: false).read(at: 0, count: 32)
                if bytes.count == 32 { return bytes }
            }
            var randomness = SystemRandomness()
            let new = randomness.bytes(32)
            let file = try disk.open("secret.new", create: true)
            try file.write(at: 0, new)
            try file.sync()
            try disk.rename("secret.new", to: "secret")
            try disk.syncDirectory()
            return new
        } catch {
            throw NodeDataError("\(path)/secret: \(error)", kind: .system)
        }
    }

    /// The journal's settings for this start.
    public func journalConfiguration() -> JournalConfiguration {
        var randomness = SystemRandomness()
        return JournalConfiguration(
            cluster: identity.cluster, slot: identity.slot.rawValue,
            generation: identity.generation, incarnation: randomness.next64(),
            saltSeed: randomness.next64())
    }

    /// Recovers the journal and the state that follows from it.
    ///
    /// - Parameter disk: what to read it from, if not from the directory itself.
    public func open(limits: AccountLimits = AccountLimits(), disk: (any Disk)? = nil)
        throws(NodeDataError) -> (node: Node, journal: Journal)
    {
        var replay = Replay(
            node: Node(slot: identity.slot, limits: limits, randomness: SystemRandomness()))
        do {
            let journal = try Journal.open(
                disk: disk ?? LinuxDisk(path: journalPath), configuration: journalConfiguration()
            ) { item throws(JournalError) in
                try replay.take(item)
            }
            try replay.finishState()
            replay.node.finishRecovery(now: SystemClock().now())
            return (replay.node, journal)
        } catch {
            throw NodeDataError("\(journalPath): \(error)", kind: Self.kind(of: error))
        }
    }
}

extension NodeData {
    fileprivate static func kind(of error: any Error) -> NodeDataError.Kind {
        switch error as? JournalError {
        case nil, .failed?, .disk?, .full?: .system
        default: .damaged
        }
    }
}

/// Builds the node's state from what the journal hands out.
struct Replay {
    var node: Node
    private var state: [UInt8] = []
    private var isStateDone = false

    init(node: Node) { self.node = node }

    mutating func take(_ item: RecoveredItem) throws(JournalError) {
        switch item {
        case .checkpointState(let chunk): state += chunk
        case .body: try finishState()
        case .op(let record, let position):
            try finishState()
            try replay(record, position)
        case .note(let note, let position):
            try finishState()
            if note.mustUnderstand {
                throw .foreign(
                    "the note at \(position) is of type \(note.type), which this version does not "
                        + "know; run the version that wrote it")
            }
        }
    }

    private mutating func replay(_ record: OpRecord, _ position: LocalPosition)
        throws(JournalError)
    {
        let decoded: Op?
        do throws(DecodingFailure) {
            decoded = try Op(type: record.header.type, payload: record.payload)
        } catch {
            throw .foreign("operation \(record.name) at \(position) cannot be read: \(error)")
        }
        guard let op = decoded else {
            if !record.header.mustUnderstand { return }
            throw .foreign(
                "operation \(record.name) is of type \(record.header.type), which this version "
                    + "does not know; run the version that wrote it")
        }
        if case .accept = op, record.body.rawValue == 0 {
            throw .foreign("operation \(record.name) names a body that is not in the journal")
        }
        node.replay(op, clock: HybridTime(rawValue: record.header.clock), body: record.body)
    }

    /// Decodes the checkpoint's state once all of it has come.
    mutating func finishState() throws(JournalError) {
        guard !isStateDone else { return }
        isStateDone = true
        guard !state.isEmpty else { return }
        do throws(DecodingFailure) {
            try node.restore(state)
        } catch {
            throw .foreign("the checkpoint's state cannot be read: \(error)")
        }
        state = []
    }
}
