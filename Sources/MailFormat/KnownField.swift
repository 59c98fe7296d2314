/// The header fields that the server itself reads, told apart without a hash table.
public enum KnownField: UInt8, Sendable {
    case other
    case date, subject, from, sender, replyTo, to, cc, bcc, inReplyTo, messageID, references
    case contentType, contentTransferEncoding, contentDisposition, contentID
    case contentDescription, contentMD5, contentLanguage, contentLocation
    case mimeVersion, priority, xPriority, importance, listID, listPost, listUnsubscribe
    case deliveredTo, returnPath, newsgroups

    /// Whether the field is among those that lists and sorts of a mailbox ask for, and that are
    /// therefore kept beside the index.
    @inlinable
    public var isListed: Bool {
        switch self {
        case .other, .contentDisposition, .contentID, .contentDescription, .contentMD5,
            .contentLanguage, .contentLocation:
            false
        default: true
        }
    }

    /// The field with this name, whatever its case.
    public init(name bytes: UnsafeRawBufferPointer) {
        self = Self.classify(bytes, 0, bytes.count)
    }

    static func classify(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ end: Int) -> KnownField {
        @inline(__always)
        func check(_ name: StaticString, _ field: KnownField) -> KnownField {
            bytes.equals(name, at: ByteRange(start, end)) ? field : .other
        }
        guard end > start else { return .other }
        let first = ASCII.lower(bytes[start])
        switch (end - start, first) {
        case (2, 0x74): return check("to", .to)
        case (2, 0x63): return check("cc", .cc)
        case (3, 0x62): return check("bcc", .bcc)
        case (4, 0x66): return check("from", .from)
        case (4, 0x64): return check("date", .date)
        case (6, 0x73): return check("sender", .sender)
        case (7, 0x73): return check("subject", .subject)
        case (7, 0x6C): return check("list-id", .listID)
        case (8, 0x72): return check("reply-to", .replyTo)
        case (8, 0x70): return check("priority", .priority)
        case (9, 0x6C): return check("list-post", .listPost)
        case (10, 0x6D): return check("message-id", .messageID)
        case (10, 0x72): return check("references", .references)
        case (10, 0x63): return check("content-id", .contentID)
        case (10, 0x69): return check("importance", .importance)
        case (10, 0x78): return check("x-priority", .xPriority)
        case (10, 0x6E): return check("newsgroups", .newsgroups)
        case (11, 0x69): return check("in-reply-to", .inReplyTo)
        case (11, 0x63): return check("content-md5", .contentMD5)
        case (11, 0x72): return check("return-path", .returnPath)
        case (12, 0x63): return check("content-type", .contentType)
        case (12, 0x64): return check("delivered-to", .deliveredTo)
        case (12, 0x6D): return check("mime-version", .mimeVersion)
        case (16, 0x63):
            let language = check("content-language", .contentLanguage)
            return language == .other ? check("content-location", .contentLocation) : language
        case (16, 0x6C): return check("list-unsubscribe", .listUnsubscribe)
        case (19, 0x63):
            let disposition = check("content-disposition", .contentDisposition)
            return disposition == .other
                ? check("content-description", .contentDescription) : disposition
        case (25, 0x63): return check("content-transfer-encoding", .contentTransferEncoding)
        default: return .other
        }
    }
}
