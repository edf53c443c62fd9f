import Gateway
import Polling
import Testing

struct TopScreenTests {
    private static func figures(_ change: (inout ServiceFigures) -> Void) -> ServiceFigures {
        let pool = MessagePool(
            limits: PoolLimits(messagesPerChannel: 1, age: .seconds(1), memoryBytes: 1000, channels: 1))
        var figures = ServiceFigures(
            version: "1.2.3", processID: 42, workers: 2, uptime: .seconds(90_061), isDraining: false,
            epoch: Epoch(random: 1), configurationPath: "/etc/pollhold.yaml", reloads: ReloadFigures(),
            droppedLogLines: 0, pool: pool.figures, traffic: WorkerFigures())
        change(&figures)
        return figures
    }

    private static func reading(_ figures: ServiceFigures, at seconds: Int64, channels: String = "") throws
        -> DaemonReading
    {
        try #require(
            DaemonReading(
                moment: Moment(nanoseconds: seconds * 1_000_000_000), status: figures.json,
                metrics: figures.prometheus, channels: Array("{\"channels\":[\(channels)]}".utf8)))
    }

    private static func server(_ name: String, answers: Int) -> ServerFigures {
        var times = Histogram()
        for _ in 0..<answers { times.count(20_000_000, on: .upstream) }
        return ServerFigures(name: name, isIn: answers > 0, active: 3, times: times)
    }

    private static let before = figures { figures in
        figures.traffic.polls = 100
        figures.traffic.deliveryDelays.count(9_000_000_000, on: .delay)
        figures.servers = [server("http://127.0.0.1:8000", answers: 10)]
        figures.traffic.rechecks["/updates"] = RecheckFigures()
    }

    private static let after = figures { figures in
        figures.traffic.polls = 350
        figures.traffic.held = 1234
        figures.traffic.deliveryDelays.count(9_000_000_000, on: .delay)
        for _ in 0..<100 { figures.traffic.deliveryDelays.count(200_000, on: .delay) }
        figures.servers = [server("http://127.0.0.1:8000", answers: 21)]
        var recheck = RecheckFigures()
        recheck.polls = 40
        recheck.questions = 5
        recheck.nothingNew = 4
        figures.traffic.rechecks["/updates"] = recheck
    }

    @Test func `a view tells what happens a second, and delays of the time between two readings alone`() throws {
        let screen = TopScreen(
            before: try Self.reading(Self.before, at: 10),
            now: try Self.reading(
                Self.after, at: 20, channels: #"{"channel":"room.1","depth":3,"last_id":"9","bytes":2048,"waiting":7}"#)
        )
        let expected = """
            Pollhold 1.2.3   pid 42   up 1d 01:01:01   2 workers   serving

            Polls held    1,234                 Connections   0
            Polls/s       25.0                  Accepted/s    0.0
            Published/s   0.0                   Signals/s     0.0
            Delivered/s   0.0                   Delay         <0.25 ms  99%: <0.25 ms
            In the pool   0 messages            Memory        0 B
            Gaps/s        0.0                   Refused/s     0.0

            APP                                   in    active answers/s      half       95%
            http://127.0.0.1:8000                yes         3       1.1    <25 ms    <25 ms
            passed on/s 0.0   without an answer/s 0.0   waiting for a server 0

            RECHECK ROUTE                       held   polls/s   asked/s  spared/s     new/s
            /updates                               0       4.0       0.5       0.0       0.1

            CHANNEL                             held  messages     bytes
            room.1                                 7         3   2.0 KiB
            """
        #expect(screen.lines(columns: 100, rows: 50).joined(separator: "\n") == expected)
    }

    @Test func `it fits into any terminal`() throws {
        let reading = try Self.reading(Self.after, at: 20)
        let screen = TopScreen(before: reading, now: reading)
        for (columns, rows) in [(80, 24), (40, 10), (10, 2), (1, 1)] {
            let lines = screen.lines(columns: columns, rows: rows)
            #expect(lines.count <= rows)
            #expect(lines.allSatisfy { $0.count <= columns })
        }
    }

    @Test func `a daemon that was started anew does not count backwards`() throws {
        let screen = TopScreen(
            before: try Self.reading(Self.after, at: 10), now: try Self.reading(Self.before, at: 20))
        #expect(screen.lines(columns: 80, rows: 50).contains { $0.hasPrefix("Polls/s       10.0") })
    }

    @Test func `what is wrong stands at the top, and can't move the cursor`() throws {
        let figures = Self.figures { figures in
            figures.isDraining = true
            var store = StoreFigures()
            store.isFailing = true
            store.lastError = "disk\u{1B}[2J full"
            figures.store = store
        }
        let reading = try Self.reading(figures, at: 20)
        let lines = TopScreen(before: reading, now: reading).lines(columns: 80, rows: 3)
        #expect(lines[0].hasSuffix("DRAINING"))
        #expect(lines[1] == "THE POOL CAN'T BE WRITTEN: disk?[2J full")
    }

    @Test(arguments: ["", "[]", "not json", "{}"]) func `what no Pollhold says is no reading`(_ text: String) {
        let bytes = Array(text.utf8)
        #expect(DaemonReading(moment: Moment(nanoseconds: 0), status: bytes, metrics: bytes, channels: bytes) == nil)
    }
}
