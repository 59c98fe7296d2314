import Platform

/// A long body that is durable in a file of its own and waits to be named by an op.
public struct FinishedBody: Hashable, Sendable {
    public var number: BodyNumber
    public var octets: UInt64
    public var digest: SHA256Digest

    public init(number: BodyNumber, octets: UInt64, digest: SHA256Digest) {
        self.number = number
        self.octets = octets
        self.digest = digest
    }
}

/// Makes and reads the files of long bodies, on any thread.
///
/// Layout of `body-<number>`: 0 8 magic "TPJBODY1" · 8 4 version · 12 4 CRC-32C of 0..<12 and
/// 16..<96 · 16 16 cluster id · 32 8 number · 40 8 length · 48 32 SHA-256 · 80 16 zeros ·
/// zeros to 4,096 · the body.
public final class BodyFiles: Sendable {
    private static let magic: UInt64 = 0x3159_444F_424A_5054
    static let headerOctets = 4096

    let disk: any Disk
    let configuration: JournalConfiguration
    let table: BodyTable

    init(disk: any Disk, configuration: JournalConfiguration, table: BodyTable) {
        self.disk = disk
        self.configuration = configuration
        self.table = table
    }

    /// Begins a file.
    public func begin() throws(JournalError) -> BodyFileWriter {
        let number = table.allocate()
        let name = FileName.unfinishedName(FileName.bodyName(number))
        let file = try reading { () throws(DiskError) in try disk.open(name, create: true) }
        return BodyFileWriter(files: self, number: number, name: name, file: file)
    }

    static func encodeHeader(_ body: FinishedBody, cluster: UInt128) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: headerOctets)
        bytes.withUnsafeMutableBytes { out in
            out.store(magic, at: 0)
            out.store(UInt32(1), at: 8)
            out.store(cluster, at: 16)
            out.store(body.number.rawValue, at: 32)
            out.store(body.octets, at: 40)
            out.store(body.digest, at: 48)
            out.store(checksum(UnsafeRawBufferPointer(out)), at: 12)
        }
        return bytes
    }

    private static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        CRC32C.checksum(bytes.slice(16, 80), continuing: CRC32C.checksum(bytes.slice(0, 12)))
    }

    static func header(
        _ number: BodyNumber, _ disk: any Disk, _ configuration: JournalConfiguration
    ) throws(JournalError) -> FinishedBody {
        let name = FileName.bodyName(number)
        let bytes: [UInt8]
        do throws(DiskError) {
            bytes = try disk.open(name, create: false).read(at: 0, count: 96)
        } catch {
            if error.code != .notFound { throw .disk(error) }
            throw .damage(Damage(file: name, offset: 0, problem: "the file is missing"))
        }
        let body = bytes.withUnsafeBytes { raw -> FinishedBody? in
            guard raw.count == 96, raw.load(0, UInt64.self) == magic,
                raw.load(8, UInt32.self) == 1, raw.load(12, UInt32.self) == checksum(raw),
                raw.load(16, UInt128.self) == configuration.cluster,
                raw.load(32, UInt64.self) == number.rawValue
            else { return nil }
            return FinishedBody(number: number, octets: raw.load(40), digest: raw.digest(48))
        }
        guard let body else {
            throw .damage(Damage(file: name, offset: 0, problem: "no valid header"))
        }
        return body
    }

    static func read(
        _ number: BodyNumber, _ length: UInt64, _ range: Range<UInt64>?, _ verifyDigest: Bool,
        _ disk: any Disk, _ configuration: JournalConfiguration
    ) throws(JournalError) -> [UInt8] {
        let body = try header(number, disk, configuration)
        let name = FileName.bodyName(number)
        let wanted = (range ?? 0..<length).clamped(to: 0..<length)
        let (bytes, size) = try reading { () throws(DiskError) in
            let file = try disk.open(name, create: false)
            let size = try file.size()
            // Nothing is allocated for octets that are not there.
            guard body.octets == length, length < BodyTable.octetsLimit,
                size >= UInt64(headerOctets) + length
            else { return ([UInt8](), size) }
            let bytes = try file.read(
                at: UInt64(headerOctets) + wanted.lowerBound, count: wanted.count)
            return (bytes, size)
        }
        guard body.octets == length, size >= UInt64(headerOctets) + length,
            bytes.count == wanted.count
        else {
            throw .damage(Damage(file: name, offset: 0, problem: "the body is cut short"))
        }
        if verifyDigest, wanted == 0..<length, SHA256Digest(hashing: bytes) != body.digest {
            throw .damage(Damage(file: name, offset: 4096, problem: "the SHA-256 is wrong"))
        }
        return bytes
    }
}

/// Writes one long body while it arrives. Not for several threads at once; dropped unfinished, it
/// removes its file.
public final class BodyFileWriter {
    private let files: BodyFiles
    public let number: BodyNumber
    private let name: String
    private let file: any DiskFile
    private var hasher: SHA256Hasher? = SHA256Hasher()
    private var octets: UInt64 = 0
    private var isFinished = false

    init(files: BodyFiles, number: BodyNumber, name: String, file: any DiskFile) {
        self.files = files
        self.number = number
        self.name = name
        self.file = file
    }

    deinit {
        if !isFinished { try? files.disk.remove(name) }
    }

    /// Writes the next octets. After an error the writer is of no more use.
    public func write(_ bytes: UnsafeRawBufferPointer) throws(JournalError) {
        let at = UInt64(BodyFiles.headerOctets) + octets
        try reading { () throws(DiskError) in try file.write(at: at, [bytes]) }
        hasher?.update(bytes)
        octets += UInt64(bytes.count)
    }

    public func write(_ bytes: [UInt8]) throws(JournalError) {
        let result: Result<Void, JournalError> = bytes.withUnsafeBytes { raw in
            do throws(JournalError) { return .success(try write(raw)) } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    /// Makes the file durable under its number. Call once.
    public func finish() throws(JournalError) -> FinishedBody {
        precondition(!isFinished)
        guard let digest = hasher.take()?.finalize() else { preconditionFailure("finished twice") }
        let body = FinishedBody(number: number, octets: octets, digest: digest)
        let header = BodyFiles.encodeHeader(body, cluster: files.configuration.cluster)
        let rules = files.configuration.rules
        try reading { () throws(DiskError) in
            try file.write(at: 0, header)
            if !rules.contains(.bodyFileNotSynced) { try file.sync() }
            try files.disk.rename(name, to: FileName.bodyName(number))
            try files.disk.syncDirectory()
        }
        isFinished = true
        return body
    }
}
