import Logging

/// How one event becomes one line.
enum LineFormat {
    static func append(
        to line: inout [UInt8], _ format: LogOutput.Format, time: [UInt8], level: Logger.Level,
        event: String, fields: [(key: String, value: [UInt8])]
    ) {
        switch format {
        case .text:
            line += time
            line.append(UInt8(ascii: " "))
            line += level.rawValue.utf8
            line.append(UInt8(ascii: " "))
            appendEscaped(Array(event.utf8), to: &line, quotes: false)
            for (key, value) in fields {
                line.append(UInt8(ascii: " "))
                appendEscaped(Array(key.utf8), to: &line, quotes: false)
                line.append(UInt8(ascii: "="))
                appendValue(value, to: &line)
            }
        case .json:
            line += "{\"time\":\"".utf8
            line += time
            line += "\",\"level\":\"".utf8
            line += level.rawValue.utf8
            line += "\",\"event\":\"".utf8
            appendJSON(Array(event.utf8), to: &line)
            line.append(UInt8(ascii: "\""))
            for (key, value) in fields {
                line += ",\"".utf8
                // Ours are taken.
                if ["time", "level", "event"].contains(key) { line.append(UInt8(ascii: "_")) }
                appendJSON(Array(key.utf8), to: &line)
                line += "\":\"".utf8
                appendJSON(value, to: &line)
                line.append(UInt8(ascii: "\""))
            }
            line.append(UInt8(ascii: "}"))
        }
        line.append(0x0A)
    }

    /// In quotes, unless it cannot be taken for anything else.
    private static func appendValue(_ value: [UInt8], to line: inout [UInt8]) {
        let isUnmistakable =
            !value.isEmpty && isPlain(value) && !value.contains(UInt8(ascii: " "))
            && !value.contains(UInt8(ascii: "="))
        if isUnmistakable {
            line += value
        } else {
            line.append(UInt8(ascii: "\""))
            appendEscaped(value, to: &line, quotes: true)
            line.append(UInt8(ascii: "\""))
        }
    }

    /// Printable ASCII without quotation mark and backslash.
    private static func isPlain(_ text: [UInt8]) -> Bool {
        for byte in text {
            guard byte >= 0x20, byte < 0x7F, byte != 0x22, byte != 0x5C else { return false }
        }
        return true
    }

    private static func appendEscaped(_ text: [UInt8], to line: inout [UInt8], quotes: Bool) {
        if isPlain(text) {
            line += text
            return
        }
        for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
            switch scalar {
            case "\\": line += "\\\\".utf8
            case "\"" where quotes: line += "\\\"".utf8
            case "\n": line += "\\n".utf8
            case "\r": line += "\\r".utf8
            case "\t": line += "\\t".utf8
            case _ where misleads(scalar):
                line += "\\u{\(String(scalar.value, radix: 16))}".utf8
            default: line += UTF8.encode(scalar) ?? .init()
            }
        }
    }

    /// RFC 8259 §7.
    private static func appendJSON(_ text: [UInt8], to line: inout [UInt8]) {
        if isPlain(text) {
            line += text
            return
        }
        for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
            switch scalar {
            case "\\": line += "\\\\".utf8
            case "\"": line += "\\\"".utf8
            case "\n": line += "\\n".utf8
            case "\r": line += "\\r".utf8
            case "\t": line += "\\t".utf8
            case _ where misleads(scalar):
                // All of them are in the Basic Multilingual Plane.
                let digits = String(scalar.value, radix: 16)
                line += ("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).utf8
            default: line += UTF8.encode(scalar) ?? .init()
            }
        }
    }

    /// Whether a terminal would do something else than show it: control characters, line and paragraph
    /// separators, and what changes the direction of writing.
    private static func misleads(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0...0x1F, 0x7F...0x9F, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF: true
        default: false
        }
    }
}
