import Foundation
import Testing

/// Responses that come while the request is still on its way, and what becomes of the rest of it: it is drained or ends
/// the connection, and is never read as a request.
struct EarlyResponseTests {
    /// An app that answers a head at once, reads `/read` bodies and leaves others where they are.
    func app(_ response: String, closes: Bool = false) throws -> TestApp {
        try TestApp(handler: { connection, app in
            while let head = connection.readHead() {
                app.note(head)
                guard head.contains("/early") else {
                    connection.send(TestApp.plain("\(connection.readBody(of: head).count)"))
                    continue
                }
                connection.send(response)
                if closes { return }
                _ = connection.readToEnd()
                app.note("end")
                return
            }
        })
    }

    static let smuggled = "GET /smuggled HTTP/1.1\r\nHost: t\r\n\r\n"

    @Test(arguments: ["length", "chunked"], [false, true])
    func `the rest of a refused upload is drained, and the next request is a request`(framing: String, closes: Bool)
        throws
    {
        let app = try app(
            "HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\(closes ? "Connection: close\r\n" : "")\r\nlarge",
            closes: closes)
        let pollhold = try StreamingTests.pollhold(app)
        let client = try TestClient(port: pollhold.port)
        let body = String(repeating: Self.smuggled, count: 100)
        let field = framing == "length" ? "Content-Length: \(body.utf8.count)" : "Transfer-Encoding: chunked"
        try client.send("POST /early HTTP/1.1\r\nHost: t\r\n\(field)\r\n\r\n")
        let answer = try client.response()
        #expect(answer.status == 413)
        #expect(answer.text == "large")
        #expect(answer["connection"] == nil, "what the app wants with its connection is not the client's")
        if framing == "length" {
            try client.send(body)
        } else {
            try client.send("\(String(body.utf8.count, radix: 16))\r\n\(body)\r\n0\r\n\r\n")
        }
        #expect(try client.request("POST", "/read", body: [1, 2, 3]).text == "3")
        #expect(!app.requests.contains { $0.contains("/smuggled") })
        if !closes {
            try waitUntil("the app's connection is not used again") { app.requests.contains("end") }
        }
        #expect(app.connectionCount == 2)
    }

    @Test func `an upload that goes on for too long behind its answer ends the connection`() throws {
        let app = try app("HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nlarge")
        let pollhold = try StreamingTests.pollhold(app)
        let client = try TestClient(port: pollhold.port)
        try client.send("POST /early HTTP/1.1\r\nHost: t\r\nContent-Length: 1000000000\r\n\r\n")
        #expect(try client.response().status == 413)
        let part = Array(String(repeating: Self.smuggled, count: 1000).utf8)
        try waitUntil("the connection ends") { (try? client.send(part)) == nil }
        #expect(app.requests.count <= 2)
        #expect(!app.requests.contains { $0.contains("/smuggled") })
    }

    @Test func `a whole response and then a broken upload: the client gets the response and no second one`() throws {
        let app = try app("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly")
        let pollhold = try StreamingTests.pollhold(app)
        let client = try TestClient(port: pollhold.port)
        try client.send("POST /early HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n")
        #expect(try client.response().text == "early")
        try client.send("nonsense\r\n\r\n")
        let rest = client.readToEnd().map { String(decoding: $0, as: UTF8.self) }
        #expect(rest == "" || rest == nil)
    }

    @Test(arguments: ["broken", "large", "late"])
    func `a request that goes wrong behind its response's beginning cuts it and puts nothing in it`(way: String) throws
    {
        let app = try TestApp(handler: { connection, _ in
            guard connection.readHead() != nil else { return }
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nbegun")
            _ = connection.readToEnd()
        })
        let pollhold = try StreamingTests.pollhold(
            app, "limits: { request_body: 1KiB }\ntimeouts: { body: \(way == "late" ? "200ms" : "30s") }\n")
        func begin() throws -> (client: TestClient, head: TestResponse) {
            let client = try TestClient(port: pollhold.port)
            try client.send("POST /early HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
            return (client, try client.responseHead())
        }
        var (client, head) = try begin()
        if way == "late" {
            // Before the response has begun the body's time ends in 408: that was an app that had been stopped.
            try waitUntil("the response begins in time") {
                if head.status == 408 { (client, head) = try begin() }
                return head.status != 408
            }
        }
        #expect(head.status == 200)
        #expect(try client.readText(count: 5) == "begun")
        switch way {
        case "broken": try client.send("nonsense\r\n\r\n")
        case "large": try client.send("fff\r\n\(String(repeating: "a", count: 0xFFF))")
        default: break
        }
        let rest = client.readToEnd().map { String(decoding: $0, as: UTF8.self) }
        #expect(rest == "" || rest == nil)
    }

    @Test func `a final answer instead of 100 is passed on, and the body that was held back is no request`() throws {
        let app = try app("HTTP/1.1 417 No\r\nContent-Length: 2\r\n\r\nno")
        let pollhold = try StreamingTests.pollhold(app)
        for sendsBody in [false, true] {
            let client = try TestClient(port: pollhold.port)
            try client.send(
                "PUT /early HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: \(Self.smuggled.utf8.count)\r\n\r\n"
            )
            let answer = try client.response()
            #expect(answer.status == 417)
            #expect(answer.text == "no")
            #expect(answer["connection"] == "close", "nobody can tell what comes next on it")
            try client.send((sendsBody ? Self.smuggled : "") + Self.smuggled)
            #expect(client.readToEnd() == [])
        }
        #expect(!app.requests.contains { $0.contains("/smuggled") })
    }

    @Test func `a client that does not wait for 100 is served, with the app's 100 or without it`() throws {
        let app = try TestApp(handler: { connection, _ in
            while let head = connection.readHead() {
                if head.contains("/says") { connection.send("HTTP/1.1 100 Continue\r\n\r\n") }
                connection.send(TestApp.plain(String(decoding: connection.readBody(of: head), as: UTF8.self)))
            }
        })
        let pollhold = try StreamingTests.pollhold(app)
        let client = try TestClient(port: pollhold.port)
        for path in ["/says", "/silent"] {
            try client.send(
                "PUT \(path) HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nbody")
            if path == "/says" { #expect(try client.response().status == 100) }
            #expect(try client.response().text == "body")
        }
    }
}
