import Foundation
import Gateway
import Polling
import SharedByTests
import Testing

struct FiguresTests {
    var figures: ServiceFigures {
        var traffic = WorkerFigures()
        traffic.held = 3
        traffic.released[PollExchange.Release.allCases.firstIndex(of: .timeout) ?? 0] = 7
        traffic.add(traffic)
        var reloads = ReloadFigures()
        reloads.done = 1
        reloads.refused = 2
        let pool = MessagePool(
            limits: PoolLimits(messagesPerChannel: 1, age: .seconds(1), memoryBytes: 1000, channels: 1))
        return ServiceFigures(
            version: "1.2.3", processID: 42, workers: 2, uptime: .seconds(61), isDraining: false,
            epoch: Epoch(random: 1),
            configurationPath: "/a \"b\"", reloads: reloads, droppedLogLines: 3, pool: pool.figures,
            traffic: traffic)
    }

    @Test func `the JSON is whole and nested by group`() throws {
        let object = try #require(try JSONSerialization.jsonObject(with: Data(figures.json)) as? [String: Any])
        #expect(object["version"] as? String == "1.2.3")
        #expect(object["configuration"] as? String == "/a \"b\"")
        #expect(object["held"] as? Int == 6)
        #expect((object["released"] as? [String: Int])?["timeout"] == 14)
        #expect(object["uptime_seconds"] as? Int == 61)
        #expect(object["draining"] as? Bool == false)
    }

    @Test func `the metrics are well formed`() throws {
        let text = try PrometheusText(String(decoding: figures.prometheus, as: UTF8.self))
        #expect(text.families.count > 20)
        #expect(text.value("pollhold_polls_held") == 6)
        #expect(text.value("pollhold_polls_released_total", ["reason": "timeout"]) == 14)
    }

    @Test func `a server's name can't break out of its label`() throws {
        var figures = figures
        figures.servers = [ServerFigures(name: "unix:/a\"b\\c", isIn: true, active: 2)]
        let text = try PrometheusText(String(decoding: figures.prometheus, as: UTF8.self))
        #expect(text.value("pollhold_upstream_server_active", ["server": "unix:/a\"b\\c"]) == 2)
    }

    @Test func `a histogram's buckets add up, and its sum is in seconds`() throws {
        var figures = figures
        for microseconds: Int64 in [50, 250, 251, 3_000_000, 60_000_000] {
            figures.traffic.deliveryDelays.count(microseconds * 1000, on: .delay)
        }
        let text = try PrometheusText(String(decoding: figures.prometheus, as: UTF8.self))
        let name = "pollhold_delivery_delay_seconds"
        #expect(text.value(name + "_bucket", ["le": "0.0001"]) == 1)
        #expect(text.value(name + "_bucket", ["le": "0.00025"]) == 2)
        #expect(text.value(name + "_bucket", ["le": "0.0005"]) == 3)
        #expect(text.value(name + "_bucket", ["le": "2.5"]) == 3)
        #expect(text.value(name + "_bucket", ["le": "10"]) == 4)
        #expect(text.value(name + "_bucket", ["le": "+Inf"]) == 5)
        #expect(text.value(name + "_sum") == 63.000551)
        let object = try #require(try JSONSerialization.jsonObject(with: Data(figures.json)) as? [String: Any])
        let delay = try #require(object["delivery_delay"] as? [String: Int])
        #expect(delay == ["count": 5, "p50_microseconds": 500, "p99_microseconds": 10_000_000])
    }

    @Test(arguments: [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"), (1_795_517_225, "Tue, 24 Nov 2026 10:47:05 GMT"),
        (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"), (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        (-5, "Thu, 01 Jan 1970 00:00:00 GMT"),
    ]) func `dates as HTTP writes them`(seconds: Int64, text: String) {
        #expect(String(decoding: DateField(seconds: seconds).value, as: UTF8.self) == text)
    }
}
