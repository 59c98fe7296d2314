import Glibc
import LogOutput
import Logging
import Platform
import Testing

/// A log that ends in a pipe.
final class PipedLog {
    let output: LogOutput
    let logger: Logger
    private let descriptors: [Int32]

    init(_ format: LogOutput.Format, level: Logger.Level = .info, bufferMaxOctets: Int = 1 << 20) {
        var pair: [Int32] = [0, 0]
        pipe(&pair)
        _ = fcntl(pair[0], F_SETFL, O_NONBLOCK)
        descriptors = pair
        let output = LogOutput(
            format: format, descriptor: pair[1], bufferMaxOctets: bufferMaxOctets)
        self.output = output
        logger = Logger(label: "test") { _ in output.handler(level: level) }
    }

    /// The lines that came up to now, without their times.
    func lines(_ format: LogOutput.Format = .text) -> [String] {
        text().split(separator: "\n").map {
            String(
                $0.dropFirst(format == .text ? 25 : #"{"time":"2026-01-31T12:00:00.123Z","#.count))
        }
    }

    func text() -> String {
        var all: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(descriptors[0], &chunk, chunk.count)
            guard count > 0 else { return String(decoding: all, as: UTF8.self) }
            all += chunk[..<count]
        }
    }

    /// Waits for lines without asking for them.
    func wait() -> String {
        for _ in 0..<200 {
            let text = text()
            if !text.isEmpty { return text }
            usleep(10_000)
        }
        return ""
    }
}

@Suite struct LogOutputTests {
    @Test func anEventIsALineWithItsFieldsInOrder() {
        let log = PipedLog(.text)
        log.logger.notice("accepted", metadata: ["z": "1", "a": "two words", "b": "", "m": "x=y"])
        log.logger.debug("not this one")
        log.output.flush()
        #expect(log.lines() == [#"notice accepted a="two words" b="" m="x=y" z=1"#])
    }

    @Test func timesAreUTCToTheMillisecond() throws {
        let log = PipedLog(.text)
        let before = time(nil)
        log.logger.info("now")
        log.output.flush()
        let text = log.text()
        var parts = tm()
        let numbers = text.prefix(19).split { !$0.isNumber }.compactMap { Int32($0) }
        try #require(numbers.count == 6)
        parts.tm_year = numbers[0] - 1_900
        parts.tm_mon = numbers[1] - 1
        parts.tm_mday = numbers[2]
        parts.tm_hour = numbers[3]
        parts.tm_min = numbers[4]
        parts.tm_sec = numbers[5]
        #expect((before...(before + 5)).contains(timegm(&parts)))
        #expect(text.dropFirst(19).first == "." && text.dropFirst(23).hasPrefix("Z info now\n"))
    }

    @Test(arguments: [
        ("a\nb", #"a\nb"#), ("a\r\u{1B}[31m", #"a\r\u{1b}[31m"#), ("\u{2028}", #"\u{2028}"#),
        ("\u{202E}evil", #"\u{202e}evil"#), ("\u{85}", #"\u{85}"#), ("a\\n", #"a\\n"#),
        ("käse", "käse"), ("\0", #"\u{0}"#),
    ])
    func nobodyForgesALine(value: String, shown: String) {
        let log = PipedLog(.text)
        log.logger.info("\(value)", metadata: ["k\n": "\(value)\""])
        log.output.flush()
        #expect(log.lines() == ["info \(shown) k\\n=\"\(shown)\\\"\""])
    }

    @Test func jsonHasTheSame() {
        let log = PipedLog(.json)
        log.logger.error(
            "b\"c", metadata: ["level": "forged", "x": "a\nb\u{1}\\", "ü": "\u{202E}"])
        log.output.flush()
        #expect(
            log.lines(.json) == [
                #""level":"error","event":"b\"c","_level":"forged","x":"a\nb\u0001\\","ü":"\u202e"}"#
            ])
    }

    @Test func aLineIsWrittenWithoutBeingAskedFor() {
        let log = PipedLog(.text)
        log.logger.info("soon")
        #expect(log.wait().hasSuffix("info soon\n"))
        log.logger.warning("at once")
        #expect(log.wait().hasSuffix("warning at once\n"))
    }

    @Test func metadataOfTheLoggerIsThereAndTheEventsWins() {
        let log = PipedLog(.text)
        var logger = log.logger
        logger[metadataKey: "session"] = "7"
        logger[metadataKey: "id"] = "old"
        logger.info("x", metadata: ["id": "new"])
        log.output.flush()
        #expect(log.lines() == ["info x id=new session=7"])
    }

    @Test(arguments: [
        (LogOutput.Format.text, #"info x id=4F b="two words" c="a\nb" n=-70 k=1"#),
        (
            .json,
            #""level":"info","event":"x","id":"4F","b":"two words","c":"a\nb","n":"-70","k":"1"}"#
        ),
    ])
    func readyFieldsStandFirstInTheirOrder(format: LogOutput.Format, shown: String) {
        let log = PipedLog(format)
        var fields = LogFields()
        fields.add("id", Array("4F".utf8))
        fields.add("b", Array("two words".utf8))
        fields.add("c", Array("a\nb".utf8))
        fields.add("n", -70)
        log.logger.info("x", metadata: ["ready": .stringConvertible(fields), "k": "1"])
        log.output.flush()
        #expect(log.lines(format) == [shown])
    }

    @Test func whatASlowReaderLosesIsCounted() {
        let log = PipedLog(.text, bufferMaxOctets: 100_000)
        let value = String(repeating: "x", count: 1_000)
        // The pipe takes 64 KiB, memory 100 kB.
        for _ in 0..<1_000 { log.logger.info("\(value)") }
        usleep(200_000)
        for _ in 0..<1_000 { log.logger.info("\(value)") }
        var text = ""
        var quiet = 0
        while quiet < 30 {
            let more = log.text()
            quiet = more.isEmpty ? quiet + 1 : 0
            text += more
            usleep(10_000)
        }
        let lines = text.split(separator: "\n")
        let dropped = lines.compactMap { line in
            line.contains("dropped") ? line.split(separator: "=").last.flatMap { Int($0) } : nil
        }
        let shown = lines.count { $0.contains("xxx") }
        #expect(!dropped.isEmpty && dropped.reduce(shown, +) == 2_000)
    }
}
