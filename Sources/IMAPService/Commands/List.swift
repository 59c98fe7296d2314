import IMAP
import MailStore

// LIST and LSUB (RFC 9051 §6.3.9; RFC 3501 §6.3.9; RFC 5258, RFC 5819, RFC 6154).
extension Session {
    /// A name that may be listed.
    private struct Node {
        var name: String
        var mailbox: Mailbox?
        var isSubscribed = false
        var hasChildren = false
        /// A name below is subscribed, has a special use, is both.
        var hasSubscribedBelow = false
        var hasSpecialBelow = false
        var hasBothBelow = false

        func isSelected(_ selection: ListRequest.Selection) -> Bool {
            if selection.contains(.subscribed), !isSubscribed { return false }
            if selection.contains(.specialUse), mailbox?.specialUse == nil { return false }
            return true
        }

        /// Whether a name below is selected, by the options that RECURSIVEMATCH extends.
        func hasSelectedBelow(_ selection: ListRequest.Selection) -> Bool {
            switch (selection.contains(.subscribed), selection.contains(.specialUse)) {
            case (true, true): hasBothBelow
            case (true, false): hasSubscribedBelow
            case (false, true): hasSpecialBelow
            case (false, false): false
            }
        }
    }

    mutating func list(_ request: ListRequest, _ state: AccountState) -> Effect {
        if !request.isExtended, request.patterns == [""] {
            encoder.listDelimiter(to: &out)
            return finish("Done")
        }
        let patterns = request.patterns.map { ListPattern(request.reference + $0) }
        guard patterns.allSatisfy({ $0.isAffordable }) else {
            return no(.limit, "Too many wildcards")
        }
        let status = request.status
        for node in nodes(state) {
            guard patterns.contains(where: { $0.matches(node.name) }),
                let response = response(node, request)
            else { continue }
            encoder.list(response, to: &out)
            if let status, let mailbox = node.mailbox { writeStatus(mailbox, status) }
        }
        return finish("Done")
    }

    /// Every mailbox, every name that is subscribed, and the levels above them, ascending.
    private func nodes(_ state: AccountState) -> [Node] {
        var nodes: [String: Node] = [:]
        for mailbox in state.mailboxes {
            nodes[mailbox.name, default: Node(name: mailbox.name)].mailbox = mailbox
            for parent in MailStore.MailboxName.ancestors(of: mailbox.name) {
                nodes[parent, default: Node(name: parent)].hasChildren = true
                if mailbox.specialUse != nil { nodes[parent]?.hasSpecialBelow = true }
            }
        }
        for name in state.subscriptions {
            nodes[name, default: Node(name: name)].isSubscribed = true
            let isSpecial = nodes[name]?.mailbox?.specialUse != nil
            for parent in MailStore.MailboxName.ancestors(of: name) {
                nodes[parent, default: Node(name: parent)].hasSubscribedBelow = true
                if isSpecial { nodes[parent]?.hasBothBelow = true }
            }
        }
        return nodes.values.sorted { $0.name < $1.name }
    }

    /// The line for a name; nil if it was not asked for.
    private func response(_ node: Node, _ request: ListRequest) -> ListResponse? {
        var response = ListResponse(attributes: [], mailbox: node.name)
        let selection = request.selection
        if !selection.contains(.subscribed), node.mailbox == nil, !node.hasChildren { return nil }
        // RFC 5258 §3.5: a name that is not selected shows for the sake of one below it.
        let isForBelow =
            selection.contains(.recursiveMatch) && node.hasSelectedBelow(selection)
        guard isForBelow || node.isSelected(selection) else { return nil }
        if isForBelow {
            if selection.contains(.subscribed) { response.childInfo.append("SUBSCRIBED") }
            if selection.contains(.specialUse) { response.childInfo.append("SPECIAL-USE") }
        }
        if node.mailbox == nil {
            response.attributes.append("\\NonExistent")
            // For clients that know only RFC 3501.
            if !request.isExtended { response.attributes.append("\\Noselect") }
        }
        let wantsSubscribed =
            request.selection.contains(.subscribed) || request.returns.contains(.subscribed)
        if wantsSubscribed, node.isSubscribed { response.attributes.append("\\Subscribed") }
        response.attributes.append(node.hasChildren ? "\\HasChildren" : "\\HasNoChildren")
        if let use = node.mailbox?.specialUse { response.attributes.append(use.attribute) }
        return response
    }

    /// A subscribed name that `%` does not reach shows as its parent (RFC 3501 §6.3.9).
    mutating func lsub(_ reference: String, _ text: String, _ state: AccountState) -> Effect {
        let pattern = ListPattern(reference + text)
        guard pattern.isAffordable else { return no(.limit, "Too many wildcards") }
        for node in nodes(state) {
            guard node.isSubscribed || node.hasSubscribedBelow, pattern.matches(node.name) else {
                continue
            }
            if node.isSubscribed {
                encoder.lsub([], node.name, to: &out)
            } else if text.hasSuffix("%") {
                encoder.lsub(["\\Noselect"], node.name, to: &out)
            }
        }
        return finish("Done")
    }
}

/// A LIST pattern: `*` is anything, `%` anything within one level (RFC 9051 §6.3.9.1).
struct ListPattern {
    private static let wildcardsMax = 32
    private let bytes: [UInt8]

    init(_ text: String) {
        var bytes: [UInt8] = []
        for byte in MailStore.MailboxName.canonical(text).utf8 {
            // "**" is "*", and so is "*%".
            if let last = bytes.last, last == 0x2A, byte == 0x2A || byte == 0x25 { continue }
            if let last = bytes.last, last == 0x25, byte == 0x25 { continue }
            bytes.append(byte)
        }
        self.bytes = bytes
    }

    /// What a pattern costs grows with its wildcards.
    var isAffordable: Bool {
        bytes.reduce(0) { $0 + ($1 == 0x2A || $1 == 0x25 ? 1 : 0) } <= Self.wildcardsMax
    }

    func matches(_ name: String) -> Bool {
        // The set of places in the pattern that what was read so far can have led to.
        var places = [Bool](repeating: false, count: bytes.count + 1)
        places[0] = true
        pass(&places)
        let isInbox = name == "INBOX" || name.hasPrefix("INBOX/")
        for (offset, byte) in name.utf8.enumerated() {
            var next = [Bool](repeating: false, count: bytes.count + 1)
            var isAlive = false
            for (i, isHere) in places.dropLast().enumerated() where isHere {
                switch bytes[i] {
                case 0x2A: next[i] = true
                case 0x25: next[i] = byte != 0x2F
                case byte: next[i + 1] = true
                // INBOX is the same in any case (RFC 9051 §5.1).
                case byte | 0x20 where isInbox && offset < 5: next[i + 1] = true
                default: continue
                }
                isAlive = true
            }
            guard isAlive else { return false }
            pass(&next)
            places = next
        }
        return places[bytes.count]
    }

    /// A wildcard may stand for nothing.
    private func pass(_ places: inout [Bool]) {
        for i in bytes.indices where places[i] && (bytes[i] == 0x2A || bytes[i] == 0x25) {
            places[i + 1] = true
        }
    }
}
