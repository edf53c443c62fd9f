import Foundation
import Testing

/// Several servers, queues, health and names, with the real program.
struct UpstreamTests {
    /// An app that answers with its name, each request on a connection of its own.
    func app(_ name: String) throws -> TestApp {
        try TestApp(respond: { _, _ in TestApp.plain(name, fields: "Connection: close\r\n") })
    }

    func pollhold(_ upstream: String, _ more: String = "") throws -> PollholdProcess {
        try PollholdProcess("listen: 127.0.0.1:0\nworkers: 1\nupstream: { \(upstream) }\n\(more)")
    }

    func servers(_ apps: TestApp...) -> String {
        "servers: [\(apps.map { "http://127.0.0.1:\($0.port)" }.joined(separator: ", "))]"
    }

    @Test func `servers take turns, and one that is down costs no request`() throws {
        let (first, second) = (try app("first"), try app("second"))
        let pollhold = try pollhold("\(servers(first, second)), failures: { count: 2, pause: 1h }")
        let client = try TestClient(port: pollhold.port)
        let both = try (0..<4).map { _ in try client.request("GET", "/").text }
        #expect(both.sorted() == ["first", "first", "second", "second"])
        second.end()
        for method in ["GET", "POST", "GET", "POST", "PATCH", "GET"] {
            #expect(try client.request(method, "/", body: Array("data".utf8)).text == "first")
        }
        #expect(pollhold.errors.wait { $0.contains("is left out") && $0.contains("\(second.port)") })
    }

    @Test func `a server gets no more requests at a time than its limit, the others wait in line`() throws {
        let asked = Barrier()
        let answer = Barrier()
        let app = try TestApp(respond: { head, _ in
            if head.hasPrefix("GET /slow") {
                asked.open()
                answer.wait()
            }
            return TestApp.plain(String(head.split(separator: " ")[1]))
        })
        let pollhold = try pollhold(
            "server: http://127.0.0.1:\(app.port), connections: 1, queue: { length: 2, timeout: 20s }",
            "control: { socket: SOCKET }")
        let slow = try TestClient(port: pollhold.port)
        try slow.start("GET", "/slow")
        #expect(asked.wait())
        let (first, second) = (try TestClient(port: pollhold.port), try TestClient(port: pollhold.port))
        try first.start("POST", "/first", body: Array("body".utf8))
        try waiting(pollhold, 1)
        try second.start("GET", "/second")
        try waiting(pollhold, 2)
        let third = try TestClient(port: pollhold.port)
        let refused = try third.request("GET", "/third")
        #expect(refused.status == 503)
        #expect(refused["retry-after"] != nil)
        // Who goes gives up his place in the line.
        second.closeNow()
        try waiting(pollhold, 1)
        let last = try TestClient(port: pollhold.port)
        try last.start("GET", "/last")
        try waiting(pollhold, 2)
        #expect(app.requests.count == 1)
        answer.open()
        #expect(try slow.response().text == "/slow")
        #expect(try first.response().text == "/first")
        #expect(try last.response().text == "/last")
        #expect(app.requests.map { $0.split(separator: " ")[1] } == ["/slow", "/first", "/last"])
    }

    @Test func `who waits too long is told to come back`() throws {
        let asked = Barrier()
        let answer = Barrier()
        let app = try TestApp(respond: { _, _ in
            asked.open()
            answer.wait()
            return TestApp.plain("late")
        })
        let pollhold = try pollhold(
            "server: http://127.0.0.1:\(app.port), connections: 1, queue: { timeout: 100ms }")
        let slow = try TestClient(port: pollhold.port)
        try slow.start("GET", "/slow")
        #expect(asked.wait())
        let client = try TestClient(port: pollhold.port)
        let refused = try client.request("POST", "/", body: Array("body".utf8))
        #expect(refused.status == 503)
        #expect(refused["retry-after"] != nil)
        answer.open()
        #expect(try slow.response().text == "late")
        answer.open()
        #expect(try client.request("GET", "/").text == "late", "the connection goes on")
    }

    func waiting(_ pollhold: PollholdProcess, _ count: Int) throws {
        try waitUntil("\(count) requests wait") {
            let upstream = try pollhold.control("GET", "/status").json["upstream"] as? [String: Any]
            return upstream?["waiting"] as? Int == count
        }
    }

    @Test func `a client stays with its server by a cookie, and gets another when that is gone`() throws {
        let (first, second) = (try app("first"), try app("second"))
        let pollhold = try pollhold("\(servers(first, second)), sticky: { cookie: srv }")
        let client = try TestClient(port: pollhold.port)
        let start = try client.request("GET", "/")
        let cookie = try #require(start["set-cookie"])
        #expect(cookie.hasPrefix("srv=") && cookie.contains("HttpOnly") && !cookie.contains("127.0.0.1"))
        let value = String(cookie.prefix { $0 != ";" })
        for _ in 0..<5 {
            let answer = try client.request("GET", "/", fields: ["Cookie": "a=b; \(value)"])
            #expect(answer.text == start.text)
            #expect(answer["set-cookie"] == nil)
        }
        (start.text == "first" ? first : second).end()
        let moved = try client.request("GET", "/", fields: ["Cookie": value])
        #expect(moved.text != start.text)
        #expect(moved["set-cookie"] != nil)
        let strange = try client.request("GET", "/", fields: ["Cookie": "srv=\"nonsense\""])
        #expect(strange.status == 200)
    }

    @Test func `a server whose checks fail is left out until they pass`() throws {
        let healthy = HealthSwitch()
        let app = try TestApp(respond: { head, _ in
            guard head.hasPrefix("GET /up ") else { return TestApp.plain("served") }
            return healthy.isOn ? TestApp.plain("up") : "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"
        })
        let pollhold = try pollhold(
            "server: http://127.0.0.1:\(app.port), health: { path: /up, interval: 20ms, rise: 2, fall: 2 }")
        let client = try TestClient(port: pollhold.port)
        #expect(try client.request("GET", "/").text == "served")
        healthy.isOn = false
        #expect(pollhold.errors.wait { $0.contains("its checks fail") })
        let refused = try client.request("GET", "/")
        #expect(refused.status == 503)
        #expect(refused["retry-after"] != nil)
        healthy.isOn = true
        #expect(pollhold.errors.wait { $0.contains("its checks pass") })
        #expect(try client.request("GET", "/").text == "served")
        #expect(app.requests.contains { $0.contains("Host: 127.0.0.1:\(app.port)\r\n") && $0.contains("/up") })
    }

    @Test func `a name is resolved without the start waiting for it, and again when its time is up`() throws {
        let names = try NameServer(address: nil)
        let app = try app("here")
        let pollhold = try pollhold(
            "server: http://app.test:\(app.port), nameservers: 127.0.0.1:\(names.port), failures: { count: 1 }")
        let client = try TestClient(port: pollhold.port)
        #expect(try client.request("GET", "/").status == 503, "nobody knows the name yet")
        #expect(pollhold.errors.wait { $0.contains("can't resolve") })
        names.say([127, 0, 0, 1])
        try waitUntil("the name is known", seconds: 30) { try client.request("GET", "/").text == "here" }
        // It moves to where nobody listens: connections to the old place take no further request.
        names.say([127, 0, 0, 77])
        try waitUntil("it has moved", seconds: 30) { try client.request("GET", "/").status == 502 }
        let before = names.count
        names.say(nil)
        try waitUntil("it was asked for again", seconds: 30) { names.count > before + 3 }
        #expect(try client.request("GET", "/").status == 502, "a failed look-up keeps the last address")
    }

    @Test func `a long upload is no late answer, and a route may wait longer than the others`() throws {
        let mayAnswer = Barrier()
        let app = try TestApp(handler: { connection, app in
            while let head = connection.readHead() {
                app.note(head)
                if head.hasPrefix("GET") {
                    mayAnswer.wait(seconds: 60)
                    connection.send(TestApp.plain("late"))
                } else {
                    connection.send(TestApp.plain("\(connection.readBody(of: head).count)"))
                }
            }
        })
        let pollhold = try pollhold(
            "server: http://127.0.0.1:\(app.port), response_timeout: 4s",
            "routes: [{ path: /report, proxy: { response_timeout: 60s } }]\n")
        let (upload, report) = (try TestClient(port: pollhold.port), try TestClient(port: pollhold.port))
        try upload.send("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nhello")
        try report.start("GET", "/report")
        try waitUntil("the app has both") { app.requests.count == 2 }
        // The time of one that comes behind them is up, so theirs would be too.
        #expect(try TestClient(port: pollhold.port).request("GET", "/other").status == 504)
        try upload.send("world")
        #expect(try upload.response().text == "10")
        for _ in 0..<2 { mayAnswer.open() }
        #expect(try report.response().text == "late")
    }

    @Test func `a POST never meets a kept connection that has died meanwhile`() throws {
        let close = Barrier()
        let closed = Barrier()
        let app = try TestApp(handler: { connection, app in
            guard let head = connection.readHead() else { return }
            app.note(head)
            connection.send(TestApp.plain("\(connection.readBody(of: head).count)"))
            guard head.hasPrefix("GET") else { return }
            close.wait()
            connection.end()
            closed.open()
        })
        let pollhold = try pollhold("server: http://127.0.0.1:\(app.port)")
        let client = try TestClient(port: pollhold.port)
        #expect(try client.request("GET", "/").status == 200)
        // Both events wait for the program when it goes on, in whatever order it takes them.
        pollhold.signal(SIGSTOP)
        close.open()
        #expect(closed.wait())
        try client.start("POST", "/", body: Array("once".utf8))
        pollhold.signal(SIGCONT)
        #expect(try client.response().text == "4")
        #expect(app.requests.count { $0.hasPrefix("POST") } == 1)
    }

    @Test func `a reload moves new requests to other servers while those under way finish`() throws {
        let asked = Barrier()
        let answer = Barrier()
        let old = try TestApp(respond: { _, _ in
            asked.open()
            answer.wait()
            return TestApp.plain("old")
        })
        let new = try app("new")
        let pollhold = try pollhold("server: http://127.0.0.1:\(old.port)")
        let slow = try TestClient(port: pollhold.port)
        try slow.start("GET", "/")
        #expect(asked.wait())
        try pollhold.write("listen: 127.0.0.1:0\nworkers: 1\nupstream: http://127.0.0.1:\(new.port)\n")
        pollhold.signal(SIGHUP)
        #expect(pollhold.errors.wait { $0.contains("configuration reloaded") })
        let client = try TestClient(port: pollhold.port)
        #expect(try client.request("GET", "/").text == "new")
        answer.open()
        #expect(try slow.response().text == "old")
        #expect(try slow.request("GET", "/").text == "new")
    }
}

/// What the test's app says of itself.
private final class HealthSwitch: @unchecked Sendable {
    private let lock = NSLock()
    private var value = true
    var isOn: Bool {
        get { lock.withLock { value } }
        set { lock.withLock { value = newValue } }
    }
}
