import Foundation
import SharedByTests
import Testing

/// /metrics of the real program, after traffic: read strictly, by our own reader and by Prometheus' where it is there.
struct MetricsTests {
    /// A program with each kind of route, a store, and some traffic behind it.
    static func busy(_ body: (PollholdProcess) throws -> Void) throws {
        let app = try TestApp(respond: { head, _ in
            TestApp.plain(head.contains("/updates") ? "[\"news\"]" : "page")
        })
        let pollhold = try PollholdProcess(
            """
            listen: 127.0.0.1:0
            upstream: http://127.0.0.1:\(app.port)
            workers: 2
            control: { socket: SOCKET }
            pool: { store: DIRECTORY/pool }
            routes:
              - path: /poll
                hold: { channels: "{query.channel}", allow: [news] }
              - path: /updates
                recheck: { channels: news, nothing_new: { body: "[]" } }
            """)
        let client = try TestClient(port: pollhold.port)
        for _ in 0..<3 { #expect(try client.request("GET", "/page").text == "page") }
        #expect(try client.request("GET", "/updates").text == "[\"news\"]")
        // That one is counted until its worker's turn has ended.
        try pollhold.waitForWaiting("news") { $0 == 0 }
        for number in 1...5 {
            let poll = try PollTests().held(pollhold, "/poll?channel=news&after=now", on: "news")
            try pollhold.publish("news", "\(number)")
            #expect(try poll.response().ids == ["\(number)"])
        }
        #expect(try client.request("GET", "/poll?channel=news").ids.count == 5)
        try body(pollhold)
    }

    static func metrics(_ pollhold: PollholdProcess) throws -> String { try pollhold.control("GET", "/metrics").text }

    @Test func `they are strictly right, and say how long things took`() throws {
        try Self.busy { pollhold in
            // A worker's figures are on the board once its turn has ended.
            try waitUntil("all is counted") {
                let text = try PrometheusText(Self.metrics(pollhold))
                return text.value("pollhold_poll_duration_seconds_count", ["kind": "hold"]) == 6
            }
            let text = try PrometheusText(Self.metrics(pollhold))
            #expect(text.value("pollhold_delivery_delay_seconds_count") == 5)
            #expect(text.value("pollhold_delivery_delay_seconds_bucket", ["le": "10"]) == 5)
            #expect(try #require(text.value("pollhold_delivery_delay_seconds_sum")) > 0)
            #expect(text.value("pollhold_poll_duration_seconds_count", ["kind": "recheck"]) == 1)
            let upstream = text.families.first { $0.name == "pollhold_upstream_response_seconds" }
            #expect(upstream?.samples.first { $0.name.hasSuffix("_count") }?.value == 4)
            let status = try pollhold.control("GET", "/status").json
            #expect((status["delivery_delay"] as? [String: Int])?["count"] == 5)
            #expect((status["upstream_time"] as? [String: Int])?["count"] == 4)
        }
    }

    static let promtool = ExamplesTests.interpreter("promtool")

    @Test(.enabled(if: promtool != nil)) func `Prometheus' own tool finds nothing to say about them`() throws {
        try Self.busy { pollhold in
            let said = try Command.run(
                ["check", "metrics"], input: Self.metrics(pollhold), program: try #require(Self.promtool))
            #expect(said.status == 0, "\(said.output)\(said.errors)")
            #expect(said.output + said.errors == "")
        }
    }

    static let folder = ExamplesTests.folder.appending(path: "prometheus")

    @Test(arguments: ["pollhold.rules.yaml", "pollhold.dashboard.json"])
    func `every metric that the alerts and the dashboard use is there`(_ name: String) throws {
        let text = try String(contentsOf: Self.folder.appending(path: name), encoding: .utf8)
        let words = text.split { !($0.isLetter || $0.isNumber || $0 == "_") }
        let used = Set(words.filter { $0.hasPrefix("pollhold_") }.map(String.init))
        #expect(used.count > 10)
        try Self.busy { pollhold in
            let there = try PrometheusText(Self.metrics(pollhold)).sampleNames
            #expect(used.subtracting(there) == [])
        }
    }

    @Test func `the manual describes every metric`() throws {
        let page = ExamplesTests.folder.deletingLastPathComponent().appending(path: "man/pollhold-control.7")
        let words = try String(contentsOf: page, encoding: .utf8).split { !($0.isLetter || $0.isNumber || $0 == "_") }
        let described = Set(words.map(String.init))
        try Self.busy { pollhold in
            let names = try PrometheusText(Self.metrics(pollhold)).families.map(\.name)
            #expect(Set(names).subtracting(described) == [])
        }
    }

    @Test func `the dashboard is JSON, and no panel lies on another`() throws {
        let data = try Data(contentsOf: Self.folder.appending(path: "pollhold.dashboard.json"))
        let dashboard = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        var taken: Set<[Int]> = []
        for panel in try #require(dashboard["panels"] as? [[String: Any]]) {
            let place = try #require(panel["gridPos"] as? [String: Int])
            for x in 0..<place["w", default: 0] {
                for y in 0..<place["h", default: 0] {
                    let cell = [x + place["x", default: 0], y + place["y", default: 0]]
                    #expect(cell[0] < 24)
                    #expect(taken.insert(cell).inserted, "\(panel["title"] ?? "")")
                }
            }
        }
        #expect(!taken.isEmpty)
    }

    @Test(.enabled(if: promtool != nil), arguments: [("rules", "pollhold.rules.yaml"), ("config", "prometheus.yaml")])
    func `Prometheus takes the example's files`(kind: String, name: String) throws {
        let said = try Command.run(
            ["check", kind, Self.folder.appending(path: name).path], program: try #require(Self.promtool))
        #expect(said.status == 0, "\(said.output)\(said.errors)")
    }

    @Test(arguments: [
        "pollhold_a 1", "# HELP pollhold_a A.\n# TYPE pollhold_a gauge\npollhold_a 1\npollhold_a 1\n",
        "# HELP pollhold_a A.\n# TYPE pollhold_a counter\npollhold_a 1\n",
        "# HELP pollhold_a_ms A.\n# TYPE pollhold_a_ms gauge\npollhold_a_ms 1\n",
        "# HELP pollhold_a A.\n# TYPE pollhold_a gauge\npollhold_a{b=\"c\\d\"} 1\n",
        "# HELP pollhold_a A.\n# TYPE pollhold_a gauge\npollhold_b 1\n",
        "# HELP pollhold_a_seconds A.\n# TYPE pollhold_a_seconds histogram\npollhold_a_seconds_bucket{le=\"1\"} 1\n",
    ]) func `the strict reader is strict`(_ text: String) {
        #expect(throws: PrometheusText.Fault.self) { try PrometheusText(text) }
    }
}
