/// Reads whole frames (RFC 9051 §9). Each rule decides on the next octets; nothing is tried twice.
public struct CommandParser: Sendable {
    public var limits: IMAPLimits
    /// The client has enabled UTF8=ACCEPT or IMAP4rev2: names are UTF-8 instead of UTF-7.
    public var isUTF8 = false

    public init(limits: IMAPLimits = IMAPLimits()) {
        self.limits = limits
    }

    /// Reads a command. On an error the tag is `frame.tag`, and the reply is untagged if that is nil.
    public func parse(_ frame: IMAPFrame) throws(IMAPSyntaxError) -> TaggedCommand {
        guard let tag = frame.tag else {
            throw IMAPSyntaxError(frame.bytes.isEmpty ? "Empty line" : "Expected a tag")
        }
        let command = try frame.bytes.withRawBytes { (bytes) throws(IMAPSyntaxError) in
            var cursor = CommandCursor(
                bytes, streamed: frame.streamed, limits: limits, isUTF8: isUTF8)
            cursor.position = tag.count
            if cursor.isAtEnd { throw IMAPSyntaxError("Expected a command after the tag") }
            try cursor.space()
            return try Self.command(&cursor)
        }
        return TaggedCommand(tag: tag, command: command)
    }

    /// The mailbox of an APPEND whose literal was just announced, to refuse it before it is sent.
    public func appendTarget(_ frame: IMAPFrame) throws(IMAPSyntaxError) -> String {
        try frame.bytes.withRawBytes { (bytes) throws(IMAPSyntaxError) in
            var cursor = CommandCursor(
                bytes, streamed: frame.streamed, limits: limits, isUTF8: isUTF8)
            cursor.position = frame.tag?.count ?? 0
            try cursor.space()
            guard cursor.skip(word: "APPEND ") else { throw IMAPSyntaxError("Expected APPEND") }
            return try cursor.mailbox()
        }
    }

    private static func command(
        _ cursor: inout CommandCursor
    ) throws(IMAPSyntaxError) -> IMAPCommand {
        let name = try cursor.word("a command")
        if let command = bare(name) {
            guard cursor.isAtEnd else { throw IMAPSyntaxError("\(name) takes no arguments") }
            return command
        }
        guard isKnown(name) else { throw IMAPSyntaxError("Unknown command \(name)") }
        guard cursor.skip(0x20) else { throw IMAPSyntaxError("\(name) needs arguments") }
        let command = try arguments(of: name, &cursor)
        guard cursor.isAtEnd else {
            throw IMAPSyntaxError("\(name) has more than its arguments")
        }
        return command
    }

    private static func bare(_ name: String) -> IMAPCommand? {
        switch name {
        case "CAPABILITY": .capability
        case "NOOP": .noop
        case "LOGOUT": .logout
        case "STARTTLS": .startTLS
        case "CHECK": .check
        case "CLOSE": .close
        case "UNSELECT": .unselect
        case "EXPUNGE": .expunge(uids: nil)
        case "IDLE": .idle
        case "NAMESPACE": .namespace
        default: nil
        }
    }

    private static func isKnown(_ name: String) -> Bool {
        switch name {
        case "AUTHENTICATE", "LOGIN", "ID", "ENABLE", "SELECT", "EXAMINE", "CREATE", "DELETE",
            "RENAME", "SUBSCRIBE", "UNSUBSCRIBE", "LIST", "LSUB", "STATUS", "APPEND", "SEARCH",
            "FETCH", "STORE", "COPY", "MOVE", "UID":
            true
        default: false
        }
    }

    private static func arguments(
        of name: String, _ cursor: inout CommandCursor
    ) throws(IMAPSyntaxError) -> IMAPCommand {
        switch name {
        case "AUTHENTICATE": return try cursor.authenticate()
        case "LOGIN":
            let user = try cursor.astring("a user name")
            try cursor.space()
            return .login(user: user, password: try cursor.astring("a password"))
        case "ID": return .id(try cursor.idFields())
        case "ENABLE":
            var names = [try cursor.word("a capability")]
            while cursor.skip(0x20) { names.append(try cursor.word("a capability")) }
            return .enable(names)
        case "SELECT", "EXAMINE": return try cursor.select(isReadOnly: name == "EXAMINE")
        case "CREATE": return try cursor.create()
        case "DELETE": return .delete(mailbox: try cursor.mailbox())
        case "RENAME":
            let from = try cursor.mailbox()
            try cursor.space()
            return .rename(from: from, to: try cursor.mailbox())
        case "SUBSCRIBE": return .subscribe(mailbox: try cursor.mailbox())
        case "UNSUBSCRIBE": return .unsubscribe(mailbox: try cursor.mailbox())
        case "LIST": return .list(try cursor.listRequest())
        case "LSUB":
            let reference = try cursor.reference()
            try cursor.space()
            return .lsub(reference: reference, pattern: try cursor.pattern())
        case "STATUS":
            let mailbox = try cursor.mailbox()
            try cursor.space()
            return .status(mailbox: mailbox, items: try cursor.statusItems())
        case "APPEND": return try cursor.append()
        case "UID": return try uid(&cursor)
        default: return try message(name, &cursor, isUID: false)
        }
    }

    private static func uid(_ cursor: inout CommandCursor) throws(IMAPSyntaxError) -> IMAPCommand {
        let name = try cursor.word("a command after UID")
        switch name {
        case "SEARCH", "FETCH", "STORE", "COPY", "MOVE", "EXPUNGE":
            guard cursor.skip(0x20) else { throw IMAPSyntaxError("UID \(name) needs arguments") }
        default: throw IMAPSyntaxError("Unknown command UID \(name)")
        }
        if name == "EXPUNGE" { return .expunge(uids: try cursor.sequenceSet()) }
        return try message(name, &cursor, isUID: true)
    }

    private static func message(
        _ name: String, _ cursor: inout CommandCursor, isUID: Bool
    ) throws(IMAPSyntaxError) -> IMAPCommand {
        if name == "SEARCH" { return .search(try cursor.searchRequest(), isUID: isUID) }
        let set = try cursor.sequenceSet()
        try cursor.space()
        switch name {
        case "FETCH": return .fetch(set, try cursor.fetchRequest(isUID: isUID), isUID: isUID)
        case "STORE": return .store(set, try cursor.storeRequest(), isUID: isUID)
        case "COPY": return .copy(set, mailbox: try cursor.mailbox(), isUID: isUID)
        default: return .move(set, mailbox: try cursor.mailbox(), isUID: isUID)
        }
    }
}
