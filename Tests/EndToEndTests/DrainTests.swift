import Foundation
import Testing

/// The end of the process as its clients and a load balancer in front see it.
struct DrainTests {
    /// An app whose one request takes until it is told to answer.
    final class SlowApp: Sendable {
        let asked = Barrier()
        let answer = Barrier()
        let server: TestApp

        init(fields: String = "") throws {
            let (asked, answer) = (asked, answer)
            server = try TestApp(handler: { connection, _ in
                while let head = connection.readHead() {
                    if head.contains("/slow") {
                        asked.open()
                        answer.wait()
                    }
                    connection.send(TestApp.plain("finished", fields: fields))
                }
            })
        }
    }

    @Test func `a notice before the drain is for load balancers, and everything is served on meanwhile`() throws {
        let app = try SlowApp()
        let pollhold = try PollholdProcess(
            PollTests.configuration(
                more: "timeouts: { drain_notice: 600s }\n" + AdminTests.listener, upstreamPort: app.server.port))
        let poll = try PollTests().held(pollhold, "/poll?channel=news&after=now", on: "news")
        pollhold.signal(SIGTERM)
        #expect(pollhold.errors.wait { $0.contains("leaving: ") })
        let ready = try TestClient(port: AdminTests.port(of: pollhold)).request("GET", "/health/ready")
        #expect(ready.status == 503)
        #expect(try pollhold.control("GET", "/status").json["draining"] as? Bool == true)
        #expect(try TestClient(port: pollhold.port).request("GET", "/page").text == "finished")
        let later = try PollTests().held(pollhold, "/poll?channel=news&after=now", on: "news")
        try pollhold.publish("news", "1")
        for client in [poll, later] {
            let answer = try client.response()
            #expect(answer.messages.count == 1)
            #expect(answer["connection"] == nil)
        }
        // Who can't wait sends the signal once more.
        let last = try PollTests().held(pollhold, "/poll?channel=news&after=now", on: "news")
        pollhold.signal(SIGTERM)
        #expect(try last.response()["connection"] == "close")
        #expect(pollhold.waitForExit() == 0)
    }

    @Test func `the notice ends by itself`() throws {
        let pollhold = try PollholdProcess(PollTests.configuration(more: "timeouts: { drain_notice: 50ms }"))
        let poll = try PollTests().held(pollhold, "/poll?channel=news&after=now", on: "news")
        pollhold.signal(SIGTERM)
        #expect(try poll.response()["connection"] == "close")
        #expect(pollhold.waitForExit() == 0)
    }

    /// Held polls, of which a drain has answered the first, and a request that the app is still working on.
    private func drainingCrowd(
        _ count: Int, _ pollhold: PollholdProcess, _ app: SlowApp
    ) throws -> (clients: [TestClient], request: TestClient) {
        let clients = try (0..<count).map { _ in
            let client = try TestClient(port: pollhold.port)
            try client.start("GET", "/poll?channel=news&after=now")
            return client
        }
        try pollhold.waitForWaiting("news") { $0 == count }
        let request = try TestClient(port: pollhold.port)
        try request.start("GET", "/slow")
        #expect(app.asked.wait())
        pollhold.signal(SIGTERM)
        try waitUntil("the first one is answered") { clients.contains { $0.hasBytes(within: 0) } }
        return (clients, request)
    }

    @Test func `held polls are answered one after the other, and messages reach those who still wait`() throws {
        let crowd = min(1000, LoadClients.descriptorLimit / 4)
        let app = try SlowApp(fields: "Pollhold-Publish: news; data=response\r\n")
        let pollhold = try PollholdProcess(
            PollTests.configuration(
                more: "timeouts: { drain: 600s, drain_spread: 600s }",
                upstreamPort: app.server.port
            ).replacing("workers: 2", with: "workers: 1"))
        // At ten milliseconds each it takes ten seconds until the last one's turn.
        let (clients, request) = try drainingCrowd(crowd, pollhold, app)
        app.answer.open()
        #expect(try request.response().text == "finished")
        var (empty, told) = (0, 0)
        for client in clients {
            let answer = try client.response()
            #expect(answer.status == 200)
            #expect(answer["connection"] == "close")
            #expect(client.readToEnd() == [])
            if answer.messages.isEmpty { empty += 1 } else { told += 1 }
        }
        #expect(empty > 0)
        #expect(told > 0)
        #expect(pollhold.waitForExit() == 0)
    }

    @Test func `a second signal answers all that is still held`() throws {
        let app = try SlowApp()
        let pollhold = try PollholdProcess(
            PollTests.configuration(
                more: "timeouts: { drain: 600s, drain_spread: 600s }", upstreamPort: app.server.port))
        let (clients, request) = try drainingCrowd(200, pollhold, app)
        pollhold.signal(SIGTERM)
        for client in clients { #expect(try client.response().messages.isEmpty) }
        #expect(request.readToEnd() == [], "what does not finish is cut off")
        #expect(pollhold.waitForExit() == 0)
        app.answer.open()
    }

    @Test func `a question that the app does not answer ends with what it said last`() throws {
        let app = try RoomApp()
        let pollhold = try PollholdProcess(
            RecheckTests.configuration(app.port) + "\ntimeouts: { drain: 300ms }")
        let poll = try RecheckTests.held(pollhold, "/updates?room=1&since=0")
        let gate = Barrier()
        app.holdBack(by: gate)
        try pollhold.publish("room.1", "1")
        try waitUntil("it is asked") { app.server.requests.count == 2 }
        pollhold.signal(SIGTERM)
        #expect(try poll.response().text == "[]")
        #expect(pollhold.waitForExit() == 0)
        gate.open()
    }

    @Test func `a request that stands in its socket when its worker hears of the end is answered`() throws {
        let app = try TestApp(respond: { _, _ in TestApp.plain("page") })
        /// - Returns: false if the worker had been told, and had closed what was idle, before the request was sent.
        func trial() throws -> Bool {
            let pollhold = try PollholdProcess(
                PollTests.configuration(upstreamPort: app.port).replacing("workers: 2", with: "workers: 1"))
            let publisher = try TestClient(unix: pollhold.socketPath)
            let count = 10_000
            try publisher.send((0..<count).map { "{\"channel\":\"c\($0)\",\"data\":1}\n" }.joined())
            for _ in 0..<count { _ = try publisher.readLine() }
            let client = try TestClient(port: pollhold.port)
            #expect(try client.request("GET", "/page").text == "page")
            // The worker looks at every channel. When it has, the end has been asked for, and the request behind that.
            let operators = try (0..<4).map { _ in try TestClient(unix: pollhold.socketPath) }
            for client in operators { try client.start("GET", "/channels?order=waiting&limit=1") }
            pollhold.signal(SIGTERM)
            guard pollhold.errors.wait(for: { $0.contains("draining") }) else { throw TestFailure("it does not drain") }
            try pollhold.stop()
            guard !client.hasBytes(within: 0) else { return false }
            try client.start("GET", "/page")
            pollhold.signal(SIGCONT)
            #expect(try client.response().text == "page")
            return true
        }
        try waitUntil("the request comes in time") { try trial() }
    }

    @Test func `who has connected is served, who comes later finds the place free for the next process`() throws {
        let app = try SlowApp()
        let pollhold = try PollholdProcess(
            PollTests.configuration(upstreamPort: app.server.port).replacing("workers: 2", with: "workers: 1"))
        let request = try TestClient(port: pollhold.port)
        try request.start("GET", "/slow")
        #expect(app.asked.wait())
        let early = try TestClient(port: pollhold.port)
        try early.send("GET /page HTTP/1.1\r\nHost: a\r\n")
        // Behind this answer the half head has been taken in.
        #expect(try TestClient(port: pollhold.port).request("GET", "/page").text == "finished")
        pollhold.signal(SIGTERM)
        try waitUntil("nobody listens") { (try? TestClient(port: pollhold.port)) == nil }
        try early.send("\r\n")
        let answer = try early.response()
        #expect(answer.text == "finished")
        #expect(answer["connection"] == "close")
        let next = try PollholdProcess(
            PollTests.configuration(upstreamPort: app.server.port)
                .replacing("127.0.0.1:0", with: "127.0.0.1:\(pollhold.port)"))
        #expect(try TestClient(port: next.port).request("GET", "/page").text == "finished")
        app.answer.open()
        #expect(try request.response().text == "finished")
        #expect(pollhold.waitForExit() == 0)
        #expect(try next.control("GET", "/status").status == 200)
    }
}
