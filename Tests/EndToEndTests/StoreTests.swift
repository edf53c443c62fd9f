import Foundation
import Testing

/// The pool that is written down: what survives, what is refused, and what a disk that is full does.
struct StoreTests {
    static func configuration(_ pool: String = "", more: String = "") -> String {
        PollTests.configuration(more: "pool: { store: DIRECTORY/pool\(pool.isEmpty ? "" : ", ")\(pool) }\n\(more)")
    }

    static func file(_ directory: TemporaryDirectory) -> String { directory.path + "/pool/pool.sqlite" }

    /// Starts one that is expected to refuse.
    ///
    /// - Returns: its exit status and what it said.
    static func refusal(in directory: TemporaryDirectory, _ arguments: [String] = [], launcher: [String] = []) throws
        -> (
            status: Int32, text: String
        )
    {
        let process = Process()
        let command =
            launcher + [PollholdProcess.binary, "serve", "--config", directory.path + "/pollhold.yaml"] + arguments
        process.executableURL = URL(filePath: command[0])
        process.arguments = Array(command.dropFirst())
        let pipe = Pipe()
        process.standardError = pipe
        let lines = LineCollector(pipe.fileHandleForReading)
        try process.run()
        try? pipe.fileHandleForWriting.close()
        lines.waitForEnd()
        process.waitUntilExit()
        return (process.terminationStatus, lines.text)
    }

    @Test(arguments: ["os", "full"], [SIGKILL, SIGTERM])
    func `after any end the pool is there again, cursors are right and no gap is told`(sync: String, end: Int32) throws
    {
        let directory = try TemporaryDirectory()
        var pollhold: PollholdProcess? = try PollholdProcess(Self.configuration("sync: \(sync)"), in: directory)
        func running() throws -> PollholdProcess { try #require(pollhold) }
        func restart() throws {
            let old = try running()
            old.signal(end)
            let status = old.waitForExit()
            #expect(status == (end == SIGTERM ? 0 : SIGKILL))
            pollhold = try PollholdProcess(Self.configuration("sync: \(sync)"), in: directory)
        }
        try running().publish("news", "1")
        let first = try TestClient(port: running().port).request("GET", "/poll?channel=news")
        let cursor = try #require(first.json["cursor"] as? String)
        try running().publish("news", "2")
        try running().publish("room.a", "{\"text\":\"hi\"}")
        let deleted = try running().control("DELETE", "/channels/room.a")
        let answered = try running().publish("room.a", "3")
        try restart()
        let second = try TestClient(port: running().port).request("GET", "/poll?channel=news&after=\(cursor)")
        #expect(second.messages.map { $0["data"] as? Int } == [2])
        #expect(second.json["gap"] == nil)
        let third = try TestClient(port: running().port).request("GET", "/poll?channel=room.a&after=\(cursor)")
        #expect(third.messages.map { $0["data"] as? Int } == [3])
        #expect(third.json["gap"] as? Bool == true)
        #expect(deleted.json["deleted"] as? Bool == true)
        // A number goes to one message only, also across the end.
        let id = try #require((answered.json["id"] as? String).flatMap { Int($0) })
        let next = try #require((try running().publish("news", "4").json["id"] as? String).flatMap { Int($0) })
        #expect(next > id)
        let held = try PollTests().held(running(), "/poll?channel=news&after=now", on: "news")
        try running().publish("news", "5")
        #expect(try held.response().messages.map { $0["data"] as? Int } == [5])
    }

    @Test func `a publisher that ends its side after its request is answered all the same`() throws {
        let pollhold = try PollholdProcess(Self.configuration())
        let request = try TestClient(unix: pollhold.socketPath)
        try request.start(
            "POST", "/publish?channel=news", body: Array("1".utf8), fields: ["Content-Type": "application/json"])
        request.finishSending()
        #expect(try request.response().json["id"] as? String == "1")
        #expect(request.readToEnd() == [])
        let lines = try TestClient(unix: pollhold.socketPath)
        try lines.send(
            "{\"channel\":\"news\",\"data\":2}\n{\"channel\":\"news\",\"dat\":2}\n{\"channel\":\"news\",\"data\":3}\n")
        lines.finishSending()
        #expect(try lines.readLine() == "{\"id\":\"2\",\"waiting\":0}")
        #expect(try lines.readLine().contains("an item knows"))
        #expect(try lines.readLine() == "{\"id\":\"3\",\"waiting\":0}")
        #expect(lines.readToEnd() == [])
    }

    @Test func `lines that are cut anywhere and pipelined requests are answered in order`() throws {
        let pollhold = try PollholdProcess(Self.configuration("messages: 100000"))
        let client = try TestClient(unix: pollhold.socketPath)
        var random = Seeded(state: .random(in: 0..<1 << 40))
        var bytes = Array((0..<2000).map { "{\"channel\":\"room.\($0 % 7)\",\"data\":\($0)}\n" }.joined().utf8)
        while !bytes.isEmpty {
            let part = bytes.prefix(.random(in: 1...5000, using: &random))
            try client.send(Array(part))
            bytes.removeFirst(part.count)
        }
        for number in 1...2000 { #expect(try client.readLine() == "{\"id\":\"\(number)\",\"waiting\":0}") }
        let requests = try TestClient(unix: pollhold.socketPath)
        for _ in 0..<10 {
            try requests.start(
                "POST", "/publish?channel=news", body: Array("1".utf8), fields: ["Content-Type": "application/json"])
        }
        for number in 2001...2010 { #expect(try requests.response().json["id"] as? String == "\(number)") }
    }

    @Test func `what is no pool is refused by name, and set aside with --salvage`() throws {
        let directory = try TemporaryDirectory()
        let first = try PollholdProcess(Self.configuration(), in: directory)
        try first.publish("news", "1")
        let cursor = try #require(
            try TestClient(port: first.port).request("GET", "/poll?channel=news").json["cursor"] as? String)
        first.signal(SIGTERM)
        #expect(first.waitForExit() == 0)
        try Data(repeating: 0x41, count: 10_000).write(to: URL(filePath: Self.file(directory)))
        let refused = try Self.refusal(in: directory)
        #expect(refused.status == 1)
        #expect(refused.text.contains("pool.sqlite is no pool") && refused.text.contains("--salvage"))
        let process = try PollholdProcess(Self.configuration(), in: directory, arguments: ["--salvage"])
        #expect(process.errors.text.contains("the pool was set aside"))
        let kept = try FileManager.default.contentsOfDirectory(atPath: directory.path + "/pool")
        #expect(kept.contains { $0.hasPrefix("pool.sqlite.2") })
        let told = try TestClient(port: process.port).request("GET", "/poll?channel=news&after=\(cursor)")
        #expect(told.json["gap"] as? Bool == true)
        #expect(try process.publish("news", "1").status == 200)
    }

    @Test func `--salvage leaves a good pool where it is`() throws {
        let directory = try TemporaryDirectory()
        for number in 0..<2 {
            let pollhold = try PollholdProcess(Self.configuration(), in: directory, arguments: ["--salvage"])
            let depth = try pollhold.control("GET", "/channels/news").json["depth"] as? Int ?? 0
            #expect(depth == number)
            try pollhold.publish("news", "1")
            pollhold.signal(SIGKILL)
            _ = pollhold.waitForExit()
        }
    }

    @Test func `a store in use, a file in its place and a directory that is not ours are refused`() throws {
        let directory = try TemporaryDirectory()
        let pollhold = try PollholdProcess(Self.configuration(), in: directory)
        try pollhold.write(Self.configuration().replacing("SOCKET", with: "DIRECTORY/other.sock"))
        let second = try Self.refusal(in: directory, ["--salvage"])
        #expect(second.status == 1 && second.text.contains("pool.sqlite is in use by another process"))
        #expect(try pollhold.publish("news", "1").status == 200)
        let other = try TemporaryDirectory()
        try Data().write(to: URL(filePath: other.path + "/pool"))
        try Self.configuration().replacing("SOCKET", with: other.path + "/s").replacing("DIRECTORY", with: other.path)
            .write(toFile: other.path + "/pollhold.yaml", atomically: true, encoding: .utf8)
        let third = try Self.refusal(in: other)
        #expect(third.status == 1 && third.text.contains("pool.store: \(other.path)/pool: it is no directory"))
    }

    @Test func `with no room publishes are refused, nothing is lost, and with room again all goes on`() throws {
        let directory = try TemporaryDirectory()
        // The limit of a file's size stands for a disk: a write behind it fails, and it can be raised from outside.
        let pollhold = try PollholdProcess(
            Self.configuration("messages: 100000"),
            launcher: ["/bin/sh", "-c", "ulimit -S -f 1024; exec \"$@\"", "sh"], in: directory)
        let body = Array("\"\(String(repeating: "x", count: 20_000))\"".utf8)
        let client = try TestClient(unix: pollhold.socketPath)
        let fields = ["Content-Type": "application/json"]
        var accepted: [String] = []
        var refusal = TestResponse(statusLine: "")
        // After a refusal the log is copied over, which may make room for some more.
        var refusals = 0
        while refusals < 10 {
            let reply = try client.request("POST", "/publish?channel=news", body: body, fields: fields)
            if reply.status == 200 {
                accepted.append(reply.json["id"] as? String ?? "")
                refusals = 0
            } else {
                refusal = reply
                refusals += 1
            }
        }
        #expect(refusal.status == 503 && !accepted.isEmpty)
        #expect((refusal.json["error"] as? String)?.contains("is not published") == true)
        let lines = try TestClient(unix: pollhold.socketPath)
        try lines.send("{\"channel\":\"news\",\"data\":\(String(decoding: body, as: UTF8.self))}\n")
        #expect(try lines.readLine().contains("\"error\""))
        let status = try pollhold.control("GET", "/status").json
        let store = try #require(status["store"] as? [String: Any])
        #expect(store["failing"] as? Int == 1 && status["store_error"] is String)
        #expect(try pollhold.control("GET", "/metrics").text.contains("\npollhold_store_failing 1\n"))
        #expect(pollhold.errors.wait { $0.contains("the pool can't be written, and publishes are refused") })
        // A signal is nothing that needs room, and polls are answered as ever.
        let poll = try TestClient(port: pollhold.port).request("GET", "/poll?channel=news")
        #expect(poll.messages.count > 0)
        let room = Process()
        room.executableURL = URL(filePath: "/usr/bin/prlimit")
        room.arguments = ["--fsize=unlimited:unlimited", "--pid", "\(pollhold.pid)"]
        try room.run()
        room.waitUntilExit()
        #expect(room.terminationStatus == 0)
        let last = try client.request("POST", "/publish?channel=news", body: body, fields: fields)
        #expect(last.status == 200)
        accepted.append(last.json["id"] as? String ?? "")
        #expect(try pollhold.control("GET", "/metrics").text.contains("\npollhold_store_failing 0\n"))
        pollhold.signal(SIGKILL)
        _ = pollhold.waitForExit()
        let after = try PollholdProcess(Self.configuration("messages: 100000"), in: directory)
        let found = try Self.all(after, "news")
        #expect(found == accepted)
    }

    /// Ids of a channel from the oldest on, over as many polls as it takes.
    private static func all(_ pollhold: PollholdProcess, _ channel: String) throws -> [String] {
        let depth = try pollhold.control("GET", "/channels/\(channel)").json["depth"] as? Int ?? 0
        let client = try TestClient(port: pollhold.port)
        var ids: [String] = []
        var after = ""
        while ids.count < depth {
            let reply = try client.request("GET", "/poll?channel=\(channel)\(after)")
            ids += reply.messages.compactMap { $0["id"] as? String }
            after = "&after=\(reply.json["cursor"] as? String ?? "")"
        }
        return ids
    }

    @Test func `what leaves the pool leaves the file, and a reload changes the bounds`() throws {
        let directory = try TemporaryDirectory()
        let pollhold = try PollholdProcess(Self.configuration("messages: 50"), in: directory)
        for number in 0..<60 { try pollhold.publish("news", "\(number)") }
        try pollhold.write(Self.configuration("messages: 3"))
        pollhold.signal(SIGHUP)
        #expect(pollhold.errors.wait { $0.contains("configuration reloaded") })
        try waitUntil("the bound is kept") {
            try pollhold.control("GET", "/channels/news").json["depth"] as? Int == 3
        }
        try pollhold.write(Self.configuration("messages: 3, sync: full"))
        let reload = try pollhold.control("POST", "/reload")
        #expect(reload.status == 422 && reload.text.contains("pool.sync"))
        pollhold.signal(SIGTERM)
        #expect(pollhold.waitForExit() == 0)
        let again = try PollholdProcess(Self.configuration("messages: 50"), in: directory)
        #expect(try again.control("GET", "/channels/news").json["depth"] as? Int == 3)
    }

    @Test func `rules publish through the store too`() throws {
        let app = try TestApp { _, _ in TestApp.plain("ok") }
        let directory = try TemporaryDirectory()
        let rules = "publish:\n  - { when: POST /send, channels: news, data: request }"
        let text = Self.configuration(more: rules).replacing("127.0.0.1:9\n", with: "127.0.0.1:\(app.port)\n")
        let pollhold = try PollholdProcess(text, in: directory)
        let poll = try PollTests().held(pollhold, "/poll?channel=news&after=now", on: "news")
        let sent = try TestClient(port: pollhold.port).request(
            "POST", "/send", body: Array("text=hi".utf8), fields: RuleTests.form)
        #expect(sent.status == 200)
        #expect(try poll.response().messages.map { $0["data"] as? [String: String] } == [["text": "hi"]])
        pollhold.signal(SIGKILL)
        _ = pollhold.waitForExit()
        let again = try PollholdProcess(text, in: directory)
        #expect(try TestClient(port: again.port).request("GET", "/poll?channel=news").messages.count == 1)
    }
}
