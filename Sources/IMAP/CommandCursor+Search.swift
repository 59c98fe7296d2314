extension CommandCursor {
    mutating func searchRequest() throws(IMAPSyntaxError) -> SearchRequest {
        var request = SearchRequest(returns: nil, charset: nil, keys: [])
        if skip(word: "RETURN (") {
            position -= 1
            var returns: SearchRequest.Return = []
            _ = try list("(", allowsEmpty: true) { (cursor) throws(IMAPSyntaxError) in
                switch try cursor.word("a result option") {
                case "MIN": returns.insert(.min)
                case "MAX": returns.insert(.max)
                case "ALL": returns.insert(.all)
                case "COUNT": returns.insert(.count)
                case "SAVE": returns.insert(.save)
                case let other: throw IMAPSyntaxError("Unknown result option \(other)")
                }
            }
            request.returns = returns.isEmpty ? .all : returns
            try space()
        }
        if skip(word: "CHARSET ") {
            let name = try astring("a charset")
            request.charset = String(
                decoding: name.map { IMAPBytes.upper($0) }, as: UTF8.self)
            try space()
        }
        var budget = limits.searchKeysMax
        request.keys = try searchKeys(depth: 0, &budget, until: nil)
        return request
    }

    /// Keys with spaces between, up to `)` or the end.
    private mutating func searchKeys(
        depth: Int, _ budget: inout Int, until end: UInt8?
    ) throws(IMAPSyntaxError) -> [SearchKey] {
        var keys = [try searchKey(depth: depth, &budget)]
        while true {
            if let end {
                if skip(end) { return keys }
            } else if isAtEnd {
                return keys
            }
            try space()
            keys.append(try searchKey(depth: depth, &budget))
        }
    }

    private mutating func searchKey(
        depth: Int, _ budget: inout Int
    ) throws(IMAPSyntaxError) -> SearchKey {
        if depth > limits.searchDepthMax {
            throw IMAPSyntaxError("Search is nested too deep", status: .no, code: .limit)
        }
        budget -= 1
        if budget < 0 {
            throw IMAPSyntaxError("Search has too many keys", status: .no, code: .limit)
        }
        switch peek {
        case 0x28:
            position += 1
            return .and(try searchKeys(depth: depth + 1, &budget, until: 0x29))
        case 0x24, 0x2A, 0x30...0x39: return .sequence(try sequenceSet())
        default: break
        }
        let name = try word("a search key")
        if name == "NOT" {
            try space()
            return .not(try searchKey(depth: depth + 1, &budget))
        }
        if name == "OR" {
            try space()
            let first = try searchKey(depth: depth + 1, &budget)
            try space()
            return .or(first, try searchKey(depth: depth + 1, &budget))
        }
        if let key = Self.bareKey(name) { return key }
        guard skip(0x20) else { throw IMAPSyntaxError("Unknown or incomplete search key \(name)") }
        return try searchArgument(name)
    }

    private static func bareKey(_ name: String) -> SearchKey? {
        switch name {
        case "ALL": .all
        case "ANSWERED": .flag(.answered, isSet: true)
        case "DELETED": .flag(.deleted, isSet: true)
        case "DRAFT": .flag(.draft, isSet: true)
        case "FLAGGED": .flag(.flagged, isSet: true)
        case "SEEN": .flag(.seen, isSet: true)
        case "UNANSWERED": .flag(.answered, isSet: false)
        case "UNDELETED": .flag(.deleted, isSet: false)
        case "UNDRAFT": .flag(.draft, isSet: false)
        case "UNFLAGGED": .flag(.flagged, isSet: false)
        case "UNSEEN": .flag(.seen, isSet: false)
        case "NEW": .new
        case "OLD": .old
        case "RECENT": .recent
        case "SAVEDATESUPPORTED": .saveDateSupported
        default: nil
        }
    }

    private mutating func searchArgument(_ name: String) throws(IMAPSyntaxError) -> SearchKey {
        switch name {
        case "FROM": return .from(try astring("a string"))
        case "TO": return .to(try astring("a string"))
        case "CC": return .cc(try astring("a string"))
        case "BCC": return .bcc(try astring("a string"))
        case "SUBJECT": return .subject(try astring("a string"))
        case "BODY": return .body(try astring("a string"))
        case "TEXT": return .text(try astring("a string"))
        case "HEADER":
            let field = try astring("a header name")
            try space()
            return .header(name: field, value: try astring("a string"))
        case "KEYWORD": return .flag(.keyword(try keyword()), isSet: true)
        case "UNKEYWORD": return .flag(.keyword(try keyword()), isSet: false)
        case "BEFORE": return .before(try date())
        case "ON": return .on(try date())
        case "SINCE": return .since(try date())
        case "SENTBEFORE": return .sentBefore(try date())
        case "SENTON": return .sentOn(try date())
        case "SENTSINCE": return .sentSince(try date())
        case "SAVEDBEFORE": return .savedBefore(try date())
        case "SAVEDON": return .savedOn(try date())
        case "SAVEDSINCE": return .savedSince(try date())
        case "LARGER": return .larger(try number("a size", maximum: UInt64(Int64.max)))
        case "SMALLER": return .smaller(try number("a size", maximum: UInt64(Int64.max)))
        case "MODSEQ": return .modSeq(try modSeqKey())
        case "EMAILID": return .emailID(try objectID())
        case "THREADID": return .threadID(try objectID())
        case "UID": return .uid(try sequenceSet())
        default: throw IMAPSyntaxError("Unknown search key \(name)")
        }
    }

    /// `["/flags/\\Seen" all] 720162338`
    private mutating func modSeqKey() throws(IMAPSyntaxError) -> UInt64 {
        if peek == 0x22 {
            let entry = try string("an entry name")
            guard entry.starts(with: "/flags/".utf8), entry.count > 7 else {
                throw IMAPSyntaxError("Unknown entry name")
            }
            try space()
            switch try word("an entry type") {
            case "ALL", "PRIV", "SHARED": break
            default: throw IMAPSyntaxError("Unknown entry type")
            }
            try space()
        }
        return try modSeq()
    }

    /// RFC 8474 §7: up to 255 letters, digits, `_` and `-`.
    private mutating func objectID() throws(IMAPSyntaxError) -> [UInt8] {
        let range = try atom("an object id")
        if range.count > 255 { throw IMAPSyntaxError("Object id is too long") }
        return Array(bytes[range])
    }
}
