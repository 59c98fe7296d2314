/// A literal whose octets went past the frame in chunks.
public struct StreamedLiteral: Sendable, Equatable {
    /// Where its octets would start in the frame's bytes.
    public let offset: Int
    public let sizeOctets: Int
    /// `~{...}`: the octets may include NUL (RFC 3516).
    public let isBinary: Bool
    /// The client waits for a continuation before it sends the octets.
    public let isSynchronising: Bool
}

/// One whole command: its octets with the literals in place, without the last CRLF.
public struct IMAPFrame: Sendable, Equatable {
    public var bytes: [UInt8]
    /// Literals that are not in `bytes`; only their `{n}` CRLF is.
    public var streamed: [StreamedLiteral]

    public init(bytes: [UInt8], streamed: [StreamedLiteral] = []) {
        self.bytes = bytes
        self.streamed = streamed
    }

    /// The tag, if the frame begins with a valid one.
    public var tag: [UInt8]? { IMAPBytes.tag(of: bytes) }
}

/// A command that was refused while it was framed, after it was read to its end.
public struct IMAPRefusal: Sendable, Equatable {
    public enum Reason: Sendable, Equatable {
        case lineTooLong, bareLF, literalTooBig, messageTooBig, tooManyLiterals
        case nonSynchronisingTooBig
    }

    /// nil if there was no valid tag: the reply is untagged.
    public let tag: [UInt8]?
    public let reason: Reason

    /// NO for a message that is too big (RFC 9051 §6.3.12), BAD otherwise.
    public var status: IMAPStatus { reason == .messageTooBig ? .no : .bad }

    public var code: ResponseCode? {
        switch reason {
        case .messageTooBig, .literalTooBig: .tooBig
        case .lineTooLong, .tooManyLiterals: .limit
        case .bareLF, .nonSynchronisingTooBig: nil
        }
    }

    /// Text for people.
    public var text: String {
        switch reason {
        case .lineTooLong: "Command line is too long"
        case .bareLF: "Lines must end in CRLF"
        case .literalTooBig: "Literal is too big"
        case .messageTooBig: "Message is too big"
        case .tooManyLiterals: "Too many literals in one command"
        case .nonSynchronisingTooBig: "Non-synchronising literal is too big, wait for \"+\""
        }
    }
}

/// Octet classes of the grammar (RFC 9051 §9).
enum IMAPBytes {
    /// `atom-specials`, controls and octets above 127 are not atom characters.
    @inline(__always)
    static func isAtom(_ byte: UInt8) -> Bool {
        switch byte {
        case 0...0x20, 0x22, 0x25, 0x28, 0x29, 0x2A, 0x5C, 0x5D, 0x7B, 0x7F...0xFF: false
        default: true
        }
    }

    @inline(__always)
    static func isAstring(_ byte: UInt8) -> Bool { isAtom(byte) || byte == 0x5D }

    @inline(__always)
    static func isTag(_ byte: UInt8) -> Bool { isAstring(byte) && byte != 0x2B }

    @inline(__always)
    static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

    @inline(__always)
    static func upper(_ byte: UInt8) -> UInt8 { byte &- 0x61 < 26 ? byte & 0xDF : byte }

    static func tag(of bytes: [UInt8]) -> [UInt8]? {
        var end = 0
        while end < bytes.count, end <= 128, isTag(bytes[end]) { end += 1 }
        guard end > 0, end <= 128, end == bytes.count || bytes[end] == 0x20 else { return nil }
        return Array(bytes[0..<end])
    }
}

extension [UInt8] {
    /// `withUnsafeBytes` that keeps the type of what is thrown.
    func withRawBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try withUnsafeBufferPointer { (buffer) throws(Failure) in
            try body(UnsafeRawBufferPointer(buffer))
        }
    }
}
