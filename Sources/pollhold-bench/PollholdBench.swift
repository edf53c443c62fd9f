/// The load client: measures Pollhold beside its peers, or any server that holds polls.
import ArgumentParser

@main
struct PollholdBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pollhold-bench",
        abstract: "Hold polls against a server, or measure Pollhold beside other servers.",
        subcommands: [Load.self, Compare.self, Counts.self, Store.self],
        defaultSubcommand: Load.self)
}

/// Why a measurement can't go on, in one sentence.
struct BenchError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
