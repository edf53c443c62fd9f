import Foundation
import Testing

/// Each limit at its edge: what is just within passes, what is just beyond gets the answer that was designed for it.
struct LimitTests {
    func app() throws -> TestApp {
        try TestApp(respond: { _, body in TestApp.plain("\(body.count)") })
    }

    func pollhold(_ app: TestApp, _ more: String) throws -> PollholdProcess {
        try PollholdProcess(
            """
            listen: [127.0.0.1:0, unix:DIRECTORY/in.sock]
            upstream: http://127.0.0.1:\(app.port)
            control: { socket: SOCKET }
            workers: 2
            \(more)
            """)
    }

    static let polls = """
        routes:
          - path: /poll
            hold: { channels: "{query.channel}", allow: ["**"], cors: { origins: ["https://a.example"] } }

        """

    func isClosed(_ client: TestClient) -> Bool { client.readToEnd() == [] }

    // MARK: Heads

    @Test func `request line, field, head and field count are bounded`() throws {
        let app = try app()
        let pollhold = try pollhold(
            app, "limits: { request_line: 8000B, field: 300B, head: 9000B, header_lines: 12 }\n")
        func head(line: Int = 0, field: Int = 0, fields: Int = 0) -> String {
            let line = "GET /" + String(repeating: "a", count: max(0, line - 14)) + " HTTP/1.1\r\n"
            let wide = field > 0 ? "X: " + String(repeating: "b", count: field - 3) + "\r\n" : ""
            return line + "Host: t\r\n" + wide + (0..<fields).map { "X\($0): c\r\n" }.joined() + "\r\n"
        }
        for (text, status) in [
            (head(line: 8000), 200), (head(line: 8001), 414), (head(field: 300), 200), (head(field: 301), 431),
            (head(fields: 11), 200), (head(fields: 12), 431),
            (head(line: 7000, fields: 0).replacing("\r\n\r\n", with: "\r\n") + wide(9000 - 7000 - 13) + "\r\n", 200),
            (head(line: 7000, fields: 0).replacing("\r\n\r\n", with: "\r\n") + wide(9001 - 7000 - 13) + "\r\n", 431),
        ] {
            let client = try TestClient(port: pollhold.port)
            try client.send(text)
            let answer = try client.response()
            #expect(answer.status == status, "\(text.utf8.count) bytes, \(text.prefix(30))")
            #expect((answer["connection"] == "close") == (status != 200))
            if status != 200 { #expect(isClosed(client)) }
        }
    }

    /// Field lines of that many bytes with their ends, each well below the bound of one.
    private func wide(_ count: Int) -> String {
        var left = count
        var text = ""
        while left > 0 {
            let size = left > 500 ? 250 : left > 250 ? left / 2 : left
            text += "X: " + String(repeating: "b", count: size - 5) + "\r\n"
            left -= size
        }
        return text
    }

    @Test(arguments: [
        ("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 501), ("GET / HTTP/2.0\r\nHost: t\r\n\r\n", 505),
        ("GET / HTTP/1.2\r\nHost: t\r\n\r\n", 505), ("GET / HTTP/0.9\r\n\r\n", 505), ("GET /\r\n\r\n", 400),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505), ("GE(T / HTTP/1.1\r\nHost: t\r\n\r\n", 400),
        // What does not end in chunked has no end (RFC 9112 §6.3), whatever the coding.
        ("POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        ("POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: identity\r\n\r\n", 400),
        ("POST / HTTP/1.0\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: t\r\nExpect: 200-ok\r\nContent-Length: 1\r\n\r\nx", 417),
        ("BREW / HTTP/1.1\r\nHost: t\r\n\r\n", 200), ("get / HTTP/1.1\r\nHost: t\r\n\r\n", 200),
        ("TRACE / HTTP/1.1\r\nHost: t\r\n\r\n", 200), ("OPTIONS * HTTP/1.1\r\nHost: t\r\n\r\n", 200),
        ("GET / HTTP/1.0\r\n\r\n", 200),
    ]) func `methods, versions and codings`(text: String, status: Int) throws {
        let app = try app()
        let pollhold = try pollhold(app, "")
        let client = try TestClient(port: pollhold.port)
        try client.send(text)
        let answer = try client.response()
        #expect(answer.status == status)
        #expect(app.requests.count == (status == 200 ? 1 : 0))
        if status != 200 {
            #expect(answer["connection"] == "close")
            #expect(isClosed(client))
        }
    }

    // MARK: Bodies

    @Test func `a body is bounded, by a route or for all, whether it says its length or grows`() throws {
        let app = try app()
        let pollhold = try pollhold(
            app,
            """
            limits: { request_body: 100B }
            routes:
              - { path: /large, proxy: { request_body: 200B } }
              - { path: /any, proxy: { request_body: none } }

            """)
        for (path, size, isAllowed) in [
            ("/", 100, true), ("/", 101, false), ("/large", 200, true), ("/large", 201, false), ("/any", 5000, true),
        ] {
            let body = [UInt8](repeating: 0x61, count: size)
            let whole = try TestClient(port: pollhold.port)
            if isAllowed {
                #expect(try whole.request("POST", path, body: body).text == "\(size)")
            } else {
                // Only the head: it is refused before a byte of the body has come.
                try whole.send("POST \(path) HTTP/1.1\r\nHost: t\r\nContent-Length: \(size)\r\n\r\n")
                #expect(try whole.response().status == 413)
                #expect(isClosed(whole))
            }
            let growing = try TestClient(port: pollhold.port)
            try growing.send("POST \(path) HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n")
            for start in stride(from: 0, to: size, by: 50) {
                let count = min(50, size - start)
                try growing.send("\(String(count, radix: 16))\r\n\(String(repeating: "a", count: count))\r\n")
            }
            if isAllowed {
                try growing.send("0\r\n\r\n")
                #expect(try growing.response().text == "\(size)")
            } else {
                #expect(try growing.response().status == 413)
                #expect(isClosed(growing))
            }
        }
    }

    // MARK: Requests of a connection

    @Test func `the last request of a connection is told so, proxied, polled or refused`() throws {
        let app = try app()
        let pollhold = try pollhold(app, "limits: { requests: 3 }\n\(Self.polls)")
        for last in ["/", "/poll?channel=a", "/poll"] {
            let client = try TestClient(port: pollhold.port)
            try pollhold.publish("a", "1")
            for _ in 0..<2 { #expect(try client.request("GET", "/")["connection"] == nil) }
            // A further one is in the pipe already; nobody reads it.
            try client.send("GET \(last) HTTP/1.1\r\nHost: t\r\n\r\nGET /more HTTP/1.1\r\nHost: t\r\n\r\n")
            let answer = try client.response()
            #expect(answer.status == (last == "/poll" ? 400 : 200))
            #expect(answer["connection"] == "close", "\(last)")
            #expect(isClosed(client), "\(last)")
        }
        #expect(!app.requests.contains { $0.hasPrefix("GET /more") })
    }

    // MARK: Clients

    @Test func `a client address has so many connections, and gets one more when one ends`() throws {
        let app = try app()
        let pollhold = try pollhold(app, "limits: { connections_per_client: 3 }\n")
        var clients = try (0..<3).map { _ in try TestClient(port: pollhold.port, from: 7) }
        for client in clients { #expect(try client.request("GET", "/").status == 200) }
        let refused = try TestClient(port: pollhold.port, from: 7)
        let answer = try refused.response()
        #expect(answer.status == 429)
        #expect(answer["connection"] == "close")
        #expect(answer["retry-after"] == "5")
        #expect(isClosed(refused))
        // Others are not concerned, nor is who has a connection.
        #expect(try TestClient(port: pollhold.port, from: 8).request("GET", "/").status == 200)
        for client in clients { #expect(try client.request("GET", "/").status == 200) }
        #expect(
            pollhold.errors.wait { $0.contains("limits.connections_per_client") && $0.contains("client=127.0.0.7") })
        try waitUntil("it is counted") {
            try pollhold.control("GET", "/status").json["refused_connections"] as? Int == 1
        }
        clients.removeLast()
        try waitUntil("there is room again") {
            let client = try TestClient(port: pollhold.port, from: 7)
            return try client.request("GET", "/").status == 200
        }
    }

    @Test func `behind a PROXY header the named client is counted, and a trusted peer never is`() throws {
        let app = try app()
        let pollhold = try PollholdProcess(
            """
            listen: { address: 127.0.0.1:0, proxy_protocol: true }
            upstream: http://127.0.0.1:\(app.port)
            trusted: [203.0.113.0/24]
            limits: { connections_per_client: 1 }
            """)
        func connect(_ source: String) throws -> TestClient {
            let client = try TestClient(port: pollhold.port)
            try client.send("PROXY TCP4 \(source) 127.0.0.1 1 2\r\nGET / HTTP/1.1\r\nHost: t\r\n\r\n")
            return client
        }
        let first = try connect("192.0.2.1")
        #expect(try first.response().status == 200)
        #expect(try connect("192.0.2.1").response().status == 429)
        #expect(try connect("192.0.2.2").response().status == 200)
        let front = try (0..<4).map { _ in try connect("203.0.113.1") }
        for client in front { #expect(try client.response().status == 200) }
    }

    /// A poll that a trusted proxy asks for on behalf of a client.
    func poll(_ pollhold: PollholdProcess, for client: String, _ channel: String = "a", cookie: String = "") throws
        -> TestClient
    {
        let connection = try TestClient(port: pollhold.port)
        var fields = ["X-Forwarded-For": client, "Origin": "https://a.example"]
        if !cookie.isEmpty { fields["Cookie"] = cookie }
        try connection.start("GET", "/poll?channel=\(channel)&after=now", fields: fields)
        return connection
    }

    func expectRefusal(_ client: TestClient) throws {
        let answer = try client.response()
        #expect(answer.status == 429)
        #expect(answer["retry-after"] == "5")
        #expect(answer["content-type"] == "application/json")
        #expect((answer.json["error"] as? String)?.isEmpty == false)
        #expect(answer["access-control-allow-origin"] == "https://a.example", "a page of another origin may read why")
        #expect(answer["connection"] == nil)
    }

    @Test func `a client holds 20 polls, over all workers, and another is not concerned`() throws {
        let app = try app()
        let pollhold = try pollhold(app, "trusted: 127.0.0.1\n\(Self.polls)")
        let held = try (0..<20).map { _ in try poll(pollhold, for: "192.0.2.1") }
        try pollhold.waitForWaiting("a") { $0 == 20 }
        let refused = try poll(pollhold, for: "192.0.2.1")
        try expectRefusal(refused)
        let other = try poll(pollhold, for: "192.0.2.2")
        try pollhold.waitForWaiting("a") { $0 == 21 }
        // Answers and clients that leave make room, exactly as much.
        held[0].closeNow()
        held[1].reset()
        try pollhold.waitForWaiting("a") { $0 == 19 }
        let later = try (0..<2).map { _ in try poll(pollhold, for: "192.0.2.1") }
        try pollhold.waitForWaiting("a") { $0 == 21 }
        try expectRefusal(try poll(pollhold, for: "192.0.2.1"))
        try pollhold.publish("a", "1")
        for client in held.dropFirst(2) + later + [other] { #expect(try client.response().ids == ["1"]) }
        // The refused one's connection goes on.
        #expect(try refused.request("GET", "/").status == 200)
        let again = try (0..<20).map { _ in try poll(pollhold, for: "192.0.2.1") }
        try pollhold.waitForWaiting("a") { $0 == 20 }
        withExtendedLifetime(again) {}
        #expect(pollhold.errors.wait { $0.contains("limits.polls_per_client") && $0.contains("client=192.0.2.1") })
        try waitUntil("they are counted") {
            let refused = try pollhold.control("GET", "/status").json["refused_polls"] as? [String: Int]
            return refused == ["client": 2, "limit": 0]
        }
    }

    @Test func `this machine's addresses and Unix peers may stand for many, unless a number says no`() throws {
        let app = try app()
        for limits in ["", "limits: { polls_per_client: 21 }\n"] {
            let pollhold = try pollhold(app, limits + Self.polls)
            let held = try (0..<22).map { _ in
                let client = try TestClient(port: pollhold.port)
                try client.start("GET", "/poll?channel=a&after=now")
                return client
            }
            try pollhold.waitForWaiting("a") { $0 == (limits.isEmpty ? 22 : 21) }
            let local = try (0..<22).map { _ in
                let client = try TestClient(unix: pollhold.directory.path + "/in.sock")
                try client.start("GET", "/poll?channel=b&after=now")
                return client
            }
            try pollhold.waitForWaiting("b") { $0 == (limits.isEmpty ? 22 : 21) }
            withExtendedLifetime((held, local)) {}
        }
    }

    @Test func `clients may be told apart by a cookie`() throws {
        let app = try app()
        let pollhold = try pollhold(
            app, "trusted: 127.0.0.1\nlimits: { polls_per_client: 1, client: \"{cookie.sid}\" }\n\(Self.polls)")
        let held = try [
            poll(pollhold, for: "192.0.2.1", cookie: "sid=a"), poll(pollhold, for: "192.0.2.1", cookie: "sid=b"),
            poll(pollhold, for: "192.0.2.1"),
        ]
        try pollhold.waitForWaiting("a") { $0 == 3 }
        try expectRefusal(try poll(pollhold, for: "192.0.2.9", cookie: "sid=a"))
        try expectRefusal(try poll(pollhold, for: "192.0.2.1"))
        withExtendedLifetime(held) {}
    }

    @Test func `a channel holds so many polls, and answers those for whom there is something`() throws {
        let app = try app()
        let pollhold = try pollhold(app, "trusted: 127.0.0.1\nlimits: { polls_per_channel: 2 }\n\(Self.polls)")
        let held = try [poll(pollhold, for: "192.0.2.1"), poll(pollhold, for: "192.0.2.2", "a&channel=b")]
        try pollhold.waitForWaiting("a") { $0 == 2 }
        try expectRefusal(try poll(pollhold, for: "192.0.2.3"))
        try expectRefusal(try poll(pollhold, for: "192.0.2.3", "b&channel=a"))
        let other = try poll(pollhold, for: "192.0.2.3", "b")
        try pollhold.waitForWaiting("b") { $0 == 2 }
        try pollhold.publish("c", "1")
        let found = try TestClient(port: pollhold.port).request("GET", "/poll?channel=a&channel=c")
        #expect(found.ids == ["1"])
        held[0].closeNow()
        try pollhold.waitForWaiting("a") { $0 == 1 }
        let next = try poll(pollhold, for: "192.0.2.3")
        try pollhold.waitForWaiting("a") { $0 == 2 }
        withExtendedLifetime((held, other, next)) {}
        try waitUntil("they are counted") {
            (try pollhold.control("GET", "/status").json["released"] as? [String: Int])?["full"] == 2
        }
    }

    @Test func `a client's polls of the app that are too many are the app's again`() throws {
        let app = try TestApp(respond: { _, _ in TestApp.plain("[]") })
        let pollhold = try pollhold(
            app,
            """
            trusted: 127.0.0.1
            limits: { polls_per_client: 1 }
            routes:
              - { path: /updates, recheck: { channels: a, nothing_new: { body: "[]" }, timeout: 60s } }

            """)
        func poll(for client: String) throws -> TestClient {
            let connection = try TestClient(port: pollhold.port)
            try connection.start("GET", "/updates", fields: ["X-Forwarded-For": client])
            return connection
        }
        let held = try poll(for: "192.0.2.1")
        try pollhold.waitForWaiting("a") { $0 == 1 }
        #expect(try poll(for: "192.0.2.1").response().text == "[]")
        let other = try poll(for: "192.0.2.2")
        try pollhold.waitForWaiting("a") { $0 == 2 }
        #expect(!other.hasInput)
        held.closeNow()
        try pollhold.waitForWaiting("a") { $0 == 1 }
        // Its place is free when its end has been noticed; until then a poll is the app's.
        var next = try poll(for: "192.0.2.1")
        try waitUntil("the next one is held") {
            if next.hasInput { next = try poll(for: "192.0.2.1") }
            return try pollhold.control("GET", "/channels/a").json["waiting"] as? Int == 2
        }
        withExtendedLifetime((other, next)) {}
    }

    @Test func `a limit may come and go with a reload`() throws {
        let app = try app()
        let pollhold = try pollhold(app, "trusted: 127.0.0.1\n\(Self.polls)")
        let text = try String(contentsOfFile: pollhold.configurationPath, encoding: .utf8)
        let held = try (0..<2).map { _ in try poll(pollhold, for: "192.0.2.1") }
        try pollhold.waitForWaiting("a") { $0 == 2 }
        try pollhold.write(text + "\nlimits: { polls_per_client: 2 }\n")
        #expect(try pollhold.control("POST", "/reload").status == 200)
        // HEAD is counted like any poll and never held.
        func probe() throws -> Int {
            try TestClient(port: pollhold.port).request(
                "HEAD", "/poll?channel=a", fields: ["X-Forwarded-For": "192.0.2.1"]
            ).status
        }
        try waitUntil("the new limit holds") { try probe() == 429 }
        try pollhold.write(text + "\nlimits: { polls_per_client: none }\n")
        #expect(try pollhold.control("POST", "/reload").status == 200)
        try waitUntil("it has gone") { try probe() == 200 }
        try pollhold.publish("a", "1")
        for client in held { #expect(try client.response().ids == ["1"]) }
    }
}
