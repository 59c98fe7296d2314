import MailFormat

/// Writes BODY and BODYSTRUCTURE (RFC 9051 §7.5.2), ready to send to any client.
public struct BodyStructureEncoder {
    private var envelopes: EnvelopeEncoder
    private let limits: MIMELimits

    public init(limits: MIMELimits = MIMELimits()) {
        self.limits = limits
        envelopes = EnvelopeEncoder(limits: limits)
    }

    /// Appends the structure of the whole message.
    /// - Parameter extended: true for BODYSTRUCTURE, false for BODY.
    public mutating func encode(
        _ tree: MIMETree, of message: UnsafeRawBufferPointer, extended: Bool,
        to out: inout [UInt8]
    ) {
        let budget = out.count + limits.structureMaxOctets
        append(0, tree, message, extended, budget, &out)
    }

    private mutating func append(
        _ index: Int, _ tree: MIMETree, _ message: UnsafeRawBufferPointer, _ extended: Bool,
        _ budget: Int, _ out: inout [UInt8]
    ) {
        let part = tree.parts[index]
        out.append(0x28)
        if out.count > budget || part.kind == .opaque {
            appendOpaque(part, extended, &out)
        } else if part.kind == .multipart {
            if let first = part.firstChild {
                var child: Int? = first
                while let index = child {
                    append(index, tree, message, extended, budget, &out)
                    child = tree.parts[index].nextSibling
                }
            } else {
                // The grammar wants a part where there is none.
                StringEncoder.append(
                    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0", to: &out)
                StringEncoder.append(extended ? " NIL NIL NIL NIL)" : ")", to: &out)
            }
            out.append(0x20)
            appendRange(part.subtype, message, &out)
            if extended {
                out.append(0x20)
                appendParameters(part.parameters, message, isText: false, &out)
                appendTail(part, message, &out)
            }
        } else {
            appendSingle(part, message, &out)
            if part.kind == .message, let child = part.firstChild,
                let fields = tree.envelopeFields(of: tree.parts[child])
            {
                out.append(0x20)
                envelopes.encode(fields, of: message, to: &out)
                out.append(0x20)
                append(child, tree, message, extended, budget, &out)
            }
            if part.kind == .message || part.mediaType == .text {
                out.append(0x20)
                StringEncoder.appendNumber(part.bodyLines, to: &out)
            }
            if extended {
                out.append(0x20)
                value(part.md5, message, &out)
                appendTail(part, message, &out)
            }
        }
        out.append(0x29)
    }

    /// What is not opened must not be called a message or multipart: their syntax has more in it.
    private func appendOpaque(_ part: MIMEPart, _ extended: Bool, _ out: inout [UInt8]) {
        StringEncoder.append(
            "\"application\" \"octet-stream\" NIL NIL NIL \"7bit\" ", to: &out)
        StringEncoder.appendNumber(part.body.count, to: &out)
        if extended { StringEncoder.append(" NIL NIL NIL NIL", to: &out) }
    }

    /// Type, subtype, parameters, id, description, encoding and size.
    private func appendSingle(
        _ part: MIMEPart, _ message: UnsafeRawBufferPointer, _ out: inout [UInt8]
    ) {
        if part.type.isPresent {
            appendRange(part.type, message, &out)
            out.append(0x20)
            appendRange(part.subtype, message, &out)
        } else if part.isDigestDefault {
            StringEncoder.append("\"message\" \"rfc822\"", to: &out)
        } else {
            StringEncoder.append("\"text\" \"plain\"", to: &out)
        }
        out.append(0x20)
        appendParameters(part.parameters, message, isText: part.mediaType == .text, &out)
        out.append(0x20)
        value(part.id, message, &out)
        out.append(0x20)
        value(part.description, message, &out)
        out.append(0x20)
        if part.encodingValue.isPresent, !part.encodingValue.isEmpty {
            let start = TokenScan.skipSpaceAndComments(
                message, part.encodingValue.lowerBound, part.encodingValue.upperBound)
            let end = TokenScan.skipToken(message, start, part.encodingValue.upperBound)
            if end > start {
                appendRange(ByteRange(start, end), message, &out)
            } else {
                StringEncoder.append("\"7bit\"", to: &out)
            }
        } else {
            StringEncoder.append("\"7bit\"", to: &out)
        }
        out.append(0x20)
        StringEncoder.appendNumber(part.body.count, to: &out)
    }

    /// Disposition, language and location.
    private func appendTail(
        _ part: MIMEPart, _ message: UnsafeRawBufferPointer, _ out: inout [UInt8]
    ) {
        out.append(0x20)
        appendDisposition(part.disposition, message, &out)
        out.append(0x20)
        appendLanguages(part.language, message, &out)
        out.append(0x20)
        value(part.location, message, &out)
    }

    private func appendDisposition(
        _ range: ByteRange, _ message: UnsafeRawBufferPointer, _ out: inout [UInt8]
    ) {
        guard range.isPresent else { return StringEncoder.append("NIL", to: &out) }
        let start = TokenScan.skipSpaceAndComments(message, range.lowerBound, range.upperBound)
        let end = TokenScan.skipToken(message, start, range.upperBound)
        guard end > start else { return StringEncoder.append("NIL", to: &out) }
        out.append(0x28)
        appendRange(ByteRange(start, end), message, &out)
        out.append(0x20)
        appendParameters(ByteRange(end, range.upperBound), message, isText: false, &out)
        out.append(0x29)
    }

    private func appendLanguages(
        _ range: ByteRange, _ message: UnsafeRawBufferPointer, _ out: inout [UInt8]
    ) {
        guard range.isPresent else { return StringEncoder.append("NIL", to: &out) }
        let start = out.count
        out.append(0x28)
        var left = limits.parametersMax
        var i = range.lowerBound
        while i < range.upperBound, left > 0 {
            i = TokenScan.skipSpaceAndComments(message, i, range.upperBound)
            let end = TokenScan.skipToken(message, i, range.upperBound)
            if end > i {
                if out.count > start + 1 { out.append(0x20) }
                appendRange(ByteRange(i, end), message, &out)
                left -= 1
            }
            i = end > i ? end : i + 1
        }
        if out.count == start + 1 {
            out.removeLast()
            StringEncoder.append("NIL", to: &out)
        } else {
            out.append(0x29)
        }
    }

    /// Appends `(name value ...)` or NIL. Text without a charset is us-ascii (RFC 2045 §5.2).
    private func appendParameters(
        _ range: ByteRange, _ message: UnsafeRawBufferPointer, isText: Bool,
        _ out: inout [UInt8]
    ) {
        let start = out.count
        var hasCharset = false
        var needsJoining = false
        out.append(0x28)
        var scanner = ParameterScanner(message, range, maximum: limits.parametersMax)
        while let parameter = scanner.next() {
            let name = parameter.name.slice(of: message)
            if name.contains(0x2A) {
                needsJoining = true
                break
            }
            if isText, message.equals("charset", at: parameter.name) { hasCharset = true }
            appendPair(parameter, message, start, &out)
        }
        if needsJoining {
            out.removeLast(out.count - start - 1)
            hasCharset = false
            for parameter in MIMEParameter.all(
                message, range, maximum: limits.parametersMax)
            {
                if out.count > start + 1 { out.append(0x20) }
                if isText, parameter.isNamed("charset") { hasCharset = true }
                StringEncoder.append(parameter.name, to: &out)
                out.append(0x20)
                StringEncoder.append(parameter.value, to: &out)
            }
        }
        if isText, !hasCharset {
            if out.count > start + 1 { out.append(0x20) }
            StringEncoder.append("\"charset\" \"us-ascii\"", to: &out)
        }
        if out.count == start + 1 {
            out.removeLast()
            StringEncoder.append("NIL", to: &out)
        } else {
            out.append(0x29)
        }
    }

    private func appendPair(
        _ parameter: MIMEParameterField, _ message: UnsafeRawBufferPointer, _ start: Int,
        _ out: inout [UInt8]
    ) {
        if out.count > start + 1 { out.append(0x20) }
        appendRange(parameter.name, message, &out)
        out.append(0x20)
        if parameter.needsUnquoting {
            var value: [UInt8] = []
            parameter.appendValue(from: message, to: &value)
            StringEncoder.append(value, to: &out)
        } else {
            appendRange(parameter.value, message, &out)
        }
    }

    private func appendRange(
        _ range: ByteRange, _ message: UnsafeRawBufferPointer, _ out: inout [UInt8]
    ) {
        StringEncoder.append(range.slice(of: message), to: &out)
    }

    private func value(
        _ range: ByteRange, _ message: UnsafeRawBufferPointer, _ out: inout [UInt8]
    ) {
        StringEncoder.appendValue(
            range, of: message, maxOctets: limits.valueMaxOctets, to: &out)
    }
}
