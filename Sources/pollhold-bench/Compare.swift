/// `pollhold-bench compare`: every server that is there, one after the other, in rounds, so that whatever else the
/// machine does meets all of them alike.
import ArgumentParser
import Foundation

struct Compare: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure Pollhold beside a bare loop, nchan, Pushpin, nginx and HAProxy on this machine.")

    @Option(help: "Rounds; each figure is the median of as many values.") var rounds = 5
    @Option(help: "Polls in the large crowd; fewer if the limit on open files is lower.") var polls = 19000
    @Flag(help: "Three rounds of smaller crowds, in less than two minutes.") var quick = false
    @Option(help: "Only these: hold, delay, publish, proxy, growth; with commas.") var only: String?
    @Option(help: "Only these servers, with commas; e.g. pollhold,nchan.") var peers: String?
    @Option(help: "Write all figures to this file as JSON.") var json: String?

    func run() throws {
        let descriptors = raiseDescriptorLimit()
        let crowd = min(quick ? min(polls, 5000) : polls, descriptors - 1000)
        let report = Report()
        let wanted = peers?.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
        let present = PeerKind.allCases.filter { kind in
            if let wanted, !wanted.contains(kind.rawValue) { return false }
            guard let absence = kind.absence else { return true }
            report.absent.append((kind, absence))
            return false
        }
        let sizes = quick ? ComparisonSizes.quick(crowd) : ComparisonSizes.full(crowd)
        let rounds = quick ? min(rounds, 3) : rounds
        print("\(rounds) rounds, \(crowd) polls, \(descriptors) descriptors a process")
        let comparison = Comparison(peers: present, sizes: sizes, report: report)
        let parts = Set(only?.split(separator: ",").map(String.init) ?? Comparison.Part.allCases.map(\.rawValue))
        for round in 1...rounds {
            print("round \(round) of \(rounds), load \(Self.load)")
            try comparison.runRound(Comparison.Part.allCases.filter { parts.contains($0.rawValue) })
        }
        print("\n" + report.table)
        if let json { try report.json(about(rounds, crowd)).write(to: URL(filePath: json)) }
    }

    private func about(_ rounds: Int, _ crowd: Int) -> [String: String] {
        var about = [
            "rounds": "\(rounds)", "polls": "\(crowd)", "load": Self.load,
            "kernel": SystemText.file("/proc/sys/kernel/osrelease").trimmingCharacters(in: .whitespacesAndNewlines),
            "processors": "\(ProcessInfo.processInfo.processorCount)",
        ]
        for kind in PeerKind.allCases where kind.absence == nil { about["version of \(kind.rawValue)"] = kind.version }
        return about
    }

    /// What runs on the machine: the load averages of 1, 5 and 15 minutes.
    static var load: String {
        SystemText.file("/proc/loadavg").split(separator: " ").prefix(3).joined(separator: " ")
    }
}
