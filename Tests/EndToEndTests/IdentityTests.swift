import Foundation
import Testing

/// Who asks, as the app, the log and the limits see it, with the real program.
struct IdentityTests {
    func pollhold(_ app: TestApp, listen: String = "127.0.0.1:0", _ more: String = "") throws -> PollholdProcess {
        try PollholdProcess(
            """
            listen: \(listen)
            upstream: http://127.0.0.1:\(app.port)
            control: { socket: SOCKET }
            log: { access: DIRECTORY/access.log }
            routes:
              - path: /poll
                hold: { channels: "of.{client.address}", timeout: 100ms, format: array }
            \(more)
            """)
    }

    func app() throws -> TestApp {
        try TestApp(respond: { _, _ in TestApp.plain("ok", fields: "X-Request-Id: app\r\n") })
    }

    /// What the app was told in fields whose names begin like this.
    func fields(_ head: String, _ prefix: String) -> [String] {
        head.components(separatedBy: "\r\n").filter { $0.lowercased().hasPrefix(prefix) }
    }

    func accessLog(_ pollhold: PollholdProcess, lines: Int) throws -> [String] {
        var found: [String] = []
        try waitUntil("\(lines) lines in the access log") {
            let path = pollhold.directory.path + "/access.log"
            let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
            found = text.split(separator: "\n").map(String.init)
            return found.count >= lines && text.last == "\n"
        }
        return found
    }

    @Test func `a trusted peer's word reaches app, log and templates, another's does not`() throws {
        let app = try app()
        for (trusted, client) in [("trusted: 127.0.0.1", "203.0.113.9"), ("trusted: 10.0.0.0/8", "127.0.0.1")] {
            let pollhold = try pollhold(app, trusted)
            let client1 = try TestClient(port: pollhold.port)
            let said = [
                "X-Forwarded-For": "6.6.6.6, 203.0.113.9", "X-Forwarded-Proto": "https", "X-Request-Id": "front-1",
            ]
            _ = try client1.request("GET", "/", fields: said)
            let head = try #require(app.requests.last)
            let isTrusted = client != "127.0.0.1"
            #expect(
                fields(head, "x-forwarded-for")
                    == ["X-Forwarded-For: " + (isTrusted ? "6.6.6.6, 203.0.113.9, 127.0.0.1" : "127.0.0.1")])
            #expect(fields(head, "x-forwarded-proto") == ["X-Forwarded-Proto: " + (isTrusted ? "https" : "http")])
            let id = try #require(fields(head, "x-request-id").first?.dropFirst(14))
            #expect((id == "front-1") == isTrusted)
            try pollhold.publish("of.\(client)", "1")
            #expect(try client1.request("GET", "/poll", fields: said).text == "[1]")
            let lines = try accessLog(pollhold, lines: 2)
            #expect(lines.allSatisfy { $0.hasPrefix("\(client) - - [") })
            #expect(lines[0].contains(" request_id=\(id) "))
        }
    }

    @Test func `the client sees its request's id if the configuration says so, on answers of ours too`() throws {
        let app = try app()
        let hidden = try pollhold(app)
        let shown = try pollhold(app, "request_id: client")
        #expect(try TestClient(port: hidden.port).request("GET", "/").all("x-request-id") == ["app"])
        let client = try TestClient(port: shown.port)
        let answer = try client.request("GET", "/")
        #expect(answer.all("x-request-id").count == 1)
        let told = try #require(app.requests.last.map { fields($0, "x-request-id") })
        #expect(told == ["X-Request-Id: \(answer["x-request-id"] ?? "")"])
        let refused = try client.request("POST", "/poll", body: [])
        #expect(refused.status == 405)
        #expect(refused["x-request-id"]?.count == 32)
        app.end()
        let unreached = try TestClient(port: shown.port)
        _ = try unreached.request("GET", "/a")
        let failed = try unreached.request("GET", "/b")
        if failed.status == 502 { #expect(failed["x-request-id"]?.count == 32) }
    }

    // MARK: The PROXY protocol

    /// Version 2, PROXY, TCP over IPv4, from 203.0.113.9:4711 to 127.0.0.1:80.
    static let block: [UInt8] =
        [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A, 0x21, 0x11, 0, 12]
        + [203, 0, 113, 9, 127, 0, 0, 1, 0x12, 0x67, 0, 80]
    static let marked = "{ address: 127.0.0.1:0, proxy_protocol: true }"

    @Test(arguments: [
        ("PROXY TCP4 203.0.113.9 127.0.0.1 4711 80\r\n".utf8.map { $0 }, "203.0.113.9"), (block, "203.0.113.9"),
        ("PROXY TCP6 2001:db8::9 ::1 4711 80\r\n".utf8.map { $0 }, "2001:db8::9"),
        ("PROXY UNKNOWN\r\n".utf8.map { $0 }, "127.0.0.1"),
    ]) func `a marked listener believes the PROXY header, however it is cut`(header: [UInt8], client: String) throws {
        let app = try app()
        let pollhold = try pollhold(app, listen: Self.marked)
        let request = Array("GET /1 HTTP/1.1\r\nHost: t\r\n\r\n".utf8)
        for cut in [header.count + request.count, header.count, header.count - 1, 7, 1] {
            let connection = try TestClient(port: pollhold.port)
            let bytes = header + request
            try connection.send(Array(bytes[..<cut]))
            // The rest goes only when the first part has been taken in: a second connection is served behind it.
            let second = try TestClient(port: pollhold.port)
            try second.send(header + request)
            #expect(try second.response().status == 200)
            try connection.send(Array(bytes[cut...]))
            #expect(try connection.response().status == 200)
            #expect(app.requests.last.map { fields($0, "x-forwarded-for") } == ["X-Forwarded-For: \(client)"])
            // The header is the connection's, not the request's.
            #expect(try connection.request("GET", "/2").status == 200)
            #expect(app.requests.last.map { fields($0, "x-forwarded-for") } == ["X-Forwarded-For: \(client)"])
        }
        let line = try #require(try accessLog(pollhold, lines: 1).first)
        #expect(line.hasPrefix("\(client) "))
    }

    @Test func `behind a PROXY header the named client is the peer that is trusted or not`() throws {
        let app = try app()
        let pollhold = try pollhold(app, listen: Self.marked, "trusted: 203.0.113.0/24")
        for (source, path) in [("203.0.113.9", "192.0.2.1, 203.0.113.9"), ("198.51.100.1", "198.51.100.1")] {
            let client = try TestClient(port: pollhold.port)
            try client.send("PROXY TCP4 \(source) 127.0.0.1 4711 80\r\n")
            _ = try client.request("GET", "/", fields: ["X-Forwarded-For": "192.0.2.1"])
            #expect(app.requests.last.map { fields($0, "x-forwarded-for") } == ["X-Forwarded-For: \(path)"])
        }
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\nHost: t\r\n\r\n", "PROXY TCP4 a b 1 2\r\n", "PROXY TCP4 1.1.1.1 1.1.1.1 1 2\n",
        "PROXY \(String(repeating: "a", count: 200))", "\r\n\r\n\0\r\nQUIT\n\u{31}", "\u{16}\u{3}\u{1}",
    ]) func `a connection without a valid header is closed without a word, and counted`(bytes: String) throws {
        let app = try app()
        let pollhold = try pollhold(app, listen: Self.marked)
        let client = try TestClient(port: pollhold.port)
        try client.send(bytes)
        // Bytes that were not read make the system reset the connection.
        #expect(client.readToEnd() ?? [] == [])
        #expect(pollhold.errors.wait { $0.contains("without a valid PROXY header") && $0.contains("count=1") })
        try waitUntil("it is counted") {
            try pollhold.control("GET", "/status").json["proxy_headers_refused"] as? Int == 1
        }
        #expect(app.requests.isEmpty)
    }

    @Test func `a header that does not come in time ends the connection, and so does one that never begins`() throws {
        let app = try app()
        let pollhold = try pollhold(app, listen: Self.marked, "timeouts: { head: 300ms }")
        let silent = try TestClient(port: pollhold.port)
        var slowEnd: [UInt8]?
        try waitUntil("a header does not come in time", seconds: 60) {
            // Held up on its way, it is closed before its first byte, as one that says nothing; so it tries again.
            let slow = try TestClient(port: pollhold.port)
            try? slow.send("PROXY TCP4 203.0")
            slowEnd = slow.readToEnd()
            return pollhold.errors.wait(for: { $0.contains("did not arrive in time") }, seconds: 5)
        }
        #expect(slowEnd == [])
        #expect(silent.readToEnd() == [])
        // Who says nothing at all, such as a load balancer that looks whether we are there, is not counted.
        try waitUntil("the one is counted") {
            try pollhold.control("GET", "/status").json["proxy_headers_refused"] as? Int == 1
        }
    }

    @Test func `other listeners take no header`() throws {
        let app = try app()
        let pollhold = try pollhold(app)
        let client = try TestClient(port: pollhold.port)
        try client.send("PROXY TCP4 203.0.113.9 127.0.0.1 4711 80\r\nGET / HTTP/1.1\r\nHost: t\r\n\r\n")
        #expect(try client.response().status == 400)
        #expect(app.requests.isEmpty)
    }

    @Test func `a listener behind the end of TLS says https`() throws {
        let app = try app()
        let pollhold = try pollhold(app, listen: "[{ address: 127.0.0.1:0, scheme: https }]")
        #expect(try TestClient(port: pollhold.port).request("GET", "/").status == 200)
        let head = try #require(app.requests.last)
        #expect(fields(head, "x-forwarded-p") == ["X-Forwarded-Proto: https", "X-Forwarded-Port: 443"])
    }

    @Test func `the peer of a Unix socket is believed when it is listed`() throws {
        let app = try app()
        let pollhold = try pollhold(app, listen: "[127.0.0.1:0, unix:DIRECTORY/in.sock]", "trusted: unix")
        let client = try TestClient(unix: pollhold.directory.path + "/in.sock")
        _ = try client.request("GET", "/", fields: ["X-Forwarded-For": "203.0.113.9"])
        #expect(app.requests.last.map { fields($0, "x-forwarded-for") } == ["X-Forwarded-For: 203.0.113.9"])
        #expect(try accessLog(pollhold, lines: 1)[0].hasPrefix("203.0.113.9 - - ["))
    }

    @Test func `whom to trust changes with a reload`() throws {
        let app = try app()
        let pollhold = try pollhold(app)
        let client = try TestClient(port: pollhold.port)
        _ = try client.request("GET", "/", fields: ["X-Forwarded-For": "203.0.113.9"])
        #expect(app.requests.last.map { fields($0, "x-forwarded-for") } == ["X-Forwarded-For: 127.0.0.1"])
        let text = try String(contentsOfFile: pollhold.configurationPath, encoding: .utf8)
        try pollhold.write(text + "\ntrusted: 127.0.0.0/8\n")
        #expect(try pollhold.control("POST", "/reload").status == 200)
        // The worker that serves this connection hears of it between two requests.
        try waitUntil("the peer is believed") {
            _ = try client.request("GET", "/", fields: ["X-Forwarded-For": "203.0.113.9"])
            return app.requests.last.map { fields($0, "x-forwarded-for") } == [
                "X-Forwarded-For: 203.0.113.9, 127.0.0.1"
            ]
        }
    }
}
