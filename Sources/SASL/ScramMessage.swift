import Platform

/// The grammar of RFC 5802 §7.
enum ScramMessage {
    enum Binding: Equatable {
        case unsupported
        case supportedButNotOffered
        case required(name: [UInt8])
    }

    struct ClientFirst {
        let binding: Binding
        let authzid: [UInt8]?
        let gs2Header: [UInt8]
        let bare: [UInt8]
        let username: [UInt8]
        let nonce: [UInt8]

        init?(_ bytes: [UInt8]) {
            // gs2-header: cbind-flag "," [ "a=" saslname ] ","
            let parts = bytes.split(
                separator: UInt8(ascii: ","), maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { return nil }
            switch parts[0].first {
            case UInt8(ascii: "n") where parts[0].count == 1: binding = .unsupported
            case UInt8(ascii: "y") where parts[0].count == 1: binding = .supportedButNotOffered
            case UInt8(ascii: "p"):
                guard let name = value(of: "p", in: parts[0]), isBindingName(name) else {
                    return nil
                }
                binding = .required(name: name)
            default: return nil
            }
            if parts[1].isEmpty {
                authzid = nil
            } else {
                guard let raw = value(of: "a", in: parts[1]), let name = unescape(raw) else {
                    return nil
                }
                authzid = name
            }
            gs2Header = Array(bytes[..<parts[2].startIndex])
            bare = Array(parts[2])
            // An "m=" attribute asks for an extension that we lack, and fails here as it must.
            let attributes = bare.split(
                separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
            guard attributes.count >= 2, let rawName = value(of: "n", in: attributes[0]),
                let name = unescape(rawName), let nonce = value(of: "r", in: attributes[1]),
                isNonce(nonce), attributes.dropFirst(2).allSatisfy(isExtension)
            else { return nil }
            username = name
            self.nonce = nonce
        }
    }

    struct ClientFinal {
        let channelBinding: [UInt8]
        let nonce: [UInt8]
        let proof: [UInt8]
        let withoutProof: [UInt8]

        init?(_ bytes: [UInt8]) {
            let attributes = bytes.split(
                separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
            guard attributes.count >= 3, let last = attributes.last,
                let binding = value(of: "c", in: attributes[0]).flatMap({ Base64.decode($0) }),
                let nonce = value(of: "r", in: attributes[1]), isNonce(nonce),
                attributes[2..<(attributes.count - 1)].allSatisfy(isExtension),
                let proof = value(of: "p", in: last).flatMap({ Base64.decode($0) }),
                proof.count == SHA256Digest.byteCount
            else { return nil }
            channelBinding = binding
            self.nonce = nonce
            self.proof = proof
            withoutProof = Array(bytes[..<(last.startIndex - 1)])
        }
    }

    struct ServerFirst {
        let nonce: [UInt8]
        let salt: [UInt8]
        let iterations: UInt32

        init?(_ bytes: [UInt8]) {
            let attributes = bytes.split(
                separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
            guard attributes.count >= 3, let nonce = value(of: "r", in: attributes[0]),
                isNonce(nonce),
                let salt = value(of: "s", in: attributes[1]).flatMap({ Base64.decode($0) }),
                !salt.isEmpty, let count = value(of: "i", in: attributes[2]),
                let iterations = number(count), attributes.dropFirst(3).allSatisfy(isExtension)
            else { return nil }
            self.nonce = nonce
            self.salt = salt
            self.iterations = iterations
        }
    }

    /// RFC 5802 §3.
    static func authMessage(
        clientFirstBare: [UInt8], serverFirst: [UInt8], clientFinalWithoutProof: [UInt8]
    ) -> [UInt8] {
        clientFirstBare + [UInt8(ascii: ",")] + serverFirst + [UInt8(ascii: ",")]
            + clientFinalWithoutProof
    }

    static func xor(_ a: [UInt8], _ b: [UInt8]) -> [UInt8] {
        zip(a, b).map { $0 ^ $1 }
    }

    /// A `saslname`: "," and "=" are written `=2C` and `=3D`, and no other "=" may stand there.
    static func unescape(_ bytes: [UInt8]) -> [UInt8]? {
        var out: [UInt8] = []
        var i = 0
        while i < bytes.count {
            if bytes[i] == UInt8(ascii: "=") {
                guard i + 2 < bytes.count else { return nil }
                switch (bytes[i + 1], bytes[i + 2]) {
                case (UInt8(ascii: "2"), UInt8(ascii: "C")): out.append(UInt8(ascii: ","))
                case (UInt8(ascii: "3"), UInt8(ascii: "D")): out.append(UInt8(ascii: "="))
                default: return nil
                }
                i += 3
            } else {
                guard bytes[i] != 0 else { return nil }
                out.append(bytes[i])
                i += 1
            }
        }
        return out.isEmpty ? nil : out
    }

    static func escape(_ bytes: [UInt8]) -> [UInt8] {
        bytes.flatMap { byte -> [UInt8] in
            switch byte {
            case UInt8(ascii: ","): Array("=2C".utf8)
            case UInt8(ascii: "="): Array("=3D".utf8)
            default: [byte]
            }
        }
    }

    static func value(of name: Character, in attribute: ArraySlice<UInt8>) -> [UInt8]? {
        guard attribute.count >= 2, attribute.first == name.asciiValue,
            attribute[attribute.startIndex + 1] == UInt8(ascii: "=")
        else { return nil }
        return Array(attribute.dropFirst(2))
    }

    private static func isNonce(_ bytes: [UInt8]) -> Bool {
        !bytes.isEmpty && bytes.allSatisfy { $0 >= 0x21 && $0 <= 0x7E }
    }

    private static func isBindingName(_ bytes: [UInt8]) -> Bool {
        !bytes.isEmpty
            && bytes.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E: true
                default: false
                }
            }
    }

    /// `attr-val`: one letter, "=", at least one character. Unknown optional ones are ignored.
    private static func isExtension(_ attribute: ArraySlice<UInt8>) -> Bool {
        guard attribute.count >= 3, let letter = attribute.first else { return false }
        let folded = letter | 0x20
        return folded >= 0x61 && folded <= 0x7A && letter != UInt8(ascii: "m")
            && attribute[attribute.startIndex + 1] == UInt8(ascii: "=") && !attribute.contains(0)
    }

    private static func number(_ bytes: [UInt8]) -> UInt32? {
        guard !bytes.isEmpty, bytes.count <= 9, bytes[0] != 0x30 else { return nil }
        var value: UInt32 = 0
        for byte in bytes {
            guard byte >= 0x30, byte <= 0x39 else { return nil }
            value = value * 10 + UInt32(byte - 0x30)
        }
        return value
    }
}
