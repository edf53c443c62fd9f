/// `pollhold check`: is a configuration right?
import ArgumentParser

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Read a configuration file and say all that is wrong with it.",
        discussion: "Ends with 0 if nothing is, else with 1.")

    @Argument(help: "The configuration file.")
    var file: String

    func run() throws {
        _ = try loadConfiguration(file)
        print("\(file): ok")
    }
}
