/// A check of section headers before the text goes to the TOML library, which ends the process by an
/// assertion at a header whose name begins with a character that no name has (`[[[x]`).
enum TableHeaders {
    /// The first faulty header; nil if there is none. Lines of a multi-line text that look like one
    /// count too: such a text can be written otherwise.
    static func firstProblem(in text: String) -> ConfigurationProblem? {
        var line = 1
        var column = 0
        /// How many brackets the line began with; nil once it is decided.
        var brackets: Int? = 0
        for byte in text.utf8 {
            column += 1
            if byte == UInt8(ascii: "\n"), brackets ?? 0 == 0 {
                line += 1
                column = 0
                brackets = 0
                continue
            }
            guard let opened = brackets else { continue }
            switch byte {
            case UInt8(ascii: " "), UInt8(ascii: "\t"): continue
            case UInt8(ascii: "[") where opened < 2: brackets = opened + 1
            default:
                brackets = nil
                if opened > 0, !startsName(byte) {
                    return ConfigurationProblem(
                        line: line, column: column, path: "",
                        message: "This is not TOML: a section header is [name] or [[name]].")
                }
            }
        }
        return nil
    }

    /// What begins a bare name or a quoted one.
    private static func startsName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
            UInt8(ascii: "\""), UInt8(ascii: "'"):
            true
        default: false
        }
    }
}
