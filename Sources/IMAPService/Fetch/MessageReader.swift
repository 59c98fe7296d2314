import IMAP
import MailFormat
import MailStore
import Node
import Platform

/// What a section of a message turned out to be.
enum SectionData {
    /// There is no such part.
    case absent
    case bytes([UInt8], isBinary: Bool)
    /// Octets of the stored message, too many to hold at once.
    case file(Range<Int>)
    case size(Int)
    /// Nobody knows the part's transfer encoding.
    case undecodable
}

/// The message was not there, or shorter than it should be.
struct UnreadableBody: Error {}

/// How far to read for a header of unknown length: each look is four times as far, so that a huge
/// header is scanned little more than once.
struct HeaderSteps {
    /// The first look; most headers are shorter.
    private(set) var octets = 8_192

    /// Where the header ends in the start of a message, its empty line included; nil if that has to
    /// be looked for further on.
    mutating func end(of head: [UInt8], isWhole: Bool) -> Int? {
        let (end, isComplete) = head.withUnsafeBytes { bytes -> (Int, Bool) in
            var scanner = HeaderScanner(bytes, in: 0..<bytes.count)
            while scanner.next() != nil {}
            return (scanner.position, scanner.hasBlankLine)
        }
        if isComplete || isWhole { return end }
        octets *= 4
        return nil
    }
}

/// Reads one message for one response, no more of it than is asked for, and no octet twice.
struct MessageReader {
    let number: BodyNumber
    private let size: Int
    private let plan: FetchPlan
    /// The start of the message, as far as it has been read.
    private var head: [UInt8] = []
    private var headerOctets: Int?
    private var tree: MIMETree?
    private var made: MessageSummary?

    init(_ facts: MessageFacts, _ plan: FetchPlan) {
        number = facts.body
        size = Int(facts.sizeOctets)
        self.plan = plan
    }

    // MARK: Reading

    private func read(_ range: Range<Int>) throws -> [UInt8] {
        if range.isEmpty { return [] }
        let bytes = try plan.gateway.readBody(number, range: range)
        guard bytes.count == range.count else { throw UnreadableBody() }
        return bytes
    }

    private mutating func extend(to end: Int) throws {
        let end = min(end, size)
        guard end > head.count else { return }
        if head.isEmpty {
            head = try read(0..<end)
        } else {
            head.append(contentsOf: try read(head.count..<end))
        }
    }

    /// The octets of the header with its empty line; they are in `head` then.
    private mutating func header() throws -> Int {
        if let headerOctets { return headerOctets }
        var step = HeaderSteps()
        while true {
            try extend(to: step.octets)
            if let end = step.end(of: head, isWhole: head.count == size) {
                headerOctets = end
                return end
            }
        }
    }

    private mutating func parts() throws -> MIMETree {
        if let tree { return tree }
        try extend(to: size)
        let parsed = head.withUnsafeBytes { MIMETree(parsing: $0, limits: plan.mimeLimits) }
        tree = parsed
        return parsed
    }

    mutating func summary() throws -> MessageSummary {
        if let made { return made }
        let tree = try parts()
        let summary = head.withUnsafeBytes {
            MessageSummary.make($0, tree: tree, limits: plan.mimeLimits)
        }
        made = summary
        return summary
    }

    // MARK: Items

    /// BODY: the structure without its extensions.
    mutating func appendBody(
        _ structures: StoredColumns.Column, _ index: Int, to out: inout [UInt8]
    ) throws {
        let isMade = structures.with(index) { BodyStructureEncoder.appendBody(from: $0, to: &out) }
        if isMade == true { return }
        let tree = try parts()
        var encoder = BodyStructureEncoder(limits: plan.mimeLimits)
        head.withUnsafeBytes { encoder.encode(tree, of: $0, extended: false, to: &out) }
    }

    /// RFC 8970: the text, or NIL for a lazy client if it is not there yet.
    mutating func appendPreview(
        _ previews: StoredColumns.Column, _ index: Int, isLazy: Bool, to out: inout [UInt8]
    ) throws {
        if previews.with(index, { ResponseEncoder.appendString($0, to: &out) }) != nil { return }
        if isLazy { return out.text("NIL") }
        let preview = try summary().preview
        preview.withUnsafeBytes { ResponseEncoder.appendString($0, to: &out) }
    }

    mutating func data(of section: FetchSection, _ stored: StoredColumns, _ index: Int) throws
        -> SectionData
    {
        switch section.content {
        case .octets(let kind): return try octets(kind, section)
        case .fields(let names, let isExcluding):
            return try fields(names, isExcluding, section, stored, index)
        case .binary: return try binary(section)
        case .binarySize:
            switch try binary(section) {
            case .bytes(let bytes, _): return .size(bytes.count)
            case .file(let range): return .size(range.count)
            case let other: return other
            }
        }
    }

    private func cut(_ count: Int, _ partial: FetchPartial?) -> Range<Int> {
        guard let partial else { return 0..<count }
        let start = Int(clamping: min(partial.offset, UInt64(count)))
        return start..<start + Int(clamping: min(partial.count, UInt64(count - start)))
    }

    private mutating func octets(_ kind: SectionKind, _ section: FetchSection) throws
        -> SectionData
    {
        let place: Range<Int>
        switch (section.part.isEmpty, kind) {
        case (true, .whole): place = 0..<size
        case (true, .header): place = 0..<(try header())
        case (true, .text): place = try header()..<size
        default:
            guard let range = try parts().range(of: section.part, kind) else { return .absent }
            place = range.range
        }
        let part = cut(place.count, section.partial)
        let range = place.lowerBound + part.lowerBound..<place.lowerBound + part.upperBound
        if range.upperBound <= head.count { return .bytes(Array(head[range]), isBinary: false) }
        if range.count > plan.chunkOctets { return .file(range) }
        if range.lowerBound == 0 {
            try extend(to: range.upperBound)
            return .bytes(Array(head[range]), isBinary: false)
        }
        return .bytes(try read(range), isBinary: false)
    }

    private mutating func fields(
        _ names: [[UInt8]], _ isExcluding: Bool, _ section: FetchSection,
        _ stored: StoredColumns, _ index: Int
    ) throws -> SectionData {
        var out: [UInt8] = []
        if section.isListed,
            stored.listedFields.with(
                index,
                {
                    HeaderSubset.append(
                        names, isExcluding: false, of: $0, in: 0..<$0.count, to: &out)
                }) != nil
        {
            return .bytes(Array(out[cut(out.count, section.partial)]), isBinary: false)
        }
        let range: Range<Int>
        if section.part.isEmpty {
            range = 0..<(try header())
        } else {
            guard let found = try parts().range(of: section.part, .header) else { return .absent }
            range = found.range
        }
        head.withUnsafeBytes {
            HeaderSubset.append(names, isExcluding: isExcluding, of: $0, in: range, to: &out)
        }
        return .bytes(Array(out[cut(out.count, section.partial)]), isBinary: false)
    }

    private mutating func binary(_ section: FetchSection) throws -> SectionData {
        if section.part.isEmpty { return try octets(.whole, section) }
        let tree = try parts()
        guard let index = tree.part(at: section.part) else { return .absent }
        var out: [UInt8] = []
        let isKnown = head.withUnsafeBytes {
            BinarySection.append(tree.parts[index], of: $0, to: &out)
        }
        guard isKnown else { return .undecodable }
        let cut = cut(out.count, section.partial)
        if cut.count < out.count { out = Array(out[cut]) }
        return .bytes(out, isBinary: out.contains(0))
    }
}
