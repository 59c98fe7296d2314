import IMAP
import MailFormat
import MailStore
import Node

/// Which of a message's facts a FETCH response has.
struct FetchFields: OptionSet, Sendable {
    let rawValue: UInt16
    static let uid = FetchFields(rawValue: 1)
    static let flags = FetchFields(rawValue: 2)
    static let modSeq = FetchFields(rawValue: 4)
    static let internalDate = FetchFields(rawValue: 8)
    static let size = FetchFields(rawValue: 16)
    static let saveDate = FetchFields(rawValue: 32)
    static let emailID = FetchFields(rawValue: 64)
    static let threadID = FetchFields(rawValue: 128)
    static let envelope = FetchFields(rawValue: 256)
    static let bodyStructure = FetchFields(rawValue: 512)
    /// BODY without a section.
    static let body = FetchFields(rawValue: 1024)
    static let preview = FetchFields(rawValue: 2048)
    /// A preview only if it is there already.
    static let lazyPreview = FetchFields(rawValue: 4096)

    /// What needs more than the columns.
    static let stored: FetchFields = [.envelope, .bodyStructure, .body, .preview, .lazyPreview]
}

/// A part of a message's octets that a FETCH response has.
struct FetchSection: Sendable {
    enum Content: Sendable {
        /// The whole message or part.
        case octets(SectionKind)
        case fields([[UInt8]], isExcluding: Bool)
        case binary
        case binarySize
    }

    /// As the response names it, with the partial's origin.
    var label: [UInt8]
    var part: [Int]
    var content: Content
    var partial: FetchPartial?
    /// The fields asked for are all among those kept beside the index.
    var isListed = false
}

/// All of a FETCH that does not change from message to message. Immutable.
final class FetchPlan: Sendable {
    let messages: MessageColumns
    let runs: [MailboxView.Run]
    let flagNames: FlagNames
    let fields: FetchFields
    let sections: [FetchSection]
    /// Whether the messages become \Seen by being read.
    let marksSeen: Bool
    let gateway: any NodeGateway
    let mimeLimits: MIMELimits
    /// Octets after which a chunk is sent.
    let chunkOctets: Int

    init(
        view: MailboxView, uids: UIDSet, fields: FetchFields, sections: [FetchSection] = [],
        marksSeen: Bool = false, service: IMAPShared
    ) {
        messages = view.messages
        runs = view.runs(of: uids)
        flagNames = FlagNames(view.mailbox.keywords)
        self.fields = fields
        self.sections = sections
        self.marksSeen = marksSeen
        gateway = service.gateway
        mimeLimits = service.configuration.mime
        chunkOctets = service.configuration.limits.chunkOctets
    }

    /// Whether everything is in the columns, so that no file is read.
    var isInMemory: Bool { fields.isDisjoint(with: .stored) && sections.isEmpty }

    var isEmpty: Bool { runs.isEmpty }
}

/// Makes a plan's parts out of what the client asked for.
struct FetchItems {
    var fields: FetchFields = []
    var sections: [FetchSection] = []
    var marksSeen = false

    init(_ items: [FetchItem]) {
        for item in items { add(item) }
    }

    private mutating func add(_ item: FetchItem) {
        switch item {
        case .envelope: fields.insert(.envelope)
        case .flags: fields.insert(.flags)
        case .internalDate: fields.insert(.internalDate)
        case .uid: fields.insert(.uid)
        case .modSeq: fields.insert(.modSeq)
        case .saveDate: fields.insert(.saveDate)
        case .emailID: fields.insert(.emailID)
        case .threadID: fields.insert(.threadID)
        case .preview: fields.insert(.preview)
        case .previewLazy: fields.insert(.lazyPreview)
        case .rfc822Size: fields.insert(.size)
        case .body: fields.insert(.body)
        case .bodyStructure: fields.insert(.bodyStructure)
        case .rfc822: addOctets("RFC822", [], .whole, nil, isPeek: false)
        case .rfc822Header: addOctets("RFC822.HEADER", [], .header, nil, isPeek: true)
        case .rfc822Text: addOctets("RFC822.TEXT", [], .text, nil, isPeek: false)
        case .section(let section, let partial, let isPeek): add(section, partial, isPeek)
        case .binary(let part, let partial, let isPeek):
            addSection(label("BINARY", part, partial), part, .binary, partial, isPeek)
        case .binarySize(let part):
            addSection(label("BINARY.SIZE", part, nil), part, .binarySize, nil, true)
        }
    }

    private func label(_ name: StaticString, _ part: [UInt32], _ partial: FetchPartial?)
        -> [UInt8]
    {
        var label: [UInt8] = []
        ResponseEncoder.append(binary: name, part: part, partial: partial, to: &label)
        return label
    }

    private mutating func addOctets(
        _ label: String, _ part: [UInt32], _ kind: SectionKind, _ partial: FetchPartial?,
        isPeek: Bool
    ) {
        addSection(Array(label.utf8), part, .octets(kind), partial, isPeek)
    }

    private mutating func add(_ section: BodySection, _ partial: FetchPartial?, _ isPeek: Bool) {
        var label: [UInt8] = []
        ResponseEncoder.append(section, partial: partial, to: &label)
        switch section.text {
        case nil: addSection(label, section.part, .octets(.whole), partial, isPeek)
        case .header?: addSection(label, section.part, .octets(.header), partial, isPeek)
        case .text?: addSection(label, section.part, .octets(.text), partial, isPeek)
        case .mime?: addSection(label, section.part, .octets(.mime), partial, isPeek)
        case .headerFields(let names)?:
            let content = FetchSection.Content.fields(names, isExcluding: false)
            addSection(label, section.part, content, partial, isPeek)
            sections[sections.count - 1].isListed =
                section.part.isEmpty
                && names.allSatisfy {
                    $0.withUnsafeBytes { KnownField(name: $0).isListed }
                }
        case .headerFieldsNot(let names)?:
            addSection(
                label, section.part, .fields(names, isExcluding: true), partial, isPeek)
        }
    }

    private mutating func addSection(
        _ label: [UInt8], _ part: [UInt32], _ content: FetchSection.Content,
        _ partial: FetchPartial?, _ isPeek: Bool
    ) {
        sections.append(
            FetchSection(
                label: label, part: part.map { Int($0) }, content: content, partial: partial))
        if !isPeek { marksSeen = true }
    }
}
