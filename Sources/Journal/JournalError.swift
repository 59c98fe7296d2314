import Platform

/// Something in the journal is not as it was written.
public struct Damage: Error, Hashable, Sendable, CustomStringConvertible {
    public var file: String
    public var offset: UInt64
    public var problem: String

    public init(file: String, offset: UInt64, problem: String) {
        self.file = file
        self.offset = offset
        self.problem = problem
    }

    public var description: String { "\(file), offset \(offset): \(problem)" }
}

/// Why the journal did not do what it was asked.
public enum JournalError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A write or sync failed earlier: nothing can be promised until the process starts again.
    case failed(DiskError)
    /// The disk could not be read, or a call failed that loses nothing.
    case disk(DiskError)
    /// No space for another segment or file. Nothing is damaged; what was appended still waits.
    case full
    /// The record does not fit into the waiting batch: commit, then append again.
    case batchFull
    /// Never fits: beyond `JournalConfiguration.recordOctetsMax`.
    case recordTooLong(octets: Int)
    case damage(Damage)
    /// The files belong to another cluster, slot or format version.
    case foreign(String)
    /// An op of the peer that does not follow the last one.
    case outOfOrder(expected: UInt64, got: UInt64)
    /// A chain hash that the peer sent is not what its ops give.
    case chainMismatch(OpName)
    case noSuchBody(BodyNumber)
    /// The ops asked for are no longer kept here.
    case positionGone(LocalPosition)

    public var description: String {
        switch self {
        case .failed(let error): "the journal stopped after: \(error)"
        case .disk(let error): "\(error)"
        case .full: "no space for the journal"
        case .batchFull: "the batch is full"
        case .recordTooLong(let octets): "a record of \(octets) octets is too long"
        case .damage(let damage): "damaged journal: \(damage)"
        case .foreign(let what): "not this node's journal: \(what)"
        case .outOfOrder(let expected, let got): "op \(got) where \(expected) was expected"
        case .chainMismatch(let name): "the hash chain breaks at op \(name)"
        case .noSuchBody(let number): "no body \(number)"
        case .positionGone(let position): "the journal no longer reaches back to \(position)"
        }
    }
}

/// Runs a disk call whose failure loses nothing.
func reading<R>(_ body: () throws(DiskError) -> R) throws(JournalError) -> R {
    do throws(DiskError) { return try body() } catch {
        throw error.code == .full ? .full : .disk(error)
    }
}
