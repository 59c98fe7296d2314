import Glibc

/// Files and directories, with failures in words.
enum Files {
    static func read(_ path: String) -> [UInt8]? {
        guard let file = fopen(path, "re") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = fread(&chunk, 1, chunk.count, file)
            if count == 0 { return ferror(file) == 0 ? bytes : nil }
            bytes += chunk[..<count]
        }
    }

    /// Replaces the file as a whole.
    static func write(_ path: String, _ bytes: [UInt8], mode: mode_t = 0o644) throws(Failure) {
        let new = path + ".new"
        unlink(new)
        let descriptor = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw cannotCreate(new) }
        defer { close(descriptor) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno != EINTR {
                throw cannotCreate(new)
            }
        }
        if rename(new, path) != 0 { throw cannotCreate(path) }
    }

    static func makeDirectory(_ path: String) throws(Failure) {
        if mkdir(path, 0o700) != 0 && errno != EEXIST { throw cannotCreate(path) }
    }

    /// A new directory below `$TMPDIR` or `/tmp`.
    static func makeTemporaryDirectory() throws(Failure) -> String {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array((parent + "/twinpost-XXXXXX").utf8CString)
        guard let path = mkdtemp(&template) else { throw cannotCreate(parent + "/twinpost-…") }
        return String(cString: path)
    }

    static func absolute(_ path: String) throws(Failure) -> String {
        guard let resolved = realpath(path, nil) else {
            throw Failure(
                .inputOutput, "no-such-path",
                "\(path) cannot be found: \(String(cString: strerror(errno))).")
        }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// Removes a directory with all that is in it, as far as that goes.
    static func removeTree(_ path: String) {
        if let directory = opendir(path) {
            while let entry = readdir(directory) {
                let capacity = MemoryLayout.size(ofValue: entry.pointee.d_name)
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: capacity) { String(cString: $0) }
                }
                if name == "." || name == ".." { continue }
                let child = path + "/" + name
                if entry.pointee.d_type == UInt8(DT_DIR) {
                    removeTree(child)
                } else {
                    unlink(child)
                }
            }
            closedir(directory)
        }
        rmdir(path)
    }

    /// The program `name` beside this one.
    static func sibling(_ name: String) throws(Failure) -> String {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        let own = String(decoding: buffer[..<max(0, count)], as: UTF8.self)
        let path = own.split(separator: "/").dropLast().reduce("") { "\($0)/\($1)" } + "/" + name
        guard access(path, X_OK) == 0 else {
            throw Failure(
                .unavailable, "no-program",
                "\(path) is not there: install or build \(name) beside twinpost "
                    + "(`swift build --product \(name)`).")
        }
        return path
    }

    private static func cannotCreate(_ path: String) -> Failure {
        Failure(
            .cannotCreate, "cannot-create",
            "\(path) cannot be written: \(String(cString: strerror(errno))). Name a directory that "
                + "you may write to and that has room.")
    }
}
