/// FETCH (RFC 9051 §7.5.2). The items between `beginFetch` and `endFetch` are written one by one;
/// `item` names each and puts the space before it.
extension ResponseEncoder {
    /// `* n FETCH (`
    @inlinable
    public static func beginFetch(_ sequenceNumber: UInt32, to out: inout [UInt8]) {
        append("* ", to: &out)
        append(sequenceNumber, to: &out)
        append(" FETCH (", to: &out)
    }

    /// `)` CRLF
    @inlinable
    public static func endFetch(to out: inout [UInt8]) { append(")\r\n", to: &out) }

    /// The name of an item and a space, after a space if it is not the first.
    @inlinable
    public static func item(_ name: StaticString, isFirst: Bool, to out: inout [UInt8]) {
        if !isFirst { out.append(0x20) }
        append(name, to: &out)
        out.append(0x20)
    }

    /// The whole line with UID, FLAGS and MODSEQ, each if it is given, at one go.
    /// - Parameter flags: the flags without parentheses, encoded once for each combination.
    @inlinable
    public static func fetchLine(
        _ sequenceNumber: UInt32, uid: UInt32?, flags: UnsafeRawBufferPointer?, modSeq: UInt64?,
        to out: inout [UInt8]
    ) {
        let needed = 96 + (flags?.count ?? 0)
        withUnsafeTemporaryAllocation(byteCount: needed, alignment: 1) { line in
            var end = 0
            copy("* ", line, &end)
            write(UInt64(sequenceNumber), line, &end)
            copy(" FETCH (", line, &end)
            if let uid {
                copy("UID ", line, &end)
                write(UInt64(uid), line, &end)
                line[end] = 0x20
                end += 1
            }
            if let flags {
                copy("FLAGS (", line, &end)
                if let base = flags.baseAddress {
                    line.baseAddress!.advanced(by: end).copyMemory(
                        from: base, byteCount: flags.count)
                    end += flags.count
                }
                copy(") ", line, &end)
            }
            if let modSeq {
                copy("MODSEQ (", line, &end)
                write(modSeq, line, &end)
                copy(") ", line, &end)
            }
            if uid != nil || flags != nil || modSeq != nil { end -= 1 }
            copy(")\r\n", line, &end)
            out.append(contentsOf: UnsafeRawBufferPointer(rebasing: line[0..<end]))
        }
    }

    @inlinable @inline(__always)
    static func copy(
        _ text: StaticString, _ line: UnsafeMutableRawBufferPointer, _ end: inout Int
    ) {
        line.baseAddress!.advanced(by: end).copyMemory(
            from: text.utf8Start, byteCount: text.utf8CodeUnitCount)
        end += text.utf8CodeUnitCount
    }

    @inlinable @inline(__always)
    static func write(
        _ number: UInt64, _ line: UnsafeMutableRawBufferPointer, _ end: inout Int
    ) {
        var digits = 1
        var bound: UInt64 = 10
        while digits < 20, number >= bound {
            digits += 1
            bound = digits < 20 ? bound &* 10 : .max
        }
        var rest = number
        var at = end + digits
        repeat {
            at -= 1
            line[at] = 0x30 | UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while at > end
        end += digits
    }

    /// `"17-Jul-1996 02:44:25 -0700"`
    public static func append(_ date: IMAPDateTime, to out: inout [UInt8]) {
        let limit: Int64 = 253_402_300_799
        let zone = min(max(date.zoneMinutes, -1_439), 1_439)
        let seconds = min(max(date.secondsSinceEpoch, -limit), limit) + Int64(zone * 60)
        let days = Int(seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400)
        let time = Int(seconds) - days * 86_400
        let day = IMAPDate(daysSinceEpoch: days)
        func pair(_ value: Int) {
            out.append(0x30 + UInt8(value / 10 % 10))
            out.append(0x30 + UInt8(value % 10))
        }
        out.append(0x22)
        if day.day < 10 {
            out.append(0x20)
            out.append(0x30 + UInt8(day.day))
        } else {
            pair(day.day)
        }
        out.append(0x2D)
        for i in 0..<3 { out.append(IMAPMonth.names.utf8Start[(day.month - 1) * 3 + i]) }
        out.append(0x2D)
        pair(day.year / 100)
        pair(day.year)
        out.append(0x20)
        pair(time / 3_600)
        out.append(0x3A)
        pair(time / 60 % 60)
        out.append(0x3A)
        pair(time % 60)
        append(zone < 0 ? " -" : " +", to: &out)
        pair(abs(zone) / 60)
        pair(abs(zone) % 60)
        out.append(0x22)
    }

    /// `{n}` or `~{n}` and CRLF: the caller sends that many octets next.
    public static func literalHeader(_ sizeOctets: Int, isBinary: Bool, to out: inout [UInt8]) {
        if isBinary { out.append(0x7E) }
        out.append(0x7B)
        append(UInt64(max(sizeOctets, 0)), to: &out)
        append("}\r\n", to: &out)
    }

    /// `BODY[...]<offset>` without a space, as the client named it; PEEK is not repeated.
    public static func append(
        _ section: BodySection, partial: FetchPartial?, to out: inout [UInt8]
    ) {
        append("BODY[", to: &out)
        append(part: section.part, to: &out)
        if let text = section.text {
            if !section.part.isEmpty { out.append(0x2E) }
            switch text {
            case .header: append("HEADER", to: &out)
            case .text: append("TEXT", to: &out)
            case .mime: append("MIME", to: &out)
            case .headerFields(let names): append("HEADER.FIELDS", names, &out)
            case .headerFieldsNot(let names): append("HEADER.FIELDS.NOT", names, &out)
            }
        }
        out.append(0x5D)
        append(partial, to: &out)
    }

    /// `BINARY[1.2]<offset>` or `BINARY.SIZE[1.2]`
    public static func append(
        binary name: StaticString, part: [UInt32], partial: FetchPartial?, to out: inout [UInt8]
    ) {
        append(name, to: &out)
        out.append(0x5B)
        append(part: part, to: &out)
        out.append(0x5D)
        append(partial, to: &out)
    }

    private static func append(part: [UInt32], to out: inout [UInt8]) {
        for (index, number) in part.enumerated() {
            if index > 0 { out.append(0x2E) }
            append(number, to: &out)
        }
    }

    private static func append(_ partial: FetchPartial?, to out: inout [UInt8]) {
        guard let partial else { return }
        out.append(0x3C)
        append(partial.offset, to: &out)
        out.append(0x3E)
    }

    private static func append(
        _ name: StaticString, _ fields: [[UInt8]], _ out: inout [UInt8]
    ) {
        append(name, to: &out)
        append(" (", to: &out)
        for (index, field) in fields.enumerated() {
            if index > 0 { out.append(0x20) }
            if !field.isEmpty, field.allSatisfy({ IMAPBytes.isAtom($0) }) {
                out.append(contentsOf: field)
            } else {
                StringEncoder.append(field, to: &out)
            }
        }
        out.append(0x29)
    }
}
