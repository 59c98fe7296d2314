import Glibc
import Simulator

exit(Command(CommandLine.arguments).run())
