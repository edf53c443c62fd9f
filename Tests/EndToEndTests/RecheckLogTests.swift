import Foundation
import Testing

/// What the logs say of polls on recheck routes: how long each was held and what let it go, or what would have.
struct RecheckLogTests {
    static let logged = "log: { access: DIRECTORY/access.log, access_format: json }\n"

    /// The lines of polls that have ended, in their order.
    func polls(_ pollhold: PollholdProcess, _ count: Int) throws -> [[String: Any]] {
        var found: [[String: Any]] = []
        try waitUntil("\(count) polls in the log") {
            let bytes = FileManager.default.contents(atPath: pollhold.directory.path + "/access.log") ?? Data()
            guard bytes.last == 0x0A else { return false }
            found = bytes.split(separator: 0x0A).compactMap {
                (try? JSONSerialization.jsonObject(with: Data($0))) as? [String: Any]
            }.filter { ($0["target"] as? String ?? "").hasPrefix("/updates") }
            return found.count >= count
        }
        #expect(found.count == count)
        return found
    }

    func words(_ polls: [[String: Any]], _ name: String) -> [String] { polls.map { $0[name] as? String ?? "-" } }

    @Test func `the access log says how long a poll was held, what released it, and what it cost`() throws {
        let app = try RoomApp()
        let pollhold = try PollholdProcess(
            Self.logged
                + RecheckTests.configuration(
                    app.port, "supersede: \"{cookie.sid}\"\nqueue: 1\nconcurrency: 1", timeout: "5s", workers: 1))
        let client = try TestClient(port: pollhold.port)
        app.add("1", "x")
        #expect(try client.request("GET", "/updates?room=1&since=0").text == "[\"x\"]")
        #expect(try client.request("GET", "/updates?room=1&since=1").text == "[]")
        let held = try RecheckTests.held(pollhold, "/updates?room=2&since=0", fields: ["Cookie": "sid=a"])
        let next = try TestClient(port: pollhold.port)
        try next.start("GET", "/updates?room=2&since=0", fields: ["Cookie": "sid=a"])
        #expect(try held.response().text == "[]")
        try RecheckTests.send(pollhold, "2", "y")
        #expect(try next.response().text == "[\"y\"]")
        // One asks, one waits in line, and one more is passed on.
        let gate = Barrier()
        app.holdBack(by: gate)
        let crowd = try (0..<3).map { _ in try TestClient(port: pollhold.port) }
        for (number, client) in crowd.enumerated() {
            try client.start("GET", "/updates?room=3&since=0", fields: ["Cookie": "sid=\(number)"])
            try waitUntil("it is under way") {
                try RecheckTests.figure(pollhold, "/updates", "polls") == 5 + number
            }
        }
        try waitUntil("both are at the app") { app.server.requests.count { $0.contains("room=3") } == 2 }
        app.holdBack(by: nil)
        for _ in 0..<2 { gate.open() }
        for client in crowd { #expect(try client.response().text == "[]") }
        app.crash()
        #expect(try TestClient(port: pollhold.port).request("GET", "/updates?room=9").status == 502)

        let told = try polls(pollhold, 8)
        #expect(words(Array(told.prefix(4)), "released") == ["first", "timeout", "superseded", "signal"])
        #expect(told.prefix(4).map { $0["questions"] as? Int } == [1, 2, 1, 1])
        #expect(words(Array(told.dropFirst(4).prefix(3)), "released").sorted() == ["passed", "timeout", "timeout"])
        #expect(words(told, "released").last == "failed")
        #expect((told[1]["held_ms"] as? Int ?? 0) >= 4980, "\(told[1])")
        #expect((told[3]["held_ms"] as? Int ?? 5000) < 5000)
        #expect(told[3]["server"] != nil, "the question whose answer went out")
        #expect(told[2]["server"] == nil, "the answer was kept")
    }

    @Test func `a route that observes says of each poll what would have become of it, and of all once in a while`()
        throws
    {
        let app = try RoomApp()
        let pollhold = try PollholdProcess(
            Self.logged + RecheckTests.configuration(app.port, "observe: true", workers: 1))
        let client = try TestClient(port: pollhold.port)
        for _ in 0..<3 { #expect(try client.request("GET", "/updates?room=1&since=0").text == "[]") }
        try RecheckTests.send(pollhold, "1", "x")
        #expect(try client.request("GET", "/updates?room=1&since=0").text == "[\"x\"]")
        app.add("1", "nobody was told")
        #expect(try client.request("GET", "/updates?room=1&since=1").text == "[\"nobody was told\"]")
        #expect(try client.request("GET", "/updates?room=1&since=2").text == "[]")
        app.add("1", "nobody was told")
        #expect(try client.request("GET", "/updates?room=1&since=2").text == "[\"nobody was told\"]")
        let told = try polls(pollhold, 7)
        #expect(
            words(told, "observed") == ["held", "spared", "spared", "woken", "answered", "held", "unsignalled"])
        #expect(told.allSatisfy { $0["released"] == nil && $0["held_ms"] == nil })
        let routes = try pollhold.control("GET", "/status").json["rechecks"] as? [String: [String: Any]]
        let released = try #require(routes?["/updates"]?["released"] as? [String: Int])
        #expect(released["first"] == 1)
        #expect(released["signal"] == 1)
        // The app's load before and after.
        #expect(routes?["/updates"]?["observed"] as? Int == 7)
        #expect(routes?["/updates"]?["questions"] as? Int == 4)
        let times = ["observed_ms", "question_ms"].map { routes?["/updates"]?[$0] as? Int ?? -1 }
        #expect(times[0] >= times[1] && times[1] >= 0, "\(times)")
        // The first one at once, the others in a line that is not due yet.
        #expect(pollhold.errors.wait { $0.contains("observed polls would have been") })
        let lines = pollhold.errors.lines.filter { $0.contains("observed polls would have been") }
        #expect(lines.count == 1)
        let line = try #require(lines.first)
        #expect(
            line.hasSuffix(
                " info observed polls would have been held=1 polls=1 route=/updates saved=0 unsignalled=0 woken=0"),
            "\(lines)")
    }
}
