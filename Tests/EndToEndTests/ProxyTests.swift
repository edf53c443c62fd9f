import Foundation
import Testing

/// What is no poll goes to the app and back, byte for byte.
struct ProxyTests {
    func pollhold(_ app: TestApp, _ more: String = "") throws -> PollholdProcess {
        try PollholdProcess("listen: 127.0.0.1:0\nupstream: http://127.0.0.1:\(app.port)\n\(more)")
    }

    /// An app that answers everything with what it was asked.
    func echo() throws -> TestApp {
        try TestApp(respond: { head, body in
            "HTTP/1.1 200 OK\r\nContent-Length: \(body.count)\r\nX-App: 1\r\n\r\n"
                + String(decoding: body, as: UTF8.self)
        })
    }

    @Test func `a request reaches the app as itself, with what a proxy adds and without what is the connection's`()
        throws
    {
        let app = try echo()
        let pollhold = try pollhold(app)
        let client = try TestClient(port: pollhold.port)
        try client.send(
            "GET /a%2Fb/../c?x=%20&&y HTTP/1.1\r\nHost: shop.example:8080\r\nUser-Agent: test\r\nConnection: keep-alive, X-Private\r\n"
                + "X-Private: 1\r\nKeep-Alive: timeout=5\r\nTE: trailers\r\nProxy-Connection: close\r\nCookie: a=b; c=\"d\"\r\n"
                + "X-Forwarded-For: 6.6.6.6\r\nX_Forwarded_For: 7.7.7.7\r\nForwarded: for=8.8.8.8\r\nPollhold-Publish: x\r\n"
                + "Via: 1.0 front\r\nX-Twice: 1\r\nX-Twice: 2\r\n\r\n")
        let answer = try client.response()
        #expect(answer.status == 200)
        #expect(answer["x-app"] == "1")
        let expected = """
            GET /a%2Fb/../c?x=%20&&y HTTP/1.1
            Host: shop.example:8080
            User-Agent: test
            Cookie: a=b; c="d"
            X-Twice: 1
            X-Twice: 2
            X-Forwarded-For: 127.0.0.1
            X-Forwarded-Proto: http
            X-Forwarded-Host: shop.example:8080
            X-Forwarded-Port: 8080
            Forwarded: for=127.0.0.1;host="shop.example:8080";proto=http
            Via: 1.0 front, 1.1 pollhold
            Connection: TE
            TE: trailers


            """
        // An id of its own, which nobody can know.
        let requests = app.requests.map { $0.replacing(/X-Request-Id: [0-9a-f]{32}\r\n/, with: "") }
        #expect(requests == [expected.replacing("\n", with: "\r\n")])
    }

    @Test(arguments: ["length", "chunked"])
    func `a request body passes whole in its framing`(framing: String) throws {
        let app = try echo()
        let pollhold = try pollhold(app)
        let client = try TestClient(port: pollhold.port)
        if framing == "length" {
            try client.send("POST /p HTTP/1.1\r\nHost: t\r\nContent-Length: 11\r\n\r\nhello")
            try client.send(" world")
        } else {
            try client.send("POST /p HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n")
            try client.send("6\r\n world\r\n0\r\n\r\n")
        }
        #expect(try client.response().text == "hello world")
        #expect(
            app.requests[0].contains(framing == "length" ? "Content-Length: 11\r\n" : "Transfer-Encoding: chunked\r\n"))
        #expect(try client.request("POST", "/again", body: Array("x".utf8)).text == "x")
        #expect(app.connectionCount == 1, "the app's connection is used again")
    }

    @Test func `responses pass in every framing, and what can be kept alive is`() throws {
        let app = try TestApp(handler: { connection, app in
            while let head = connection.readHead() {
                app.note(head)
                switch head.split(separator: " ")[1] {
                case "/chunked":
                    connection.send(
                        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n"
                    )
                case "/close":
                    connection.send("HTTP/1.1 200 OK\r\nX: 1\r\n\r\nuntil the end")
                    return
                case "/old":
                    connection.send("HTTP/1.0 200 Fine\r\n\r\nold")
                    return
                case "/204": connection.send("HTTP/1.1 204 No Content\r\nX: 1\r\n\r\n")
                case "/304": connection.send("HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 99\r\n\r\n")
                case "/hints":
                    connection.send(
                        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                case "/cookies":
                    connection.send(
                        "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nPollhold-Publish: x\r\nContent-Length: 0\r\n\r\n"
                    )
                default:
                    connection.send(
                        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + (head.hasPrefix("HEAD") ? "" : "fixed"))
                }
            }
        })
        let pollhold = try pollhold(app)
        let client = try TestClient(port: pollhold.port)
        #expect(try client.request("GET", "/fixed").text == "fixed")
        let head = try client.request("HEAD", "/fixed")
        #expect(head["content-length"] == "5")
        let chunked = try client.request("GET", "/chunked")
        #expect(chunked.text == "abcde")
        #expect(chunked.trailers == ["X-Sum: 5"])
        #expect(try client.request("GET", "/204").status == 204)
        let unmodified = try client.request("GET", "/304")
        #expect(unmodified.status == 304)
        #expect(unmodified["etag"] == "\"a\"")
        #expect(try client.request("GET", "/hints").status == 103)
        #expect(try client.response().text == "ok")
        let cookies = try client.request("GET", "/cookies")
        #expect(cookies.all("set-cookie") == ["a=1", "b=2"])
        #expect(cookies["pollhold-publish"] == nil)
        #expect(app.connectionCount == 1)
        let closing = try client.request("GET", "/close")
        #expect(closing.text == "until the end")
        #expect(
            closing["transfer-encoding"] == "chunked", "a body of unknown length doesn't cost the client its connection"
        )
        let old = try client.request("GET", "/old")
        #expect(old.text == "old")
        #expect(old.statusLine == "HTTP/1.1 200 Fine")
        #expect(try client.request("GET", "/fixed").text == "fixed")
    }

    @Test func `a client of HTTP 1.0 gets no chunks and no interim response`() throws {
        let app = try TestApp(handler: { connection, _ in
            while connection.readHead() != nil {
                connection.send(
                    "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
                )
            }
        })
        let pollhold = try pollhold(app)
        let client = try TestClient(port: pollhold.port)
        try client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        let answer = try client.response()
        #expect(answer.status == 200)
        #expect(answer["transfer-encoding"] == nil)
        #expect(answer.text == "abc")
    }

    @Test func `a huge body streams both ways without standing in memory`() throws {
        let megabytes = Int(256 * PollholdProcess.scale)
        let app = try TestApp(handler: { connection, _ in
            while let head = connection.readHead() {
                if head.hasPrefix("GET") {
                    connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(megabytes << 20)\r\n\r\n")
                    let part = [UInt8](repeating: 0x61, count: 1 << 20)
                    for _ in 0..<megabytes { connection.send(part) }
                } else {
                    var count = 0
                    while count < megabytes << 20 {
                        let part = connection.read(count: min(1 << 20, (megabytes << 20) - count)).count
                        if part == 0 { return }
                        count += part
                    }
                    connection.send(TestApp.plain("\(count)"))
                }
            }
        })
        let pollhold = try pollhold(app)
        let client = try TestClient(port: pollhold.port)
        #expect(try client.request("GET", "/small").status == 200)
        let before = pollhold.privateBytes
        try client.send("POST /up HTTP/1.1\r\nHost: t\r\nContent-Length: \(megabytes << 20)\r\n\r\n")
        let part = [UInt8](repeating: 0x62, count: 1 << 20)
        for _ in 0..<megabytes { try client.send(part) }
        #expect(try client.response().text == "\(megabytes << 20)")
        let grown = pollhold.privateBytes - before
        print("proxy: \(megabytes) MiB each way, memory grew by \(grown >> 10) KiB")
        #expect(grown < 8 << 20)
    }

    @Test func `a slow reader stops the app by TCP, not by memory`() throws {
        let done = Barrier()
        let app = try TestApp(handler: { connection, _ in
            guard connection.readHead() != nil else { return }
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(64 << 20)\r\n\r\n")
            connection.send([UInt8](repeating: 0x61, count: 64 << 20))
            done.open()
        })
        let pollhold = try pollhold(app)
        let client = try TestClient(port: pollhold.port)
        try client.start("GET", "/")
        #expect(!done.wait(seconds: 0.5), "the app can't send 64 MiB to a client that doesn't read")
        #expect(pollhold.privateBytes < 64 << 20)
        #expect(try client.response().body.count == 64 << 20)
        #expect(done.wait())
    }

    @Test func `an app that is down or slow is told as such, shortly and with a length`() throws {
        let app = try TestApp(handler: { connection, _ in
            _ = connection.readHead()
            _ = connection.readToEnd()
        })
        let pollhold = try PollholdProcess(
            "listen: 127.0.0.1:0\nupstream: { server: http://127.0.0.1:\(app.port), response_timeout: 200ms }\n")
        let client = try TestClient(port: pollhold.port)
        let late = try client.request("GET", "/")
        #expect(late.status == 504)
        #expect(late.body.count < 200 && late["content-length"] != nil)
        app.end()
        let down = try client.request("GET", "/")
        #expect(down.status == 502)
        #expect(down.body.count < 200)
        let head = try client.request("HEAD", "/")
        #expect(head.status == 502)
        #expect(head.body.isEmpty)
    }

    @Test func `a response that breaks off is visibly cut`() throws {
        let app = try TestApp(handler: { connection, _ in
            guard let head = connection.readHead() else { return }
            if head.contains("/chunked") {
                connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel")
            } else {
                connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhel")
            }
        })
        let pollhold = try pollhold(app)
        for path in ["/length", "/chunked"] {
            let client = try TestClient(port: pollhold.port)
            try client.start("GET", path)
            let isWhole: Bool
            do { isWhole = try !client.response().isCut } catch { isWhole = false }
            #expect(!isWhole, "\(path)")
        }
    }

    @Test func `when the client goes, the app's connection is closed`() throws {
        let asked = Barrier()
        let ended = Barrier()
        let app = try TestApp(handler: { connection, _ in
            guard connection.readHead() != nil else { return }
            asked.open()
            _ = connection.readToEnd()
            ended.open()
        })
        let pollhold = try pollhold(app)
        let client = try TestClient(port: pollhold.port)
        try client.start("GET", "/")
        #expect(asked.wait())
        client.closeNow()
        #expect(ended.wait())
    }

    @Test func `a GET that met a dead kept connection is sent again, a POST is not`() throws {
        let app = try TestApp(handler: { connection, app in
            guard let head = connection.readHead() else { return }
            app.note(head)
            connection.send(TestApp.plain("first"))
            // The next request on this connection is read and dropped with it.
            if let head = connection.readHead() { app.note(head) }
        })
        let pollhold = try PollholdProcess("listen: 127.0.0.1:0\nworkers: 1\nupstream: http://127.0.0.1:\(app.port)\n")
        let client = try TestClient(port: pollhold.port)
        #expect(try client.request("GET", "/1").text == "first")
        #expect(try client.request("GET", "/2").text == "first")
        let post = try client.request("POST", "/3", body: [1])
        #expect(post.status == 502)
        #expect(app.requests.filter { $0.contains("/3") }.count == 1)
    }

    @Test func `an upgrade becomes a tunnel both ways, and ends with its ends`() throws {
        let app = try TestApp(handler: { connection, app in
            guard let head = connection.readHead() else { return }
            app.note(head)
            if head.contains("/refused") {
                connection.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
                guard let next = connection.readHead() else { return }
                app.note(next)
                connection.send(TestApp.plain("next"))
                return
            }
            connection.send(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\nhello "
            )
            connection.send(connection.read(count: 6))
        })
        let pollhold = try pollhold(app)
        let client = try TestClient(port: pollhold.port)
        let upgrade = "HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n"
        try client.send("GET /ws \(upgrade)")
        let switched = try client.response()
        #expect(switched.status == 101)
        #expect(switched["upgrade"] == "websocket")
        #expect(switched["sec-websocket-accept"] == "x")
        try client.send("world!")
        #expect(client.readToEnd().map { String(decoding: $0, as: UTF8.self) } == "hello world!")
        #expect(app.requests[0].contains("Connection: upgrade\r\nUpgrade: websocket\r\n"))
        let refused = try TestClient(port: pollhold.port)
        try refused.send("GET /refused \(upgrade)GET /next HTTP/1.1\r\nHost: t\r\n\r\n")
        #expect(try refused.response().status == 403)
        #expect(try refused.response().text == "next", "bytes behind a refused upgrade are a request")
        #expect(app.requests.contains { $0.hasPrefix("GET /next") && $0.contains("Via") })
    }

    @Test func `Expect reaches the app and its 100 reaches the client`() throws {
        let app = try TestApp(handler: { connection, _ in
            guard let head = connection.readHead(), head.contains("Expect: 100-continue") else { return }
            connection.send("HTTP/1.1 100 Continue\r\n\r\n")
            connection.send(TestApp.plain(String(decoding: connection.readBody(of: head), as: UTF8.self)))
        })
        let pollhold = try pollhold(app)
        let client = try TestClient(port: pollhold.port)
        try client.send("PUT / HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        #expect(try client.response().status == 100)
        try client.send("body")
        #expect(try client.response().text == "body")
    }

    @Test func `broken requests are refused with a status and never reach the app`() throws {
        let app = try echo()
        let pollhold = try pollhold(app, "limits: { request_body: 1KiB }\n")
        for (text, status) in [
            ("GET / HTTP/1.1\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello", 400),
            ("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 501),
            ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
            ("GET /\(String(repeating: "a", count: 17_000)) HTTP/1.1\r\n", 414),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "a", count: 17_000))\r\n\r\n", 431),
            ("\u{16}\u{3}\u{1}\u{2}", 400), ("GET / HTTP/1.1\nHost: a\n\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1025\r\n\r\n", 413),
        ] {
            let client = try TestClient(port: pollhold.port)
            try client.send(text)
            let answer = try client.response()
            #expect(answer.status == status, "\(text.prefix(60))")
            #expect(answer["connection"] == "close", "\(text.prefix(60))")
            #expect(client.readToEnd() == [], "\(text.prefix(60))")
        }
        #expect(app.requests.isEmpty)
    }
}
