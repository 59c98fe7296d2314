import Platform

/// Arbitrary octets as operations and states: decoding ends with a value or an error, and what was
/// decoded is written and read back as the same.
public enum MailStoreFuzz {
    /// The first octet is the operation's type; beyond all types, the others are a state.
    public static func run(_ bytes: UnsafeRawBufferPointer) {
        guard let type = bytes.first else { return }
        let content = [UInt8](bytes.dropFirst())
        if type < 32 { operation(UInt16(type), content) } else { state(content) }
    }

    private static func operation(_ type: UInt16, _ content: [UInt8]) {
        guard let op = try? Op(type: type, payload: content) else { return }
        let encoded = op.encoded
        guard let again = try? Op(type: type, payload: encoded) else {
            preconditionFailure("what was encoded cannot be decoded")
        }
        precondition(again == op, "an operation changed by being written and read")
    }

    private static func state(_ content: [UInt8]) {
        var reader = ByteReader(content)
        guard let state = try? AccountState(from: &reader) else { return }
        var writer = ByteWriter()
        state.encode(into: &writer)
        var second = ByteReader(writer.bytes)
        guard let again = try? AccountState(from: &second) else {
            preconditionFailure("what was encoded cannot be decoded")
        }
        var rewritten = ByteWriter()
        again.encode(into: &rewritten)
        precondition(rewritten.bytes == writer.bytes, "a state changed by being written and read")
        precondition(again.usedOctets == state.usedOctets)
    }
}
