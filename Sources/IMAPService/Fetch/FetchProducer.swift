import IMAP
import MailFormat
import MailStore
import Node
import Platform

/// Makes the responses of a FETCH, a chunk at a time. A value: it goes to a worker thread and back.
struct FetchProducer: Sendable {
    /// What one step made.
    struct Chunk: Sendable {
        var bytes: [UInt8] = []
        var isLast = false
        /// A literal could not be completed: nothing that follows would be understood.
        var isBroken = false
    }

    /// Octets that are sent before the next message.
    private enum Piece: Sendable {
        case bytes([UInt8])
        case file(BodyNumber, Range<Int>)
        /// EXPUNGE for each sequence number of these ascending ranges, the highest first, so that
        /// each is right when it is read.
        case expunged([ClosedRange<UInt32>])
    }

    /// Messages whose stored columns are read together: fewer where a few bodies fill a chunk.
    private var batchCount: Int { plan.sections.allSatisfy(\.isListed) ? 512 : 32 }

    let plan: FetchPlan
    private var run = 0
    private var offset = 0
    /// The first is at the end.
    private var pieces: [Piece] = []
    /// Messages that were sent and were not \Seen.
    private(set) var unseen = UIDSet()
    /// Messages whose body could not be read.
    private(set) var unreadable = 0
    /// Parts whose transfer encoding no one knows (RFC 3516 §4.3).
    private(set) var undecodable = 0

    init(_ plan: FetchPlan) { self.plan = plan }

    /// - Parameters:
    ///   - expunged: sequence numbers that are told before all else.
    ///   - lines: responses that come after them.
    init(_ plan: FetchPlan, expunged: [ClosedRange<UInt32>], lines: [UInt8]) {
        self.plan = plan
        if !lines.isEmpty { pieces.append(.bytes(lines)) }
        if !expunged.isEmpty { pieces.append(.expunged(expunged)) }
    }

    /// Makes the next chunk. Blocks, unless `plan.isInMemory`.
    mutating func produce() -> Chunk {
        var chunk = Chunk()
        if plan.isInMemory {
            while !pieces.isEmpty, chunk.bytes.count < plan.chunkOctets { drain(&chunk) }
            if chunk.isBroken || !pieces.isEmpty { return chunk }
            produceColumns(&chunk.bytes)
        } else {
            produceStored(&chunk)
        }
        chunk.isLast = run == plan.runs.count && pieces.isEmpty
        return chunk
    }

    // MARK: Columns

    private mutating func produceColumns(_ out: inout [UInt8]) {
        if plan.fields.isSubset(of: [.uid, .flags, .modSeq]) { return produceFlags(&out) }
        while run < plan.runs.count, out.count < plan.chunkOctets {
            let current = plan.runs[run]
            let chunk = plan.messages.chunks[current.chunk]
            var i = current.range.lowerBound + offset
            // The check of the size once in 64 messages is enough.
            let end = min(current.range.upperBound, i + 64)
            var sequence = current.sequence + offset
            while i < end {
                out.text("* ")
                out.number(sequence)
                out.text(" FETCH (")
                appendColumns(chunk, i, plan.fields, to: &out)
                out.text(")\r\n")
                i += 1
                sequence += 1
            }
            advance(current, to: i)
        }
    }

    /// The most asked for, made with one copy a line.
    private mutating func produceFlags(_ out: inout [UInt8]) {
        let withUID = plan.fields.contains(.uid)
        let withFlags = plan.fields.contains(.flags)
        let withModSeq = plan.fields.contains(.modSeq)
        // Neighbours mostly have the same flags: their names are written out once.
        var last = Flags(rawValue: .max)
        var names: [UInt8] = []
        while run < plan.runs.count, out.count < plan.chunkOctets {
            let current = plan.runs[run]
            let chunk = plan.messages.chunks[current.chunk]
            var i = current.range.lowerBound + offset
            var sequence = UInt32(current.sequence + offset)
            while i < current.range.upperBound {
                if withFlags, chunk.flags[i] != last {
                    last = chunk.flags[i]
                    names.removeAll(keepingCapacity: true)
                    plan.flagNames.append(last, to: &names)
                }
                names.withUnsafeBytes { names in
                    ResponseEncoder.fetchLine(
                        sequence, uid: withUID ? chunk.uids[i] : nil,
                        flags: withFlags ? names : nil,
                        modSeq: withModSeq ? chunk.modSeqs[i].rawValue : nil, to: &out)
                }
                i += 1
                sequence += 1
            }
            advance(current, to: i)
        }
    }

    private mutating func advance(_ current: MailboxView.Run, to index: Int) {
        offset = index - current.range.lowerBound
        if index == current.range.upperBound {
            run += 1
            offset = 0
        }
    }

    /// The fields that the columns hold, one space between them; false if there is none.
    @inline(__always)
    @discardableResult
    private func appendColumns(
        _ chunk: MessageChunk, _ i: Int, _ fields: FetchFields, to out: inout [UInt8]
    ) -> Bool {
        let start = out.count
        if fields.contains(.uid) {
            out.text("UID ")
            out.number(chunk.uids[i])
            out.append(0x20)
        }
        if fields.contains(.flags) {
            out.text("FLAGS (")
            plan.flagNames.append(chunk.flags[i], to: &out)
            out.text(") ")
        }
        if fields.contains(.modSeq) {
            out.text("MODSEQ (")
            out.number(chunk.modSeqs[i].rawValue)
            out.text(") ")
        }
        if !fields.isDisjoint(with: [.internalDate, .size, .saveDate, .emailID, .threadID]) {
            appendFacts(chunk.facts[i], fields, to: &out)
        }
        guard out.count > start else { return false }
        out.removeLast()
        return true
    }

    private func appendFacts(
        _ facts: MessageFacts, _ fields: FetchFields, to out: inout [UInt8]
    ) {
        if fields.contains(.internalDate) {
            out.text("INTERNALDATE ")
            out.dateTime(facts.internalDate)
            out.append(0x20)
        }
        if fields.contains(.size) {
            out.text("RFC822.SIZE ")
            out.number(facts.sizeOctets)
            out.append(0x20)
        }
        if fields.contains(.saveDate) {
            out.text("SAVEDATE ")
            out.dateTime(facts.saveDate)
            out.append(0x20)
        }
        if fields.contains(.emailID) {
            out.text("EMAILID (")
            out.objectID("M", facts.emailID.rawValue)
            out.text(") ")
        }
        if fields.contains(.threadID) { out.text("THREADID NIL ") }
    }

    // MARK: Stored columns and bodies

    private mutating func produceStored(_ chunk: inout Chunk) {
        while chunk.bytes.count < plan.chunkOctets {
            if !pieces.isEmpty {
                drain(&chunk)
                if chunk.isBroken { return }
                continue
            }
            guard run < plan.runs.count else { return }
            produceBatch(&chunk.bytes)
        }
    }

    /// Sends some of what has to come before the next message.
    private mutating func drain(_ chunk: inout Chunk) {
        switch pieces.removeLast() {
        case .bytes(let bytes):
            if chunk.bytes.isEmpty {
                chunk.bytes = bytes
            } else {
                chunk.bytes.append(contentsOf: bytes)
            }
        case .file(let number, let range):
            let end = min(range.upperBound, range.lowerBound + plan.chunkOctets)
            guard let bytes = try? plan.gateway.readBody(number, range: range.lowerBound..<end),
                bytes.count == end - range.lowerBound
            else {
                chunk.isBroken = true
                return
            }
            chunk.bytes.append(contentsOf: bytes)
            if end < range.upperBound { pieces.append(.file(number, end..<range.upperBound)) }
        case .expunged(let ranges): drain(ranges, &chunk.bytes)
        }
    }

    private mutating func drain(_ ranges: [ClosedRange<UInt32>], _ out: inout [UInt8]) {
        let encoder = ResponseEncoder()
        var left = ranges
        while let range = left.popLast() {
            for sequence in range.reversed() {
                guard out.count < plan.chunkOctets else {
                    left.append(range.lowerBound...sequence)
                    pieces.append(.expunged(left))
                    return
                }
                encoder.expunge(sequence, to: &out)
            }
        }
    }

    /// Messages of one run, until the chunk is full or something has to be streamed.
    private mutating func produceBatch(_ out: inout [UInt8]) {
        let current = plan.runs[run]
        let chunk = plan.messages.chunks[current.chunk]
        let first = current.range.lowerBound + offset
        let end = min(current.range.upperBound, first + batchCount)
        let stored = StoredColumns(plan, chunk.facts[first..<end])
        var i = first
        while i < end, pieces.isEmpty, out.count < plan.chunkOctets {
            let start = out.count
            do {
                try appendMessage(
                    chunk, i, sequence: current.sequence + i - current.range.lowerBound,
                    stored, i - first, &out)
                if plan.marksSeen, !chunk.flags[i].contains(.seen) {
                    unseen.appendSorted(chunk.uids[i]...chunk.uids[i])
                }
            } catch {
                out.removeLast(out.count - start)
                pieces.removeAll()
                unreadable += 1
            }
            i += 1
        }
        advance(current, to: i)
    }

    private mutating func appendMessage(
        _ chunk: MessageChunk, _ i: Int, sequence: Int, _ stored: StoredColumns, _ index: Int,
        _ out: inout [UInt8]
    ) throws {
        out.text("* ")
        out.number(sequence)
        out.text(" FETCH (")
        if appendColumns(chunk, i, plan.fields, to: &out) { out.append(0x20) }
        var message = MessageReader(chunk.facts[i], plan)
        try appendStored(stored, index, &message, &out)
        // Once something is streamed, all that follows it waits behind it.
        var tail: [UInt8] = []
        for section in plan.sections {
            let data = try message.data(of: section, stored, index)
            if case .undecodable = data {
                undecodable += 1
                continue
            }
            if pieces.isEmpty {
                append(section, data, message.number, &out)
            } else {
                if tail.isEmpty { tail.append(0x20) }
                append(section, data, message.number, &tail)
            }
        }
        if pieces.isEmpty {
            close(&out)
        } else {
            close(&tail)
            pieces.append(.bytes(tail))
            pieces.reverse()
        }
    }

    private func close(_ out: inout [UInt8]) {
        if out.last == 0x20 { out.removeLast() }
        out.text(")\r\n")
    }

    private func appendStored(
        _ stored: StoredColumns, _ index: Int, _ message: inout MessageReader,
        _ out: inout [UInt8]
    ) throws {
        if plan.fields.contains(.envelope) {
            out.text("ENVELOPE ")
            if !stored.envelopes.append(index, to: &out) {
                out.append(contentsOf: try message.summary().envelope)
            }
            out.append(0x20)
        }
        if plan.fields.contains(.bodyStructure) {
            out.text("BODYSTRUCTURE ")
            if !stored.structures.append(index, to: &out) {
                out.append(contentsOf: try message.summary().bodyStructure)
            }
            out.append(0x20)
        }
        if plan.fields.contains(.body) {
            out.text("BODY ")
            try message.appendBody(stored.structures, index, to: &out)
            out.append(0x20)
        }
        if !plan.fields.isDisjoint(with: [.preview, .lazyPreview]) {
            out.text("PREVIEW ")
            try message.appendPreview(
                stored.previews, index, isLazy: !plan.fields.contains(.preview), to: &out)
            out.append(0x20)
        }
    }

    /// Appends `LABEL {n}` and the octets; large ones become pieces.
    private mutating func append(
        _ section: FetchSection, _ data: SectionData, _ number: BodyNumber, _ out: inout [UInt8]
    ) {
        out.append(contentsOf: section.label)
        switch data {
        case .undecodable: break
        case .absent: out.text(" NIL ")
        case .size(let octets):
            out.append(0x20)
            out.number(octets)
            out.append(0x20)
        case .bytes(let bytes, let isBinary):
            out.text(isBinary ? " ~{" : " {")
            out.number(bytes.count)
            out.text("}\r\n")
            out.append(contentsOf: bytes)
            out.append(0x20)
        case .file(let range):
            out.text(" {")
            out.number(range.count)
            out.text("}\r\n")
            // What stands before the first streamed octets goes out with this chunk.
            if !pieces.isEmpty {
                pieces.append(.bytes(out))
                out.removeAll()
            }
            pieces.append(.file(number, range))
        }
    }
}
