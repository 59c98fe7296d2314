/// Reads the octets of a message: finds its end, undoes dot-stuffing, and counts.
///
/// Only CRLF ends a line, and only `CRLF.CRLF` ends DATA (RFC 5321 §4.1.1.4). A CR without LF or an
/// LF without CR is remembered as a fault, is part of the line it stands in, and can therefore never
/// make a following dot the end: the whole message is read to its true end and then refused.
/// Neither may NUL pass: RFC 5321 §4.5.2 and RFC 5322 do not allow it, and an IMAP literal cannot
/// carry it (RFC 9051 §9, `CHAR8`), so that a message with one could not be shown as it came.
/// The same rules hold for BDAT: without BINARYMIME its content is lines too (RFC 3030 §3), and
/// what is passed on by DATA later must not change its meaning there.
struct SMTPBodyReader {
    /// What is wrong with a message. All of it is collected, so that the reply does not depend on
    /// how the octets were cut into packets.
    struct Faults: OptionSet {
        let rawValue: UInt8
        static let bareLF = Faults(rawValue: 1)
        static let bareCR = Faults(rawValue: 2)
        static let nul = Faults(rawValue: 4)
        static let tooBig = Faults(rawValue: 8)
        static let lineTooLong = Faults(rawValue: 16)
        static let hops = Faults(rawValue: 32)
        static let spool = Faults(rawValue: 64)
    }

    /// Where in a line the last octet left us.
    private enum Place {
        case lineStart, text
        /// A CR was the last octet, and is in the content already.
        case cr
        /// A dot at the start of a line, dropped.
        case dot
        /// A dot and a CR at the start of a line, both held back.
        case dotCR
    }

    /// Whether the content is dot-stuffed (DATA), or counted (BDAT).
    private let isDotted: Bool
    private let messageMaxOctets: Int
    private let textLineMaxOctets: Int
    private let hopsMax: Int

    private var place = Place.lineStart
    /// Octets of the current line so far, without its LF.
    private var lineOctets = 0
    private var inHeader = true
    /// How many octets of `received:` the current line has matched; negative once it differs.
    private var fieldMatch = 0
    private(set) var faults: Faults = []
    /// The octets of the message, without dot-stuffing.
    private(set) var octets = 0
    private(set) var has8Bit = false
    private(set) var hopCount = 0

    init(isDotted: Bool, limits: SMTPLimits) {
        self.isDotted = isDotted
        messageMaxOctets = limits.messageMaxOctets
        textLineMaxOctets = limits.textLineMaxOctets
        hopsMax = limits.hopsMax
    }

    mutating func fail(_ fault: Faults) { faults.formUnion(fault) }

    /// To be called when the last octet of BDAT LAST was read.
    mutating func finishCounted() {
        if place == .cr { fail(.bareCR) }
    }

    /// Reads on, and appends to `content` what is to be kept; nothing after a fault.
    ///
    /// - Returns: how many octets were read, and whether the end of DATA was among them.
    mutating func read(_ input: UnsafeRawBufferPointer, into content: inout [UInt8])
        -> (consumed: Int, ended: Bool)
    {
        var position = 0
        // Where the octets begin that are not in `content` yet.
        var run = 0
        while position < input.count {
            switch place {
            case .lineStart where isDotted && input[position] == Byte.dot:
                keep(input.sub(run..<position), in: &content)
                place = .dot
                position += 1
                run = position
            case .lineStart, .text:
                position = readLine(input, from: position)
            case .cr:
                if input[position] == Byte.lf {
                    position += 1
                    endLine()
                } else {
                    fail(.bareCR)
                    place = .text
                }
            case .dot:
                if input[position] == Byte.cr {
                    place = .dotCR
                    position += 1
                    run = position
                } else {
                    place = .text
                }
            case .dotCR:
                if input[position] == Byte.lf {
                    return (position + 1, true)
                }
                fail(.bareCR)
                place = .text
            }
        }
        keep(input.sub(run..<position), in: &content)
        return (position, false)
    }

    /// Reads to the end of the line or of the input.
    private mutating func readLine(_ input: UnsafeRawBufferPointer, from start: Int) -> Int {
        let lf = input.firstIndex(of: Byte.lf, in: start..<input.count)
        let end = lf ?? input.count
        if inHeader { matchField(input.sub(start..<end)) }
        lineOctets &+= end - start
        let cr = input.firstIndex(of: Byte.cr, in: start..<end)
        let endsWithCR = end > start && input[end - 1] == Byte.cr
        if let cr, cr != end - 1 { fail(.bareCR) }
        if lf == nil {
            place = endsWithCR ? .cr : .text
            return end
        }
        if endsWithCR {
            endLine()
        } else {
            fail(.bareLF)
            lineOctets &+= 1
            fieldMatch = -1
            place = .text
        }
        return end + 1
    }

    /// A CRLF was read.
    private mutating func endLine() {
        place = .lineStart
        if lineOctets >= textLineMaxOctets { fail(.lineTooLong) }
        if inHeader && lineOctets == 1 { inHeader = false }
        lineOctets = 0
        fieldMatch = 0
    }

    /// Counts the fields named `Received` (RFC 5321 §6.3), however they are cut.
    private mutating func matchField(_ bytes: UnsafeRawBufferPointer) {
        let name: StaticString = "received:"
        guard fieldMatch >= 0 else { return }
        for byte in bytes {
            guard Byte.lowercased(byte) == name.utf8Start[fieldMatch] else {
                fieldMatch = -1
                return
            }
            fieldMatch += 1
            if fieldMatch == name.utf8CodeUnitCount {
                fieldMatch = -1
                hopCount &+= 1
                if hopCount > hopsMax { fail(.hops) }
                return
            }
        }
    }

    private mutating func keep(_ run: UnsafeRawBufferPointer, in content: inout [UInt8]) {
        guard !run.isEmpty else { return }
        octets &+= run.count
        if octets > messageMaxOctets { fail(.tooBig) }
        if run.firstIndex(of: Byte.nul, in: 0..<run.count) != nil { fail(.nul) }
        if !has8Bit { has8Bit = Self.contains8Bit(run) }
        if faults.isEmpty { content.append(raw: run) }
    }

    private static func contains8Bit(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var seen: UInt64 = 0
        var index = 0
        while index &+ 8 <= bytes.count {
            seen |= bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            index &+= 8
        }
        while index < bytes.count {
            seen |= UInt64(bytes[index])
            index &+= 1
        }
        return seen & 0x8080_8080_8080_8080 != 0
    }
}
