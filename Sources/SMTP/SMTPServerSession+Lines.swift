import Platform

/// Framing of command lines.
extension SMTPServerSession {
    /// Runs the next command if its line is complete.
    mutating func nextCommand(
        _ bytes: UnsafeRawBufferPointer, _ position: inout Int, _ now: Now,
        _ replies: inout [UInt8]
    ) -> SMTPServerAction? {
        if isDraining && !hasBegun {
            end(with: .shuttingDown, &replies)
            return nil
        }
        guard position < bytes.count else { return .needInput }
        let limit = configuration.limits.commandLineMaxOctets
        let rest = bytes.sub(position..<bytes.count)
        guard let lf = rest.firstIndex(of: Byte.lf, in: 0..<rest.count) else {
            position = bytes.count
            if partialLine.count + rest.count >= limit {
                partialLine = []
                state = .refusedLine(endsInCR: rest[rest.count - 1] == Byte.cr)
                fail(.lineTooLong, &replies)
                return nil
            }
            partialLine.append(raw: rest)
            return .needInput
        }
        position += lf + 1
        let isCRLF = lf > 0 ? rest[lf - 1] == Byte.cr : partialLine.last == Byte.cr
        let isTooLong = partialLine.count + lf + 1 > limit
        guard isCRLF, !isTooLong else {
            partialLine = []
            // The line goes on to its CRLF. The reply is given now, so that a client which knows
            // only LF is told instead of left waiting.
            if !isCRLF { state = .refusedLine(endsInCR: false) }
            fail(isTooLong ? .lineTooLong : .bareLineFeed, &replies)
            lastCommand = now.monotonic
            return nil
        }
        let isInputLeft = position < bytes.count
        let action: SMTPServerAction?
        if partialLine.isEmpty {
            action = run(rest.sub(0..<(lf - 1)), isInputLeft: isInputLeft, now, &replies)
        } else {
            var line = partialLine
            partialLine = []
            line.append(raw: rest.sub(0..<(lf + 1)))
            action = line.withUnsafeBytes {
                run($0.sub(0..<($0.count - 2)), isInputLeft: isInputLeft, now, &replies)
            }
        }
        lastCommand = now.monotonic
        return action
    }

    /// Drops the rest of a line that was refused.
    mutating func skipLine(
        _ bytes: UnsafeRawBufferPointer, _ position: inout Int, endsInCR: Bool
    ) -> SMTPServerAction? {
        guard position < bytes.count else { return .needInput }
        let start = position
        guard let lf = bytes.firstIndex(of: Byte.lf, in: start..<bytes.count) else {
            position = bytes.count
            state = .refusedLine(endsInCR: bytes[bytes.count - 1] == Byte.cr)
            return .needInput
        }
        position = lf + 1
        let isCRLF = lf > start ? bytes[lf - 1] == Byte.cr : endsInCR
        state = isCRLF ? .command : .refusedLine(endsInCR: false)
        return nil
    }
}
