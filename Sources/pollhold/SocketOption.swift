/// Which control socket a command speaks to.
import ArgumentParser
import ConfigFile

struct SocketOption: ParsableArguments {
    @Option(name: .shortAndLong, help: "The control socket's path.")
    var socket: String?

    @Option(name: .shortAndLong, help: "A configuration file that names the control socket.")
    var config: String?

    /// `--socket`, else the socket of `--config`, else POLLHOLD_SOCKET, else where the daemon puts it by default.
    func path() throws -> String {
        if let socket { return socket }
        if let config {
            guard let control = try loadConfiguration(config).control else {
                printError("pollhold: \(config) names no control socket")
                throw ExitCode.failure
            }
            return control.socket
        }
        return processEnvironment()["POLLHOLD_SOCKET"] ?? "/run/pollhold/control.sock"
    }

    func connect() throws -> ControlClient {
        do {
            return try ControlClient(.socket(path: try path()))
        } catch let error as ClientError {
            printError("pollhold: \(error)")
            throw ExitCode.failure
        }
    }
}

/// Runs `body`; a client's error becomes a sentence and an exit status.
func reportingClientErrors(_ body: () throws -> Void) throws {
    do {
        try body()
    } catch let error as ClientError {
        printError("pollhold: \(error)")
        throw ExitCode.failure
    }
}
