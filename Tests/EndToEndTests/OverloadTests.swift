import Foundation
import SharedByTests
import Testing

/// The program at each of its limits, with polls held all the time: who is refused, in which order, how it is counted,
/// and that polls in hold notice nothing (DESIGN P5).
///
/// `POLLHOLD_OVERLOAD_SECONDS` is how long each lasts; `make torture` has a minute.
@Suite(.serialized)
struct OverloadTests {
    static let seconds =
        ProcessInfo.processInfo.environment["POLLHOLD_OVERLOAD_SECONDS"].flatMap { Double($0) }
        ?? max(0.5, 2 * PollholdProcess.scale)
    static let crowd = max(20, Int(100 * PollholdProcess.scale))

    static func configuration(_ more: String = "", upstream: String = "http://127.0.0.1:9") -> String {
        """
        listen: 127.0.0.1:0
        upstream: \(upstream)
        workers: 2
        control: { socket: SOCKET }
        admin: { listen: 127.0.0.1:0 }
        routes:
          - path: /poll
            hold: { channels: "{query.channel}", allow: ["**"], timeout: 10m }
        \(more)
        """
    }

    static func status(_ pollhold: PollholdProcess) throws -> [String: Any] {
        try pollhold.control("GET", "/status").json
    }

    /// A figure of the status by its path.
    static func figure(_ pollhold: PollholdProcess, _ path: String) throws -> Int {
        var value: Any? = try status(pollhold)
        for key in path.split(separator: ".") { value = (value as? [String: Any])?[String(key)] }
        return value as? Int ?? -1
    }

    /// A sample of the metrics.
    static func metric(_ pollhold: PollholdProcess, _ name: String, _ labels: [String: String] = [:]) throws -> Double {
        let text = try PrometheusText(try pollhold.control("GET", "/metrics").text)
        return try #require(text.value(name, labels), "\(name)")
    }

    /// Publishes lines of so many bytes to fifty channels, and reads each answer.
    static func publishFlood(_ pollhold: PollholdProcess, threads: Int, bytes: Int) -> Flood {
        let path = pollhold.socketPath
        let data = String(repeating: "x", count: bytes)
        return Flood(threads: threads) { number, flood in
            let client = try TestClient(unix: path)
            var channel = number
            while flood.goesOn {
                let lines = (0..<20).map { "{\"channel\":\"flood.\((channel + $0) % 50)\",\"data\":\"\(data)\"}\n" }
                try client.send(lines.joined())
                for _ in 0..<20 {
                    guard try client.readLine().hasPrefix("{\"id\"") else { throw TestFailure("not published") }
                }
                channel += 20
                flood.did(20)
            }
        }
    }

    // MARK: Memory, publishes, disk

    @Test func `at the pool's memory ceiling the oldest messages go`() throws {
        let ceiling = 1 << 20
        let pollhold = try PollholdProcess(Self.configuration("pool: { memory: 1MiB, messages: 1000000 }"))
        let crowd = try HeldCrowd(Self.crowd, of: pollhold)
        try pollhold.publish("flood.0", "0")
        let reader = try TestClient(port: pollhold.port)
        let cursor = try reader.request("GET", "/poll?channel=flood.0").cursor
        let before = pollhold.privateBytes
        let flood = Self.publishFlood(pollhold, threads: 4, bytes: 4000)
        try crowd.stays(seconds: Self.seconds, until: "messages are evicted for want of memory") {
            #expect(try Self.figure(pollhold, "pool.bytes") <= ceiling)
            return try Self.figure(pollhold, "evicted.memory") > 1000
        }
        try flood.end()
        #expect(flood.failures == [])
        #expect(try Self.metric(pollhold, "pollhold_messages_evicted_total", ["reason": "memory"]) > 1000)
        // Whoever has missed them is told.
        let isTold = try reader.request("GET", "/poll?channel=flood.0&after=\(cursor)").hasGap
        #expect(isTold)
        if PollholdProcess.scale == 1 { #expect(pollhold.privateBytes - before < 24 << 20) }
        #expect(try crowd.release() == nil)
        print("overload: \(flood.count) publishes through a pool of 1 MiB")
    }

    @Test(.enabled(if: PollholdProcess.scale == 1))
    func `at the process' memory ceiling requests are refused until there is room, and polls stay held`() throws {
        // More than all buffers on the way take; its readers read nothing.
        let body = [UInt8](repeating: 0x78, count: 4 << 20)
        let app = try TestApp(handler: { connection, _ in
            guard connection.readHead() != nil else { return }
            if connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(body.count)\r\n\r\n") { connection.send(body) }
        })
        let pollhold = try PollholdProcess(
            Self.configuration(
                "pool: { memory: 1MiB }\nlimits: { memory: 20MiB, polls_per_client: none }\ntimeouts: { write: 10m }",
                upstream: "{ server: \"http://127.0.0.1:\(app.port)\", response_timeout: 10m, idle_timeout: 10m }"))
        // Whoever asks for it is answered at once, if there is room again.
        try pollhold.publish("probe", "1")
        let crowd = try HeldCrowd(Self.crowd, of: pollhold)
        var readers: [TestClient] = []
        let port = pollhold.port
        try crowd.stays(seconds: Self.seconds, until: "requests are refused") {
            guard try Self.figure(pollhold, "memory.short") == 0 else {
                let refused = try TestClient(port: port).request("GET", "/page")
                // It may have had room again for a moment.
                guard refused.status == 503 else { return false }
                #expect(refused["retry-after"] != nil)
                guard try TestClient(port: port).request("GET", "/poll?channel=probe").status == 503 else {
                    return false
                }
                return try Self.figure(pollhold, "refused_for_memory") > 0
            }
            for _ in 0..<40 {
                let reader = try TestClient(port: port, receiveBytes: 4096)
                try reader.start("GET", "/large")
                readers.append(reader)
            }
            return false
        }
        #expect(pollhold.errors.wait { $0.contains("limits.memory is reached") })
        #expect(try Self.metric(pollhold, "pollhold_requests_refused_for_memory_total") > 0)
        let published = try pollhold.publish("other", "1")
        #expect(published.status == 200)
        let id = published.json["id"] as? String
        for reader in readers { reader.reset() }
        try waitUntil("there is room") { try Self.figure(pollhold, "memory.short") == 0 }
        #expect(try TestClient(port: port).request("GET", "/poll?channel=other").ids == [id])
        #expect(try crowd.release() == nil)
    }

    @Test func `a flood of publishes delays nobody's poll for long, and each is answered`() throws {
        let pollhold = try PollholdProcess(Self.configuration())
        let crowd = try HeldCrowd(Self.crowd, of: pollhold)
        let flood = Self.publishFlood(pollhold, threads: 8, bytes: 50)
        let probe = try TestClient(port: pollhold.port)
        var delivered = 0
        try crowd.stays(seconds: Self.seconds, until: "polls elsewhere are answered") {
            try pollhold.publish("probe", "\(delivered)")
            #expect(try probe.request("GET", "/poll?channel=probe&after=\(delivered == 0 ? "" : "now")").status == 200)
            delivered += 1
            return delivered > 0
        }
        try flood.end()
        #expect(flood.failures == [])
        #expect(try Self.figure(pollhold, "published") >= flood.count)
        #expect(try crowd.release() == nil)
        print("overload: \(flood.count) publishes in \(Self.seconds) s from 8 publishers")
    }

    /// The library that makes a disk slow, as it was built with this test. A sanitizer stands in its place itself.
    static let slowDisk: String? = {
        guard PollholdProcess.scale == 1 else { return nil }
        let path = URL(filePath: PollholdProcess.binary).deletingLastPathComponent().appending(path: "libSlowDisk.so")
        return FileManager.default.fileExists(atPath: path.path) ? path.path : nil
    }()

    @Test(.enabled(if: slowDisk != nil))
    func `a slow disk refuses publishes that would wait for too long, and polls wait for nothing`() throws {
        let directory = try TemporaryDirectory()
        let isSlow = directory.path + "/slow"
        let pollhold = try PollholdProcess(
            Self.configuration("pool: { store: DIRECTORY/pool, memory: 64MiB }"),
            launcher: [
                "/usr/bin/env", "LD_PRELOAD=\(try #require(Self.slowDisk))", "POLLHOLD_SLOW_DISK=\(isSlow)",
                "POLLHOLD_SLOW_DISK_MICROSECONDS=20000",
            ], in: directory)
        let crowd = try HeldCrowd(Self.crowd, of: pollhold)
        try pollhold.publish("other", "1")
        try Data().write(to: URL(filePath: isSlow))
        let path = pollhold.socketPath
        // Each waits for its answer, as long as the disk is slow; who is refused comes again.
        let body = [UInt8](repeating: 0x78, count: 1_000_000)
        let flood = Flood(threads: 100) { _, flood in
            let client = try TestClient(unix: path)
            client.setPatience(seconds: 300)
            while flood.goesOn {
                try client.start("POST", "/publish?channel=flood", body: body, fields: ["Content-Type": "text/plain"])
                let status = try client.response(to: "POST").status
                guard status == 200 || status == 503 else { throw TestFailure("\(status)") }
                flood.did()
                if status == 503 { poll(nil, 0, 100) }
            }
        }
        try crowd.stays(seconds: Self.seconds, until: "publishes are refused") {
            #expect(try TestClient(port: pollhold.port).request("GET", "/poll?channel=other").ids == ["1"])
            return try Self.figure(pollhold, "refused_publishes.not_stored") > 0
        }
        #expect(try Self.metric(pollhold, "pollhold_publishes_refused_total", ["reason": "not_stored"]) > 0)
        #expect(try Self.metric(pollhold, "pollhold_store_refused_total") > 0)
        #expect(try Self.figure(pollhold, "store.waiting") > 0)
        try FileManager.default.removeItem(atPath: isSlow)
        try flood.end()
        #expect(flood.failures == [])
        #expect(flood.count >= 100)
        try waitUntil("all is written") { try Self.figure(pollhold, "store.waiting") == 0 }
        #expect(try crowd.release() == nil)
    }

    // MARK: The app

    @Test func `a slow app makes requests wait in a line, and those beyond it are refused`() throws {
        let gate = Barrier()
        let app = try TestApp(handler: { connection, _ in
            while connection.readHead() != nil {
                gate.wait(seconds: 600)
                gate.open()
                connection.send(TestApp.plain("late"))
            }
        })
        let upstream =
            "{ server: \"http://127.0.0.1:\(app.port)\", connections: 2, response_timeout: 10m, "
            + "queue: { length: 4, timeout: 300ms } }"
        let pollhold = try PollholdProcess(Self.configuration(upstream: upstream))
        let crowd = try HeldCrowd(Self.crowd, of: pollhold)
        let waiting = try (0..<2).map { _ in try TestClient(port: pollhold.port) }
        for client in waiting { try client.start("GET", "/page") }
        try waitUntil("the app has all that it takes") { app.connectionCount == 2 }
        let port = pollhold.port
        let flood = Flood(threads: 12) { _, flood in
            let client = try TestClient(port: port)
            while flood.goesOn {
                let answer = try client.request("GET", "/page")
                guard answer.status == 503, answer["retry-after"] != nil else { throw TestFailure("\(answer.status)") }
                flood.did()
            }
        }
        try crowd.stays(seconds: Self.seconds, until: "requests are refused in both ways") {
            #expect(try Self.figure(pollhold, "upstream.waiting") <= 4)
            return try Self.figure(pollhold, "upstream_failures.queue_full") > 10
                && Self.figure(pollhold, "upstream_failures.queue_timeout") > 3
        }
        try flood.end()
        #expect(flood.failures == [])
        try waitUntil("each is counted") {
            let total = try ["queue_full", "queue_timeout"].map {
                try Self.metric(pollhold, "pollhold_upstream_failures_total", ["reason": $0])
            }.reduce(0, +)
            return Int(total) == flood.count
        }
        gate.open()
        for client in waiting { #expect(try client.response().text == "late") }
        #expect(try TestClient(port: port).request("GET", "/page").text == "late")
        #expect(try crowd.release() == nil)
    }

    // MARK: Connections

    @Test func `at the connection limit idle connections go first, then who comes waits, and no poll is given up`()
        throws
    {
        let app = try TestApp(respond: { _, _ in TestApp.plain("page") })
        let pollhold = try PollholdProcess(
            Self.configuration(
                "limits: { connections: \(Self.crowd + 24) }", upstream: "http://127.0.0.1:\(app.port)"))
        let crowd = try HeldCrowd(Self.crowd, of: pollhold)
        let idle = try (0..<20).map { _ in try TestClient(port: pollhold.port) }
        for client in idle { #expect(try client.request("GET", "/page").text == "page") }
        // Five times as many as there is room for.
        let comers = try (0..<20).map { _ in try TestClient(port: pollhold.port) }
        for client in comers { try client.start("GET", "/page") }
        try crowd.stays(seconds: Self.seconds, until: "idle ones have made room") {
            try Self.figure(pollhold, "shed_connections") > 0
        }
        for client in comers {
            #expect(try client.response().text == "page")
            client.closeNow()
        }
        #expect(try Self.metric(pollhold, "pollhold_connections_shed_total") > 0)
        #expect(try Self.metric(pollhold, "pollhold_accept_pauses_total") > 0)
        #expect(try TestClient(port: AdminTests.port(of: pollhold)).request("GET", "/health").status == 200)
        #expect(try crowd.release() == nil)
    }

    @Test func `as many polls as may are held, and one more is refused`() throws {
        let pollhold = try PollholdProcess(Self.configuration("limits: { polls: \(Self.crowd) }"))
        let crowd = try HeldCrowd(Self.crowd, of: pollhold)
        let port = pollhold.port
        let flood = Flood(threads: 4) { _, flood in
            let client = try TestClient(port: port)
            while flood.goesOn {
                let answer = try client.request("GET", "/poll?channel=other")
                guard answer.status == 503, answer["retry-after"] != nil else { throw TestFailure("\(answer.status)") }
                flood.did()
            }
        }
        try crowd.stays(seconds: Self.seconds, until: "polls are refused") {
            try Self.figure(pollhold, "refused_polls.limit") > 100
        }
        try flood.end()
        #expect(flood.failures == [])
        try waitUntil("each is counted") { try Self.figure(pollhold, "refused_polls.limit") == flood.count }
        #expect(try Int(Self.metric(pollhold, "pollhold_polls_refused_total", ["limit": "all"])) == flood.count)
        #expect(try crowd.release() == nil)
    }

    @Test func `with no descriptor left who comes waits, and publishers and operators are served`() throws {
        // At any scale: those who wait find room only where those who leave had more than the program itself takes.
        let crowdSize = 100
        let pollhold = try PollholdProcess(
            Self.configuration(),
            launcher: ["/bin/sh", "-c", "ulimit -n \(crowdSize + 100); exec \"$@\"", "sh"])
        let crowd = try HeldCrowd(crowdSize, of: pollhold)
        let comers = try (0..<100).map { _ in try TestClient(port: pollhold.port) }
        for client in comers { try client.start("GET", "/poll?channel=late&after=now") }
        var published = 0
        try crowd.stays(seconds: Self.seconds, until: "accepting is paused") {
            #expect(try pollhold.publish("other", "1").status == 200)
            #expect(try TestClient(port: AdminTests.port(of: pollhold)).request("GET", "/health").status == 200)
            published += 1
            return try Self.figure(pollhold, "accept_pauses") > 0 && published > 2
        }
        #expect(try Self.metric(pollhold, "pollhold_accept_pauses_total") > 0)
        #expect(try crowd.release() == nil)
        // The crowd has gone, so the late ones come in.
        try pollhold.waitForWaiting("late") { $0 == 100 }
        try pollhold.publish("late", "2")
        for client in comers { #expect(try client.response().messages.count == 1) }
    }

    @Test func `a flood of new connections, some with half a request, keeps nobody from being served`() throws {
        let app = try TestApp(respond: { _, _ in TestApp.plain("page") })
        let pollhold = try PollholdProcess(Self.configuration(upstream: "http://127.0.0.1:\(app.port)"))
        let crowd = try HeldCrowd(Self.crowd, of: pollhold)
        let port = pollhold.port
        let flood = Flood(threads: 6) { number, flood in
            while flood.goesOn {
                let client = try TestClient(port: port)
                switch number % 3 {
                case 0: break
                case 1: try client.send("GET /page HTTP/1.1\r\nHos")
                default: #expect(try client.request("GET", "/page").text == "page")
                }
                // An ordinary end would keep the client's port for a minute, and there are not so many of them.
                client.reset()
                flood.did()
            }
        }
        let steady = try TestClient(port: port)
        try crowd.stays(seconds: Self.seconds, until: "others are served") {
            try steady.request("GET", "/page").text == "page"
        }
        try flood.end()
        #expect(flood.failures == [])
        try waitUntil("they were let in") { try Self.figure(pollhold, "accepted") >= flood.count / 3 }
        try waitUntil("nothing is left of it") { try Self.figure(pollhold, "connections") < crowd.size + 40 }
        #expect(try crowd.release() == nil)
        print("overload: \(flood.count) connections in \(Self.seconds) s")
    }
}
