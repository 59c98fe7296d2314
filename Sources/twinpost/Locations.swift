import ArgumentParser
import Configuration
import Control
import Glibc

/// Where the node is: from the configuration file, unless the command line says it.
enum Locations {
    static let configurationPath = "/etc/twinpost/twinpost.toml"

    /// The configuration at its usual place; nil if there is none that can be read.
    static func configuration() -> Configuration? {
        guard access(configurationPath, R_OK) == 0 else { return nil }
        do throws(ConfigurationError) {
            return try Configuration.load(path: configurationPath)
        } catch {
            Console.error(
                "twinpost: \(configurationPath) has mistakes, so the default places are looked at. "
                    + "See them with `twinpost config check`.")
            return nil
        }
    }
}

/// For commands that ask a running node.
struct ControlOptions: ParsableArguments {
    @Option(
        help: """
            The node's control socket. The default is control.socket of \
            /etc/twinpost/twinpost.toml, or /run/twinpost/control.sock.
            """)
    var control: String?

    var client: ControlClient {
        let configured = control ?? Locations.configuration()?.controlSocketPath
        return ControlClient(path: configured ?? "/run/twinpost/control.sock")
    }
}

/// For commands that read a node's data while it does not run.
struct DataOptions: ParsableArguments {
    @Option(
        help: """
            The node's data. The default is data-directory of /etc/twinpost/twinpost.toml, or \
            /var/lib/twinpost.
            """)
    var dir: String?

    var path: String {
        dir ?? Locations.configuration()?.dataDirectory ?? "/var/lib/twinpost"
    }
}
