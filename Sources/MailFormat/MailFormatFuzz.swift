/// The fuzz entry: reads any octets as a message in every way there is, and stops where two results
/// contradict each other.
public enum MailFormatFuzz {
    public static func run(_ bytes: UnsafeRawBufferPointer) {
        let limits = MIMELimits(
            depthMax: 20, partsMax: 500, addressesMax: 1_000, parametersMax: 50)
        let tree = MIMETree(parsing: bytes, limits: limits)
        checkTree(tree, bytes)
        checkFields(tree, bytes)
        checkSections(tree, bytes)
        checkTexts(tree, bytes)
    }

    /// What holds of every tree, whatever the message.
    public static func checkTree(_ tree: MIMETree, _ bytes: UnsafeRawBufferPointer) {
        precondition(!tree.parts.isEmpty && tree.parts.count <= tree.limits.partsMax)
        precondition(tree.parts[0].header.lowerBound == 0)
        precondition(tree.parts[0].body.upperBound == bytes.count)
        for (index, part) in tree.parts.enumerated() {
            precondition(part.header.upperBound == part.body.lowerBound)
            precondition(part.body.upperBound <= bytes.count)
            precondition(Int(part.depth) <= tree.limits.depthMax)
            precondition(
                part.bodyLines
                    == bytes.countLineFeeds(
                        from: part.body.lowerBound, to: part.body.upperBound))
            precondition((part.firstChild != nil) <= (part.kind != .leaf && part.kind != .opaque))
            if let parent = part.parent {
                precondition(parent < index)
                precondition(part.header.lowerBound >= tree.parts[parent].body.lowerBound)
                precondition(part.body.upperBound <= tree.parts[parent].body.upperBound)
            } else {
                precondition(index == 0)
            }
            if let next = part.nextSibling {
                precondition(next > index)
                precondition(tree.parts[next].header.lowerBound >= part.body.upperBound)
            }
            if part.kind == .message { precondition(part.firstChild != nil) }
        }
        var position = 0
        for range in tree.listedFields {
            precondition(range.lowerBound >= position && !range.isEmpty)
            position = range.upperBound
        }
        precondition(position <= tree.parts[0].header.upperBound)
    }

    private static func checkFields(_ tree: MIMETree, _ bytes: UnsafeRawBufferPointer) {
        var charsets = CharsetDecoder()
        var parser = AddressParser()
        var out: [UInt8] = []
        var scanner = HeaderScanner(bytes, in: 0..<bytes.count)
        var position = 0
        while let field = scanner.next() {
            precondition(field.raw.lowerBound == position)
            position = field.raw.upperBound
            precondition(field.value.upperBound <= field.raw.upperBound)
            precondition(field.name.upperBound <= field.value.lowerBound)
            out.removeAll(keepingCapacity: true)
            EncodedWord.decode(field.value.slice(of: bytes), using: &charsets, to: &out)
            precondition(String(validating: out, as: UTF8.self) != nil)
            parser.start(bytes, field.value, maximum: 1_000)
            var isInGroup = false
            while let element = parser.next() {
                precondition(isInGroup ? element != .groupStart : element != .groupEnd)
                if element != .mailbox { isInGroup.toggle() }
            }
            precondition(!isInGroup)
            _ = DateParser.parse(bytes, field.value)
            var identifiers = MessageIDScanner(bytes, field.value)
            while let id = identifiers.next() { precondition(id.count > 2) }
            for parameter in MIMEParameter.all(bytes, field.value, maximum: 50) {
                let value = parameter.decodedValue(using: &charsets)
                precondition(String(validating: value, as: UTF8.self) != nil)
            }
        }
        precondition(scanner.position == tree.parts[0].header.upperBound)
    }

    private static func checkSections(_ tree: MIMETree, _ bytes: UnsafeRawBufferPointer) {
        for path in [[], [1], [2], [1, 1], [1, 2], [2, 1], [1, 1, 1]] as [[Int]] {
            for kind in [SectionKind.whole, .header, .text, .mime] {
                guard let range = tree.range(of: path, kind) else { continue }
                precondition(range.upperBound <= bytes.count)
            }
        }
        var all: [UInt8] = []
        HeaderSubset.append(
            [], isExcluding: true, of: bytes, in: tree.parts[0].header.range, to: &all)
        precondition(all.starts(with: bytes[tree.parts[0].header.range].dropLast(2)))
        var some: [UInt8] = []
        HeaderSubset.append(
            [Array("subject".utf8), Array("TO".utf8)], isExcluding: false, of: bytes,
            in: tree.parts[0].header.range, to: &some)
        precondition(some.suffix(2) == [13, 10])
    }

    private static func checkTexts(_ tree: MIMETree, _ bytes: UnsafeRawBufferPointer) {
        let preview = Preview.make(tree, of: bytes)
        precondition(String(validating: preview, as: UTF8.self)?.unicodeScalars.count ?? 999 <= 200)
        for needle in ["a", "needle", "\u{DC}ber"] {
            var search = SearchText(SearchNeedle(utf8: Array(needle.utf8)))
            let isInBody = search.matchesBody(tree, of: bytes)
            precondition(isInBody <= search.matchesText(tree, of: bytes))
        }
        for part in tree.parts {
            var whole: [UInt8] = []
            guard BinarySection.append(part, of: bytes, to: &whole), part.body.count < 4_096
            else { continue }
            guard part.kind == .leaf else { continue }
            // Octet by octet it comes to the same.
            var decoder = TransferDecoder(part.transferEncoding)
            var pieces: [UInt8] = []
            for i in part.body.range {
                decoder.decode(UnsafeRawBufferPointer(rebasing: bytes[i..<(i + 1)]), to: &pieces)
            }
            decoder.finish(to: &pieces)
            precondition(pieces == whole)
        }
    }
}

/// Implication: false if the left is true and the right is not.
private func <= (a: Bool, b: Bool) -> Bool { !a || b }
