import Glibc
import Platform
import PlatformLinux

/// Where passwords come from.
enum Passwords {
    /// Letters and digits that are not taken for one another.
    private static let alphabet = Array("abcdefghjkmnpqrstuvwxyz23456789")

    /// A new one of about 79 bits, in groups that can be read aloud.
    static func generate() -> String {
        var randomness = SystemRandomness()
        let groups = (0..<4).map { _ in
            String((0..<4).map { _ in alphabet[Int(randomness.below(UInt64(alphabet.count)))] })
        }
        return groups.joined(separator: "-")
    }

    /// From a terminal: asked for twice, and not shown. Else the first line of standard input.
    static func read(for account: String) throws(Failure) -> String {
        guard isatty(STDIN_FILENO) == 1 else { return try readLine() }
        let first = ask("New password for \(account): ")
        guard !first.isEmpty else {
            throw Failure(.dataError, "no-password", "The password is empty: choose another.")
        }
        guard ask("Once more: ") == first else {
            throw Failure(
                .dataError, "passwords-differ", "The passwords are not the same: try again.")
        }
        return first
    }

    /// The first line of standard input.
    static func readLine() throws(Failure) -> String {
        guard let line = Swift.readLine(), !line.isEmpty else {
            throw Failure(
                .dataError, "no-password",
                "Standard input holds no password: give it in the first line, or use --generate.")
        }
        return line
    }

    private static func ask(_ prompt: String) -> String {
        var settings = termios()
        tcgetattr(STDIN_FILENO, &settings)
        var silent = settings
        silent.c_lflag &= ~tcflag_t(ECHO)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent)
        defer {
            tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings)
            Console.error("")
        }
        Console.ask(prompt)
        return Swift.readLine() ?? ""
    }
}
