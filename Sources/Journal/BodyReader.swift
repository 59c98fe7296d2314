import Platform

/// Reads bodies by number, from any thread, while the journal writes and compacts.
public struct BodyReader: Sendable {
    let table: BodyTable
    let files: SegmentFiles

    /// The body's length in octets.
    public func length(of number: BodyNumber) throws(JournalError) -> UInt64 {
        guard let location = table.location(number) else { throw .noSuchBody(number) }
        return location.length
    }

    public func contains(_ number: BodyNumber) -> Bool { table.location(number) != nil }

    /// The body, or the octets of it in `range` (clamped to what there is). A whole body is checked
    /// against its CRC, with `verifyDigest` against its SHA-256 too.
    public func read(
        _ number: BodyNumber, range: Range<UInt64>? = nil, verifyDigest: Bool = false
    ) throws(JournalError) -> [UInt8] {
        // Compaction may move the body while it is read: then it is read again where it is now.
        var attempts = 0
        while true {
            guard let location = table.location(number) else { throw .noSuchBody(number) }
            do throws(JournalError) {
                let bytes =
                    location.isFile
                    ? try BodyFiles.read(
                        number, location.length, range, verifyDigest, files.disk,
                        files.configuration)
                    : try read(number, location, range, verifyDigest)
                if table.location(number) == location { return bytes }
            } catch {
                if table.location(number) == location { throw error }
            }
            attempts += 1
            if attempts > 8 { throw .noSuchBody(number) }
        }
    }

    /// The body's SHA-256 as it was recorded.
    public func digest(of number: BodyNumber) throws(JournalError) -> SHA256Digest {
        guard let location = table.location(number) else { throw .noSuchBody(number) }
        if location.isFile {
            return try BodyFiles.header(number, files.disk, files.configuration).digest
        }
        let segment = try files.file(location.position.segment)
        let head = try reading { () throws(DiskError) in
            try segment.file.read(at: UInt64(location.position.offset), count: 64)
        }
        guard head.count == 64 else { throw damage(segment, location, "the record is cut short") }
        return head.withUnsafeBytes { $0.digest(32) }
    }

    private func read(
        _ number: BodyNumber, _ location: BodyLocation, _ range: Range<UInt64>?,
        _ verifyDigest: Bool
    ) throws(JournalError) -> [UInt8] {
        let segment = try files.file(location.position.segment)
        let start = UInt64(location.position.offset)
        let length = location.length
        let wanted = (range ?? 0..<length).clamped(to: 0..<length)
        let whole = wanted == 0..<length
        let head = try reading { () throws(DiskError) in try segment.file.read(at: start, count: 64)
        }
        let matches = head.withUnsafeBytes { raw in
            raw.count == 64 && length < UInt64(segment.header.segmentOctets)
                && raw.load(8, UInt8.self) == Record.Kind.body.rawValue
                && raw.load(16, UInt64.self) == number.rawValue
                && raw.load(24, UInt64.self) == length
        }
        guard matches else { throw damage(segment, location, "not the record of body \(number)") }
        let body = try reading { () throws(DiskError) in
            try segment.file.read(at: start + 64 + wanted.lowerBound, count: wanted.count)
        }
        guard body.count == wanted.count else {
            throw damage(segment, location, "the body is cut short")
        }
        if whole, !files.configuration.rules.contains(.ignoreRecordChecksums) {
            let valid = head.withUnsafeBytes { raw in
                var checksum = CRC32C.checksum(raw.slice(0, 4), continuing: segment.seed)
                checksum = CRC32C.checksum(raw.slice(8, 56), continuing: checksum)
                return CRC32C.checksum(body, continuing: checksum) == raw.load(4, UInt32.self)
            }
            guard valid else {
                throw damage(segment, location, "the checksum of body \(number) is wrong")
            }
            if verifyDigest, SHA256Digest(hashing: body) != head.withUnsafeBytes({ $0.digest(32) })
            {
                throw damage(segment, location, "the SHA-256 of body \(number) is wrong")
            }
        }
        return body
    }

    private func damage(_ segment: SegmentFile, _ location: BodyLocation, _ problem: String)
        -> JournalError
    {
        .damage(
            Damage(
                file: segment.name, offset: UInt64(location.position.offset), problem: problem))
    }
}
