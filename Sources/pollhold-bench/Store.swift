/// `pollhold-bench store`: publishes that are accepted in a second by a pool that is written down.
import ArgumentParser
import Foundation
import Reactor

struct Store: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Count the publishes that a pool in a file accepts, beside one in memory.",
        discussion: """
            The server has one processor core to itself where there are two and taskset is installed, and the client \
            another one. The file is in the directory for temporary files, so its disk is the one that is measured.
            """)

    @Option(help: "Connections that publish at the same time.") var publishers = 64
    @Option(help: "Seconds for each measurement.") var seconds = 5.0
    @Option(help: "Bytes of the data of a message.") var bytes = 100

    func run() throws {
        let loop = try BenchLoop()
        let taskset = ProcessInfo.processInfo.processorCount > 1 ? PeerKind.find("taskset") : nil
        if let taskset { try pinToLastCore(taskset) }
        print("publishes accepted per second, \(publishers) publishers\(taskset == nil ? "" : ", one core")")
        for sync in [nil, "os", "full"] as [String?] {
            for ahead in [1, 4] {
                let launcher = taskset.map { [$0, "-c", "0"] } ?? []
                let peer = try RunningPeer(.pollhold, launcher: launcher, sync: sync)
                defer { peer.stop() }
                let rate = try rate(loop, peer, ahead: ahead)
                let name = sync.map { "sync: \($0)" } ?? "in memory"
                print("  \(name), \(ahead) in flight each: \(Report.text(rate, 0))")
            }
        }
    }

    private func rate(_ loop: BenchLoop, _ peer: RunningPeer, ahead: Int) throws -> Double {
        let clients = try (0..<publishers).map { _ in try PublishClient(loop, peer.publishAddress, .lines) }
        defer { for client in clients { client.close() } }
        let data = String(repeating: "x", count: bytes)
        let lines = clients.indices.map { number in
            var lines: [UInt8] = []
            for _ in 0..<ahead { lines += PeerKind.pollhold.publish(channel: "room.\(number)", data: data) }
            return lines
        }
        var start = EventLoop.monotonicNanoseconds()
        var before = 0
        // The first second is for caches and the file's first pages.
        for span in [1.0, seconds] {
            start = EventLoop.monotonicNanoseconds()
            before = clients.reduce(0) { $0 + $1.answers }
            loop.run(atMost: span) {
                for (client, lines) in zip(clients, lines) where client.isAnswered {
                    client.publish(lines, count: ahead)
                }
                return false
            }
        }
        let elapsed = Double(EventLoop.monotonicNanoseconds() - start) / 1e9
        let answered = clients.reduce(0) { $0 + $1.answers } - before
        guard clients.allSatisfy({ !$0.hasEnded && $0.failures == 0 }) else {
            throw BenchError("a publish was refused: \(String(decoding: clients[0].lastAnswer, as: UTF8.self))")
        }
        return Double(answered) / elapsed
    }

    /// The server is on the first one.
    private func pinToLastCore(_ taskset: String) throws {
        let process = Process()
        process.executableURL = URL(filePath: taskset)
        process.arguments = ["-cp", "\(ProcessInfo.processInfo.processorCount - 1)", "\(getpid())"]
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
    }
}
