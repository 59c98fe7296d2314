import Glibc

extension Configuration {
    /// Reads the file.
    ///
    /// - Throws: all problems that were found, not only the first; or why it cannot be read.
    public static func load(path: String) throws(ConfigurationError) -> Configuration {
        func refuse(_ message: String) -> ConfigurationError {
            let problem = ConfigurationProblem(line: nil, column: nil, path: "", message: message)
            return ConfigurationError(file: path, problems: [problem])
        }
        guard let file = fopen(path, "re") else {
            throw refuse(unreadable(errno))
        }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count <= fileMaxOctets {
            let count = fread(&chunk, 1, chunk.count, file)
            if count == 0 { break }
            bytes += chunk[..<count]
        }
        if ferror(file) != 0 { throw refuse(unreadable(errno)) }
        guard bytes.count <= fileMaxOctets else {
            throw refuse("The file is larger than \(Units.describe(octets: fileMaxOctets)).")
        }
        return try parse(bytes, file: path)
    }

    private static func unreadable(_ reason: Int32) -> String {
        switch reason {
        case ENOENT, ENOTDIR:
            "There is no such file. docs/configuration.md shows what one looks like."
        case EACCES, EPERM:
            "This user may not read the file. Run this as root or as the node's user, or let this "
                + "user read it."
        case EISDIR: "This is a directory. Name the file in it."
        default: "The file cannot be read (\(String(cString: strerror(reason))))."
        }
    }
}

/// What the fuzzer calls.
public enum ConfigurationFuzz {
    /// Any octets are read, or refused with at least one reason and a place within the file.
    public static func run(_ bytes: UnsafeRawBufferPointer) {
        let bytes = Array(bytes)
        do {
            let configuration = try Configuration.parse(bytes, file: "fuzz")
            precondition(!configuration.hostname.isEmpty)
        } catch {
            precondition(!error.problems.isEmpty)
            let lines = bytes.count { $0 == UInt8(ascii: "\n") } + 1
            for problem in error.problems {
                precondition(!problem.message.isEmpty)
                precondition((1...lines).contains(problem.line ?? 1))
                precondition((1...(bytes.count + 1)).contains(problem.column ?? 1))
            }
        }
    }
}
