import MailFormat
import Testing

@Suite struct SearchTextTests {
    private func found(_ needle: String, _ message: String, body: Bool = true) -> Bool {
        withBytes(message) { bytes in
            var search = SearchText(SearchNeedle(utf8: Array(needle.utf8)))
            let tree = MIMETree(parsing: bytes)
            return body
                ? search.matchesBody(tree, of: bytes) : search.matchesText(tree, of: bytes)
        }
    }

    @Test(arguments: [
        ("NEEDLE", "\r\nthe nEedLe here"), ("needle", "\r\nneedle"), ("", "\r\n"), ("x", "\r\nX"),
        ("\u{DC}BER", "\r\n\u{FC}ber"), ("\u{3C3}", "\r\n\u{3A3}"),
        ("\u{43F}\u{440}", "\r\n\u{41F}\u{420}"),
        (
            "\u{E9}t\u{E9}",
            "Content-Type: text/plain; charset=iso-8859-1\r\n"
                + "Content-Transfer-Encoding: quoted-printable\r\n\r\n=C9=\r\nt=E9"
        ),
        ("needle", "Content-Transfer-Encoding: base64\r\n\r\nTkVF\r\nRExF"),
        (
            "needle",
            "Content-Type: text/plain; charset=utf-16be\r\nContent-Transfer-Encoding:"
                + " base64\r\n\r\nAG4AZQBlAGQAbABl"
        ),
        (
            "inside",
            "Content-Type: message/rfc822\r\n\r\nSubject: =?utf-8?q?ins?= =?utf-8?q?ide?=\r\n\r\n"
        ),
    ])
    func bodiesAreSearched(needle: String, message: String) {
        #expect(found(needle, message))
        #expect(found(needle, message, body: false))
    }

    @Test(arguments: [
        ("needle", "Subject: needle\r\n\r\nneedl"), ("b", "\r\na"),
        ("image", "Content-Type: image/png\r\n\r\nimage"), ("\u{FC}", "\r\nascii only"),
        ("`a", "\r\n@a"),
    ])
    func whatIsNotInTheBodyIsNotFound(needle: String, message: String) {
        #expect(!found(needle, message))
    }

    @Test func matchesAcrossPiecesAndAlignments() {
        for padding in 16_370..<16_400 {
            let text = String(repeating: ".", count: padding) + "Ne\u{C9}dle" + "....."
            #expect(found("ne\u{E9}dle", "Content-Transfer-Encoding: 8bit\r\n\r\n" + text))
        }
        for padding in 0..<40 {
            for tail in 0..<20 {
                let text = String(repeating: "n", count: padding) + "nEEdle"
                #expect(found("needle", "\r\n" + text + String(repeating: "x", count: tail)))
            }
        }
        let long = String(repeating: "ab", count: 100)
        #expect(found(long + "c", "\r\n" + long + long.uppercased() + "C"))
        #expect(!found(long + "c", "\r\n" + long + long))
    }

    @Test func headersAreSearchedDecoded() {
        let header = "Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?= an\r\n alle\r\nTo: x\r\n\r\nalle"
        withBytes(header) { bytes in
            func field(_ name: String, _ needle: String) -> Bool {
                var search = SearchText(SearchNeedle(utf8: Array(needle.utf8)))
                return search.matchesField(Array(name.utf8), of: bytes, in: 0..<bytes.count)
            }
            #expect(field("subject", "GR\u{DC}\u{DF}E AN ALLE"))
            #expect(!field("subject", "utf-8"))
            #expect(!field("To", "alle"))
            #expect(field("TO", ""))
            #expect(!field("Cc", ""))
        }
        #expect(found("to: x", header, body: false))
        #expect(!found("to: x", header))
    }
}

@Suite struct SectionTests {
    static let message =
        "Subject: out\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nX: 1\r\n\r\none\r\n"
        + "--a\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\ninner\r\n--a\r\n"
        + "Content-Type: message/rfc822\r\n\r\nContent-Type: multipart/x; boundary=b\r\n\r\n--b\r\n\r\n"
        + "deep\r\n--b--\r\n--a--\r\n"

    @Test(
        arguments: [
            ([1], SectionKind.whole, "one"), ([1], .mime, "X: 1\r\n\r\n"), ([1, 1], .whole, nil),
            ([1], .header, nil), ([2], .whole, "Subject: in\r\n\r\ninner"),
            ([2], .header, "Subject: in\r\n\r\n"), ([2], .text, "inner"),
            ([2, 1], .whole, "inner"),
            ([2], .mime, "Content-Type: message/rfc822\r\n\r\n"),
            ([2, 1], .mime, "Subject: in\r\n\r\n"), ([2, 2], .whole, nil),
            ([3, 1], .whole, "deep"),
            ([3, 1], .mime, "\r\n"), ([4], .whole, nil), ([0], .whole, nil), ([], .mime, nil),
            ([], .header, "Subject: out\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n"),
            ([], .whole, message),
        ] as [([Int], SectionKind, String?)])
    func sectionsAreFound(path: [Int], kind: SectionKind, expected: String?) {
        withBytes(Self.message) { bytes in
            let tree = MIMETree(parsing: bytes)
            #expect(tree.range(of: path, kind)?.text(bytes) == expected)
        }
    }

    @Test func aSimpleMessageHasOnePart() {
        withBytes("To: a\r\n\r\nb") { bytes in
            let tree = MIMETree(parsing: bytes)
            #expect(tree.range(of: [1], .whole)?.text(bytes) == "b")
            #expect(tree.range(of: [], .text)?.text(bytes) == "b")
            #expect(tree.range(of: [1], .mime)?.text(bytes) == "To: a\r\n\r\n")
            #expect(tree.range(of: [2], .whole) == nil)
            #expect(tree.range(of: [1, 1], .whole) == nil)
        }
    }

    @Test(arguments: [
        (["TO", "x"], false, "To: a\r\n b\r\nX: y\r\n\r\n"),
        (["to"], true, "From: c\r\njunk\r\nX: y\r\n\r\n"),
        (["None"], false, "\r\n"),
    ])
    func subsetsKeepTheirOrder(names: [String], isExcluding: Bool, expected: String) {
        withBytes("To: a\r\n b\r\nFrom: c\r\njunk\r\nX: y\r\n\r\nTo: body") { bytes in
            var out: [UInt8] = []
            HeaderSubset.append(
                names.map { Array($0.utf8) }, isExcluding: isExcluding, of: bytes,
                in: 0..<bytes.count, to: &out)
            #expect(String(decoding: out, as: UTF8.self) == expected)
        }
    }

    @Test(arguments: [
        ("\r\n  hello \r\n\r\n world ", "hello world"),
        (
            "Content-Type: text/html\r\n\r\n<style>a{}</style><p>a &amp; b&#x263A;<br>c<!-- > -->",
            "a & b\u{263A} c"
        ),
        ("Content-Type: image/png\r\n\r\nx", ""),
        ("\r\n" + String(repeating: "\u{E9}", count: 300), String(repeating: "\u{E9}", count: 200)),
    ])
    func previewIsTheFirstText(message: String, expected: String) {
        withBytes(message) { bytes in
            let preview = Preview.make(MIMETree(parsing: bytes), of: bytes)
            #expect(String(decoding: preview, as: UTF8.self) == expected)
        }
    }
}
