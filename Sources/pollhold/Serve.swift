/// `pollhold serve`: the daemon, in the foreground.
import ArgumentParser
import ConfigFile
import Daemon
import Glibc

struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve by a configuration file until a signal ends it.",
        discussion: """
            SIGTERM and SIGINT drain: held polls are answered, running requests finish. SIGHUP reads the configuration
            again. SIGUSR1 opens the log files again. SIGUSR2 lets a new process of the installed program take over.
            """)

    @Option(name: .shortAndLong, help: "The configuration file.")
    var config = "/etc/pollhold/pollhold.yaml"

    @Flag(help: "Set a pool aside that can't be read, and begin with an empty one.")
    var salvage = false

    func run() throws {
        Server.ignoreSignalsForOthers()
        let environment = processEnvironment()
        var predecessor: Predecessor?
        do {
            predecessor = try Predecessor(environment: environment)
            let configuration = try Configuration.load(path: config, environment: environment)
            let server = try Server(
                path: config, configuration: configuration, environment: environment, salvage: salvage,
                predecessor: predecessor)
            let status = try server.run()
            throw ExitCode(status)
        } catch let exit as ExitCode {
            throw exit
        } catch {
            predecessor?.refuse("\(error)")
            printError(error is ConfigurationErrors ? "\(error)" : "pollhold: \(error)")
            throw ExitCode.failure
        }
    }
}

/// Loads a configuration or prints all that is wrong with it.
func loadConfiguration(_ path: String) throws -> Configuration {
    do {
        return try Configuration.load(path: path, environment: processEnvironment())
    } catch {
        printError("\(error)")
        throw ExitCode.failure
    }
}

func printError(_ text: String) { writeLine(text, to: STDERR_FILENO) }

/// Prints a line that a pipe's reader gets at once, and not when a buffer is full.
func printAtOnce(_ text: String) { writeLine(text, to: STDOUT_FILENO) }

private func writeLine(_ text: String, to descriptor: Int32) {
    let line = Array((text + "\n").utf8)
    _ = unsafe line.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
}

/// The environment as the process was given it.
func processEnvironment() -> [String: String] {
    var variables: [String: String] = [:]
    var entry = unsafe environ
    while let text = unsafe entry.pointee {
        let pair = unsafe String(cString: text).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        if pair.count == 2 { variables[String(pair[0])] = String(pair[1]) }
        unsafe entry = entry.advanced(by: 1)
    }
    return variables
}
