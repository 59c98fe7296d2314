import Platform

/// What a client's line means inside an exchange (RFC 4954 §4, RFC 9051 §6.2.2).
public enum SASLLine: Sendable, Equatable {
    case data([UInt8])
    /// A single `*`.
    case cancel
    case invalid
    case tooLong

    /// A line that answers a challenge, without its CRLF.
    public init(response line: UnsafeRawBufferPointer, limits: SASLLimits = SASLLimits()) {
        if line.count == 1, line[0] == UInt8(ascii: "*") {
            self = .cancel
        } else if line.count > Self.maxOctets(limits) {
            self = .tooLong
        } else if let data = Base64.decode(line) {
            self = .data(data)
        } else {
            self = .invalid
        }
    }

    /// The argument after the mechanism's name: `=` stands for an empty response.
    public init(initialResponse argument: UnsafeRawBufferPointer, limits: SASLLimits = .init()) {
        if argument.count == 1, argument[0] == UInt8(ascii: "=") {
            self = .data([])
        } else if argument.isEmpty {
            self = .invalid
        } else {
            self.init(response: argument, limits: limits)
            if self == .cancel { self = .invalid }
        }
    }

    /// The longest line that can hold a message within its limit, without CRLF.
    public static func maxOctets(_ limits: SASLLimits) -> Int {
        (limits.messageMaxOctets + 2) / 3 * 4
    }
}
