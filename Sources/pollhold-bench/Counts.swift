/// `pollhold-bench counts`: instructions and allocations per thing done, which don't depend on how busy the machine is.
import ArgumentParser

struct Counts: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Count instructions and allocations with valgrind and compare them with the ceilings.")

    func run() throws {}
}
