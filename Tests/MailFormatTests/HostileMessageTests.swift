import MailFormat
import Testing

private func tree(_ text: String, _ limits: MIMELimits = MIMELimits()) -> MIMETree {
    withBytes(text) { bytes in
        let tree = MIMETree(parsing: bytes, limits: limits)
        MailFormatFuzz.checkTree(tree, bytes)
        return tree
    }
}

@Suite struct HostileMessageTests {
    static let messages = [
        "", "\n", "\r\n", "--", "a", ":", "\r", "Subject", "Content-Type: multipart/mixed",
        "Content-Type: multipart/mixed; boundary=a\n\n--a\nX: y\n\n1\n--a\n\n\n--a--\n--a\nepi\n",
        "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: multipart/x;"
            + " boundary=b\r\n\r\n--b\r\nhead\r\n--a\r\n\r\n--b--\r\n\r\n--a--\r\n",
        "Content-Type: multipart/digest; boundary=a\r\n\r\n--a\r\n\r\nSubject: =?utf-8?q?=C3?="
            + " =?utf-8?q?=9F?=\r\n\r\nneedle\r\n--a--",
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable"
            + "\r\n\r\n=C3=9C=\r\nber =\t\r\n x =\r",
        "From: a <b@c>, (x) d@e, g: h@i\r\nTo: \"\\\"\" <\"q q\"@[::1]>\r\nDate: 1 Jan 70 0:0 Z\r\n\r\n",
    ]

    @Test(arguments: messages) func everyPrefixKeepsItsPromises(message: String) {
        let bytes = Array(message.utf8)
        for count in 0...bytes.count {
            bytes[..<count].withUnsafeBytes { MailFormatFuzz.run($0) }
        }
    }

    @Test func depthIsBounded() {
        var text = ""
        for i in 0..<1_000 {
            text += "Content-Type: multipart/mixed; boundary=b\(i)\r\n\r\n--b\(i)\r\n"
        }
        let multiparts = tree(text)
        #expect(multiparts.parts.count == 101)
        #expect(multiparts.parts.last?.kind == .opaque)
        let messages = tree(
            String(repeating: "Content-Type: message/rfc822\r\n\r\n", count: 1_000))
        #expect(messages.parts.count == 101)
        #expect(messages.parts.last?.kind == .opaque)
    }

    @Test func partsAreBounded() {
        let text =
            "Content-Type: multipart/mixed; boundary=b\n\n"
            + String(repeating: "--b\n\nx\n", count: 1_000)
        let some = tree(text, MIMELimits(partsMax: 10))
        #expect(some.parts.count == 10)
        #expect(some.parts.last?.body.upperBound == text.utf8.count)
        #expect(tree(text).parts.count == 1_001)
    }

    @Test func hugeHeadersAreRead() {
        let many = String(repeating: "X-Field: value\r\n", count: 100_000) + "To: a\r\n\r\n"
        #expect(tree(many).parts[0].header.count == many.utf8.count)
        let long = "Subject: " + String(repeating: "x\r\n ", count: 500_000) + "\r\nTo: a\r\n\r\n"
        #expect(tree(long).listedFields.first?.count == long.utf8.count - 2)
    }

    @Test func aDelimiterEndsAllThatLiesInside() {
        let text =
            "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n"
            + "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--a\r\n\r\ntwo"
        withBytes(text) { bytes in
            let tree = MIMETree(parsing: bytes)
            #expect(tree.range(of: [1, 1], .whole)?.text(bytes) == "one")
            #expect(tree.range(of: [2], .whole)?.text(bytes) == "two")
            #expect(tree.range(of: [3], .whole) == nil)
        }
    }

    @Test func aLongerLineIsNoDelimiter() {
        let text =
            "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\n--aa\r\n--a-\r\n--a--x\r\n"
        #expect(tree(text).parts.count == 2)
    }
}
