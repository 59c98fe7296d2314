import IMAP
import MailFormat
import MailStore
import Node
import Platform

/// A SEARCH that is going through a mailbox, some messages at a time. A value: it goes to a worker
/// thread and back.
struct SearchJob: Sendable {
    /// Messages looked at in one step, so that other sessions have their turn.
    private static let stepMessages = 8_192
    /// Octets of bodies read in one step.
    private static let stepOctets = 4 << 20
    /// Messages whose stored fields are read together.
    private static let batchCount = 512
    /// Keys times messages up to which a search in the columns may run on the event loop.
    private static let quickWork = 500_000

    private let messages: MessageColumns
    private let node: SearchNode
    private let matchers: SearchMatchers
    private let gateway: any NodeGateway
    private let mimeLimits: MIMELimits
    private var chunk = 0
    private var offset = 0

    private(set) var found = UIDSet()
    /// The highest MODSEQ of those found.
    private(set) var highestModSeq = ModSeq.zero
    /// Messages that could not be read.
    private(set) var unreadable = 0

    init(_ node: SearchNode, _ needles: [SearchNeedle], _ view: MailboxView, _ service: IMAPShared)
    {
        messages = view.messages
        self.node = node
        gateway = service.gateway
        mimeLimits = service.configuration.mime
        matchers = SearchMatchers(needles, limits: mimeLimits)
    }

    var isDone: Bool { chunk == messages.chunks.count }

    /// Whether all of it may be done on the event loop at once.
    var isQuick: Bool {
        node.isInMemory && node.size * max(messages.count, 1) <= Self.quickWork
    }

    /// Does one step; all of them if the search is quick.
    mutating func run() {
        var seen = 0
        var octets = 0
        let isQuick = isQuick
        let isInMemory = node.isInMemory
        while !isDone, isQuick || (seen < Self.stepMessages && octets < Self.stepOctets) {
            let current = messages.chunks[chunk]
            let end = min(current.count, offset + Self.batchCount)
            if isInMemory {
                for i in offset..<end where evaluate(node, current, i, .columns) == true {
                    take(current, i)
                }
                offset = end
            } else {
                octets += lookDeep(current, offset..<end, limit: Self.stepOctets - octets)
            }
            seen += Self.batchCount
            if offset == current.count {
                chunk += 1
                offset = 0
            }
        }
    }

    private mutating func take(_ chunk: MessageChunk, _ i: Int) {
        found.appendSorted(chunk.uids[i]...chunk.uids[i])
        highestModSeq = max(highestModSeq, chunk.modSeqs[i])
    }

    // MARK: Beyond the columns

    /// Decides on messages by their columns, then their stored fields, then their bodies; returns
    /// the octets of bodies that were read.
    private mutating func lookDeep(
        _ current: MessageChunk, _ range: Range<Int>, limit: Int
    ) -> Int {
        var verdicts = range.map { evaluate(node, current, $0, .columns) }
        let open = range.filter { verdicts[$0 - range.lowerBound] == nil }
        let bodies = open.map { current.facts[$0].body }
        if !bodies.isEmpty {
            try? gateway.summaries.read(.listFields, of: bodies) { index, fields in
                let i = open[index]
                verdicts[i - range.lowerBound] = evaluate(node, current, i, .fields(fields))
            }
        }
        var octets = 0
        for i in range {
            if verdicts[i - range.lowerBound] == nil {
                if octets >= limit, octets > 0 {
                    offset = i
                    return octets
                }
                verdicts[i - range.lowerBound] = readAndEvaluate(current, i, &octets)
            }
            if verdicts[i - range.lowerBound] == true { take(current, i) }
        }
        offset = range.upperBound
        return octets
    }

    private mutating func readAndEvaluate(
        _ current: MessageChunk, _ i: Int, _ octets: inout Int
    ) -> Bool {
        let facts = current.facts[i]
        do {
            guard node.needsBody else {
                let (head, end) = try readHeader(facts)
                octets += head.count
                return head.withUnsafeBytes {
                    evaluate(node, current, i, .header($0, 0..<end)) ?? false
                }
            }
            let bytes = try gateway.readBody(facts.body, range: nil)
            octets += bytes.count
            return bytes.withUnsafeBytes { message in
                let tree = MIMETree(parsing: message, limits: mimeLimits)
                return evaluate(node, current, i, .message(message, tree)) ?? false
            }
        } catch {
            unreadable += 1
            return false
        }
    }

    /// The start of a message, as far as its header reaches at least, and where that ends.
    private func readHeader(_ facts: MessageFacts) throws -> ([UInt8], Int) {
        let size = Int(facts.sizeOctets)
        var step = HeaderSteps()
        while true {
            let head = try gateway.readBody(facts.body, range: 0..<min(step.octets, size))
            guard head.count == min(step.octets, size) else { throw UnreadableBody() }
            if let end = step.end(of: head, isWhole: head.count == size) { return (head, end) }
        }
    }

    /// What is known of a message so far.
    private enum Known {
        case columns
        /// The listed fields.
        case fields(UnsafeRawBufferPointer)
        /// The start of the message, and the place of its header in it.
        case header(UnsafeRawBufferPointer, Range<Int>)
        case message(UnsafeRawBufferPointer, MIMETree)
    }

    /// Whether a message matches; nil if more has to be known.
    private func evaluate(
        _ node: SearchNode, _ chunk: MessageChunk, _ i: Int, _ known: Known
    ) -> Bool? {
        switch node {
        case .constant(let value): return value
        case .flag(let flag, let isSet): return chunk.flags[i].contains(flag) == isSet
        case .uids(let set): return set.contains(chunk.uids[i])
        case .internalDate(let range):
            return range.contains(chunk.facts[i].internalDate.secondsSinceEpoch)
        case .saveDate(let range):
            return range.contains(chunk.facts[i].saveDate.secondsSinceEpoch)
        case .larger(let octets): return UInt64(chunk.facts[i].sizeOctets) > octets
        case .smaller(let octets): return UInt64(chunk.facts[i].sizeOctets) < octets
        case .modSeq(let modSeq): return chunk.modSeqs[i] >= modSeq
        case .emailID(let id): return chunk.facts[i].emailID.rawValue == id
        case .not(let inner): return evaluate(inner, chunk, i, known).map { !$0 }
        case .and(let nodes):
            var isOpen = false
            for inner in nodes {
                switch evaluate(inner, chunk, i, known) {
                case false?: return false
                case nil: isOpen = true
                case true?: break
                }
            }
            return isOpen ? nil : true
        case .or(let a, let b):
            let first = evaluate(a, chunk, i, known)
            if first == true { return true }
            let second = evaluate(b, chunk, i, known)
            if second == true { return true }
            return first == nil || second == nil ? nil : false
        case .sent, .field, .body, .text: return evaluateText(node, known)
        }
    }

    private func evaluateText(_ node: SearchNode, _ known: Known) -> Bool? {
        switch (node, known) {
        case (_, .columns): return nil
        case (.sent(let range), .fields(let fields)):
            return Self.isSent(range, fields, 0..<fields.count)
        case (.sent(let range), .header(let head, let header)):
            return Self.isSent(range, head, header)
        case (.sent(let range), .message(let message, let tree)):
            return Self.isSent(range, message, tree.parts[0].header.range)
        case (.field(let name, let text, true), .fields(let fields)):
            return matchers.matchesField(text, name, fields, 0..<fields.count)
        case (.field(let name, let text, _), .header(let head, let header)):
            return matchers.matchesField(text, name, head, header)
        case (.field(let name, let text, _), .message(let message, let tree)):
            return matchers.matchesField(text, name, message, tree.parts[0].header.range)
        case (.body(let text), .message(let message, let tree)):
            return matchers.matchesBody(text, tree, message)
        case (.text(let text), .message(let message, let tree)):
            return matchers.matchesText(text, tree, message)
        default: return nil
        }
    }

    /// A message without a date that can be read was not sent on any day.
    private static func isSent(
        _ range: Range<Int>, _ bytes: UnsafeRawBufferPointer, _ header: Range<Int>
    ) -> Bool {
        var scanner = HeaderScanner(bytes, in: header)
        while let field = scanner.next() {
            guard field.known == .date else { continue }
            guard let date = DateParser.parse(bytes, field.value) else { return false }
            let day = CivilTime.daysSinceEpoch(year: date.year, month: date.month, day: date.day)
            return range.contains(Int(day))
        }
        return false
    }
}

/// The texts of one search with their buffers and converters.
///
/// `@unchecked Sendable`: a search goes from one thread to the next, but is never on two at once.
final class SearchMatchers: @unchecked Sendable {
    private final class Matcher {
        var search: SearchText
        init(_ needle: SearchNeedle, _ limits: MIMELimits) {
            search = SearchText(needle, limits: limits)
        }
    }

    private let matchers: [Matcher]

    init(_ needles: [SearchNeedle], limits: MIMELimits) {
        matchers = needles.map { Matcher($0, limits) }
    }

    func matchesField(
        _ text: Int, _ name: [UInt8], _ bytes: UnsafeRawBufferPointer, _ header: Range<Int>
    ) -> Bool {
        matchers[text].search.matchesField(name, of: bytes, in: header)
    }

    func matchesBody(_ text: Int, _ tree: MIMETree, _ bytes: UnsafeRawBufferPointer) -> Bool {
        matchers[text].search.matchesBody(tree, of: bytes)
    }

    func matchesText(_ text: Int, _ tree: MIMETree, _ bytes: UnsafeRawBufferPointer) -> Bool {
        matchers[text].search.matchesText(tree, of: bytes)
    }
}
