/// What is said, and how the replies begin. Made of blocks that repeat, and spelled out in full.
enum Conversations {
    static let all = part1 + part2 + part3 + part4

    private static let part1 = [
        Conversation(
            "a message",
            #"""
            S: 220 mx.test
            C: EHLO client.test
            S: 250-mx.test
            S: 250-PIPELINING
            S: 250-SIZE
            S: 250-8BITMIME
            S: 250-SMTPUTF8
            S: 250-CHUNKING
            S: 250-ENHANCED
            S: 250-LIMITS
            S: 250 STARTTLS
            C: MAIL FROM:<a@b.test>
            S: 250 2.1.0
            C: RCPT TO:<x@y.test>
            S: 250 2.1.5
            C: DATA
            S: 354
            C: Subject: s
            C: 
            C: text
            C: .
            S: 250 2.0.0 Ok: queued as ID1
            C: QUIT
            S: 221 2.0.0
            """#),
        Conversation(
            "two messages in one session",
            #"""
            S: 220 mx.test
            C: HELO c
            S: 250 mx.test
            C: MAIL FROM:<a@b.test>
            S: 250 2.1.0
            C: RCPT TO:<x@y.test>
            S: 250 2.1.5
            C: DATA
            S: 354
            C: Subject: s
            C: 
            C: text
            C: .
            S: 250 2.0.0 Ok: queued as ID1
            C: MAIL FROM:<a@b.test>
            S: 250 2.1.0
            C: RCPT TO:<x@y.test>
            S: 250 2.1.5
            C: DATA
            S: 354
            C: Subject: s
            C: 
            C: text
            C: .
            S: 250 2.0.0 Ok: queued as ID1
            """#),
        Conversation(
            "HELO serves",
            #"""
            S: 220 mx.test
            C: helo client.test
            S: 250 mx.test
            C: MAIL FROM:<a@b.test>
            S: 250 2.1.0
            C: RCPT TO:<x@y.test>
            S: 250 2.1.5
            C: data
            S: 354
            C: Subject: s
            C: 
            C: text
            C: .
            S: 250 2.0.0 Ok: queued as ID1
            """#),
        Conversation(
            "MAIL needs HELO",
            #"""
            S: 220 mx.test
            C: MAIL FROM:<a@b.test>
            S: 503 5.5.1
            """#),
        Conversation(
            "RCPT needs MAIL",
            #"""
            S: 220 mx.test
            C: HELO c
            S: 250 mx.test
            C: RCPT TO:<a@b.test>
            S: 503 5.5.1
            """#),
        Conversation(
            "DATA needs RCPT",
            #"""
            S: 220 mx.test
            C: HELO c
            S: 250 mx.test
            C: MAIL FROM:<>
            S: 250 2.1.0
            C: DATA
            S: 503 5.5.1
            """#),
        Conversation(
            "DATA without valid recipients",
            #"""
            S: 220 mx.test
            C: HELO c
            S: 250 mx.test
            C: MAIL FROM:<>
            S: 250 2.1.0
            C: RCPT TO:<nobody@y.test>
            S: 550 5.1.1
            C: DATA
            S: 554 5.5.1
            C: RCPT TO:<x@y.test>
            S: 250 2.1.5
            """#),
        Conversation(
            "nested MAIL",
            #"""
            S: 220 mx.test
            C: HELO c
            S: 250 mx.test
            C: MAIL FROM:<a@b.test>
            S: 250 2.1.0
            C: RCPT TO:<x@y.test>
            S: 250 2.1.5
            C: MAIL FROM:<c@d.test>
            S: 503 5.5.1
            """#),
        Conversation(
            "each refusal of a recipient",
            #"""
            S: 220 mx.test
            C: HELO c
            S: 250 mx.test
            C: MAIL FROM:<a@b.test>
            S: 250
            C: RCPT TO:<nobody@y.test>
            S: 550 5.1.1
            C: RCPT TO:<full@y.test>
            S: 452 4.2.2
            C: RCPT TO:<far@z.test>
            S: 550 5.7.1
            """#),
        Conversation(
            "a refused sender leaves no transaction",
            #"""
            S: 220 mx.test
            C: HELO c
            S: 250 mx.test
            C: MAIL FROM:<banned@b.test>
            S: 550 5.7.1
            C: RCPT TO:<x@y.test>
            S: 503 5.5.1
            C: MAIL FROM:<a@b.test>
            S: 250 2.1.0
            """#),
        Conversation(
            "RSET ends the transaction",
            #"""
            S: 220 mx.test
            C: HELO c
            S: 250 mx.test
            C: MAIL FROM:<a@b.test>
            S: 250 2.1.0
            C: RCPT TO:<x@y.test>
            S: 250 2.1.5
            C: RSET
            S: 250 2.0.0
            C: DATA
            S: 503 5.5.1
            """#),
        Conversation(
            "EHLO ends the transaction",
            #"""
            S: 220 mx.test
            C: HELO c
            S: 250 mx.test
            C: MAIL FROM:<a@b.test>
            S: 250 2.1.0
            C: RCPT TO:<x@y.test>
            S: 250 2.1.5
            C: EHLO client.test
            S: 250-mx.test
            S: 250-PIPELINING
            S: 250-SIZE
            S: 250-8BITMIME
            S: 250-SMTPUTF8
            S: 250-CHUNKING
            S: 250-ENHANCED
            S: 250-LIMITS
            S: 250 STARTTLS
            C: DATA
            S: 503 5.5.1
            """#),
    ]

    private static let part2 = [
        Conversation(
            "commands without effect",
            #"""
            S: 220 mx.test
            C: HELO c
            S: 250 mx.test
            C: NOOP
            S: 250 2.0.0
            C: NOOP x
            S: 250 2.0.0
            C: VRFY bob
            S: 252 2.5.0
            C: EXPN list
            S: 502 5.5.1
            C: HELP
            S: 214 2.0.0
            """#),
        Conversation(
            "unknown commands",
            #"""
            S: 220 mx.test
            C: LHLO x
            S: 500 5.5.2
            C: XYZZY
            S: 500 5.5.2
            C: 
            S: 500 5.5.2
            C: MAILFROM:<a@b>
            S: 500 5.5.2
            C: STARTTLSX
            S: 500 5.5.2
            """#),
        Conversation(
            "AUTH is not implemented",
            #"""
            S: 220 mx.test
            C: HELO c
            S: 250 mx.test
            C: AUTH PLAIN AAAA
            S: 502 5.5.1
            """#),
        Conversation(
            "arguments where none belong",
            #"""
            S: 220 mx.test
            C: HELO c
            S: 250 mx.test
            C: MAIL FROM:<a@b.test>
            S: 250 2.1.0
            C: RCPT TO:<x@y.test>
            S: 250 2.1.5
            C: DATA now
            S: 501 5.5.4
            C: RSET x
            S: 501 5.5.4
            C: QUIT x
            S: 501 5.5.4
            C: STARTTLS x
            S: 501 5.5.4
            """#),
        Conversation(
            "HELO without or with a bad name",
            #"""
            S: 220 mx.test
            C: HELO
            S: 501 5.5.4
            C: EHLO a b
            S: 501 5.5.4
            C: EHLO (x)
            S: 501 5.5.4
            C: HELO [192.0.2.1]
            S: 250
            """#),
        Conversation(
            "blanks around",
            #"""
            S: 220 mx.test
            C: HELO   x  
            S: 250
            C: MAIL FROM: <a@b.test>  
            S: 250 2.1.0
            C: RCPT TO: <x@y.test> 
            S: 250 2.1.5
            """#),
        Conversation(
            "bad sender addresses",
            #"""
            S: 220 mx.test
            C: HELO c
            S: 250 mx.test
            C: MAIL FROM:a@b.test
            S: 501 5.1.7
            C: MAIL FROM:<a@b.test
            S: 501 5.1.7
            C: MAIL FROM:<a>
            S: 501 5.1.7
            C: MAIL FROM:<@b>
            S: 501 5.1.7
            C: MAIL FROM:<a@>
            S: 501 5.1.7
            C: MAIL FROM:<a b@c>
            S: 501 5.1.7
            C: MAIL FROM:<a@b..c>
            S: 501 5.1.7
            C: MAIL FROM:<a@.c>
            S: 501 5.1.7
            C: MAIL FROM:<a@b.test>x
            S: 501 5.1.7
            C: MAIL FROM:<a@[300.1.1.1]>
            S: 501 5.1.7
            C: MAIL FROM:<a@[IPv6:1::2::3]>
            S: 501 5.1.7
            C: MAIL FROM:<"a@b>
            S: 501 5.1.7
            C: MAIL FROM:<a@b@c>
            S: 501 5.1.7
            C: MAIL FROM:<postmaster>
            S: 501 5.1.7
            C: MAIL FROM:
            S: 501 5.1.7
            """#),
        Conversation(
            "bad recipient addresses",
            #"""
            S: 220 mx.test
            C: HELO c
            S: 250 mx.test
            C: MAIL FROM:<>
            S: 250
            C: RCPT TO:<>
            S: 501 5.1.3
            C: RCPT TO:x@y.test
            S: 501 5.1.3
            C: RCPT TO:<x>
            S: 501 5.1.3
            C: RCPT TO:<@a.test,@b.test x@y>
            S: 501 5.1.3
            """#),
        Conversation(
            "MAIL and RCPT without their word",
            #"""
            S: 220 mx.test
            C: HELO c
            S: 250 mx.test
            C: MAIL <a@b>
            S: 501 5.5.4
            C: MAIL FROM:<>
            S: 250
            C: RCPT <a@b>
            S: 501 5.5.4
            """#),
        Conversation(
            "parameters",
            #"""
            S: 220 mx.test
            C: HELO c
            S: 250 mx.test
            C: MAIL FROM:<a@b> FOO=1
            S: 555 5.5.4
            C: MAIL FROM:<a@b> SIZE=1 SIZE=1
            S: 501 5.5.4
            C: MAIL FROM:<a@b> SIZE
            S: 501 5.5.4
            C: MAIL FROM:<a@b> SIZE=x
            S: 501 5.5.4
            C: MAIL FROM:<a@b> BODY=BINARYMIME
            S: 555 5.5.4
            C: MAIL FROM:<a@b> BODY=9BIT
            S: 501 5.5.4
            C: MAIL FROM:<a@b> SMTPUTF8=1
            S: 501 5.5.4
            C: MAIL FROM:<a@b> size=5 body=7bit smtputf8
            S: 250 2.1.0
            C: RCPT TO:<x@y.test> NOTIFY=NEVER
            S: 555 5.5.4
            """#),
        Conversation(
            "99 GB are refused at MAIL",
            #"""
            S: 220 mx.test
            C: HELO c
            S: 250 mx.test
            C: MAIL FROM:<a@b> SIZE=106300440576
            S: 552 5.3.4
            C: MAIL FROM:<a@b> SIZE=99999999999999999999
            S: 552 5.3.4
            C: MAIL FROM:<a@b> SIZE=999999999999999999999
            S: 501 5.5.4
            C: MAIL FROM:<a@b> SIZE=52428800
            S: 250
            """#),
        Conversation(
            "addresses beyond ASCII need SMTPUTF8",
            #"""
            S: 220 mx.test
            C: HELO c
            S: 250 mx.test
            C: MAIL FROM:<é@b.test>
            S: 553 5.6.7
            C: MAIL FROM:<a@b>
            S: 250
            C: RCPT TO:<ü@y.test>
            S: 553 5.6.7
            C: RSET
            S: 250
            C: MAIL FROM:<é@b.test> SMTPUTF8
            S: 250
            C: RCPT TO:<ü@ÿ.test>
            S: 250 2.1.5
            """#),
    ]

    private static let part3 = [
        Conversation(
            "a message in chunks",
            #"""
            S: 220 mx.test
            C: HELO c
            S: 250 mx.test
            C: MAIL FROM:<a@b.test>
            S: 250 2.1.0
            C: RCPT TO:<x@y.test>
            S: 250 2.1.5
            C: BDAT 12
            C: Subject: s
            S: 250 2.0.0 Chunk
            C: BDAT 0 LAST
            S: 250 2.0.0 Ok: queued as ID1
            """#),
        Conversation(
            "an empty last chunk only",
            #"""
            S: 220 mx.test
            C: HELO c
            S: 250 mx.test
            C: MAIL FROM:<a@b.test>
            S: 250 2.1.0
            C: RCPT TO:<x@y.test>
            S: 250 2.1.5
            C: BDAT 0 LAST
            S: 250 2.0.0 Ok: queued as ID1
            C: NOOP
            S: 250
            """#),
        Conversation(
            "one chunk, and the next message",
            #"""
            S: 220 mx.test
            C: HELO c
            S: 250 mx.test
            C: MAIL FROM:<a@b.test>
            S: 250 2.1.0
            C: RCPT TO:<x@y.test>
            S: 250 2.1.5
            C: BDAT 14 LAST
            C: A: b\r\n\r\ntext\r\n\c
            S: 250 2.0.0 Ok: queued as ID1
            C: MAIL FROM:<a@b.test>
            S: 250 2.1.0
            C: RCPT TO:<x@y.test>
            S: 250 2.1.5
            C: bdat 4 last
            C: a\r\n.\c
            S: 250 2.0.0 Ok: queued as ID1
            """#),
        Conversation(
            "DATA after BDAT",
            #"""
            S: 220 mx.test
            C: HELO c
            S: 250 mx.test
            C: MAIL FROM:<a@b.test>
            S: 250 2.1.0
            C: RCPT TO:<x@y.test>
            S: 250 2.1.5
            C: BDAT 3
            C: a
            S: 250 2.0.0
            C: DATA
            S: 503 5.5.1
            C: RCPT TO:<x@y>
            S: 503 5.5.1
            C: MAIL FROM:<>
            S: 503 5.5.1
            C: NOOP
            S: 250
            C: BDAT 0 LAST
            S: 250 2.0.0 Ok: queued as ID1
            """#),
        Conversation(
            "RSET amid chunks",
            #"""
            S: 220 mx.test
            C: HELO c
            S: 250 mx.test
            C: MAIL FROM:<a@b.test>
            S: 250 2.1.0
            C: RCPT TO:<x@y.test>
            S: 250 2.1.5
            C: BDAT 3
            C: a
            S: 250 2.0.0
            C: RSET
            S: 250 2.0.0
            C: BDAT 3 LAST
            C: a
            S: 503 5.5.1
            C: MAIL FROM:<a@b.test>
            S: 250 2.1.0
            C: RCPT TO:<x@y.test>
            S: 250 2.1.5
            C: DATA
            S: 354
            C: Subject: s
            C: 
            C: text
            C: .
            S: 250 2.0.0 Ok: queued as ID1
            """#),
        Conversation(
            "QUIT amid chunks",
            #"""
            S: 220 mx.test
            C: HELO c
            S: 250 mx.test
            C: MAIL FROM:<a@b.test>
            S: 250 2.1.0
            C: RCPT TO:<x@y.test>
            S: 250 2.1.5
            C: BDAT 3
            C: a
            S: 250 2.0.0
            C: QUIT
            S: 221
            """#),
        Conversation(
            "a refused BDAT swallows its octets",
            #"""
            S: 220 mx.test
            C: HELO c
            S: 250 mx.test
            C: BDAT 25 LAST
            C: MAIL FROM:<evil@b.test>
            S: 503 5.5.1
            C: RCPT TO:<x@y.test>
            S: 503 5.5.1
            """#),
        Conversation(
            "a chunk with bare LF fails, and what follows it",
            #"""
            S: 220 mx.test
            C: HELO c
            S: 250 mx.test
            C: MAIL FROM:<a@b.test>
            S: 250 2.1.0
            C: RCPT TO:<x@y.test>
            S: 250 2.1.5
            C: BDAT 4
            C: a\nb\n\c
            S: 554 5.6.0 Bare LF
            C: BDAT 6
            C: QUIT
            S: 503 5.5.1
            C: BDAT 6 LAST
            C: QUIT
            S: 503 5.5.1
            C: MAIL FROM:<a@b.test>
            S: 250 2.1.0
            C: RCPT TO:<x@y.test>
            S: 250 2.1.5
            C: DATA
            S: 354
            C: Subject: s
            C: 
            C: text
            C: .
            S: 250 2.0.0 Ok: queued as ID1
            """#),
        Conversation(
            "CRLF cut by chunks is whole",
            #"""
            S: 220 mx.test
            C: HELO c
            S: 250 mx.test
            C: MAIL FROM:<a@b.test>
            S: 250 2.1.0
            C: RCPT TO:<x@y.test>
            S: 250 2.1.5
            C: BDAT 2
            C: a\r\c
            S: 250 2.0.0
            C: BDAT 1 LAST
            C: \n\c
            S: 250 2.0.0 Ok: queued as ID1
            """#),
        Conversation(
            "a chunk that ends in CR at the end",
            #"""
            S: 220 mx.test
            C: HELO c
            S: 250 mx.test
            C: MAIL FROM:<a@b.test>
            S: 250 2.1.0
            C: RCPT TO:<x@y.test>
            S: 250 2.1.5
            C: BDAT 2 LAST
            C: a\r\c
            S: 554 5.6.0 Bare CR
            """#),
        Conversation(
            "BDAT with an unknown length closes",
            #"""
            S: 220 mx.test
            C: HELO c
            S: 250 mx.test
            C: MAIL FROM:<a@b.test>
            S: 250 2.1.0
            C: RCPT TO:<x@y.test>
            S: 250 2.1.5
            C: BDAT x LAST
            S: 501 5.5.4
            C: NOOP
            """#),
        Conversation(
            "BDAT with a wrong word closes",
            #"""
            S: 220 mx.test
            C: HELO c
            S: 250 mx.test
            C: MAIL FROM:<a@b.test>
            S: 250 2.1.0
            C: RCPT TO:<x@y.test>
            S: 250 2.1.5
            C: BDAT 5 FIRST
            S: 501 5.5.4
            C: NOOP
            """#),
    ]

    private static let part4 = [
        Conversation(
            "BDAT of 99 GB closes",
            #"""
            S: 220 mx.test
            C: HELO c
            S: 250 mx.test
            C: MAIL FROM:<a@b.test>
            S: 250 2.1.0
            C: RCPT TO:<x@y.test>
            S: 250 2.1.5
            C: BDAT 106300440576 LAST
            S: 552 5.3.4
            C: NOOP
            """#),
        Conversation(
            "bare LF in a command",
            #"""
            S: 220 mx.test
            C: EHLO x\nMAIL FROM:<a@b>
            S: 500 5.5.2 Bare LF
            C: NOOP
            S: 250
            """#),
        Conversation(
            "bare CR in a command",
            #"""
            S: 220 mx.test
            C: EHLO x\rNOOP
            S: 500 5.5.2 Bare CR
            C: \r
            S: 500 5.5.2 Bare CR
            C: NOOP
            S: 250
            """#),
        Conversation(
            "NUL in a command",
            #"""
            S: 220 mx.test
            C: NOOP\0
            S: 500 5.5.2
            C: EHLO x\0
            S: 501 5.5.4
            """#),
        Conversation(
            "NUL in a message",
            #"""
            S: 220 mx.test
            C: HELO c
            S: 250 mx.test
            C: MAIL FROM:<a@b.test>
            S: 250 2.1.0
            C: RCPT TO:<x@y.test>
            S: 250 2.1.5
            C: DATA
            S: 354
            C: a\0b
            C: .
            S: 554 5.6.0 NUL
            C: NOOP
            S: 250
            """#),
        Conversation(
            "dots are unstuffed",
            #"""
            S: 220 mx.test
            C: HELO c
            S: 250 mx.test
            C: MAIL FROM:<a@b.test>
            S: 250 2.1.0
            C: RCPT TO:<x@y.test>
            S: 250 2.1.5
            C: DATA
            S: 354
            C: ..
            C: ..a
            C: .b
            C: a.
            C: ...
            C: .
            S: 250 2.0.0 Ok: queued as ID1
            """#),
    ]
}
