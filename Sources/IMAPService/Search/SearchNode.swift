import IMAP
import MailFormat
import MailStore
import Platform

/// A search key, made ready for one mailbox.
indirect enum SearchNode: Sendable {
    case constant(Bool)
    case flag(Flags, isSet: Bool)
    case uids(UIDSet)
    /// INTERNALDATE, in seconds since 1970; the upper bound is excluded.
    case internalDate(Range<Int64>)
    case saveDate(Range<Int64>)
    case larger(UInt64)
    case smaller(UInt64)
    case modSeq(ModSeq)
    case emailID(UInt128)
    /// The Date field's day, in days since 1970.
    case sent(Range<Int>)
    /// `isListed`: the field is among those kept beside the index.
    case field(name: [UInt8], text: Int, isListed: Bool)
    case body(text: Int)
    case text(text: Int)
    case not(SearchNode)
    case and([SearchNode])
    case or(SearchNode, SearchNode)

    /// Whether the columns decide.
    var isInMemory: Bool {
        switch self {
        case .sent, .field, .body, .text: false
        case .not(let node): node.isInMemory
        case .and(let nodes): nodes.allSatisfy(\.isInMemory)
        case .or(let a, let b): a.isInMemory && b.isInMemory
        default: true
        }
    }

    /// Whether more than headers may have to be read.
    var needsBody: Bool {
        switch self {
        case .body, .text: true
        case .not(let node): node.needsBody
        case .and(let nodes): nodes.contains(where: \.needsBody)
        case .or(let a, let b): a.needsBody || b.needsBody
        default: false
        }
    }

    /// How many keys there are.
    var size: Int {
        switch self {
        case .not(let node): 1 + node.size
        case .and(let nodes): nodes.reduce(1) { $0 + $1.size }
        case .or(let a, let b): 1 + a.size + b.size
        default: 1
        }
    }
}

/// Makes nodes of a client's keys. What cannot match is a constant.
struct SearchCompiler {
    private static let secondsPerDay: Int64 = 86_400

    let view: MailboxView
    let saved: UIDSet
    let charset: [UInt8]
    private(set) var needles: [SearchNeedle] = []
    /// MODSEQ was a key: the answer names the highest found (RFC 7162 §3.1.5).
    private(set) var usesModSeq = false

    init(view: MailboxView, saved: UIDSet, charset: [UInt8]) {
        self.view = view
        self.saved = saved
        self.charset = charset
    }

    mutating func compile(_ keys: [SearchKey]) -> SearchNode {
        var nodes: [SearchNode] = []
        for key in keys { nodes.append(compile(key)) }
        // What the columns decide comes first, so that less is read.
        let ordered = nodes.filter(\.isInMemory) + nodes.filter { !$0.isInMemory }
        return ordered.count == 1 ? ordered[0] : .and(ordered)
    }

    private mutating func compile(_ key: SearchKey) -> SearchNode {
        switch key {
        case .all, .old, .saveDateSupported: return .constant(true)
        // There are no recent messages.
        case .recent, .new: return .constant(false)
        case .flag(let flag, let isSet): return compile(flag, isSet)
        case .before(let date): return .internalDate(Int64.min..<Self.seconds(date))
        case .on(let date): return .internalDate(Self.day(date))
        case .since(let date): return .internalDate(Self.seconds(date)..<Int64.max)
        case .savedBefore(let date): return .saveDate(Int64.min..<Self.seconds(date))
        case .savedOn(let date): return .saveDate(Self.day(date))
        case .savedSince(let date): return .saveDate(Self.seconds(date)..<Int64.max)
        case .sentBefore(let date): return .sent(Int.min..<date.daysSinceEpoch)
        case .sentOn(let date):
            return .sent(date.daysSinceEpoch..<date.daysSinceEpoch + 1)
        case .sentSince(let date): return .sent(date.daysSinceEpoch..<Int.max)
        case .larger(let octets): return .larger(octets)
        case .smaller(let octets): return .smaller(octets)
        case .modSeq(let value):
            usesModSeq = true
            let modSeq = ModSeq(rawValue: value)
            return view.mailbox.isForeign(modSeq) ? .constant(true) : .modSeq(modSeq)
        case .emailID(let text): return compileEmailID(text)
        case .threadID: return .constant(false)
        case .sequence(let set): return .uids(sequences(set))
        case .uid(let set): return .uids(uids(set))
        case .not(let key): return .not(compile(key))
        case .or(let a, let b): return .or(compile(a), compile(b))
        case .and(let keys): return compile(keys)
        default: return compileText(key)
        }
    }

    private mutating func compileText(_ key: SearchKey) -> SearchNode {
        switch key {
        case .from(let text): field("from", text)
        case .to(let text): field("to", text)
        case .cc(let text): field("cc", text)
        case .bcc(let text): field("bcc", text)
        case .subject(let text): field("subject", text)
        case .header(let name, let text): field(name, text)
        case .body(let text): .body(text: needle(text))
        case .text(let text): .text(text: needle(text))
        default: .constant(false)
        }
    }

    private mutating func field(_ name: String, _ text: [UInt8]) -> SearchNode {
        field(Array(name.utf8), text)
    }

    private mutating func field(_ name: [UInt8], _ text: [UInt8]) -> SearchNode {
        let isListed = name.withUnsafeBytes { KnownField(name: $0).isListed }
        return .field(name: name, text: needle(text), isListed: isListed)
    }

    private mutating func needle(_ text: [UInt8]) -> Int {
        var decoder = CharsetDecoder()
        decoder.start(charset: charset)
        var utf8: [UInt8] = []
        text.withUnsafeBytes { decoder.decode($0, to: &utf8) }
        decoder.finish(to: &utf8)
        needles.append(SearchNeedle(utf8: utf8))
        return needles.count - 1
    }

    private func compile(_ flag: IMAPFlag, _ isSet: Bool) -> SearchNode {
        let bits = view.mailbox.bits(NamedFlags([flag]))
        // A keyword that no message here ever had.
        return bits.isEmpty ? .constant(!isSet) : .flag(bits, isSet: isSet)
    }

    private func compileEmailID(_ text: [UInt8]) -> SearchNode {
        guard text.first == UInt8(ascii: "M"),
            let id = EmailID(hex: String(decoding: text.dropFirst(), as: UTF8.self))
        else { return .constant(false) }
        return .emailID(id.rawValue)
    }

    private static func seconds(_ date: IMAPDate) -> Int64 {
        Int64(date.daysSinceEpoch) * secondsPerDay
    }

    private static func day(_ date: IMAPDate) -> Range<Int64> {
        seconds(date)..<seconds(date) + secondsPerDay
    }

    // MARK: Sets

    /// Numbers that no message has are passed over: a search for them finds nothing.
    private func sequences(_ set: SequenceSet) -> UIDSet {
        if set.isSavedResult { return saved }
        guard view.count > 0 else { return UIDSet() }
        let all = NumberSet(1...UInt32(view.count))
        let numbers = set.resolved(largest: UInt32(view.count)).intersection(all)
        return view.select(sequences: numbers)?.uids ?? UIDSet()
    }

    private func uids(_ set: SequenceSet) -> UIDSet {
        if set.isSavedResult { return saved }
        return UIDSet(ranges: set.resolved(largest: view.largestUID).ranges)
    }
}
