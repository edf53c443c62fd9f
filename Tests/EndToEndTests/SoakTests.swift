import Foundation
import Testing

/// Mixed traffic for a long time: big, small, slow, broken, upgraded, held, rechecked and published. Every round ends
/// with a pause in which only the held polls are left, and what the process holds then must be what it held behind the
/// first round.
///
/// POLLHOLD_SOAK_MINUTES=10 (`make soak MINUTES=10`) makes ten rounds of a minute; otherwise it is two of two seconds,
/// so that it can't rot.
@Suite(.serialized)
struct SoakTests {
    static let minutes = ProcessInfo.processInfo.environment["POLLHOLD_SOAK_MINUTES"].flatMap { Int($0) }
    static let crowd = 200

    struct Row {
        let pieces: [Int]
        let answers: Int
        let held: Int
        let descriptors: Int
        let clocks: Int
        let privateBytes: Int
        let processor: Double
    }

    private static func configuration(_ port: UInt16) -> String {
        """
        listen: 127.0.0.1:0
        upstream: { server: http://127.0.0.1:\(port), keep_alive: { timeout: 500ms } }
        workers: 2
        control: { socket: SOCKET }
        pool: { messages: 20, age: 20s }
        limits: { polls_per_client: none }
        log: { access: DIRECTORY/access.log, access_format: json }
        routes:
          - path: /poll
            hold: { channels: "{query.channel}", allow: ["c.*"], timeout: 10s, batch: { messages: 50 } }
          - path: /updates
            recheck:
              channels: "room.{query.room}"
              nothing_new: { body: "[]" }
              timeout: 2s
        publish:
          - when: POST /send
            channels: "room.{form.room}"
        """
    }

    @Test func `what is held is the same behind every round of mixed traffic`() throws {
        let app = try SoakApp.make()
        let pollhold = try PollholdProcess(Self.configuration(app.port))
        let own = pollhold.descriptors
        let traffic = SoakTraffic(pollhold)
        let load = try LoadClients(port: pollhold.port, crowd: Self.crowd)
        load.leavesPerMille = 20
        for number in 0..<Self.crowd { try load.add(channels: ["c.\(number % 20)", "c.\((number + 7) % 20)"]) }
        for (number, kind) in SoakTraffic.Kind.allCases.enumerated() {
            let threads = [.small: 2, .slow: 3, .broken: 2][kind] ?? 1
            traffic.start(kind, threads: threads, seed: UInt64(number) << 32)
        }
        var rows: [Row] = []
        print(Self.head)
        for round in 0..<(Self.minutes ?? 2) {
            if round > 0 { traffic.goOn() }
            let end = Date().addingTimeInterval(Self.minutes == nil ? 2 : 60)
            try load.run(until: "the round is over", seconds: 120) { Date() >= end }
            // Logs are rotated and the configuration is read again while everything is under way.
            try? FileManager.default.removeItem(atPath: pollhold.directory.path + "/access.log")
            pollhold.signal(SIGUSR1)
            pollhold.signal(SIGHUP)
            let row = try Self.count(pollhold, traffic, load, own)
            print(Self.line(round + 1, row))
            rows.append(row)
            if !traffic.failures.isEmpty { break }
        }
        traffic.goOn()
        try traffic.end()
        load.closeAll(reset: true)
        #expect(traffic.failures.isEmpty, "\(traffic.failures.count): \(traffic.failures.prefix(5))")
        #expect(load.clients.allSatisfy { $0.failures.isEmpty })
        #expect(pollhold.errors.lines.allSatisfy { !$0.contains(" error ") && !$0.contains(" critical ") })
        #expect(pollhold.process.isRunning)
        if let first = rows.first, let last = rows.last {
            #expect(last.descriptors == first.descriptors)
            #expect(last.clocks == first.clocks)
            #expect(last.held == first.held)
            if PollholdProcess.scale >= 1 {
                let growth = last.privateBytes - first.privateBytes
                #expect(growth < 2 << 20, "memory grew by \(growth >> 10) KiB")
            }
        }
        pollhold.signal(SIGTERM)
        #expect(pollhold.waitForExit() == 0)
    }

    /// Parks the traffic, waits until only held polls are left, and counts.
    private static func count(
        _ pollhold: PollholdProcess, _ traffic: SoakTraffic, _ load: LoadClients, _ own: Int
    ) throws -> Row {
        let parked = Barrier()
        let parking = Sender {
            defer { parked.open() }
            try traffic.park()
        }
        Thread.detachNewThread { parking.run() }
        try load.run(until: "the traffic is parked") { parked.wait(seconds: 0) }
        if let failure = parking.failure { throw TestFailure(failure) }
        var status: [String: Any] = [:]
        try load.run(until: "only the held polls are left") {
            status = try pollhold.control("GET", "/status").json
            return status["held"] as? Int == crowd && status["connections"] as? Int == crowd + 1
        }
        try load.run(until: "no other descriptor is open") { pollhold.descriptors == own + crowd }
        return Row(
            pieces: SoakTraffic.Kind.allCases.map(traffic.count), answers: load.answers,
            held: status["held"] as? Int ?? 0, descriptors: pollhold.descriptors,
            clocks: status["clocks"] as? Int ?? -1,
            privateBytes: pollhold.privateBytes, processor: pollhold.processorSeconds)
    }

    private static let columns =
        SoakTraffic.Kind.allCases.map(\.rawValue) + ["answers", "held", "descriptors", "clocks", "KiB", "CPU s"]

    private static var head: String {
        "soak: round " + columns.map { String(repeating: " ", count: max(1, 12 - $0.count)) + $0 }.joined()
    }

    private static func line(_ round: Int, _ row: Row) -> String {
        let numbers =
            (row.pieces + [row.answers, row.held, row.descriptors, row.clocks, row.privateBytes >> 10]).map(String.init)
            + [String(format: "%.1f", row.processor)]
        return "soak: \(String(format: "%5d", round)) "
            + numbers.map { String(repeating: " ", count: max(1, 12 - $0.count)) + $0 }.joined()
    }
}
