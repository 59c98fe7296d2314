import IMAP
import Testing

/// What came of it, in words.
private func run(
    _ text: String, limits: IMAPLimits = IMAPLimits(), chunk: Int = .max, lines: Bool = false
) -> [String] {
    var framer = IMAPFramer(limits: limits)
    framer.deliversLines = lines
    var result: [String] = []
    var octets = 0
    let bytes = Array(text.utf8)
    var start = 0
    while start < bytes.count {
        let end = start + min(chunk, bytes.count - start)
        bytes[start..<end].withUnsafeBytes { input in
            var consumed = 0
            while let event = framer.next(input, consumed: &consumed) {
                switch event {
                case .command(let frame):
                    result.append(String(decoding: frame.bytes, as: UTF8.self))
                case .line(let line): result.append("line " + String(decoding: line, as: UTF8.self))
                case .continuation: result.append("+")
                case .literal(_, let literal):
                    result.append("literal \(literal.sizeOctets)")
                    if framer.acceptLiteral() { result.append("+") }
                case .literalOctets(let range): octets += range.count
                case .literalEnd:
                    result.append("end \(octets)")
                    octets = 0
                case .refused(let refusal):
                    let tag = refusal.tag.map { String(decoding: $0, as: UTF8.self) } ?? "*"
                    result.append("\(tag) \(refusal.status) \(refusal.reason)")
                case .close(let refusal): result.append("close \(refusal.reason)")
                }
            }
            #expect(consumed == input.count)
        }
        start = end
    }
    return result
}

@Suite struct IMAPFramerTests {
    private static var small: IMAPLimits {
        var limits = IMAPLimits()
        limits.lineMaxOctets = 40
        limits.literalsMaxOctets = 20
        limits.literalsMax = 3
        limits.streamAboveOctets = 10
        limits.messageMaxOctets = 30
        limits.nonSynchronisingMaxOctets = 25
        limits.swallowMaxOctets = 100
        return limits
    }

    static let dialogues: [(String, [String])] = [
        ("a NOOP\r\nb NOOP\r\n", ["a NOOP", "b NOOP"]),
        ("\r\nx\r\n", ["", "x"]),
        (
            "a LOGIN {1}\r\nx {2+}\r\ny\n\r\nb NOOP\r\n",
            ["+", "a LOGIN {1}\r\nx {2+}\r\ny\n", "b NOOP"]
        ),
        ("a LOGIN {0}\r\n {0}\r\n\r\n", ["+", "+", "a LOGIN {0}\r\n {0}\r\n"]),
        ("a NOOP\nb NOOP\r\n", ["a bad bareLF", "b NOOP"]),
        ("a LOGIN {21}\r\nb NOOP\r\n", ["a bad literalTooBig", "b NOOP"]),
        ("a LOGIN {99000000000}\r\nb NOOP\r\n", ["a bad literalTooBig", "b NOOP"]),
        ("a X {99999999999999999999999}\r\nb NOOP\r\n", ["a bad literalTooBig", "b NOOP"]),
        (
            "a X {21+}\r\n012345678901234567890 rest\r\nb NOOP\r\n",
            ["a bad literalTooBig", "b NOOP"]
        ),
        (
            "a X {26+}\r\n01234567890123456789012345 {2+}\r\nxy\r\nb NOOP\r\n",
            ["a bad nonSynchronisingTooBig", "b NOOP"]
        ),
        ("a X {99000000000+}\r\n012", ["close nonSynchronisingTooBig"]),
        ("a APPEND b {31}\r\nb NOOP\r\n", ["a no messageTooBig", "b NOOP"]),
        (
            "a append b {12}\r\n012345678901 {11+}\r\n01234567890\r\nb NOOP\r\n",
            [
                "literal 12", "+", "end 12", "literal 11", "end 11",
                "a append b {12}\r\n {11+}\r\n", "b NOOP",
            ]
        ),
        (
            "a APPEND {11}\r\n01234567890 {2}\r\nxy\r\n",
            ["+", "+", "a APPEND {11}\r\n01234567890 {2}\r\nxy"]
        ),
        (
            "a 0123456789012345678901234567890123456789\r\nb NOOP\r\n",
            ["a bad lineTooLong", "b NOOP"]
        ),
    ]

    @Test(arguments: 0..<15) func framesHoweverTheOctetsAreCut(_ index: Int) {
        let (text, expected) = Self.dialogues[index]
        for chunk in [1, 2, 3, 5, 7, 11, .max] {
            #expect(run(text, limits: Self.small, chunk: chunk) == expected)
        }
    }

    @Test func splitsAtEveryOctet() {
        let (text, expected) = Self.dialogues[2]
        for chunk in 1...text.utf8.count { #expect(run(text, chunk: chunk) == expected) }
    }

    @Test func deliversLinesWithoutLiterals() {
        #expect(run("DONE\r\nx {3}\r\n", chunk: 1, lines: true) == ["line DONE", "line x {3}"])
    }

    @Test func endlessLineIsNotHeld() {
        var framer = IMAPFramer(limits: Self.small)
        var closed = 0
        [UInt8](repeating: 0x61, count: 17).withUnsafeBytes { input in
            for _ in 0..<50 {
                var consumed = 0
                while let event = framer.next(input, consumed: &consumed) {
                    if case .close = event { closed += 1 }
                }
                #expect(framer.bufferedOctets < 100)
            }
        }
        #expect(closed == 1)
    }

    @Test func unwantedMessageIsDropped() {
        var framer = IMAPFramer(limits: Self.small)
        var events: [IMAPFramer.Event] = []
        Array("a APPEND b {11+}\r\n01234567890\r\nb NOOP\r\n".utf8).withUnsafeBytes { input in
            var consumed = 0
            while let event = framer.next(input, consumed: &consumed) {
                if case .literal = event { framer.refuseLiteral() } else { events.append(event) }
            }
        }
        #expect(events == [.command(IMAPFrame(bytes: Array("b NOOP".utf8)))])
    }
}
