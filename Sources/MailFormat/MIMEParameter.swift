/// A parameter with its continuations joined (RFC 2231).
///
/// The name keeps its `*` where the value is `charset'language'percent-encoded`: so RFC 2231 §6
/// wants it in BODYSTRUCTURE. `decodedValue` undoes that.
public struct MIMEParameter: Hashable, Sendable {
    public var name: [UInt8]
    public var value: [UInt8]

    /// Whether the name is `text` (in lower case), with or without the `*` of an encoded value.
    public func isNamed(_ text: StaticString) -> Bool {
        let base = name.last == ASCII.asterisk ? name.count - 1 : name.count
        guard base == text.utf8CodeUnitCount else { return false }
        for i in 0..<base where ASCII.lower(name[i]) != text.utf8Start[i] { return false }
        return true
    }

    /// Whether the value carries a charset and percent-encoded octets.
    public var isEncoded: Bool { name.last == ASCII.asterisk }

    /// All parameters of a Content-Type or Content-Disposition value, in the order of their names'
    /// first appearance.
    /// - Parameter maximum: the most parameters that are read, pieces counted one by one.
    public static func all(
        _ bytes: UnsafeRawBufferPointer, _ range: ByteRange, maximum: Int
    ) -> [MIMEParameter] {
        var pieces: [Piece] = []
        var scanner = ParameterScanner(bytes, range, maximum: maximum)
        while let field = scanner.next() { pieces.append(Piece(field, bytes)) }
        var result: [MIMEParameter] = []
        var isDone = [Bool](repeating: false, count: pieces.count)
        for first in pieces.indices where !isDone[first] {
            guard pieces[first].section != nil else {
                result.append(
                    MIMEParameter(name: pieces[first].name, value: pieces[first].value))
                continue
            }
            var group: [Piece] = []
            for other in first..<pieces.count where !isDone[other] {
                if pieces[other].section != nil, pieces[other].isSameBase(as: pieces[first]) {
                    group.append(pieces[other])
                    isDone[other] = true
                }
            }
            // The sort is stable: of two pieces with one number both stay, in their order.
            group.sort { ($0.section ?? 0) < ($1.section ?? 0) }
            result.append(join(group))
        }
        return result
    }

    private static func join(_ group: [Piece]) -> MIMEParameter {
        let isEncoded = group.contains { $0.isEncoded }
        var value: [UInt8] = []
        if isEncoded, group.first?.isEncoded == false { value = [0x27, 0x27] }
        for piece in group {
            if isEncoded, !piece.isEncoded {
                for byte in piece.value {
                    if byte > 32, byte < 127, byte != ASCII.percent, byte != ASCII.apostrophe,
                        byte != ASCII.asterisk
                    {
                        value.append(byte)
                    } else {
                        let digits: StaticString = "0123456789ABCDEF"
                        value.append(ASCII.percent)
                        value.append(digits.utf8Start[Int(byte >> 4)])
                        value.append(digits.utf8Start[Int(byte & 15)])
                    }
                }
            } else {
                value.append(contentsOf: piece.value)
            }
        }
        return MIMEParameter(
            name: isEncoded ? group[0].base + [ASCII.asterisk] : group[0].base, value: value)
    }

    /// One parameter as written: `base*section*=value`.
    private struct Piece {
        var name: [UInt8]
        var base: [UInt8]
        var section: Int?
        var isEncoded = false
        var value: [UInt8] = []

        init(_ field: MIMEParameterField, _ bytes: UnsafeRawBufferPointer) {
            name = Array(bytes[field.name.range])
            field.appendValue(from: bytes, to: &value)
            base = name
            if base.count > 1, base.last == ASCII.asterisk {
                base.removeLast()
                isEncoded = true
            }
            guard let star = base.lastIndex(of: ASCII.asterisk), star > 0 else {
                // `name*=` is a group of one; plain `name=` is none.
                section = isEncoded ? 0 : nil
                return
            }
            let digits = base[(star + 1)...]
            guard !digits.isEmpty, digits.count <= 6, digits.allSatisfy({ $0 &- 0x30 < 10 }) else {
                base = name
                isEncoded = false
                return
            }
            section = digits.reduce(0) { $0 * 10 + Int($1 &- 0x30) }
            base.removeLast(base.count - star)
        }

        func isSameBase(as other: Piece) -> Bool {
            base.count == other.base.count
                && zip(base, other.base).allSatisfy { ASCII.lower($0) == ASCII.lower($1) }
        }
    }
}
