/// A grammar with a bug, for the fuzzer to find: it crashes on any input that begins with `BUG!`.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard let bytes, count >= 4 else { return 0 }
    if bytes[0] == 0x42, bytes[1] == 0x55, bytes[2] == 0x47, bytes[3] == 0x21 {
        fatalError("planted")
    }
    return 0
}
