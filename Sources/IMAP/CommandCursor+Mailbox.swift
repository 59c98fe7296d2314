import Platform

extension CommandCursor {
    mutating func authenticate() throws(IMAPSyntaxError) -> IMAPCommand {
        let mechanism = try word("a mechanism")
        guard skip(0x20) else {
            return .authenticate(mechanism: mechanism, initialResponse: nil)
        }
        if peek == 0x3D, position + 1 == bytes.count {
            position += 1
            return .authenticate(mechanism: mechanism, initialResponse: [])
        }
        let rest = UnsafeRawBufferPointer(rebasing: bytes[position...])
        guard !rest.isEmpty, let response = Base64.decode(rest) else {
            throw IMAPSyntaxError("The initial response is not base64")
        }
        position = bytes.count
        return .authenticate(mechanism: mechanism, initialResponse: response)
    }

    mutating func idFields() throws(IMAPSyntaxError) -> [IDField] {
        if skip(word: "NIL") { return [] }
        // RFC 2971 §3.3: at most 30 pairs, names of 30 and values of 1,024 octets.
        let fields = try list("( or NIL", allowsEmpty: true) {
            (cursor) throws(IMAPSyntaxError) -> IDField in
            let name = try cursor.string("a field name")
            try cursor.space()
            let value = try cursor.nstring("a field value or NIL")
            if name.count > 30 || value?.count ?? 0 > 1_024 {
                throw IMAPSyntaxError("ID field is too long")
            }
            return IDField(name: name, value: value)
        }
        if fields.count > 30 { throw IMAPSyntaxError("ID has more than 30 fields") }
        return fields
    }

    mutating func select(isReadOnly: Bool) throws(IMAPSyntaxError) -> IMAPCommand {
        let name = try mailbox()
        var parameters = SelectParameters()
        if skip(0x20) {
            _ = try list("(") { (cursor) throws(IMAPSyntaxError) in
                switch try cursor.word("a parameter") {
                case "CONDSTORE" where !parameters.isCondstore: parameters.isCondstore = true
                case "QRESYNC" where parameters.qresync == nil:
                    try cursor.space()
                    parameters.qresync = try cursor.qresync()
                case let other:
                    throw IMAPSyntaxError("Unknown or repeated parameter \(other)")
                }
            }
        }
        return .select(mailbox: name, parameters: parameters, isReadOnly: isReadOnly)
    }

    private mutating func qresync() throws(IMAPSyntaxError) -> QResync {
        try expect(0x28, "(")
        let validity = try nonZero("UIDVALIDITY")
        try space()
        let modSeq = try modSeq()
        if modSeq == 0 { throw IMAPSyntaxError("The mod-sequence must not be 0") }
        var known: SequenceSet?
        var match: QResync.SequenceMatch?
        var hasMore = skip(0x20)
        if hasMore, peek != 0x28 {
            known = try knownSet()
            hasMore = skip(0x20)
        }
        if hasMore {
            try expect(0x28, "(")
            let numbers = try knownSet()
            try space()
            match = QResync.SequenceMatch(numbers: numbers, uids: try knownSet())
            try expect(0x29, ")")
        }
        try expect(0x29, ")")
        return QResync(
            uidValidity: validity, modSeq: modSeq, knownUIDs: known, sequenceMatch: match)
    }

    mutating func create() throws(IMAPSyntaxError) -> IMAPCommand {
        // A delimiter at the end only says that levels below will follow (RFC 9051 §6.3.4).
        let raw = try astring("a mailbox name")
        let trimmed = raw.count > 1 && raw.last == 0x2F ? Array(raw.dropLast()) : raw
        let name: String
        do throws(MailboxName.Failure) {
            name = try trimmed.withRawBytes { (bytes) throws(MailboxName.Failure) in
                try MailboxName.decode(bytes, isUTF8: isUTF8, limits: limits)
            }
        } catch {
            throw IMAPSyntaxError(error.text, status: .no, code: .cannot)
        }
        var uses: [String] = []
        if skip(0x20) {
            try expect(0x28, "(")
            guard skip(word: "USE") else { throw IMAPSyntaxError("Expected USE") }
            try space()
            uses = try list("(", allowsEmpty: true) { (cursor) throws(IMAPSyntaxError) in
                try cursor.expect(0x5C, "\\ before a special use")
                return "\\" + cursor.text(try cursor.atom("a special use"))
            }
            try expect(0x29, ")")
        }
        return .create(mailbox: name, specialUse: uses)
    }

    mutating func statusItems() throws(IMAPSyntaxError) -> [StatusItem] {
        try list("(") { (cursor) throws(IMAPSyntaxError) in
            switch try cursor.word("a status item") {
            case "MESSAGES": return .messages
            case "UIDNEXT": return .uidNext
            case "UIDVALIDITY": return .uidValidity
            case "UNSEEN": return .unseen
            case "RECENT": return .recent
            case "SIZE": return .size
            case "DELETED": return .deleted
            case "HIGHESTMODSEQ": return .highestModSeq
            case "APPENDLIMIT": return .appendLimit
            case "MAILBOXID": return .mailboxID
            case let other: throw IMAPSyntaxError("Unknown status item \(other)")
            }
        }
    }

    // MARK: LIST

    mutating func listRequest() throws(IMAPSyntaxError) -> ListRequest {
        var selection: ListRequest.Selection = []
        var isExtended = false
        if peek == 0x28 {
            isExtended = true
            _ = try list("(", allowsEmpty: true) { (cursor) throws(IMAPSyntaxError) in
                switch try cursor.word("a selection option") {
                case "SUBSCRIBED": selection.insert(.subscribed)
                case "REMOTE": selection.insert(.remote)
                case "RECURSIVEMATCH": selection.insert(.recursiveMatch)
                case "SPECIAL-USE": selection.insert(.specialUse)
                case let other: throw IMAPSyntaxError("Unknown selection option \(other)")
                }
            }
            // RFC 5258 §3.1: it says how other options match, so it needs one.
            if selection.contains(.recursiveMatch),
                selection.isDisjoint(with: [.subscribed, .specialUse])
            {
                throw IMAPSyntaxError("RECURSIVEMATCH needs another selection option")
            }
            try space()
        }
        let reference = try reference()
        try space()
        var patterns: [String]
        if peek == 0x28 {
            isExtended = true
            patterns = try list("(") { (cursor) throws(IMAPSyntaxError) in try cursor.pattern() }
        } else {
            patterns = [try pattern()]
        }
        var request = ListRequest(reference: reference, patterns: patterns)
        request.selection = selection
        if skip(0x20) {
            isExtended = true
            guard skip(word: "RETURN ") else { throw IMAPSyntaxError("Expected RETURN") }
            try listReturns(&request)
        }
        request.isExtended = isExtended
        return request
    }

    private mutating func listReturns(
        _ request: inout ListRequest
    ) throws(IMAPSyntaxError) {
        var returns: ListRequest.Return = []
        var status: [StatusItem]?
        _ = try list("(", allowsEmpty: true) { (cursor) throws(IMAPSyntaxError) in
            switch try cursor.word("a return option") {
            case "SUBSCRIBED": returns.insert(.subscribed)
            case "CHILDREN": returns.insert(.children)
            case "SPECIAL-USE": returns.insert(.specialUse)
            case "STATUS" where status == nil:
                try cursor.space()
                status = try cursor.statusItems()
            case let other: throw IMAPSyntaxError("Unknown return option \(other)")
            }
        }
        request.returns = returns
        request.status = status
    }

    /// The reference of LIST: a mailbox name that may be empty.
    mutating func reference() throws(IMAPSyntaxError) -> String {
        try characters(of: try astring("a reference name"))
    }

    /// `list-mailbox`: wildcards may stand in an atom.
    mutating func pattern() throws(IMAPSyntaxError) -> String {
        let start = position
        while position < bytes.count {
            let byte = bytes[position]
            guard IMAPBytes.isAstring(byte) || byte == 0x25 || byte == 0x2A else { break }
            position += 1
        }
        if position > start { return try characters(of: Array(bytes[start..<position])) }
        return try characters(of: try string("a mailbox pattern"))
    }

    private func characters(of raw: [UInt8]) throws(IMAPSyntaxError) -> String {
        if raw.count > limits.mailboxMaxOctets * 3 {
            throw IMAPSyntaxError("Mailbox name is too long")
        }
        do throws(MailboxName.Failure) {
            return try raw.withRawBytes { (bytes) throws(MailboxName.Failure) in
                try MailboxName.decodeCharacters(bytes, isUTF8: isUTF8)
            }
        } catch {
            throw IMAPSyntaxError(error.text)
        }
    }
}
