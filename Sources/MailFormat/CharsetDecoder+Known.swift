import Glibc

extension CharsetDecoder {
    /// Whether text in the charset of this name can be read: what decides on BADCHARSET.
    public static func isKnown(_ charset: some Collection<UInt8>) -> Bool {
        let name = charset.map { ASCII.lower($0) }
        if builtIn(name) != nil { return true }
        // A slash would be an option of the converter, not a name.
        guard name.count <= 40, name.allSatisfy({ $0 > 32 && $0 < 127 && $0 != ASCII.slash }),
            let handle = iconv_open("UTF-8", String(decoding: name, as: UTF8.self)),
            Int(bitPattern: handle) != -1
        else { return false }
        iconv_close(handle)
        return true
    }
}
