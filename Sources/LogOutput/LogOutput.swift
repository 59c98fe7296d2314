import Glibc
import Logging
import Platform
import PlatformLinux
import Synchronization

/// Writes log events, one line each, from a thread of its own.
///
/// A line is put into memory and written within 100 ms with all that came meanwhile: one system call
/// for many lines. Warnings and worse are written at once. When the reader is so slow that the memory
/// is full, lines are dropped and counted, and a line says how many: logging never stops the mail.
///
/// Nothing in a message or a value can begin another line or hide in one: control characters are
/// escaped.
public final class LogOutput: Sendable {
    public enum Format: Hashable, Sendable {
        /// `2026-01-31T12:00:00.123Z notice serving version=1.0`
        case text
        /// `{"time":"2026-01-31T12:00:00.123Z","level":"notice","event":"serving","version":"1.0"}`
        case json
    }

    /// How long lines are gathered.
    private static let gathering = Duration.milliseconds(50)

    private enum Signal: Sendable {
        case lines
        case urgent
        case flush(@Sendable () -> Void)
    }

    private struct State {
        var lines: [UInt8] = []
        var dropped = 0
        var time = TimeText()
    }

    private let format: Format
    private let descriptor: Int32
    private let bufferMaxOctets: Int
    private let state = Mutex(State())
    private let signals = WorkQueue<Signal>()

    /// - Parameters:
    ///   - descriptor: where lines go; standard error by default.
    ///   - bufferMaxOctets: how much waits at most for a slow reader.
    public init(format: Format, descriptor: Int32 = STDERR_FILENO, bufferMaxOctets: Int = 4 << 20) {
        self.format = format
        self.descriptor = descriptor
        self.bufferMaxOctets = bufferMaxOctets
        // The thread lives as long as the process.
        _ = WorkerThread(name: "log") { [signals, self] in run(signals) }
        AtExit.flush(self)
    }

    /// A handler for `LoggingSystem.bootstrap` and `Logger(label:factory:)`.
    public func handler(level: Logger.Level) -> LogOutputHandler {
        LogOutputHandler(output: self, logLevel: level)
    }

    /// Waits until every line so far is written.
    public func flush() {
        let done = WorkQueue<Void>()
        guard signals.put(.flush { done.put(()) }) else { return }
        var batch: [Void] = []
        // A reader that takes nothing must not keep the process from ending.
        _ = done.takeAll(into: &batch, timeout: .seconds(2))
    }

    func add(
        _ level: Logger.Level, _ event: String, _ fields: [(key: String, value: [UInt8])]
    ) {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let wake = state.withLock { state in
            guard state.lines.count < bufferMaxOctets else {
                state.dropped += 1
                return false
            }
            let wasEmpty = state.lines.isEmpty
            let time = state.time.bytes(now)
            LineFormat.append(
                to: &state.lines, format, time: time, level: level, event: event, fields: fields)
            return wasEmpty
        }
        if level >= .warning {
            signals.put(.urgent)
        } else if wake {
            signals.put(.lines)
        }
        if level >= .critical { flush() }
    }

    private func run(_ signals: WorkQueue<Signal>) {
        var batch: [Signal] = []
        while signals.takeAll(into: &batch) {
            var isUrgent = batch.contains { if case .lines = $0 { false } else { true } }
            if !isUrgent {
                var more: [Signal] = []
                _ = signals.takeAll(into: &more, timeout: Self.gathering)
                isUrgent = !more.isEmpty
                batch += more
            }
            writeLines()
            for case .flush(let done) in batch { done() }
            batch.removeAll(keepingCapacity: true)
        }
    }

    private func writeLines() {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let lines = state.withLock { state in
            if state.dropped > 0 {
                let time = state.time.bytes(now)
                LineFormat.append(
                    to: &state.lines, format, time: time, level: .warning,
                    event: "log lines were dropped: the reader is too slow",
                    fields: [("count", Array("\(state.dropped)".utf8))])
                state.dropped = 0
            }
            var taken: [UInt8] = []
            taken.reserveCapacity(min(state.lines.count, 64 << 10))
            swap(&taken, &state.lines)
            return taken
        }
        var rest = lines[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                usleep(1_000)
            } else if errno != EINTR {
                // Nobody reads any more, and there is nobody to tell.
                return
            }
        }
    }
}

/// Outputs that have to be flushed when the process ends.
private enum AtExit {
    private static let outputs = Mutex<[LogOutput]>([])

    static func flush(_ output: LogOutput) {
        let isFirst = outputs.withLock { outputs in
            outputs.append(output)
            return outputs.count == 1
        }
        if isFirst { atexit { AtExit.run() } }
    }

    private static func run() {
        for output in outputs.withLock({ $0 }) { output.flush() }
    }
}
