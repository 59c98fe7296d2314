/// How the octets of a body were made fit for transport (RFC 2045 §6).
public enum TransferEncoding: UInt8, Sendable {
    /// 7bit, 8bit, binary, or nothing said.
    case identity
    case base64
    case quotedPrintable
    /// A name that no standard knows: the octets are taken as they are.
    case unknown
}

/// One entity of a message: its place, and where its fields say what.
///
/// All ranges count from the start of the message that was parsed. Values of fields are read from
/// the message when they are asked for, so that a part costs no allocation.
public struct MIMEPart: Hashable, Sendable {
    public enum Kind: UInt8, Sendable {
        /// Content of any type.
        case leaf
        /// Children, or none where the delimiters are missing.
        case multipart
        /// message/rfc822 or message/global: one child, which is the root of the message inside.
        case message
        /// A multipart or message that lies too deep to be opened.
        case opaque
    }

    public enum MediaType: UInt8, Sendable {
        case text, multipart, message, other
    }

    public var kind = Kind.leaf
    public var mediaType = MediaType.text
    public var transferEncoding = TransferEncoding.identity
    /// The number of multiparts and messages around it.
    public var depth: UInt16 = 0
    var parentIndex: Int32 = -1
    var firstChildIndex: Int32 = -1
    var lastChildIndex: Int32 = -1
    var nextSiblingIndex: Int32 = -1
    var envelopeIndex: Int32 = -1

    /// The header with the empty line that ends it.
    public var header = ByteRange(0, 0)
    /// The body. The line break before a delimiter belongs to the delimiter.
    public var body = ByteRange(0, 0)
    /// Line feeds in the body.
    public var bodyLines = 0

    /// The type before the slash; absent where the type is the default.
    public var type = ByteRange.absent
    public var subtype = ByteRange.absent
    /// What follows the subtype in Content-Type.
    public var parameters = ByteRange.absent
    /// Whether nothing was said about the type inside a multipart/digest: message/rfc822.
    public var isDigestDefault = false

    public var encodingValue = ByteRange.absent
    public var disposition = ByteRange.absent
    public var id = ByteRange.absent
    public var description = ByteRange.absent
    public var md5 = ByteRange.absent
    public var language = ByteRange.absent
    public var location = ByteRange.absent

    public var parent: Int? { parentIndex < 0 ? nil : Int(parentIndex) }
    public var firstChild: Int? { firstChildIndex < 0 ? nil : Int(firstChildIndex) }
    public var nextSibling: Int? { nextSiblingIndex < 0 ? nil : Int(nextSiblingIndex) }
    /// Whether the part is a message: the whole one, or one inside message/rfc822.
    public var isMessageRoot: Bool { envelopeIndex >= 0 }
}

/// Where the fields of a message's header lie that its envelope is made of (RFC 9051 §7.5.2). Of a
/// field that is there twice, the first counts.
public struct EnvelopeFields: Hashable, Sendable {
    public var date = ByteRange.absent
    public var subject = ByteRange.absent
    public var from = ByteRange.absent
    public var sender = ByteRange.absent
    public var replyTo = ByteRange.absent
    public var to = ByteRange.absent
    public var cc = ByteRange.absent
    public var bcc = ByteRange.absent
    public var inReplyTo = ByteRange.absent
    public var messageID = ByteRange.absent
    public var references = ByteRange.absent

    public init() {}

    @inline(__always)
    mutating func note(_ field: HeaderField) {
        @inline(__always)
        func set(_ range: inout ByteRange) {
            if !range.isPresent { range = field.value }
        }
        switch field.known {
        case .date: set(&date)
        case .subject: set(&subject)
        case .from: set(&from)
        case .sender: set(&sender)
        case .replyTo: set(&replyTo)
        case .to: set(&to)
        case .cc: set(&cc)
        case .bcc: set(&bcc)
        case .inReplyTo: set(&inReplyTo)
        case .messageID: set(&messageID)
        case .references: set(&references)
        default: break
        }
    }
}

/// The entities of one message, in the order in which they begin. Part 0 is the message itself.
public struct MIMETree: Hashable, Sendable {
    public internal(set) var parts: [MIMEPart]
    var envelopes: [EnvelopeFields]
    /// The fields of the message's own header for which `KnownField.isListed`, neighbours joined.
    public internal(set) var listedFields: [ByteRange]
    public internal(set) var limits: MIMELimits

    /// The tree of the message in `bytes`. Never fails: what is broken is read as far as it goes.
    public init(parsing bytes: UnsafeRawBufferPointer, limits: MIMELimits = MIMELimits()) {
        var parser = MIMEParser(bytes, limits)
        parser.parse()
        parts = parser.parts
        envelopes = parser.envelopes
        listedFields = parser.listedFields
        self.limits = limits
    }

    /// The envelope fields of a part that is a message, or of none.
    public func envelopeFields(of part: MIMEPart) -> EnvelopeFields? {
        part.envelopeIndex < 0 ? nil : envelopes[Int(part.envelopeIndex)]
    }
}
