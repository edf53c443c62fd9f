import Foundation
import Gateway
import Polling
import Testing

struct FiguresTests {
    var figures: ServiceFigures {
        var traffic = WorkerFigures()
        traffic.held = 3
        traffic.released[PollExchange.Release.allCases.firstIndex(of: .timeout) ?? 0] = 7
        traffic.add(traffic)
        let pool = MessagePool(
            limits: PoolLimits(messagesPerChannel: 1, age: .seconds(1), memoryBytes: 1000, channels: 1))
        return ServiceFigures(
            version: "1.2.3", processID: 42, workers: 2, uptime: .seconds(61), isDraining: false,
            epoch: Epoch(random: 1),
            configurationPath: "/a \"b\"", reloads: 1, refusedReloads: 2, droppedLogLines: 3, pool: pool.figures,
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

    /// Prometheus text format 0.0.4: each metric is described once, in front of its samples, and its name says its kind.
    @Test func `the metrics are well formed`() throws {
        var described: Set<String> = []
        var kind = ""
        var current = ""
        for line in String(decoding: figures.prometheus, as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            if line.hasPrefix("# HELP") {
                current = words[2]
                #expect(described.insert(current).inserted, "\(current) twice")
                #expect(words.count > 3)
            } else if line.hasPrefix("# TYPE") {
                #expect(words[2] == current)
                kind = words[3]
            } else {
                #expect(words.count == 2)
                let name = words[0].prefix { $0 != "{" }
                #expect(name == current)
                #expect(name.hasSuffix("_total") == (kind == "counter"))
                #expect(UInt64(words[1]) != nil)
            }
        }
        #expect(described.count > 20)
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
