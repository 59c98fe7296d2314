import Glibc

/// Cuts what a client sends into whole commands (RFC 9051 §2.2.1, §4.3, RFC 7888).
///
/// The caller calls `next` until it returns nil, at its own pace: input it has not handed over is
/// its own, which is the back-pressure. What is held is bounded by the limits.
///
/// - A literal that is too big is refused before it is read: after a synchronising one the client
///   sends nothing more of the command. A non-synchronising one is on its way already, so the
///   command is read to its end and dropped, then refused; above `swallowMaxOctets` the connection
///   has to be closed.
/// - Lines end in CRLF. A bare LF ends a line too, because a client that sends them would otherwise
///   wait for ever, but the line is refused: whether a literal follows it is a matter of opinion.
public struct IMAPFramer: Sendable {
    public enum Event: Sendable, Equatable {
        /// A whole command.
        case command(IMAPFrame)
        /// A line without its CRLF, while `deliversLines`.
        case line([UInt8])
        /// Send a continuation; the client waits for it.
        case continuation
        /// A message is about to be streamed. Answer with `acceptLiteral` or `refuseLiteral`
        /// before the next call. The frame is the command so far.
        case literal(IMAPFrame, StreamedLiteral)
        /// Octets of the accepted literal, as a range of the input that was handed to this call.
        case literalOctets(Range<Int>)
        /// The accepted literal is complete.
        case literalEnd
        /// A command was read to its end and refused.
        case refused(IMAPRefusal)
        /// The connection must be closed: say BYE.
        case close(IMAPRefusal)
    }

    private enum State: Sendable {
        case line
        case held(left: Int)
        case waiting(StreamedLiteral)
        case streaming(left: Int)
        /// Octets of a refused literal.
        case swallowingLiteral(left: Int)
        case closed
    }

    public var limits: IMAPLimits
    /// Whole lines instead of commands: for the answers within AUTHENTICATE and IDLE.
    public var deliversLines = false

    private var state = State.line
    private var buffer: [UInt8] = []
    private var streamed: [StreamedLiteral] = []
    private var lineStart = 0
    private var literalOctets = 0
    private var literals = 0
    private var refusal: IMAPRefusal.Reason?
    private var refusedTag: [UInt8]?
    private var swallowed = 0

    public init(limits: IMAPLimits = IMAPLimits()) {
        self.limits = limits
    }

    /// Octets held at the moment.
    public var bufferedOctets: Int { buffer.count }

    /// True between commands: nothing of one has been read.
    public var isIdle: Bool {
        if case .line = state { return buffer.isEmpty && refusal == nil }
        return false
    }

    /// Takes octets from `input`, from `consumed` on, up to the next event; nil when all are taken.
    public mutating func next(
        _ input: UnsafeRawBufferPointer, consumed: inout Int
    ) -> Event? {
        while true {
            switch state {
            case .closed:
                consumed = input.count
                return nil
            case .waiting:
                preconditionFailure("a streamed literal was neither accepted nor refused")
            case .streaming(let left):
                if left == 0 {
                    state = .line
                    return .literalEnd
                }
                let count = min(left, input.count - consumed)
                if count == 0 { return nil }
                state = .streaming(left: left - count)
                consumed += count
                return .literalOctets(consumed - count..<consumed)
            case .held(let left):
                let count = min(left, input.count - consumed)
                buffer.append(
                    contentsOf: UnsafeRawBufferPointer(
                        rebasing: input[consumed..<consumed + count]))
                consumed += count
                if count < left {
                    state = .held(left: left - count)
                    return nil
                }
                lineStart = buffer.count
                state = .line
            case .swallowingLiteral(let left):
                let count = min(left, input.count - consumed)
                consumed += count
                if count < left {
                    state = .swallowingLiteral(left: left - count)
                    return nil
                }
                state = .line
            case .line:
                if consumed == input.count { return nil }
                if let event = takeLine(input, &consumed) { return event }
            }
        }
    }

    /// The announced message will be taken.
    /// - Returns: true if the client waits for a continuation.
    public mutating func acceptLiteral() -> Bool {
        guard case .waiting(let literal) = state else {
            preconditionFailure("no literal was announced")
        }
        state = .streaming(left: literal.sizeOctets)
        return literal.isSynchronising
    }

    /// The announced message is not wanted; the caller sends its tagged reply.
    ///
    /// A non-synchronising message, and what is left of its command, is read and dropped in silence.
    public mutating func refuseLiteral() {
        guard case .waiting(let literal) = state else {
            preconditionFailure("no literal was announced")
        }
        if literal.isSynchronising {
            state = .line
            reset()
        } else {
            state = .swallowingLiteral(left: literal.sizeOctets)
            swallowed = literal.sizeOctets
            isSilent = true
            refuse(.messageTooBig)
        }
    }

    private var isSilent = false

    private mutating func refuse(_ reason: IMAPRefusal.Reason) {
        guard refusal == nil else { return }
        refusal = reason
        refusedTag = IMAPBytes.tag(of: buffer)
        buffer.removeAll()
        streamed.removeAll()
        lineStart = 0
    }

    private mutating func reset() {
        buffer.removeAll()
        streamed.removeAll()
        lineStart = 0
        literalOctets = 0
        literals = 0
        refusal = nil
        refusedTag = nil
        swallowed = 0
        isSilent = false
    }

    /// Ends a refused command.
    private mutating func finishRefused() -> Event? {
        let result = IMAPRefusal(tag: refusedTag, reason: refusal ?? .lineTooLong)
        let isSilent = isSilent
        reset()
        return isSilent ? nil : .refused(result)
    }

    private mutating func close(_ reason: IMAPRefusal.Reason) -> Event {
        refuse(reason)
        let result = IMAPRefusal(tag: refusedTag, reason: refusal ?? reason)
        reset()
        state = .closed
        return .close(result)
    }

    /// Takes octets up to a line's end and acts on the line, or takes all.
    private mutating func takeLine(
        _ input: UnsafeRawBufferPointer, _ consumed: inout Int
    ) -> Event? {
        let start = input.baseAddress! + consumed
        let available = input.count - consumed
        let found = memchr(start, 0x0A, available)
        let count = found.map { UnsafeRawPointer($0) - start + 1 } ?? available
        consumed += count
        let isTooLong = buffer.count - literalOctets + count > limits.lineMaxOctets
        if isTooLong, refusal == nil {
            // The tag may still be in the input only.
            let kept = max(0, min(count, 130 - buffer.count))
            buffer.append(contentsOf: UnsafeRawBufferPointer(start: start, count: kept))
            refuse(.lineTooLong)
        }
        if refusal != nil {
            swallowed += count
            if swallowed > limits.swallowMaxOctets { return close(.lineTooLong) }
            // The end of the line is kept: it says whether a literal follows.
            let kept = min(count, 32)
            buffer.append(
                contentsOf: UnsafeRawBufferPointer(start: start + (count - kept), count: kept))
            if buffer.count > 64 { buffer.removeFirst(buffer.count - 32) }
        } else {
            buffer.append(contentsOf: UnsafeRawBufferPointer(start: start, count: count))
        }
        return found == nil ? nil : endLine()
    }

    private mutating func endLine() -> Event? {
        guard buffer.count >= lineStart + 2, buffer[buffer.count - 2] == 0x0D else {
            refuse(.bareLF)
            return finishRefused()
        }
        if deliversLines {
            if refusal != nil { return finishRefused() }
            buffer.removeLast(2)
            let line = buffer
            reset()
            return .line(line)
        }
        if let literal = announcedLiteral() { return begin(literal) }
        if refusal != nil { return finishRefused() }
        buffer.removeLast(2)
        let frame = IMAPFrame(bytes: buffer, streamed: streamed)
        reset()
        return .command(frame)
    }

    /// Reads `{n}` or `{n+}`, perhaps after `~`, at the end of the line.
    private func announcedLiteral() -> StreamedLiteral? {
        var i = buffer.count - 3
        guard i >= lineStart, buffer[i] == 0x7D else { return nil }
        i -= 1
        var isSynchronising = true
        if i >= lineStart, buffer[i] == 0x2B {
            isSynchronising = false
            i -= 1
        }
        let end = i
        var size = 0
        var scale = 1
        while i >= lineStart, IMAPBytes.isDigit(buffer[i]) {
            let digit = Int(buffer[i] & 0x0F)
            // Saturates: anything this large is refused.
            if digit != 0 {
                size = end - i > 15 ? 1 << 60 : size + digit * scale
            }
            if end - i < 16 { scale *= 10 }
            i -= 1
        }
        guard i < end, i >= lineStart, buffer[i] == 0x7B else { return nil }
        let isBinary = i > lineStart && buffer[i - 1] == 0x7E
        return StreamedLiteral(
            offset: buffer.count, sizeOctets: min(size, 1 << 60), isBinary: isBinary,
            isSynchronising: isSynchronising)
    }

    /// Large messages are streamed out, and small ones too when many of them come in one command.
    private func isStreamed(_ literal: StreamedLiteral) -> Bool {
        guard limits.streamAboveOctets != .max else { return false }
        return literal.sizeOctets > limits.streamAboveOctets
            || literal.sizeOctets > limits.messagesHeldMaxOctets - literalOctets
    }

    private func heldMaxOctets(_ isMessage: Bool) -> Int {
        isMessage && limits.streamAboveOctets != .max
            ? max(limits.literalsMaxOctets, limits.messagesHeldMaxOctets)
            : limits.literalsMaxOctets
    }

    private mutating func begin(_ literal: StreamedLiteral) -> Event? {
        let isMessage = refusal == nil && isAppendMessage()
        literals += 1
        if literals > limits.literalsMax {
            refuse(.tooManyLiterals)
        } else if isMessage, literal.sizeOctets > limits.messageMaxOctets {
            refuse(.messageTooBig)
        } else if !literal.isSynchronising,
            literal.sizeOctets > limits.nonSynchronisingMaxOctets
        {
            refuse(.nonSynchronisingTooBig)
        } else if isMessage, refusal == nil, isStreamed(literal) {
            streamed.append(literal)
            lineStart = buffer.count
            state = .waiting(literal)
            return .literal(IMAPFrame(bytes: buffer, streamed: streamed), literal)
        } else if literal.sizeOctets > heldMaxOctets(isMessage) - literalOctets {
            refuse(isMessage ? .messageTooBig : .literalTooBig)
        }
        if refusal != nil {
            buffer.removeAll()
            lineStart = 0
            if literal.isSynchronising { return finishRefused() }
            if literal.sizeOctets > limits.swallowMaxOctets - swallowed {
                return close(.literalTooBig)
            }
            swallowed += literal.sizeOctets
            state = .swallowingLiteral(left: literal.sizeOctets)
            return nil
        }
        literalOctets += literal.sizeOctets
        lineStart = buffer.count
        state = .held(left: literal.sizeOctets)
        return literal.isSynchronising ? .continuation : nil
    }

    /// True if the literal at the end of the buffer is a message of APPEND, not its mailbox name.
    private func isAppendMessage() -> Bool {
        var i = 0
        while i < buffer.count, buffer[i] != 0x20, buffer[i] != 0x0D { i += 1 }
        let name: StaticString = "APPEND "
        for offset in 0..<name.utf8CodeUnitCount {
            let at = i + 1 + offset
            guard at < buffer.count, IMAPBytes.upper(buffer[at]) == name.utf8Start[offset] else {
                return false
            }
        }
        let argument = i + 1 + name.utf8CodeUnitCount
        return buffer[argument] != 0x7B || literals > 0
    }
}
