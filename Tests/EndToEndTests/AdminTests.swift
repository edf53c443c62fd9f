import Foundation
import Testing

/// The admin listener: health and metrics, whatever clients do, and nothing else.
struct AdminTests {
    static let listener = "admin: { listen: 127.0.0.1:0 }"

    static func port(of pollhold: PollholdProcess) throws -> UInt16 {
        let line = pollhold.errors.lines.first { $0.contains("health and metrics at 127.0.0.1:") }
        return try #require(line?.split(separator: ":").last.flatMap { UInt16($0) })
    }

    @Test func `it answers health and metrics on kept connections`() throws {
        let pollhold = try PollholdProcess(PollTests.configuration(more: Self.listener))
        let client = try TestClient(port: try Self.port(of: pollhold))
        #expect(try client.request("GET", "/health/live").text == "{\"live\":true}\n")
        #expect(try client.request("GET", "/health/ready").text == "{\"ready\":true}\n")
        #expect(try client.request("HEAD", "/health").status == 200)
        let metrics = try client.request("GET", "/metrics")
        #expect(metrics.status == 200)
        #expect(metrics["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
        #expect(metrics.text.contains("\npollhold_polls_held 0\n"))
    }

    @Test func `the control socket answers them too`() throws {
        let pollhold = try PollholdProcess(PollTests.configuration())
        #expect(try pollhold.control("GET", "/health/live").json["live"] as? Bool == true)
        #expect(try pollhold.control("GET", "/health/ready").json["ready"] as? Bool == true)
        #expect(try pollhold.control("POST", "/health").status == 405)
    }

    @Test(arguments: [
        ("POST", "/reload", 404), ("POST", "/publish?channel=news", 404), ("DELETE", "/channels/news", 404),
        ("GET", "/status", 404), ("GET", "/poll?channel=news", 404), ("GET", "/", 404), ("POST", "/metrics", 405),
        ("DELETE", "/health/live", 405), ("PUT", "/health", 405),
    ]) func `it does nothing else`(method: String, target: String, status: Int) throws {
        let pollhold = try PollholdProcess(PollTests.configuration(more: Self.listener))
        try pollhold.publish("news", "1")
        let client = try TestClient(port: try Self.port(of: pollhold))
        let refused = try client.request(method, target, body: Array("2".utf8))
        #expect(refused.status == status)
        #expect(refused.json["error"] is String)
        let figures = try pollhold.control("GET", "/status").json
        #expect(figures["published"] as? Int == 1)
        #expect(figures["reloads"] as? Int == 0)
        #expect(try pollhold.control("GET", "/channels/news").json["depth"] as? Int == 1)
    }

    @Test func `it turns to 503 while the daemon drains, and is asked on fresh connections`() throws {
        let asked = Barrier()
        let answer = Barrier()
        let app = try TestApp(handler: { connection, _ in
            guard connection.readHead() != nil else { return }
            asked.open()
            answer.wait()
            connection.send(TestApp.plain("finished"))
        })
        let pollhold = try PollholdProcess(
            PollTests.configuration(more: Self.listener + "\nworkers: 1", upstreamPort: app.port)
                .replacing("workers: 2\n", with: ""))
        let port = try Self.port(of: pollhold)
        let request = try TestClient(port: pollhold.port)
        try request.start("GET", "/slow")
        #expect(asked.wait())
        pollhold.signal(SIGTERM)
        #expect(pollhold.errors.wait { $0.contains("draining") })
        let ready = try TestClient(port: port).request("GET", "/health/ready")
        #expect(ready.status == 503)
        #expect(ready.json["reason"] as? String == "draining")
        #expect(try TestClient(port: port).request("GET", "/health/live").status == 200)
        answer.open()
        #expect(try request.response().text == "finished")
        #expect(pollhold.waitForExit() == 0)
    }

    @Test func `it answers when clients have taken all places`() throws {
        let pollhold = try PollholdProcess(
            PollTests.configuration(more: Self.listener + "\nlimits: { connections: 2 }"))
        let first = try PollTests().held(pollhold, "/poll?channel=news&after=now", on: "news")
        let second = try TestClient(port: pollhold.port)
        #expect(try second.request("GET", "/poll?channel=secret").status == 403)
        #expect(pollhold.errors.wait { $0.contains("accepting is paused") })
        #expect(try TestClient(port: try Self.port(of: pollhold)).request("GET", "/health/ready").status == 200)
        try pollhold.publish("news", "1")
        #expect(try first.response().ids == ["1"])
    }

    @Test func `it has places of its own, a bounded number`() throws {
        let pollhold = try PollholdProcess(PollTests.configuration(more: Self.listener))
        let port = try Self.port(of: pollhold)
        var clients: [TestClient] = []
        for _ in 0..<32 {
            let client = try TestClient(port: port)
            #expect(try client.request("GET", "/health").status == 200)
            clients.append(client)
        }
        #expect(try TestClient(port: port).readToEnd() == [])
        // Another worker may tell before the turn has ended in which it was refused.
        try waitUntil("it is counted") {
            try pollhold.control("GET", "/status").json["admin_connections_refused"] as? Int == 1
        }
        clients.removeLast()
        try waitUntil("a place is free") {
            let client = try TestClient(port: port)
            return (try? client.request("GET", "/health").status) == 200
        }
    }

    @Test func `it may be a Unix socket, which is made anew when somebody removes it`() throws {
        let pollhold = try PollholdProcess(
            PollTests.configuration(more: "admin: { listen: \"unix:DIRECTORY/admin.sock\" }"))
        let path = pollhold.directory.path + "/admin.sock"
        #expect(try TestClient(unix: path).request("GET", "/health").status == 200)
        try FileManager.default.removeItem(atPath: path)
        try waitUntil("it is there again") {
            guard let client = try? TestClient(unix: path) else { return false }
            return try client.request("GET", "/health").status == 200
        }
        pollhold.signal(SIGTERM)
        #expect(pollhold.waitForExit() == 0)
        #expect(!FileManager.default.fileExists(atPath: path))
    }
}
