/// Appends responses to a buffer (RFC 9051 §7). Each call writes a whole line with its CRLF unless
/// its name says otherwise.
public struct ResponseEncoder: Sendable {
    /// The client has enabled UTF8=ACCEPT or IMAP4rev2: names go as UTF-8 instead of UTF-7.
    public var isUTF8: Bool

    public init(isUTF8: Bool = false) {
        self.isUTF8 = isUTF8
    }

    // MARK: Status

    /// `tag OK [CODE] text`; without a tag `*`. Line breaks in the text become spaces.
    public func status(
        _ status: IMAPStatus, tag: [UInt8]? = nil, code: ResponseCode? = nil, text: String,
        to out: inout [UInt8]
    ) {
        if let tag { out.append(contentsOf: tag) } else { out.append(0x2A) }
        switch status {
        case .ok: Self.append(" OK ", to: &out)
        case .no: Self.append(" NO ", to: &out)
        case .bad: Self.append(" BAD ", to: &out)
        case .bye: Self.append(" BYE ", to: &out)
        case .preauth: Self.append(" PREAUTH ", to: &out)
        }
        if let code {
            out.append(0x5B)
            append(code, to: &out)
            Self.append("] ", to: &out)
        }
        Self.appendText(text, to: &out)
    }

    /// `+ text`
    public func continuation(_ text: String, to out: inout [UInt8]) {
        Self.append("+ ", to: &out)
        Self.appendText(text, to: &out)
    }

    /// The reply to a command that could not be read.
    public func refusal(_ error: IMAPSyntaxError, tag: [UInt8]?, to out: inout [UInt8]) {
        status(
            tag == nil ? .bad : error.status, tag: tag, code: error.code, text: error.text,
            to: &out)
    }

    /// The reply to a command that could not be framed.
    public func refusal(_ refusal: IMAPRefusal, to out: inout [UInt8]) {
        status(
            refusal.tag == nil ? .bad : refusal.status, tag: refusal.tag, code: refusal.code,
            text: refusal.text, to: &out)
    }

    private static func appendText(_ text: String, to out: inout [UInt8]) {
        if text.isEmpty { out.append(0x2E) }
        for byte in text.utf8 { out.append(byte == 0 || byte == 10 || byte == 13 ? 0x20 : byte) }
        append("\r\n", to: &out)
    }

    private func append(_ code: ResponseCode, to out: inout [UInt8]) {
        Self.append(code.name, to: &out)
        switch code {
        case .badCharset(let names):
            if names.isEmpty { return }
            out.append(0x20)
            Self.appendList(names, to: &out)
        case .capability(let names):
            for name in names { Self.appendWord(name, to: &out) }
        case .permanentFlags(let flags):
            out.append(0x20)
            Self.appendList(flags, to: &out)
        case .uidNext(let number), .uidValidity(let number), .unseen(let number):
            out.append(0x20)
            Self.append(number, to: &out)
        case .highestModSeq(let number), .appendLimit(let number):
            out.append(0x20)
            Self.append(number, to: &out)
        case .modified(let set):
            out.append(0x20)
            Self.append(set, to: &out)
        case .appendUID(let validity, let uids):
            out.append(0x20)
            Self.append(validity, to: &out)
            out.append(0x20)
            Self.append(uids, to: &out)
        case .copyUID(let validity, let from, let to):
            out.append(0x20)
            Self.append(validity, to: &out)
            out.append(0x20)
            Self.append(from, to: &out)
            out.append(0x20)
            Self.append(to, to: &out)
        case .mailboxID(let id):
            Self.append(" (", to: &out)
            out.append(contentsOf: id.utf8)
            out.append(0x29)
        default: break
        }
    }

    // MARK: Lines

    /// `* CAPABILITY ...`
    public func capability(_ names: [String], to out: inout [UInt8]) {
        words("* CAPABILITY", names, &out)
    }

    /// `* ENABLED ...`
    public func enabled(_ names: [String], to out: inout [UInt8]) {
        words("* ENABLED", names, &out)
    }

    private func words(_ head: StaticString, _ names: [String], _ out: inout [UInt8]) {
        Self.append(head, to: &out)
        for name in names { Self.appendWord(name, to: &out) }
        Self.append("\r\n", to: &out)
    }

    /// `* FLAGS (...)`
    public func flags(_ flags: [String], to out: inout [UInt8]) {
        Self.append("* FLAGS ", to: &out)
        Self.appendList(flags, to: &out)
        Self.append("\r\n", to: &out)
    }

    /// `* n EXISTS`
    public func exists(_ count: UInt32, to out: inout [UInt8]) {
        numbered(count, " EXISTS\r\n", &out)
    }

    /// `* n RECENT`: for clients that have not enabled IMAP4rev2.
    public func recent(_ count: UInt32, to out: inout [UInt8]) {
        numbered(count, " RECENT\r\n", &out)
    }

    /// `* n EXPUNGE`
    public func expunge(_ sequenceNumber: UInt32, to out: inout [UInt8]) {
        numbered(sequenceNumber, " EXPUNGE\r\n", &out)
    }

    private func numbered(_ number: UInt32, _ tail: StaticString, _ out: inout [UInt8]) {
        Self.append("* ", to: &out)
        Self.append(number, to: &out)
        Self.append(tail, to: &out)
    }

    /// `* VANISHED (EARLIER) uids`; nothing for an empty set.
    public func vanished(_ uids: NumberSet, isEarlier: Bool, to out: inout [UInt8]) {
        if uids.isEmpty { return }
        Self.append(isEarlier ? "* VANISHED (EARLIER) " : "* VANISHED ", to: &out)
        Self.append(uids, to: &out)
        Self.append("\r\n", to: &out)
    }

    /// `* SEARCH 1 2 (MODSEQ n)`
    public func search(_ numbers: [UInt32], modSeq: UInt64? = nil, to out: inout [UInt8]) {
        Self.append("* SEARCH", to: &out)
        for number in numbers {
            out.append(0x20)
            Self.append(number, to: &out)
        }
        if let modSeq, !numbers.isEmpty {
            Self.append(" (MODSEQ ", to: &out)
            Self.append(modSeq, to: &out)
            out.append(0x29)
        }
        Self.append("\r\n", to: &out)
    }

    /// `* ID (...)`; NIL without fields.
    public func id(_ fields: [(name: String, value: String?)], to out: inout [UInt8]) {
        if fields.isEmpty { return Self.append("* ID NIL\r\n", to: &out) }
        Self.append("* ID (", to: &out)
        for (index, field) in fields.enumerated() {
            if index > 0 { out.append(0x20) }
            Self.appendString(field.name, to: &out)
            out.append(0x20)
            if let value = field.value {
                Self.appendString(value, to: &out)
            } else {
                Self.append("NIL", to: &out)
            }
        }
        Self.append(")\r\n", to: &out)
    }

    /// One personal namespace without a prefix, no others.
    public func namespace(to out: inout [UInt8]) {
        Self.append("* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n", to: &out)
    }
}
