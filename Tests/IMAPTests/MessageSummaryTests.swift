import IMAP
import MailFormat
import Testing

private func summary(_ text: String) -> MessageSummary {
    Array(text.utf8).withUnsafeBytes { MessageSummary.make($0) }
}

private func envelope(_ header: String) -> String {
    String(decoding: summary(header + "\r\n").envelope, as: UTF8.self)
}

private func structure(_ text: String) -> String {
    String(decoding: summary(text).bodyStructure, as: UTF8.self)
}

@Suite struct EnvelopeEncoderTests {
    @Test func everyFieldStandsInItsPlace() {
        let got = envelope(
            """
            Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r
            From: Terry Gray <gray@cac.example>\r
            Sender: s@x.example\r
            Reply-To: "R, S" <r@x.example>\r
            Subject: IMAP4rev2 "WG" \r
             minutes\r
            To: imap@cac.example, <@a,@b:t@c.example>\r
            Cc: minutes@CNRI.example (John)\r
            Bcc: Group: a@b.example;\r
            In-Reply-To: <1@x>\r
            Message-Id: <B27397@cac.example>\r

            """)
        #expect(
            got == """
                ("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "IMAP4rev2 \\"WG\\"  minutes" \
                (("Terry Gray" NIL "gray" "cac.example")) ((NIL NIL "s" "x.example")) \
                (("R, S" NIL "r" "x.example")) \
                ((NIL NIL "imap" "cac.example")(NIL "@a,@b" "t" "c.example")) \
                (("John" NIL "minutes" "CNRI.example")) \
                ((NIL NIL "Group" NIL)(NIL NIL "a" "b.example")(NIL NIL NIL NIL)) \
                "<1@x>" "<B27397@cac.example>")
                """)
    }

    @Test func absentIsNilAndEmptyIsEmpty() {
        #expect(envelope("Subject:\r\n") == #"(NIL "" NIL NIL NIL NIL NIL NIL NIL NIL)"#)
        #expect(envelope("") == "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)")
    }

    @Test func senderAndReplyToAreThoseOfFrom() {
        let a = #"((NIL NIL "a" "b"))"#
        #expect(
            envelope("From: a@b\r\nSender: \r\n") == "(NIL NIL \(a) \(a) \(a) NIL NIL NIL NIL NIL)")
    }

    @Test func whatCannotBeQuotedIsALiteral() {
        #expect(
            envelope("Subject: b\u{FC}cher\r\n")
                == "(NIL {7}\r\nb\u{FC}cher NIL NIL NIL NIL NIL NIL NIL NIL)")
        let long = String(repeating: "x", count: 4_001)
        #expect(envelope("Subject: \(long)\r\n").hasPrefix("(NIL {4001}\r\nxxx"))
        #expect(envelope("Subject: a\0b\r\n").hasPrefix("(NIL {3}\r\na?b "))
        #expect(envelope("Subject: a\rb\r\n").hasPrefix("(NIL \"ab\" "))
    }
}

@Suite struct BodyStructureEncoderTests {
    static let plain = #"("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" "#

    @Test func aMessageWithoutMimeIsPlainText() {
        #expect(structure("Subject: x\r\n\r\na\r\nb\r\n") == Self.plain + "6 2 NIL NIL NIL NIL)")
        #expect(structure("") == Self.plain + "0 0 NIL NIL NIL NIL)")
    }

    @Test func alternativePartsAreNumberedByTheirOctetsAndLines() {
        let text =
            "Content-Type: multipart/alternative; boundary=\"b 1\"\r\n\r\npre\r\n--b 1\r\n\r\nhi\r\n\r\n"
            + "--b 1 \r\nContent-Type: TEXT/html; charset=utf-8\r\n"
            + "Content-Transfer-Encoding: quoted-printable\r\n"
            + "Content-Disposition: inline; filename=\"a\\\"b\"\r\n\r\n<p>\r\n</p>\r\n--b 1--\r\nepi\r\n"
        #expect(
            structure(text) == "(" + Self.plain + "4 1 NIL NIL NIL NIL)"
                + #"("TEXT" "html" ("charset" "utf-8") NIL NIL "quoted-printable" 9 1 NIL "#
                + #"("inline" ("filename" "a\"b")) NIL NIL) "alternative" "#
                + #"("boundary" "b 1") NIL NIL NIL)"#)
    }

    @Test func aMultipartWithoutPartsShowsOne() {
        #expect(
            structure("Content-Type: multipart/mixed\r\n\r\nx")
                == "(" + Self.plain + #"0 0 NIL NIL NIL NIL) "mixed" NIL NIL NIL NIL)"#)
    }

    @Test func anEmbeddedMessageHasItsEnvelope() {
        let text =
            "Content-Type: message/rfc822\r\n\r\nSubject: in\r\nContent-Type: image/png\r\n\r\nx\r\n"
        #expect(
            structure(text)
                == #"("message" "rfc822" NIL NIL NIL "7bit" 43 (NIL "in" "#
                + #"NIL NIL NIL NIL NIL NIL NIL NIL) ("image" "png" NIL NIL NIL "7bit" 3 "#
                + #"NIL NIL NIL NIL) 4 NIL NIL NIL NIL)"#)
    }

    @Test func continuationsAreJoined() {
        let text =
            "Content-Type: image/png; name*1=b; name*0=a\r\n"
            + "Content-Disposition: attachment; filename*0*=utf-8''%C3; filename*1=\"b c\"\r\n\r\n"
        #expect(
            structure(text)
                == #"("image" "png" ("name" "ab") NIL NIL "7bit" 0 NIL "#
                + #"("attachment" ("filename*" "utf-8''%C3b%20c")) NIL NIL)"#)
    }
}

@Suite struct MessageSummaryTests {
    @Test func listedFieldsAreKeptAsTheyStand() {
        let got = summary(
            "Received: x\r\nFROM: a\r\n\tb\r\nX-Y: z\r\nSubject: s\r\nTo: t\r\n\r\nhi\r\n")
        #expect(got.listedFields == Array("FROM: a\r\n\tb\r\nSubject: s\r\nTo: t\r\n".utf8))
        #expect(got.listedFieldsAreComplete)
        #expect(got.headerOctets == 55)
        #expect(got.preview == Array("hi".utf8))
        #expect(got.sentDate == nil)
    }

    @Test(arguments: [
        "",
        "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: message/rfc822"
            + "\r\n\r\nFrom: \u{FC} \"x\\\r\n\r\n--a\r\nContent-Type: a/b; c=\"\\\\\"\r\n\r\n--a--",
        String(repeating: "Content-Type: message/rfc822\r\n\r\n", count: 300),
    ])
    func bodyIsBodystructureWithoutItsExtensions(message: String) {
        let bytes = Array(message.utf8)
        for count in 0...min(bytes.count, 400) {
            bytes[..<count].withUnsafeBytes { MailFormatFuzz.runEncoders($0) }
        }
        bytes.withUnsafeBytes { MailFormatFuzz.runEncoders($0) }
    }

    @Test func structureIsBounded() {
        var text = "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        for _ in 0..<200 {
            text += "--b\r\nContent-Description: \(String(repeating: "x", count: 1_000))\r\n\r\n"
        }
        let limits = MIMELimits(structureMaxOctets: 10_000)
        let got = Array(text.utf8).withUnsafeBytes { MessageSummary.make($0, limits: limits) }
        #expect(got.bodyStructure.count < 30_000)
        #expect(BodyStructureEncoder.isBalanced(got.bodyStructure))
    }
}
