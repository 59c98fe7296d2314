/// Framer and parser over arbitrary octets: any broken invariant traps.
public enum IMAPFuzz {
    /// The first octet chooses how the others are cut.
    public static func run(_ bytes: UnsafeRawBufferPointer) {
        guard let choice = bytes.first else { return }
        var limits = IMAPLimits()
        limits.lineMaxOctets = 4_096
        limits.literalsMaxOctets = 4_096
        limits.messagesHeldMaxOctets = 4_096
        limits.streamAboveOctets = 16
        limits.messageMaxOctets = 2_048
        limits.swallowMaxOctets = 8_192
        limits.nonSynchronisingMaxOctets = choice & 0x40 == 0 ? .max : 1_024
        var framer = IMAPFramer(limits: limits)
        framer.deliversLines = choice & 0x80 != 0
        var parser = CommandParser(limits: limits)
        parser.isUTF8 = choice & 0x20 != 0
        let chunk = Int(choice & 0x1F) + 1
        var start = 1
        while start < bytes.count {
            let end = min(bytes.count, start + chunk)
            let input = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
            var consumed = 0
            while let event = framer.next(input, consumed: &consumed) {
                handle(event, &framer, parser)
            }
            precondition(consumed == input.count, "input was left over")
            precondition(
                framer.bufferedOctets <= limits.lineMaxOctets + limits.literalsMaxOctets + 256,
                "more is held than the limits allow")
            start = end
        }
    }

    private static func handle(
        _ event: IMAPFramer.Event, _ framer: inout IMAPFramer, _ parser: CommandParser
    ) {
        let encoder = ResponseEncoder()
        var reply: [UInt8] = []
        switch event {
        case .command(let frame):
            do throws(IMAPSyntaxError) {
                _ = try parser.parse(frame)
                return
            } catch {
                encoder.refusal(error, tag: frame.tag, to: &reply)
            }
        case .literal(let frame, let literal):
            do throws(IMAPSyntaxError) {
                _ = try parser.appendTarget(frame)
                _ = framer.acceptLiteral()
            } catch {
                precondition(literal.sizeOctets > 0)
                framer.refuseLiteral()
                encoder.refusal(error, tag: frame.tag, to: &reply)
            }
            if reply.isEmpty { return }
        case .refused(let refusal), .close(let refusal): encoder.refusal(refusal, to: &reply)
        case .line, .continuation, .literalOctets, .literalEnd: return
        }
        precondition(
            reply.count > 4 && reply.suffix(2) == [0x0D, 0x0A], "a reply is not a line")
        for byte in reply.dropLast(2) {
            precondition(byte != 0x0D && byte != 0x0A && byte != 0, "a reply is cut in two")
        }
    }
}
