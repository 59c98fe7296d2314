/// One thing that is wrong with a file.
public struct ConfigurationProblem: Sendable, Hashable {
    /// From 1; nil where something is missing outside of any section, or the file cannot be read.
    public var line: Int?
    public var column: Int?
    /// The key, as a path; empty where the text is not TOML.
    public var path: String
    /// What is wrong and what to do.
    public var message: String
}

/// Why a file is refused: every problem in it.
public struct ConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
    public var file: String
    public var problems: [ConfigurationProblem]

    /// One line each: `file:line:column: key: message`.
    public var description: String {
        problems.map { problem in
            var place = file
            if let line = problem.line { place += ":\(line)" }
            if let column = problem.column { place += ":\(column)" }
            if !problem.path.isEmpty { place += ": \(problem.path)" }
            return "\(place): \(problem.message)"
        }.joined(separator: "\n")
    }
}
