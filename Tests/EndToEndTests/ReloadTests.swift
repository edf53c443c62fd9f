import Foundation
import SharedByTests
import Testing

/// Reloads of the real program: all or nothing, and nobody is dropped.
struct ReloadTests {
    /// - Parameter path: of a Unix socket in the test's directory.
    static func unixClient(_ pollhold: PollholdProcess, _ name: String) throws -> TestClient {
        try TestClient(unix: pollhold.directory.path + "/" + name)
    }

    static func reload(_ pollhold: PollholdProcess, _ configuration: String) throws -> TestResponse {
        try pollhold.write(configuration)
        return try pollhold.control("POST", "/reload")
    }

    static func text(listen: String, more: String = "", routes: String? = nil) -> String {
        """
        listen: \(listen)
        upstream: http://127.0.0.1:9
        workers: 2
        control: { socket: SOCKET }
        \(routes ?? "routes: [{ path: /poll, hold: { channels: \"{query.channel}\", allow: [news] } }]")
        \(more)
        """
    }

    static let poll = "/poll?channel=news&after=now"

    // MARK: Listeners

    @Test func `listeners come and go, and polls that came in by one that has gone stay held`() throws {
        let pollhold = try PollholdProcess(Self.text(listen: "[127.0.0.1:0, \"unix:DIRECTORY/a\"]"))
        let held = try Self.unixClient(pollhold, "a")
        try held.start("GET", Self.poll)
        try pollhold.waitForWaiting("news") { $0 == 1 }
        let reply = try Self.reload(pollhold, Self.text(listen: "[127.0.0.1:0, \"unix:DIRECTORY/b\"]"))
        #expect(reply.status == 200)
        #expect(!FileManager.default.fileExists(atPath: pollhold.directory.path + "/a"))
        #expect(throws: TestFailure.self) { try Self.unixClient(pollhold, "a") }
        // The port is the same one, also where the system had chosen it.
        #expect(try TestClient(port: pollhold.port).request("GET", "/poll?channel=other").status == 403)
        #expect(try Self.unixClient(pollhold, "b").request("GET", "/poll?channel=other").status == 403)
        try pollhold.publish("news", "1")
        #expect(try held.response().ids == ["1"])
        #expect(try held.request("GET", "/poll?channel=news").ids == ["1"])
    }

    @Test func `a listener with another meaning keeps its socket and its old connections`() throws {
        let plain = "[{ address: \"unix:DIRECTORY/a\" }]"
        let pollhold = try PollholdProcess(Self.text(listen: plain))
        let old = try Self.unixClient(pollhold, "a")
        #expect(try old.request("GET", "/poll?channel=other").status == 403)
        let changed = "[{ address: \"unix:DIRECTORY/a\", proxy_protocol: true }]"
        #expect(try Self.reload(pollhold, Self.text(listen: changed)).status == 200)
        #expect(try old.request("GET", "/poll?channel=other").status == 403)
        let fresh = try Self.unixClient(pollhold, "a")
        try fresh.send("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n")
        #expect(try fresh.request("GET", "/poll?channel=other").status == 403)
        #expect(try #require(try Self.unixClient(pollhold, "a").sendingPlainly()) == [])
    }

    @Test func `the control socket and the admin listener move`() throws {
        let pollhold = try PollholdProcess(Self.text(listen: "127.0.0.1:0"))
        let old = try TestClient(unix: pollhold.socketPath)
        try pollhold.write(
            Self.text(listen: "127.0.0.1:0", more: "admin: { listen: \"unix:DIRECTORY/admin\" }")
                .replacing("{ socket: SOCKET }", with: "{ socket: DIRECTORY/other, mode: \"0600\" }"))
        #expect(try old.request("POST", "/reload").status == 200)
        #expect(!FileManager.default.fileExists(atPath: pollhold.socketPath))
        #expect(try Self.unixClient(pollhold, "admin").request("GET", "/health").status == 200)
        let other = try Self.unixClient(pollhold, "other")
        #expect(try other.request("GET", "/status").json["reloads"] as? Int == 1)
        // Whoever was let in is not sent away.
        #expect(try old.request("POST", "/publish?channel=news", body: Array("x".utf8)).status == 200)
        func mode() -> UInt32 {
            var status = stat()
            stat(pollhold.directory.path + "/other", &status)
            return status.st_mode & 0o777
        }
        #expect(mode() == 0o600)
        try pollhold.write(
            Self.text(listen: "127.0.0.1:0").replacing(
                "{ socket: SOCKET }", with: "{ socket: DIRECTORY/other, mode: \"0666\" }"))
        #expect(try other.request("POST", "/reload").status == 200)
        #expect(mode() == 0o666)
        #expect(!FileManager.default.fileExists(atPath: pollhold.directory.path + "/admin"))
    }

    // MARK: Refusals

    @Test func `an address that can't be had changes nothing, and all who ask are told why`() throws {
        let taken = try TestApp(respond: { _, _ in TestApp.plain("") })
        let pollhold = try PollholdProcess(Self.text(listen: "127.0.0.1:0"))
        let held = try PollTests().held(pollhold, Self.poll, on: "news")
        let bad = Self.text(
            listen: "[127.0.0.1:0, \"unix:DIRECTORY/a\", \"127.0.0.1:\(taken.port)\"]",
            more: "log: { access: DIRECTORY/access.log }", routes: "routes: []")
        let reply = try Self.reload(pollhold, bad)
        #expect(reply.status == 422)
        let reason = "can't listen on 127.0.0.1:\(taken.port): "
        #expect((reply.json["error"] as? String)?.contains(reason) == true)
        #expect(pollhold.errors.wait { $0.contains(reason) })
        #expect(!FileManager.default.fileExists(atPath: pollhold.directory.path + "/a"))
        let status = try pollhold.control("GET", "/status").json
        #expect((status["reload_error"] as? String)?.contains(reason) == true)
        #expect(status["refused_reloads"] as? Int == 1)
        let metrics = try PrometheusText(try pollhold.control("GET", "/metrics").text)
        #expect(metrics.value("pollhold_configuration_last_reload_failed") == 1)
        let loadedAt = metrics.value("pollhold_configuration_last_success_timestamp_seconds")
        #expect(try #require(loadedAt) > 1_700_000_000)
        // The route is still there.
        try pollhold.publish("news", "1")
        #expect(try held.response().ids == ["1"])
        let command = try Command.run(["reload", "--socket", pollhold.socketPath])
        #expect(command.status == 1)
        #expect(command.errors.contains(reason))
        taken.end()
        try pollhold.write(Self.text(listen: "127.0.0.1:0"))
        let good = try Command.run(["reload", "--socket", pollhold.socketPath])
        #expect(good.output == "reloaded\n")
        #expect(try pollhold.control("GET", "/status").json["reload_error"] == nil)
    }

    @Test func `what a restart alone can change is named, and nothing else changes with it`() throws {
        let pollhold = try PollholdProcess(Self.text(listen: "127.0.0.1:0"))
        let wanted = Self.text(
            listen: "\"unix:DIRECTORY/a\"", more: "pool: { store: DIRECTORY/pool, sync: full }\nuser: nobody"
        ).replacing("workers: 2", with: "workers: 3")
        let reply = try Self.reload(pollhold, wanted)
        #expect(reply.status == 422)
        let error = try #require(reply.json["error"] as? String)
        #expect(error.hasSuffix("these change at a restart only: workers, user, pool.store, pool.sync"))
        #expect(pollhold.errors.wait { $0.contains("restart only: workers, user, pool.store, pool.sync") })
        #expect(!FileManager.default.fileExists(atPath: pollhold.directory.path + "/a"))
        #expect(try TestClient(port: pollhold.port).request("GET", "/poll?channel=other").status == 403)
    }

    // MARK: Routes, limits, logs, servers

    @Test func `a recheck poll whose route has gone is told nothing new at once, one whose route stays is held`() throws
    {
        let app = try RoomApp()
        let pollhold = try PollholdProcess(RecheckTests.configuration(app.port))
        let stays = try RecheckTests.held(pollhold, "/updates?room=1&after=0")
        let fresh = RecheckTests.configuration(app.port, "debounce: 0s")
        #expect(try Self.reload(pollhold, fresh).status == 200)
        #expect(try RecheckTests.heldCount(pollhold) == 1)
        let before = app.polls
        #expect(try Self.reload(pollhold, fresh.replacing("/updates", with: "/elsewhere")).status == 200)
        #expect(try stays.response().text == "[]")
        #expect(app.polls == before)
        // A worker's figures are on the board once its turn has ended.
        try waitUntil("it is counted") {
            let routes = try pollhold.control("GET", "/status").json["rechecks"] as? [String: [String: Any]]
            return (routes?["/updates"]?["released"] as? [String: Int])?["reload"] == 1
        }
        // The connection goes on; what no route takes goes to the app.
        #expect(try stays.request("GET", "/updates?room=1&after=0").text == "[]")
    }

    @Test func `a held recheck poll that stuck to a server asks another one when that has gone`() throws {
        let names = ["one", "two"]
        let apps = try names.map { name in
            try TestApp(respond: { head, _ in
                TestApp.plain(head.contains("GET /updates") ? "[]" : name)
            })
        }
        func configuration(_ apps: [TestApp]) -> String {
            """
            listen: 127.0.0.1:0
            upstream: { servers: [\(apps.map { "\"http://127.0.0.1:\($0.port)\"" }.joined(separator: ", "))], sticky: {} }
            workers: 1
            control: { socket: SOCKET }
            routes: [{ path: /updates, recheck: { channels: news, nothing_new: { body: "[]" }, debounce: 0s } }]
            """
        }
        let pollhold = try PollholdProcess(configuration(apps))
        var cookies: [String: String] = [:]
        while cookies.count < 2 {
            let answer = try TestClient(port: pollhold.port).request("GET", "/")
            cookies[answer.text] = String((answer["set-cookie"] ?? "").prefix { $0 != ";" })
        }
        let held = try RecheckTests.held(pollhold, "/updates", fields: ["Cookie": try #require(cookies["two"])])
        #expect(try Self.reload(pollhold, configuration([apps[0]])).status == 200)
        let before = apps[0].requests.count
        try pollhold.publish("news", "1")
        try waitUntil("the other server is asked") { apps[0].requests.count > before }
        #expect(try pollhold.control("GET", "/status").status == 200)
        held.closeNow()
    }

    @Test func `limits, the pool's bounds and the logs change, and nothing is left of the old log`() throws {
        let first = Self.text(listen: "127.0.0.1:0", more: "log: { access: DIRECTORY/one.log }")
        let pollhold = try PollholdProcess(first)
        let client = try TestClient(port: pollhold.port)
        #expect(try client.request("GET", "/poll?channel=other&n=1").status == 403)
        for number in 1...5 { try pollhold.publish("news", "\(number)") }
        let second = Self.text(
            listen: "127.0.0.1:0",
            more: """
                log: { access: DIRECTORY/two.log, access_format: json, format: json, level: debug }
                limits: { polls: 1 }
                pool: { messages: 2 }
                """)
        for _ in 0..<10 {
            #expect(try Self.reload(pollhold, second).status == 200)
            #expect(try Self.reload(pollhold, first).status == 200)
        }
        #expect(try Self.reload(pollhold, second).status == 200)
        #expect(try client.request("GET", "/poll?channel=other&n=2").status == 403)
        #expect(try client.request("GET", "/poll?channel=news").messages.compactMap { $0["data"] as? Int } == [4, 5])
        let held = try PollTests().held(pollhold, Self.poll, on: "news")
        // Other workers know of it once its own worker's turn has ended.
        try waitUntil("it is counted") { try pollhold.control("GET", "/status").json["held"] as? Int == 1 }
        #expect(try client.request("GET", Self.poll).status == 503)
        // Its files and threads, and not all descriptors: a process that another test starts may hold on to a client's end.
        func openLogs() -> [String] {
            let folder = "/proc/\(pollhold.pid)/fd"
            let numbers = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
            let targets = numbers.compactMap {
                try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\($0)")
            }
            // Of its own directory: a log that another test had open when the process began is no leak of ours.
            let own = pollhold.directory.path + "/"
            return targets.filter { $0.hasPrefix(own) && $0.hasSuffix(".log") }
                .map { URL(filePath: $0).lastPathComponent }
        }
        func logThreads() -> Int {
            let folder = "/proc/\(pollhold.pid)/task"
            let numbers = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
            return numbers.count { (try? String(contentsOfFile: "\(folder)/\($0)/comm", encoding: .utf8)) == "log\n" }
        }
        try waitUntil("the old logs are let go of") { openLogs() == ["two.log"] && logThreads() == 2 }
        func log(_ name: String) throws -> String {
            try String(contentsOfFile: pollhold.directory.path + "/\(name).log", encoding: .utf8)
        }
        try waitUntil("the line is written") { try log("two").contains("n=2") }
        #expect(try log("one").contains("n=1") && !log("one").contains("n=2"))
        #expect(pollhold.errors.wait { $0.hasPrefix("{\"time\":") && $0.contains("configuration reloaded") })
        try pollhold.publish("news", "6")
        #expect(try held.response().ids == ["6"])
    }

    // MARK: Under traffic

    /// `POLLHOLD_RELOADS` is how many follow one another; `make torture` has 500.
    private static let reloads =
        ProcessInfo.processInfo.environment["POLLHOLD_RELOADS"].flatMap { Int($0) } ?? 30

    @Test func `reloads under load lose nothing, double nothing and drop nobody`() throws {
        let seed = UInt64.random(in: 0..<1 << 32)
        let crowd = max(50, Int(200 * PollholdProcess.scale))
        let configuration = LoadTests.configuration()
        let pollhold = try PollholdProcess(configuration)
        let load = try LoadClients(port: pollhold.port, seed: seed, crowd: crowd)
        for number in 0..<crowd { try load.add(channels: ["c.\(number % 50)", "c.\((number + 7) % 50)"]) }
        let ledger = LoadTests.Ledger()
        let path = pollhold.socketPath
        for publisher in 0..<4 {
            Thread.detachNewThread {
                LoadTests.publish(
                    max(2000, 70 * Self.reloads), socketPath: path, seed: seed &+ UInt64(publisher), ledger: ledger)
            }
        }
        let others = [
            configuration.replacing("listen: 127.0.0.1:0", with: "listen: [127.0.0.1:0, \"unix:DIRECTORY/b\"]"),
            configuration.replacing("timeout: 90s", with: "timeout: 80s").replacing("20000", with: "30000")
                + "limits: { connections: 5000 }\nadmin: { listen: 127.0.0.1:0 }\n",
            configuration.replacing("routes:", with: "routs:"), configuration,
        ]
        let control = try TestClient(unix: path)
        for number in 0..<Self.reloads {
            let answered = load.answers
            try pollhold.write(others[number % 4])
            #expect(try control.request("POST", "/reload").status == (number % 4 == 2 ? 422 : 200))
            try load.run(until: "some are answered") { load.answers > answered + 20 || ledger.isFinished }
        }
        try load.run(until: "everything is published") { ledger.isFinished }
        #expect(ledger.problems == [])
        try load.run(until: "every client has what is published for it; seed \(seed)") {
            load.clients.allSatisfy { $0.ids.count >= ledger.ids($0.channels).count }
        }
        let wrong = load.clients.filter { $0.ids != ledger.ids($0.channels) || $0.gaps > 0 || !$0.failures.isEmpty }
        #expect(wrong.isEmpty, "client \(wrong.first.map { "\($0.number) \($0.failures)" } ?? ""); seed \(seed)")
        #expect(load.returns == 0)
        print("reload: seed \(seed): \(Self.reloads) reloads, \(crowd) clients, \(ledger.count) messages, \(load.answers) answers")
        load.closeAll(reset: true)
    }
}

extension TestClient {
    /// What comes back for a request without the preamble that is expected.
    fileprivate func sendingPlainly() throws -> [UInt8]? {
        try start("GET", "/")
        return readToEnd()
    }
}
