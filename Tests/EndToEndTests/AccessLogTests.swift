import Foundation
import Testing

/// What the log says of requests that end in every way there is, by the real program.
struct AccessLogTests {
    /// - Parameter upstream: further keys of `upstream`, each with a comma before it.
    func pollhold(
        _ app: TestApp, _ more: String = "", upstream: String = "", format: String = "json",
        listen: String = "127.0.0.1:0"
    ) throws -> PollholdProcess {
        try PollholdProcess(
            """
            listen: \(listen)
            upstream: { server: http://127.0.0.1:\(app.port)\(upstream) }
            control: { socket: SOCKET }
            workers: 1
            log: { access: DIRECTORY/access.log, access_format: \(format) }
            routes:
              - path: /poll
                hold: { channels: a, timeout: 100ms }
            \(more)
            """)
    }

    func lines(_ pollhold: PollholdProcess, _ count: Int) throws -> [String] {
        var found: [String] = []
        try waitUntil("\(count) lines in the log") {
            let path = pollhold.directory.path + "/access.log"
            let bytes = FileManager.default.contents(atPath: path) ?? Data()
            found = bytes.split(separator: 0x0A).map { String(decoding: $0, as: UTF8.self) }
            return found.count >= count && bytes.last == 0x0A
        }
        #expect(found.count == count)
        return found
    }

    func object(_ line: String) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any], "\(line)")
    }

    /// One request against an app that does something, and what is logged of it.
    func logged(
        _ more: String = "", upstream: String = "", app handler: @escaping @Sendable (TestApp.Connection) -> Void,
        client: (TestClient) throws -> Void
    ) throws -> [String: Any] {
        let app = try TestApp(handler: { connection, _ in handler(connection) })
        let pollhold = try pollhold(app, more, upstream: upstream)
        let connection = try TestClient(port: pollhold.port)
        try client(connection)
        connection.closeNow()
        return try object(try lines(pollhold, 1)[0])
    }

    static let get = "GET / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"

    @Test func `a request that went well`() throws {
        let told = try logged(
            app: { connection in
                guard let head = connection.readHead() else { return }
                _ = connection.readBody(of: head)
                poll(nil, 0, 30)
                connection.send(TestApp.plain("hello"))
            },
            client: { client in
                _ = try client.request(
                    "POST", "/x?y", body: Array("body".utf8), fields: ["User-Agent": "u", "Referer": "r"])
            })
        #expect(told["client"] as? String == "127.0.0.1")
        #expect(told["method"] as? String == "POST")
        #expect(told["target"] as? String == "/x?y")
        #expect(told["protocol"] as? String == "HTTP/1.1")
        #expect(told["status"] as? Int == 200)
        #expect(told["bytes"] as? Int == 5)
        #expect(told["bytes_in"] as? Int == 4)
        #expect(told["user_agent"] as? String == "u")
        #expect(told["referer"] as? String == "r")
        #expect((told["request_id"] as? String)?.count == 32)
        #expect((told["server"] as? String)?.hasPrefix("http://127.0.0.1:") == true || told["server"] is String)
        #expect(told["attempts"] as? Int == 1)
        #expect(told["end"] as? String == "complete")
        #expect((told["first_byte_ms"] as? Int ?? 0) >= 25)
        #expect((told["total_ms"] as? Int ?? 0) >= told["first_byte_ms"] as? Int ?? 0)
        #expect(told["queued_ms"] as? Int != nil && told["connect_ms"] as? Int != nil && told["received_ms"] != nil)
        #expect(told["held_ms"] == nil)
    }

    @Test func `an app that breaks off, is silent, talks nonsense or is not there`() throws {
        // Only the clock that is to run out is short.
        let ends: [(String, String, @Sendable (TestApp.Connection) -> Void, Int, Int)] = [
            ("disconnected", "", { _ = $0.readHead() }, 502, 502),
            ("response_timeout", ", response_timeout: 300ms", { _ = $0.readToEnd() }, 504, 504),
            (
                "malformed_response", "",
                {
                    _ = $0.readHead()
                    $0.send("SSH-2.0\r\n\r\n")
                }, 502, 502
            ),
            (
                "cut_disconnected", "",
                {
                    _ = $0.readHead()
                    $0.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
                }, 200, 3
            ),
            (
                "cut_response_timeout", ", idle_timeout: 300ms",
                {
                    _ = $0.readHead()
                    $0.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabcd")
                    _ = $0.readToEnd()
                }, 200, 4
            ),
        ]
        for (end, upstream, app, status, bytes) in ends {
            let told = try logged(upstream: upstream, app: app) { client in
                try client.send(Self.get)
                _ = client.readToEnd()
            }
            #expect(told["end"] as? String == end)
            #expect(told["status"] as? Int == status, "\(end)")
            if status == 200 { #expect(told["bytes"] as? Int == bytes, "\(end)") }
            #expect(told["server"] != nil)
        }
        let app = try TestApp(respond: { _, _ in "" })
        let pollhold = try pollhold(app)
        app.end()
        #expect(try TestClient(port: pollhold.port).request("GET", "/").status == 502)
        #expect(try object(try lines(pollhold, 1)[0])["end"] as? String == "unreachable")
    }

    @Test func `a client that leaves, before and inside its response`() throws {
        let asked = Barrier()
        let before = try logged(
            app: { connection in
                _ = connection.readHead()
                asked.open()
                _ = connection.readToEnd()
            },
            client: { client in
                try client.send(Self.get)
                #expect(asked.wait())
            })
        #expect(before["status"] as? Int == 499)
        #expect(before["end"] as? String == "client_gone")
        #expect(before["bytes"] as? Int == 0)
        let inside = try logged(
            app: { connection in
                _ = connection.readHead()
                connection.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
                _ = connection.readToEnd()
            },
            client: { client in
                try client.send(Self.get)
                #expect(try client.responseHead().status == 200)
                #expect(try client.read(count: 3).count == 3)
            })
        #expect(inside["status"] as? Int == 200)
        #expect(inside["end"] as? String == "client_gone")
        #expect(inside["bytes"] as? Int == 3)
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\r\n\r\n", 400, "refused"), ("nonsense\u{7}\r\n\r\n", 400, "refused"),
        ("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 501, "refused"),
        ("GET /\(String(repeating: "a", count: 20_000)) HTTP/1.1\r\n", 414, "refused"),
        ("GET / HTTP/1.1\r\nX", 408, "client_timeout"),
    ]) func `a request that could not be read is told of, and nothing of it is`(text: String, status: Int, end: String)
        throws
    {
        let isLate = status == 408
        let app = try TestApp(handler: { _, _ in })
        let pollhold = try pollhold(app, isLate ? "timeouts: { head: 300ms }" : "")
        var answer: TestResponse?
        try waitUntil("it is answered") {
            // Who has said nothing in the head's time is closed without an answer and without a line: then it is said
            // once more.
            let client = try TestClient(port: pollhold.port)
            do {
                try client.send(text)
                answer = try client.response()
            } catch {
                guard isLate else { throw error }
            }
            return answer != nil
        }
        #expect(answer?.status == status)
        let told = try object(try lines(pollhold, 1)[0])
        #expect(told["status"] as? Int == status)
        #expect(told["end"] as? String == end)
        #expect(told["method"] is NSNull && told["target"] is NSNull)
        #expect(told["client"] as? String == "127.0.0.1")
        if isLate { #expect((told["received_ms"] as? Int ?? 0) >= 250) }
    }

    @Test func `a body that is refused or too slow`() throws {
        let app: @Sendable (TestApp.Connection) -> Void = { connection in
            _ = connection.readHead()
            _ = connection.readToEnd()
        }
        let long = try logged("limits: { request_body: 10B }", app: app) { client in
            try client.send("POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n")
            try client.send("6\r\nabcdef\r\n")
            #expect(try client.response().status == 413)
        }
        #expect(long["end"] as? String == "refused")
        #expect(long["status"] as? Int == 413)
        #expect(long["bytes_in"] as? Int == 12)
        #expect(long["server"] != nil)
        let slow = try logged("timeouts: { body: 100ms }", app: app) { client in
            try client.send("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\nabc")
            #expect(try client.response().status == 408)
        }
        #expect(slow["end"] as? String == "client_timeout")
        #expect(slow["bytes_in"] as? Int == 3)
    }

    @Test func `a client that does not read`() throws {
        let told = try logged(
            "timeouts: { write: 200ms }",
            app: { connection in
                _ = connection.readHead()
                connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(64 << 20)\r\n\r\n")
                connection.send([UInt8](repeating: 0x61, count: 64 << 20))
            }
        ) { client in
            try client.send(Self.get)
            // Until the process has closed the connection; the client itself reads nothing of the response.
            try waitUntil("it is cut") { client.sendSome(Array("GET".utf8)) == 0 }
        }
        #expect(told["end"] as? String == "client_timeout")
        #expect(told["status"] as? Int == 200)
    }

    @Test func `polls, refused ones and answers of our own`() throws {
        let app = try TestApp(respond: { _, _ in TestApp.plain("") })
        let pollhold = try pollhold(app, "limits: { polls_per_channel: 1, connections_per_client: 2 }")
        let client = try TestClient(port: pollhold.port)
        #expect(try client.request("GET", "/poll").status == 200)
        #expect(try client.request("POST", "/poll").status == 405)
        let other = try TestClient(port: pollhold.port)
        #expect(try other.request("GET", "/").status == 200)
        #expect(try TestClient(port: pollhold.port).response().status == 429)
        let told = try lines(pollhold, 4).map(object)
        #expect(told[0]["released"] as? String == "timeout")
        #expect((told[0]["held_ms"] as? Int ?? 0) >= 100)
        #expect(told[0]["messages"] as? Int == 0)
        #expect(told[1]["status"] as? Int == 405)
        #expect(told[1]["end"] as? String == "complete")
        #expect(told[1]["server"] == nil)
        #expect(told[3]["status"] as? Int == 429)
        #expect(told[3]["end"] as? String == "refused")
    }

    @Test func `a tunnel, with what went through it, and a shutdown that cuts it`() throws {
        let app = try TestApp(handler: { connection, _ in
            guard let head = connection.readHead() else { return }
            connection.send(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nhello")
            _ = connection.read(count: 3)
            if head.contains("/stays") { _ = connection.readToEnd() }
        })
        let pollhold = try pollhold(app)
        let upgrade = "HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        let client = try TestClient(port: pollhold.port)
        try client.send("GET /ws \(upgrade)")
        #expect(try client.response().status == 101)
        try client.send("abc")
        #expect(client.readToEnd() == Array("hello".utf8))
        client.closeNow()
        let staying = try TestClient(port: pollhold.port)
        try staying.send("GET /stays \(upgrade)")
        #expect(try staying.response().status == 101)
        #expect(try staying.read(count: 5).count == 5)
        pollhold.signal(SIGTERM)
        #expect(pollhold.errors.wait { $0.contains("draining") })
        pollhold.signal(SIGTERM)
        #expect(pollhold.waitForExit() == 0)
        let told = try lines(pollhold, 2).map(object)
        #expect(told[0]["status"] as? Int == 101)
        #expect(told[0]["end"] as? String == "complete")
        #expect(told[0]["bytes"] as? Int == 5)
        #expect(told[0]["bytes_in"] as? Int == 3)
        #expect(told[1]["end"] as? String == "shutdown")
    }

    @Test func `a request is logged in the form in which it began`() throws {
        let asked = Barrier()
        let go = Barrier()
        let app = try TestApp(handler: { connection, _ in
            while connection.readHead() != nil {
                asked.open()
                go.wait()
                connection.send(TestApp.plain(""))
            }
        })
        let pollhold = try pollhold(app, format: "combined")
        let client = try TestClient(port: pollhold.port)
        try client.start("GET", "/first")
        #expect(asked.wait())
        let text = try String(contentsOfFile: pollhold.configurationPath, encoding: .utf8)
        try pollhold.write(text.replacing("combined", with: "json"))
        #expect(try pollhold.control("POST", "/reload").status == 200)
        go.open()
        #expect(try client.response().status == 200)
        go.open()
        #expect(try client.request("GET", "/second").status == 200)
        let told = try lines(pollhold, 2)
        #expect(told[0].contains("\"GET /first HTTP/1.1\" 200 0 \"-\" \"-\" request_id="))
        #expect(told[0].hasSuffix(" end=complete"))
        #expect(try object(told[1])["target"] as? String == "/second")
    }

    /// Each byte in each place that reaches a log: what is refused is told of without it, what is taken is escaped.
    @Test(arguments: ["combined", "json"]) func `no byte of anybody makes a second line or a second field`(
        format: String
    )
        throws
    {
        let app = try TestApp(respond: { _, _ in TestApp.plain("") })
        let pollhold = try pollhold(app, "trusted: 127.0.0.1", format: format)
        var sent = 0
        for byte in UInt8.min...UInt8.max {
            for place in 0..<6 {
                var parts = ["GET", "/x", "r", "u", "i", "192.0.2.1"].map { Array($0.utf8) }
                parts[place] = parts[place] + [byte] + Array("\" end=forged status=".utf8).prefix(place == 1 ? 1 : 20)
                var text = parts[0] + Array(" ".utf8) + parts[1] + Array(" HTTP/1.1\r\nHost: a\r\n".utf8)
                for (name, value) in [
                    ("Referer", parts[2]), ("User-Agent", parts[3]), ("X-Request-Id", parts[4]),
                    ("X-Forwarded-For", parts[5]),
                ] { text += Array("\(name): ".utf8) + value + Array("\r\n".utf8) }
                let client = try TestClient(port: pollhold.port)
                try client.send(text + Array("Connection: close\r\n\r\n".utf8))
                _ = try client.response()
                sent += 1
            }
        }
        let form =
            /^[0-9.]+ - - \[[^\]]+\] "(-|[^ "]+ [^ "]+ HTTP\/1\.1)" \d+ \d+ "[^"]*" "[^"]*"( [a-z_]+=[^ "]+)+$/
        for line in try lines(pollhold, sent) {
            if format == "json" {
                let told = try object(line)
                #expect(["complete", "refused"].contains(told["end"] as? String), "\(line)")
                #expect((told["request_id"] as? String)?.contains("forged") != true)
            } else {
                #expect(line.wholeMatch(of: form) != nil, "\(line)")
                #expect(line.hasSuffix(" end=complete") || line.hasSuffix(" end=refused"), "\(line)")
                #expect(line.split(separator: "\"").last?.contains("forged") == false, "\(line)")
            }
        }
    }
}
