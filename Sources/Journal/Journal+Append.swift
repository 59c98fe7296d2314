import Platform

/// An op that waits for its commit.
public struct PendingOp: Hashable, Sendable {
    public var name: OpName
    public var chain: SHA256Digest
    /// Octets from the start of its batch; see `WrittenBatch.position(of:)`.
    public var offsetInBatch: Int
}

extension Journal {
    /// Appends an op of this node under its own slot and the current incarnation.
    ///
    /// It becomes durable with the next `commit`. The payload is copied.
    ///
    /// - Parameter body: the number of the body that the op names; recovery hands it out again.
    public func append(
        _ header: OpHeader, payload: UnsafeRawBufferPointer,
        body: BodyNumber = BodyNumber(rawValue: 0)
    ) throws(JournalError) -> PendingOp {
        let head = heads[configuration.slot]
        let name = OpName(
            slot: configuration.slot, incarnation: configuration.incarnation,
            sequence: head.sequence &+ 1)
        return try append(name, header, payload, body, expected: nil)
    }

    /// As above, for a payload in an array.
    public func append(
        _ header: OpHeader, payload: [UInt8], body: BodyNumber = BodyNumber(rawValue: 0)
    ) throws(JournalError) -> PendingOp {
        let result: Result<PendingOp, JournalError> = payload.withUnsafeBytes { raw in
            do throws(JournalError) {
                return .success(try append(header, payload: raw, body: body))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// Appends an op of the peer, under its own name. Its sequence must follow the last one of its
    /// slot, and its chain hash must be what this journal computes.
    public func append(peerOp op: OpRecord) throws(JournalError) -> PendingOp {
        let expected = heads[op.name.slot].sequence &+ 1
        guard op.name.sequence == expected else {
            throw .outOfOrder(expected: expected, got: op.name.sequence)
        }
        let result: Result<PendingOp, JournalError> = op.payload.withUnsafeBytes { raw in
            do throws(JournalError) {
                return .success(
                    try append(op.name, op.header, raw, op.body, expected: op.chain))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private func append(
        _ name: OpName, _ header: OpHeader, _ payload: UnsafeRawBufferPointer,
        _ body: BodyNumber, expected: SHA256Digest?
    ) throws(JournalError) -> PendingOp {
        precondition(name.slot <= 1)
        let length = Record.Kind.op.headerOctets + payload.count
        let offset = try begin(.op, length: length)
        let buffer = pending.buffer
        buffer.append(payload)
        let out = buffer.mutable(at: offset, count: length)
        Record.store(name, header, in: out)
        out.store(body.rawValue, at: 80)
        let chain = Record.chain(
            after: heads[name.slot].hash, op: UnsafeRawBufferPointer(out))
        if let expected, expected != chain {
            buffer.count = offset
            throw .chainMismatch(name)
        }
        out.store(chain, at: 48)
        heads[name.slot] = ChainHead(
            incarnation: name.incarnation, sequence: name.sequence, hash: chain)
        finishRecord(offset, length)
        return PendingOp(name: name, chain: chain, offsetInBatch: offset)
    }

    /// Appends a note: what only this node has to remember, in no stream and no chain.
    public func append(note: NoteRecord) throws(JournalError) {
        let length = Record.Kind.note.headerOctets + note.payload.count
        let offset = try begin(.note, length: length)
        note.payload.withUnsafeBytes { pending.buffer.append($0) }
        let out = pending.buffer.mutable(at: offset, count: length)
        out.store(note.mustUnderstand ? Record.mustUnderstand : 0, at: 9)
        out.store(note.type, at: 10)
        out.store(note.clock, at: 16)
        finishRecord(offset, length)
    }

    /// Lets a slot's chain go on from `head`: after a state transfer, or where an origin that lost
    /// its last ops writes on from an earlier one (R16).
    public func appendChainReset(slot: UInt8, to head: ChainHead) throws(JournalError) {
        precondition(slot <= 1)
        let offset = try begin(.chainReset, length: 72)
        let out = pending.buffer.mutable(at: offset, count: 72)
        out.store(slot, at: 16)
        out.store(head.incarnation, at: 24)
        out.store(head.sequence, at: 32)
        out.store(head.hash, at: 40)
        heads[slot] = head
        finishRecord(offset, 72)
    }

    /// Appends a body of at most `bodyInlineMax` octets. The pieces are copied: nothing needs to
    /// stay alive until the commit. It can be read once it is committed.
    public func append(body pieces: [UnsafeRawBufferPointer], digest: SHA256Digest)
        throws(JournalError) -> BodyNumber
    {
        let octets = pieces.reduce(0) { $0 + $1.count }
        let offset = try begin(.body, length: 64 + octets)
        let number = table.allocate()
        for piece in pieces { pending.buffer.append(piece) }
        finishBody(offset, number, octets: octets, digest: digest, movedFrom: nil)
        return number
    }

    /// As above, for a body in one array.
    public func append(body: [UInt8], digest: SHA256Digest) throws(JournalError) -> BodyNumber {
        let result: Result<BodyNumber, JournalError> = body.withUnsafeBytes { raw in
            do throws(JournalError) {
                return .success(try append(body: [raw], digest: digest))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    func finishBody(
        _ offset: Int, _ number: BodyNumber, octets: Int, digest: SHA256Digest,
        movedFrom: LocalPosition?
    ) {
        let out = pending.buffer.mutable(at: offset, count: 64)
        if movedFrom != nil { out.store(Record.moved, at: 9) }
        out.store(number.rawValue, at: 16)
        out.store(UInt64(octets), at: 24)
        out.store(digest, at: 32)
        finishRecord(offset, 64 + octets)
        pending.bodies.append(
            PendingBody(
                number: number, offset: offset, length: UInt64(octets), movedFrom: movedFrom))
    }

    /// Takes a finished file of a body into the journal: in the same batch as the op that names it,
    /// or an earlier one.
    public func append(bodyFile: FinishedBody) throws(JournalError) {
        let offset = try begin(.bodyFile, length: 64)
        let out = pending.buffer.mutable(at: offset, count: 64)
        out.store(bodyFile.number.rawValue, at: 16)
        out.store(bodyFile.octets, at: 24)
        out.store(bodyFile.digest, at: 32)
        finishRecord(offset, 64)
        pending.bodies.append(
            PendingBody(
                number: bodyFile.number, offset: 0, length: bodyFile.octets, movedFrom: nil))
    }

    func appendStart() throws(JournalError) {
        let offset = try begin(.start, length: 40)
        let out = pending.buffer.mutable(at: offset, count: 40)
        out.store(configuration.slot, at: 16)
        out.store(configuration.generation, at: 20)
        out.store(configuration.incarnation, at: 24)
        out.store(end.value, at: 32)
        finishRecord(offset, 40)
        start = .pending
    }

    /// Drops everything that waits for a commit, for instance when the disk is full.
    public func discardPending() {
        precondition(!isSyncing)
        heads = committedHeads
        pending.clear()
        if start == .pending { start = .due }
    }

    /// Starts a record: its header, zeroed but for length and kind, is in the buffer afterwards.
    func begin(_ kind: Record.Kind, length: Int) throws(JournalError) -> Int {
        if let failure { throw .failed(failure) }
        precondition(!isSyncing, "append between write and sync")
        let buffer = pending.buffer
        if buffer.count == 0 {
            buffer.appendZeros(BatchHeader.octets)
            if start == .due { try appendStart() }
        }
        let longest = min(
            configuration.batchOctetsMax, configuration.segmentOctets - SegmentHeader.octets)
        if length > configuration.recordOctetsMax
            || Record.padded(length) + BatchHeader.octets > longest
        {
            throw .recordTooLong(octets: length)
        }
        if buffer.count + Record.padded(length) > longest { throw .batchFull }
        let offset = buffer.count
        buffer.reserve(Record.padded(length))
        buffer.appendZeros(kind.headerOctets)
        let out = buffer.mutable(at: offset, count: 16)
        out.store(UInt32(length), at: 0)
        out.store(kind.rawValue, at: 8)
        return offset
    }

    /// Fills up to 8 octets. The CRC waits for the segment's salt.
    private func finishRecord(_ offset: Int, _ length: Int) {
        pending.buffer.appendZeros(Record.padded(length) - length)
        pending.recordCount += 1
    }
}
