extension CommandCursor {
    mutating func append() throws(IMAPSyntaxError) -> IMAPCommand {
        let name = try mailbox()
        var messages: [AppendMessage] = []
        repeat {
            try space()
            var message = AppendMessage(
                flags: [], date: nil, body: .held(0..<0), isUTF8: false, isBinary: false)
            if peek == 0x28 {
                message.flags = try flagList()
                try space()
            }
            if peek == 0x22 {
                message.date = try dateTime()
                try space()
            }
            message.isUTF8 = skip(word: "UTF8 (")
            message.isBinary = skip(0x7E)
            if message.isUTF8, !message.isBinary { throw IMAPSyntaxError("Expected ~{") }
            message.body = try messageLiteral()
            if message.isUTF8 { try expect(0x29, ")") }
            messages.append(message)
        } while !isAtEnd
        return .append(mailbox: name, messages: messages)
    }

    mutating func storeRequest() throws(IMAPSyntaxError) -> StoreRequest {
        var unchangedSince: UInt64?
        if skip(0x28) {
            guard skip(word: "UNCHANGEDSINCE ") else {
                throw IMAPSyntaxError("Expected UNCHANGEDSINCE")
            }
            unchangedSince = try modSeq()
            try expect(0x29, ")")
            try space()
        }
        var change = StoreRequest.Change.replace
        if skip(0x2B) { change = .add } else if skip(0x2D) { change = .remove }
        guard skip(word: "FLAGS") else { throw IMAPSyntaxError("Expected FLAGS") }
        let isSilent = skip(word: ".SILENT")
        try space()
        var flags: [IMAPFlag] = []
        if peek == 0x28 {
            flags = try flagList()
        } else {
            flags.append(try flag())
            while skip(0x20) {
                if flags.count == limits.listItemsMax { throw IMAPSyntaxError("List is too long") }
                flags.append(try flag())
            }
        }
        return StoreRequest(
            change: change, isSilent: isSilent, flags: flags, unchangedSince: unchangedSince)
    }

    // MARK: FETCH

    mutating func fetchRequest(isUID: Bool) throws(IMAPSyntaxError) -> FetchRequest {
        var request = FetchRequest(items: [])
        if peek == 0x28 {
            request.items = try list("(") { (cursor) throws(IMAPSyntaxError) in
                try cursor.fetchItem()
            }
        } else if skip(word: "ALL") {
            request.items = [.flags, .internalDate, .rfc822Size, .envelope]
        } else if skip(word: "FAST") {
            request.items = [.flags, .internalDate, .rfc822Size]
        } else if skip(word: "FULL") {
            request.items = [.flags, .internalDate, .rfc822Size, .envelope, .body]
        } else {
            request.items = [try fetchItem()]
        }
        guard skip(0x20) else { return request }
        var changedSince: UInt64?
        var isVanished = false
        _ = try list("(") { (cursor) throws(IMAPSyntaxError) in
            switch try cursor.word("a modifier") {
            case "CHANGEDSINCE" where changedSince == nil:
                try cursor.space()
                changedSince = try cursor.modSeq()
                if changedSince == 0 { throw IMAPSyntaxError("The mod-sequence must not be 0") }
            case "VANISHED" where !isVanished: isVanished = true
            case let other: throw IMAPSyntaxError("Unknown or repeated modifier \(other)")
            }
        }
        if isVanished, !isUID || changedSince == nil {
            throw IMAPSyntaxError("VANISHED needs UID FETCH and CHANGEDSINCE")
        }
        request.changedSince = changedSince
        request.isVanished = isVanished
        return request
    }

    private mutating func fetchItem() throws(IMAPSyntaxError) -> FetchItem {
        let name = try word("an item")
        switch name {
        case "FLAGS": return .flags
        case "UID": return .uid
        case "MODSEQ": return .modSeq
        case "ENVELOPE": return .envelope
        case "INTERNALDATE": return .internalDate
        case "SAVEDATE": return .saveDate
        case "EMAILID": return .emailID
        case "THREADID": return .threadID
        case "PREVIEW":
            if position + 1 < bytes.count, bytes[position] == 0x20, bytes[position + 1] == 0x28 {
                let mark = position
                position += 2
                if skip(word: "LAZY)") { return .previewLazy }
                position = mark
            }
            return .preview
        case "RFC822": return .rfc822
        case "RFC822.HEADER": return .rfc822Header
        case "RFC822.SIZE": return .rfc822Size
        case "RFC822.TEXT": return .rfc822Text
        case "BODYSTRUCTURE": return .bodyStructure
        case "BODY" where peek != 0x5B: return .body
        case "BODY", "BODY.PEEK":
            let section = try bodySection()
            return .section(section, partial: try partial(), isPeek: name == "BODY.PEEK")
        case "BINARY", "BINARY.PEEK":
            let part = try binaryPart()
            return .binary(part: part, partial: try partial(), isPeek: name == "BINARY.PEEK")
        case "BINARY.SIZE": return .binarySize(part: try binaryPart())
        default: throw IMAPSyntaxError("Unknown item \(name)")
        }
    }

    /// Part numbers with dots between; a dot before a word is taken too.
    private mutating func partNumbers() throws(IMAPSyntaxError) -> (part: [UInt32], more: Bool) {
        var part: [UInt32] = []
        while IMAPBytes.isDigit(peek) {
            if part.count == limits.listItemsMax { throw IMAPSyntaxError("Section is too deep") }
            part.append(try nonZero("a part number"))
            if !skip(0x2E) { return (part, false) }
        }
        return (part, !part.isEmpty)
    }

    private mutating func binaryPart() throws(IMAPSyntaxError) -> [UInt32] {
        try expect(0x5B, "[")
        let (part, more) = try partNumbers()
        if more { throw IMAPSyntaxError("Expected a part number") }
        try expect(0x5D, "]")
        return part
    }

    private mutating func bodySection() throws(IMAPSyntaxError) -> BodySection {
        try expect(0x5B, "[")
        let (part, more) = try partNumbers()
        if !more, !part.isEmpty || peek == 0x5D {
            try expect(0x5D, "]")
            return BodySection(part: part, text: nil)
        }
        let text: BodySection.Text
        switch try word("a section") {
        case "HEADER": text = .header
        case "TEXT": text = .text
        case "MIME":
            if part.isEmpty { throw IMAPSyntaxError("MIME needs a part number") }
            text = .mime
        case "HEADER.FIELDS": text = .headerFields(try headerNames())
        case "HEADER.FIELDS.NOT": text = .headerFieldsNot(try headerNames())
        case let other: throw IMAPSyntaxError("Unknown section \(other)")
        }
        try expect(0x5D, "]")
        return BodySection(part: part, text: text)
    }

    private mutating func headerNames() throws(IMAPSyntaxError) -> [[UInt8]] {
        try space()
        return try list("(") { (cursor) throws(IMAPSyntaxError) in
            try cursor.astring("a header name")
        }
    }

    private mutating func partial() throws(IMAPSyntaxError) -> FetchPartial? {
        guard skip(0x3C) else { return nil }
        let offset = try number("an offset", maximum: UInt64(Int64.max))
        try expect(0x2E, ". in a partial")
        let count = try number("a count", maximum: UInt64(Int64.max))
        if count == 0 { throw IMAPSyntaxError("A partial of no octets") }
        try expect(0x3E, "> after a partial")
        return FetchPartial(offset: offset, count: count)
    }
}
