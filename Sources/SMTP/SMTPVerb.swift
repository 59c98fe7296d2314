/// The commands, and what has to hold before each may run.
enum SMTPVerb: UInt8, CaseIterable {
    case helo, ehlo, mail, rcpt, data, bdat, rset, noop, vrfy, expn, help, quit, starttls, auth

    /// What is checked, in this order, before a command proceeds.
    struct Rule {
        /// 503 before HELO or EHLO.
        var needsHello = false
        /// 530 where TLS is required and not yet there (RFC 3207 §4).
        var needsTLSWherePolicy = true
        /// 503 once BDAT was begun (RFC 3030 §2).
        var allowedAmidChunks = false
        /// 501 with an argument.
        var takesArguments = true
        /// It counts as a command that leads nowhere.
        var isIdle = false
    }

    var rule: Rule {
        switch self {
        case .helo, .ehlo:
            Rule(needsTLSWherePolicy: false, allowedAmidChunks: true, isIdle: true)
        case .mail: Rule(needsHello: true)
        case .rcpt: Rule(needsHello: true)
        case .data: Rule(needsHello: true, takesArguments: false)
        // BDAT is checked when its octets are known, as they have to be read in any case.
        case .bdat: Rule(needsTLSWherePolicy: false, allowedAmidChunks: true)
        case .rset:
            Rule(
                needsTLSWherePolicy: false, allowedAmidChunks: true, takesArguments: false,
                isIdle: true)
        case .noop: Rule(needsTLSWherePolicy: false, allowedAmidChunks: true, isIdle: true)
        case .vrfy, .expn, .help: Rule(allowedAmidChunks: true, isIdle: true)
        case .quit:
            Rule(needsTLSWherePolicy: false, allowedAmidChunks: true, takesArguments: false)
        case .starttls:
            Rule(
                needsHello: true, needsTLSWherePolicy: false, takesArguments: false, isIdle: true)
        // The place of RFC 4954: it is known, and not implemented on a listener without accounts.
        case .auth: Rule(needsHello: true, isIdle: true)
        }
    }

    /// The verb of a line, and where its arguments begin.
    @inline(__always)
    static func parse(_ line: UnsafeRawBufferPointer) -> (verb: SMTPVerb, arguments: Int)? {
        var word: UInt64 = 0
        var end = 0
        while end < line.count, line[end] != Byte.space, line[end] != Byte.tab {
            guard end < 8, Byte.isAlphanumeric(line[end]) else { return nil }
            word = word << 8 | UInt64(Byte.lowercased(line[end]))
            end += 1
        }
        guard let verb = verb(packed: word) else { return nil }
        while end < line.count, line[end] == Byte.space || line[end] == Byte.tab { end += 1 }
        return (verb, end)
    }

    private static func verb(packed word: UInt64) -> SMTPVerb? {
        switch word {
        case 0x6865_6C6F: .helo
        case 0x6568_6C6F: .ehlo
        case 0x6D61_696C: .mail
        case 0x7263_7074: .rcpt
        case 0x6461_7461: .data
        case 0x6264_6174: .bdat
        case 0x7273_6574: .rset
        case 0x6E6F_6F70: .noop
        case 0x7672_6679: .vrfy
        case 0x6578_706E: .expn
        case 0x6865_6C70: .help
        case 0x7175_6974: .quit
        case 0x7374_6172_7474_6C73: .starttls
        case 0x6175_7468: .auth
        default: nil
        }
    }
}
