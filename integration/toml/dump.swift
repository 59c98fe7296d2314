import Glibc

// Reads documents from standard input, each as its length in octets on a line of its own and the
// octets, and says of each in one line what TOML makes of it: JSON with types, or where it is wrong.

@main
struct Dump {
    static func main() {
        while let line = readLine(), let count = Int(line) {
            var bytes: [UInt8] = []
            while bytes.count < count, case let byte = getchar(), byte >= 0 {
                bytes.append(UInt8(truncatingIfNeeded: byte))
            }
            do throws(TOMLError) {
                print("{\"ok\":\(text(.table(try TOMLTable(parsing: bytes))))}")
            } catch {
                print(
                    "{\"line\":\(error.position.line),\"column\":\(error.position.column),"
                        + "\"message\":\(quoted(error.message))}")
            }
        }
    }

    static func text(_ value: TOMLValue) -> String {
        switch value {
        case .string(let text): "[\"s\",\(quoted(text))]"
        case .integer(let number): "[\"i\",\"\(number)\"]"
        case .float(let number): "[\"f\",\"\(number)\"]"
        case .boolean(let flag): "[\"b\",\(flag)]"
        case .dateTime(let text): "[\"d\",\(quoted(text))]"
        case .array(let nodes):
            "[\"a\",[\(nodes.map { text($0.value) }.joined(separator: ","))]]"
        case .table(let table):
            "[\"t\",{"
                + table.entries.map { "\(quoted($0.key)):\(text($0.node.value))" }
                .joined(separator: ",") + "}]"
        }
    }

    static func quoted(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            if scalar.value < 0x20 || scalar == "\"" || scalar == "\\" || scalar.value == 0x7F {
                let digits = String(scalar.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            } else {
                out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }
}
