import TOML
import Testing

private func parse(_ text: String) throws(TOMLError) -> TOMLTable {
    try TOMLTable(parsing: Array(text.utf8))
}

/// `line:column: message`, or nothing.
private func refusal(_ text: String) -> String {
    do {
        _ = try parse(text)
        return ""
    } catch {
        return "\(error.position.line):\(error.position.column): \(error.message)"
    }
}

private func string(_ table: TOMLTable, _ key: String) -> String? {
    if case .string(let text)? = table[key]?.node.value { text } else { nil }
}

@Suite struct Values {
    @Test(arguments: [
        ("x = \"a\\tb\\u00e9\\U0001F600\"", "a\tb\u{E9}\u{1F600}"), ("x = 'a\\tb'", "a\\tb"),
        ("x = \"\"\"\r\na\r\n b\\\r\n   \r\n c\"\"\"\"", "a\n bc\""),
        ("x = '''\n'a''b'''''", "'a''b''"),
        ("\u{FEFF}x = \"y\"", "y"), ("\"x\" = ''", ""),
    ])
    func textsOfAllForms(text: String, value: String) throws {
        #expect(try string(parse(text), "x") == value)
    }

    @Test(arguments: [
        ("0", 0), ("+1_000", 1000), ("0xFf_0", 4080), ("0o17", 15), ("0b101", 5),
        ("-9223372036854775808", Int64.min), ("9223372036854775807", Int64.max),
    ])
    func wholeNumbers(text: String, value: Int64) throws {
        guard case .integer(let read)? = try parse("x = " + text)["x"]?.node.value else {
            Issue.record("no whole number")
            return
        }
        #expect(read == value)
    }

    @Test func placesAreThoseOfKeyAndValue() throws {
        let table = try parse(
            "# \u{E9}\n \"\u{E9}\u{1F600}\" =  [ 1,\n  'b' ]\n\n[s]\n[[l]]\n [[l]]")
        let entry = try #require(table["\u{E9}\u{1F600}"])
        #expect(entry.keyPosition == TOMLPosition(line: 2, column: 2))
        #expect(entry.node.position == TOMLPosition(line: 2, column: 10))
        guard case .array(let elements) = entry.node.value else { return #expect(Bool(false)) }
        #expect(elements.last?.position == TOMLPosition(line: 3, column: 3))
        #expect(table["s"]?.node.position == TOMLPosition(line: 5, column: 2))
        guard case .array(let tables)? = table["l"]?.node.value else { return #expect(Bool(false)) }
        #expect(tables.map(\.position.line) == [6, 7])
    }

    /// Only their octets count: a composed and a decomposed letter are two keys.
    @Test func keysAreComparedByOctets() throws {
        let table = try parse("'\u{E9}' = 1\n'e\u{301}' = 2")
        #expect(table.entries.count == 2)
    }
}

@Suite struct Refusals {
    @Test(arguments: [
        (
            "hostname = mail.example.org",
            "1:12: mail.example.org is no value. A text stands in quotes"
        ),
        ("a = 10.0.0.1", "1:5: 10.0.0.1 is neither a number nor a date"),
        ("a = \"b", "1:7: The file ends within a text"),
        ("a = \"b\nc\"", "1:7: The line ends within a text"),
        ("a = \"C:\\dir\"", "1:8: There is no such escape"),
        ("a = 1 b = 2", "1:7: The line has to end"),
        ("a 1", "1:3: After a key, = is expected"), ("= 1", "1:1: A key is expected here"),
        ("a = ", "1:5: A value is expected here"), ("a = [1 2]", "1:8: In a list"),
        ("a = {b = 1\n}", "1:11: In a table within { }"),
        ("[[a]\nb = 1", "1:5: A section header ends"),
        ("a = 1\n[b]\n\"a\" = 2\n[b]", "4:2: \"b\" is there already, in line 2"),
        ("a = 1\na.b = 2", "2:1: \"a\" has a value already, in line 1 (a whole number)"),
        ("[[a]]\n[a]", "2:2: \"a\" is a section that repeats"),
        ("[a]\n[[a]]", "2:3: \"a\" is a section that is there once"),
        ("a = 9223372036854775808", "1:5: This number does not fit"),
        ("a = 1\rb = 2", "1:6: The line has to end here, and a carriage return"),
        ("a = \"\u{7}\"", "1:6: The control character U+0007 is not allowed"),
    ])
    func eachHasItsPlaceAndSaysWhatToDo(text: String, wanted: String) {
        #expect(refusal(text).hasPrefix(wanted), "\(refusal(text))")
    }

    @Test func octetsThatAreNotUTF8HaveAPlace() {
        do throws(TOMLError) {
            _ = try TOMLTable(parsing: Array("a = 1\nb = 'x".utf8) + [0xE9, 0x27])
            Issue.record("it was read")
        } catch {
            #expect(error.position == TOMLPosition(line: 2, column: 7))
        }
    }

    @Test(arguments: [
        "[", "a = [", "a = {a = ", "a.", "[a.", "a = [[[{a.b = [", "a = {a.b.c.d.e = ",
    ])
    func depthIsBounded(part: String) {
        let text = String(repeating: part, count: 10_000)
        #expect(!refusal(text).isEmpty)
    }

    @Test func deepHeadersAreBounded() {
        let path = (0..<40).map { _ in "a" }.joined(separator: ".")
        #expect(refusal("[\(path)]\n\(path).b = 1").contains("deeper than 64"))
        #expect(refusal("[\(path)]\nb = 1") == "")
    }

    /// Every beginning and every damage of a text is read or refused.
    @Test func nothingEndsTheProcess() {
        let text = Array(
            "a.b = [1, {c = \"\\u00e9\"}, '''x''', 1979-05-27 07:32:00Z]\n[[d.e]]\n".utf8)
        for end in text.indices {
            _ = try? TOMLTable(parsing: Array(text[..<end]))
            for byte in UInt8.min...UInt8.max {
                var damaged = text
                damaged[end] = byte
                _ = try? TOMLTable(parsing: damaged)
            }
        }
    }
}
