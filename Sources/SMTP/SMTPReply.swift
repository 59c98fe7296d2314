/// An enhanced status code (RFC 3463), such as 5.1.1.
public struct SMTPEnhancedStatus: Hashable, Sendable {
    public var statusClass: UInt8
    public var subject: UInt16
    public var detail: UInt16

    public init(_ statusClass: UInt8, _ subject: UInt16, _ detail: UInt16) {
        self.statusClass = statusClass
        self.subject = subject
        self.detail = detail
    }
}

/// A reply, encoded once and appended as it is.
///
/// The usual ones are constants in `SMTPReply+Catalogue.swift`. Whoever makes one at run time need
/// not care what the text holds: it cannot break the line.
public struct SMTPReply: Hashable, Sendable {
    /// The reply code (RFC 5321 §4.2), 200 ... 599.
    public let code: UInt16
    /// The enhanced status code; greetings, replies to HELO and EHLO and 354 have none
    /// (RFC 2034 §4).
    public let status: SMTPEnhancedStatus?
    /// The bytes on the wire: one or more lines, each with its CRLF.
    public let wire: [UInt8]

    /// A reply of one line. What of `text` is not printable ASCII becomes `?`, and what would make
    /// the line longer than 512 octets (RFC 5321 §4.5.3.1.5) is cut off.
    public init(_ code: UInt16, _ status: SMTPEnhancedStatus? = nil, _ text: String) {
        self.init(code, status, lines: [text])
    }

    /// A reply of several lines.
    public init(_ code: UInt16, _ status: SMTPEnhancedStatus? = nil, lines: [String]) {
        precondition((200...599).contains(code) && !lines.isEmpty)
        self.code = code
        self.status = status
        var wire: [UInt8] = []
        for (index, text) in lines.enumerated() {
            let start = wire.count
            wire.append(contentsOf: String(code).utf8)
            wire.append(index == lines.count - 1 ? Byte.space : Byte.hyphen)
            if let status {
                let numbers = "\(status.statusClass).\(status.subject).\(status.detail) "
                wire.append(contentsOf: numbers.utf8)
            }
            for byte in text.utf8 where wire.count - start < 510 {
                wire.append((0x20...0x7E).contains(byte) ? byte : UInt8(ascii: "?"))
            }
            wire.append(Byte.cr)
            wire.append(Byte.lf)
        }
        self.wire = wire
    }

    /// Whether the sender should try again later.
    public var isTransient: Bool { (400...499).contains(code) }
    /// Whether the sender should give up.
    public var isPermanent: Bool { code >= 500 }
}
