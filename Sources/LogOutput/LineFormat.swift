import Logging

/// How one event becomes one line.
enum LineFormat {
    static func append(
        to line: inout [UInt8], _ format: LogOutput.Format, time: [UInt8], level: Logger.Level,
        event: String, fields: [(key: String, value: String)]
    ) {
        switch format {
        case .text:
            line += time
            line.append(UInt8(ascii: " "))
            line += level.rawValue.utf8
            line.append(UInt8(ascii: " "))
            appendEscaped(event, to: &line, quotes: false)
            for (key, value) in fields {
                line.append(UInt8(ascii: " "))
                appendEscaped(key, to: &line, quotes: false)
                line.append(UInt8(ascii: "="))
                appendValue(value, to: &line)
            }
        case .json:
            line += "{\"time\":\"".utf8
            line += time
            line += "\",\"level\":\"".utf8
            line += level.rawValue.utf8
            line += "\",\"event\":\"".utf8
            appendJSON(event, to: &line)
            line.append(UInt8(ascii: "\""))
            for (key, value) in fields {
                line += ",\"".utf8
                // Ours are taken.
                if ["time", "level", "event"].contains(key) { line.append(UInt8(ascii: "_")) }
                appendJSON(key, to: &line)
                line += "\":\"".utf8
                appendJSON(value, to: &line)
                line.append(UInt8(ascii: "\""))
            }
            line.append(UInt8(ascii: "}"))
        }
        line.append(0x0A)
    }

    /// In quotes, unless it cannot be taken for anything else.
    private static func appendValue(_ value: String, to line: inout [UInt8]) {
        let isPlain =
            !value.isEmpty
            && value.utf8.allSatisfy {
                $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "=")
                    && $0 != UInt8(ascii: "\\")
            }
        if isPlain {
            line += value.utf8
        } else {
            line.append(UInt8(ascii: "\""))
            appendEscaped(value, to: &line, quotes: true)
            line.append(UInt8(ascii: "\""))
        }
    }

    private static func appendEscaped(_ text: String, to line: inout [UInt8], quotes: Bool) {
        if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x5C }) {
            line += text.utf8
            return
        }
        for scalar in text.unicodeScalars {
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
    private static func appendJSON(_ text: String, to line: inout [UInt8]) {
        if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x5C }) {
            line += text.utf8
            return
        }
        for scalar in text.unicodeScalars {
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
