import MailFormat
import Testing

/// The octets of `text` for the time of `body`.
func withBytes<Result>(_ text: String, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    Array(text.utf8).withUnsafeBytes(body)
}

extension ByteRange {
    func text(_ bytes: UnsafeRawBufferPointer) -> String {
        String(decoding: bytes[range], as: UTF8.self)
    }
}

@Suite struct HeaderScannerTests {
    @Test func fieldsAreFoundWithFoldsAndBothLineEnds() {
        withBytes("From: a\r\nSubject : x\r\n y\nTo:b\n\nbody: no\n") { bytes in
            var scanner = HeaderScanner(bytes, in: 0..<bytes.count)
            let from = scanner.next()
            #expect(from?.known == .from)
            #expect(from?.value.text(bytes) == "a")
            let subject = scanner.next()
            #expect(subject?.known == .subject)
            #expect(subject?.raw.text(bytes) == "Subject : x\r\n y\n")
            #expect(subject?.value.text(bytes) == "x\r\n y")
            #expect(scanner.next()?.value.text(bytes) == "b")
            #expect(scanner.next() == nil)
            #expect(scanner.hasBlankLine)
            #expect(scanner.lines == 5)
            #expect(String(decoding: bytes[scanner.position...], as: UTF8.self) == "body: no\n")
        }
    }

    @Test(arguments: [
        "no colon here\r\n", " leading: fold\r\n", ": x\r\n", "a b: c\r\n", "\r: x\r\n",
    ])
    func junkIsAFieldWithoutName(junk: String) {
        withBytes(junk + "To: b\r\n\r\n") { bytes in
            var scanner = HeaderScanner(bytes, in: 0..<bytes.count)
            #expect(scanner.next()?.name.isEmpty == true)
            #expect(scanner.next()?.known == .to)
            #expect(scanner.next() == nil)
        }
    }

    @Test func lookUpDisregardsCase() {
        withBytes("X-Odd: 1\r\nx-oDD: 2\r\n\r\nX-Body: 3") { bytes in
            let block = HeaderBlock(scanning: bytes, in: 0..<bytes.count)
            #expect(block.first("X-ODD".utf8, in: bytes)?.value.text(bytes) == "1")
            #expect(block.first("x-body".utf8, in: bytes) == nil)
        }
    }

    @Test func everyPrefixEndsInsideItself() {
        let text = "From: a\r\n b\r\nnonsense\r\nSubject: \r\n\r\nbody"
        for count in 0...text.utf8.count {
            withBytes(String(text.prefix(count))) { bytes in
                var scanner = HeaderScanner(bytes, in: 0..<bytes.count)
                var position = 0
                while let field = scanner.next() {
                    #expect(field.raw.lowerBound == position)
                    position = field.raw.upperBound
                }
                #expect(scanner.position >= position && scanner.position <= bytes.count)
            }
        }
    }
}
