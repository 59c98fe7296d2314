/// One mailbox in LIST (RFC 9051 §7.3.1).
public struct ListResponse: Sendable, Equatable {
    /// With their backslash.
    public var attributes: [String]
    public var mailbox: String
    /// The name before RENAME (RFC 9051 §6.3.9.7).
    public var oldName: String?
    /// RECURSIVEMATCH: what children match, `SUBSCRIBED` at present.
    public var childInfo: [String]

    public init(
        attributes: [String], mailbox: String, oldName: String? = nil, childInfo: [String] = []
    ) {
        self.attributes = attributes
        self.mailbox = mailbox
        self.oldName = oldName
        self.childInfo = childInfo
    }
}

/// One value of STATUS.
public enum StatusValue: Sendable, Equatable {
    case messages(UInt32)
    case uidNext(UInt32)
    case uidValidity(UInt32)
    case unseen(UInt32)
    case recent(UInt32)
    case deleted(UInt32)
    case size(UInt64)
    case highestModSeq(UInt64)
    case appendLimit(UInt64?)
    case mailboxID(String)
}

/// The results of ESEARCH (RFC 9051 §7.3.4).
public struct ExtendedSearchResult: Sendable, Equatable {
    public var minimum: UInt32?
    public var maximum: UInt32?
    public var all: NumberSet?
    public var count: UInt32?
    public var modSeq: UInt64?

    public init() {}
}

extension ResponseEncoder {
    /// `* LIST (attributes) "/" mailbox (extended data)`
    public func list(_ response: ListResponse, to out: inout [UInt8]) {
        Self.append("* LIST ", to: &out)
        Self.appendList(response.attributes, to: &out)
        Self.append(" \"/\" ", to: &out)
        mailbox(response.mailbox, to: &out)
        if response.oldName != nil || !response.childInfo.isEmpty {
            Self.append(" (", to: &out)
            if !response.childInfo.isEmpty {
                Self.append("\"CHILDINFO\" (", to: &out)
                for (index, info) in response.childInfo.enumerated() {
                    if index > 0 { out.append(0x20) }
                    Self.appendString(info, to: &out)
                }
                out.append(0x29)
            }
            if let oldName = response.oldName {
                if !response.childInfo.isEmpty { out.append(0x20) }
                Self.append("\"OLDNAME\" (", to: &out)
                mailbox(oldName, to: &out)
                out.append(0x29)
            }
            out.append(0x29)
        }
        Self.append("\r\n", to: &out)
    }

    /// The answer to `LIST "" ""`: the delimiter alone.
    public func listDelimiter(to out: inout [UInt8]) {
        Self.append("* LIST (\\Noselect) \"/\" \"\"\r\n", to: &out)
    }

    /// `* LSUB (attributes) "/" mailbox`
    public func lsub(_ attributes: [String], _ name: String, to out: inout [UInt8]) {
        Self.append("* LSUB ", to: &out)
        Self.appendList(attributes, to: &out)
        Self.append(" \"/\" ", to: &out)
        mailbox(name, to: &out)
        Self.append("\r\n", to: &out)
    }

    /// `* STATUS mailbox (items)`
    public func status(of name: String, _ values: [StatusValue], to out: inout [UInt8]) {
        Self.append("* STATUS ", to: &out)
        mailbox(name, to: &out)
        Self.append(" (", to: &out)
        for (index, value) in values.enumerated() {
            if index > 0 { out.append(0x20) }
            append(value, to: &out)
        }
        Self.append(")\r\n", to: &out)
    }

    private func append(_ value: StatusValue, to out: inout [UInt8]) {
        func item(_ name: StaticString, _ number: UInt64) {
            Self.append(name, to: &out)
            Self.append(number, to: &out)
        }
        switch value {
        case .messages(let number): item("MESSAGES ", UInt64(number))
        case .uidNext(let number): item("UIDNEXT ", UInt64(number))
        case .uidValidity(let number): item("UIDVALIDITY ", UInt64(number))
        case .unseen(let number): item("UNSEEN ", UInt64(number))
        case .recent(let number): item("RECENT ", UInt64(number))
        case .deleted(let number): item("DELETED ", UInt64(number))
        case .size(let number): item("SIZE ", number)
        case .highestModSeq(let number): item("HIGHESTMODSEQ ", number)
        case .appendLimit(let number?): item("APPENDLIMIT ", number)
        case .appendLimit(nil): Self.append("APPENDLIMIT NIL", to: &out)
        case .mailboxID(let id):
            Self.append("MAILBOXID (", to: &out)
            out.append(contentsOf: id.utf8)
            out.append(0x29)
        }
    }

    /// `* ESEARCH (TAG "a") UID MIN 1 ...`
    public func extendedSearch(
        tag: [UInt8], isUID: Bool, _ result: ExtendedSearchResult, to out: inout [UInt8]
    ) {
        Self.append("* ESEARCH (TAG ", to: &out)
        tag.withUnsafeBytes { StringEncoder.append($0, to: &out) }
        Self.append(isUID ? ") UID" : ")", to: &out)
        func item(_ name: StaticString, _ number: UInt64?) {
            guard let number else { return }
            Self.append(name, to: &out)
            Self.append(number, to: &out)
        }
        item(" MIN ", result.minimum.map(UInt64.init))
        item(" MAX ", result.maximum.map(UInt64.init))
        // An empty set cannot be written: ALL is left out (RFC 9051 §6.4.4).
        if let all = result.all, !all.isEmpty {
            Self.append(" ALL ", to: &out)
            Self.append(all, to: &out)
        }
        item(" COUNT ", result.count.map(UInt64.init))
        item(" MODSEQ ", result.modSeq)
        Self.append("\r\n", to: &out)
    }

    /// A mailbox name alone, as the client reads it: an atom-like name stays bare.
    public func mailbox(_ name: String, to out: inout [UInt8]) {
        var bytes: [UInt8] = []
        if isUTF8 {
            bytes.append(contentsOf: name.utf8)
        } else {
            MailboxName.appendUTF7(name, to: &bytes)
        }
        let isNIL = bytes.count == 3 && bytes.map { IMAPBytes.upper($0) } == Array("NIL".utf8)
        if !bytes.isEmpty, !isNIL, bytes.allSatisfy({ IMAPBytes.isAtom($0) }) {
            out.append(contentsOf: bytes)
        } else if isUTF8, bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) {
            out.append(0x22)
            for byte in bytes {
                if byte == 0x22 || byte == 0x5C { out.append(0x5C) }
                out.append(byte)
            }
            out.append(0x22)
        } else {
            bytes.withUnsafeBytes { StringEncoder.append($0, to: &out) }
        }
    }
}
