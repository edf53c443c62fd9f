import Foundation
import Testing

/// What recheck routes promise of a crowd, and of messages when everything goes wrong.
struct RecheckLoadTests {
    @Test func `a message reaches five hundred idle users of an app with four workers, and others hardly wait`() throws
    {
        let users = max(20, Int(500 * PollholdProcess.scale))
        let app = try RoomApp(workers: 4, work: 0.004)
        let pollhold = try PollholdProcess(RecheckTests.configuration(app.port, "concurrency: 2\ndebounce: 0s"))
        let clients = try (0..<users).map { _ in try TestClient(port: pollhold.port) }
        var waits: [Double] = []
        var seconds = 0.0
        var messages = 0
        // One more where this thread was stopped while the app was asked.
        while waits.count <= 3, messages < 5 {
            for (number, client) in clients.enumerated() {
                try client.start("GET", "/updates?room=1&since=\(messages)", fields: ["Cookie": "sid=\(number)"])
            }
            try waitUntil("all are held", seconds: 60) { try RecheckTests.heldCount(pollhold) == users }
            #expect(app.polls == (2 * messages + 1) * users)
            try RecheckTests.send(pollhold, "1", "x")
            messages += 1
            // Somebody else uses the app while it is asked for everybody.
            let other = try TestClient(port: pollhold.port)
            let begun = Date()
            while try RecheckTests.figure(pollhold, "/updates", "open") > 0, waits.count < 1000 {
                let start = Date()
                #expect(try other.request("GET", "/page").text == "page")
                waits.append(Date().timeIntervalSince(start))
            }
            seconds += Date().timeIntervalSince(begun)
            for client in clients { #expect(try client.response().text == "[\"x\"]") }
            #expect(app.polls == 2 * messages * users)
        }
        // Two of the four workers were never asked for anything but this, and no line of questions stood in front of it.
        #expect(app.peak <= 3)
        #expect(app.longestLine <= 2)
        try #require(waits.count > 3)
        // A tenth of what all of them took, where the machine is slow.
        #expect(waits.sorted()[waits.count / 2] < max(0.1, seconds / 10), "others waited \(waits.max() ?? 0) s")
    }

    @Test func `no message is lost while clients and the app fail at random`() throws {
        let sends = max(300, Int(10_000 * PollholdProcess.scale))
        let readers = 4
        let app = try RoomApp(faults: { ($0 &* 2_654_435_761) % 97 < 3 })
        let pollhold = try PollholdProcess(
            RecheckTests.configuration(app.port, "concurrency: 2\ndebounce: 0s", timeout: "2s"))
        let results = Results(readers)
        let port = pollhold.port
        let group = DispatchGroup()
        for reader in 0..<readers {
            group.enter()
            Thread.detachNewThread {
                defer { group.leave() }
                Self.read(port, reader, sends, results)
            }
        }
        let sender = try TestClient(port: pollhold.port)
        for number in 0..<sends {
            let answer = try sender.request(
                "POST", "/send", body: Array("room=1&text=m\(number)".utf8), fields: RuleTests.form)
            #expect(answer.status == 303)
        }
        #expect(group.wait(timeout: .now() + 120) == .success, "readers still miss \(results.missing(sends))")
        for reader in 0..<readers { #expect(results.seen(reader) == (0..<sends).map { "m\($0)" }) }
        #expect(results.faults > 0, "a run without faults shows nothing")
    }

    /// Reads until it has seen all; every few polls it leaves before the answer.
    private static func read(_ port: UInt16, _ reader: Int, _ count: Int, _ results: Results) {
        var polls = reader
        var client: TestClient?
        while results.seen(reader).count < count, !results.hasFailed {
            polls += 1
            do {
                let connection = try client ?? TestClient(port: port)
                client = connection
                try connection.start(
                    "GET", "/updates?room=1&since=\(results.seen(reader).count)", fields: ["Cookie": "sid=\(reader)"])
                if polls % 13 == 0 {
                    client = nil
                    results.noteFault()
                    continue
                }
                let answer = try connection.response()
                if answer.status == 200 {
                    results.add(reader, answer.jsonArray.compactMap { $0 as? String })
                } else {
                    results.noteFault()
                }
            } catch {
                client = nil
                results.noteFault()
            }
        }
    }

    private final class Results: @unchecked Sendable {
        private let lock = NSLock()
        private var lists: [[String]]
        private var faultCount = 0

        init(_ readers: Int) { lists = Array(repeating: [], count: readers) }

        var faults: Int { lock.withLock { faultCount } }
        /// So many faults that nothing will come of it any more.
        var hasFailed: Bool { faults > 100_000 }
        func seen(_ reader: Int) -> [String] { lock.withLock { lists[reader] } }
        func add(_ reader: Int, _ texts: [String]) { lock.withLock { lists[reader] += texts } }
        func noteFault() { lock.withLock { faultCount += 1 } }
        func missing(_ count: Int) -> [Int] { lock.withLock { lists.map { count - $0.count } } }
    }
}
