import MailFormat
import Platform

/// What is stored beside a message at delivery, so that lists are answered without reading it.
public struct MessageSummary: Hashable, Sendable {
    /// ENVELOPE, ready to send.
    public var envelope: [UInt8]
    /// BODYSTRUCTURE, ready to send. `BodyStructureEncoder.body(from:)` makes BODY of it.
    public var bodyStructure: [UInt8]
    /// What the Date field says, if it can be read.
    public var sentDate: SentDate?
    /// Octets of the header with the empty line that ends it.
    public var headerOctets: Int
    /// The fields for which `KnownField.isListed`, as they stand in the message and in its order.
    public var listedFields: [UInt8]
    /// False where the listed fields were too many to keep: the message must be read then.
    public var listedFieldsAreComplete: Bool
    /// The first words of the text in UTF-8, 200 characters at most; may be empty.
    public var preview: [UInt8]

    /// Reads `message` once.
    public static func make(
        _ message: UnsafeRawBufferPointer, limits: MIMELimits = MIMELimits()
    ) -> MessageSummary {
        make(message, tree: MIMETree(parsing: message, limits: limits), limits: limits)
    }

    /// The summary of a message whose tree is there already.
    public static func make(
        _ message: UnsafeRawBufferPointer, tree: MIMETree, limits: MIMELimits = MIMELimits()
    ) -> MessageSummary {
        let root = tree.parts[0]
        let fields = tree.envelopeFields(of: root) ?? EnvelopeFields()
        var envelope: [UInt8] = []
        envelope.reserveCapacity(512)
        var encoder = EnvelopeEncoder(limits: limits)
        encoder.encode(fields, of: message, to: &envelope)
        var structure: [UInt8] = []
        structure.reserveCapacity(256 * min(tree.parts.count, 64))
        var structures = BodyStructureEncoder(limits: limits)
        structures.encode(tree, of: message, extended: true, to: &structure)
        var listed: [UInt8] = []
        let octets = tree.listedFields.reduce(0) { $0 + $1.count }
        let isComplete = octets <= limits.listedFieldsMaxOctets
        if isComplete {
            listed.reserveCapacity(octets)
            for range in tree.listedFields { listed.append(contentsOf: message[range.range]) }
        }
        return MessageSummary(
            envelope: envelope, bodyStructure: structure,
            sentDate: DateParser.parse(message, fields.date), headerOctets: root.header.count,
            listedFields: listed, listedFieldsAreComplete: isComplete,
            preview: Preview.make(tree, of: message))
    }
}
