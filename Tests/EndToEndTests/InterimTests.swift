import Foundation
import Testing

/// 1xx responses: who gets which, and how many.
struct InterimTests {
    static let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"

    @Test func `several interim responses pass in order, each with its fields, before the final one`() throws {
        let app = try TestApp(handler: { connection, _ in
            while connection.readHead() != nil {
                connection.send(
                    "HTTP/1.1 102 Processing\r\n\r\n\(Self.hints)HTTP/1.1 199 Own\r\nX-Own: 1\r\nConnection: close\r\n\r\n"
                        + Self.hints + TestApp.plain("ok"))
            }
        })
        let pollhold = try StreamingTests.pollhold(app)
        let client = try TestClient(port: pollhold.port)
        for _ in 0..<2 {
            try client.start("GET", "/")
            let answers = try (0..<5).map { _ in try client.response() }
            #expect(answers.map(\.status) == [102, 103, 199, 103, 200])
            #expect(answers[1]["link"] == "</a.css>; rel=preload")
            #expect(answers[2]["x-own"] == "1")
            #expect(answers[2]["connection"] == nil)
            #expect(answers[4].text == "ok")
        }
        #expect(app.connectionCount == 1)
    }

    @Test func `an early hint passes before the app goes on`() throws {
        let seen = Barrier()
        let app = try TestApp(handler: { connection, _ in
            guard connection.readHead() != nil else { return }
            connection.send(Self.hints)
            guard seen.wait() else { return }
            connection.send(TestApp.plain("ok"))
        })
        let pollhold = try StreamingTests.pollhold(app)
        let client = try TestClient(port: pollhold.port)
        #expect(try client.request("GET", "/").status == 103)
        seen.open()
        #expect(try client.response().text == "ok")
    }

    @Test func `100 goes only to a client that asked for it`() throws {
        let app = try TestApp(handler: { connection, _ in
            while let head = connection.readHead() {
                connection.send("HTTP/1.1 100 Continue\r\n\r\n")
                connection.send(TestApp.plain("\(connection.readBody(of: head).count)"))
            }
        })
        let pollhold = try StreamingTests.pollhold(app)
        let client = try TestClient(port: pollhold.port)
        #expect(try client.request("POST", "/", body: [1]).text == "1")
        #expect(try client.request("GET", "/").text == "0")
        let old = try TestClient(port: pollhold.port)
        try old.send("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na")
        #expect(try old.response().status == 200)
    }

    @Test func `interim responses without end are 502, and those that came have passed`() throws {
        let app = try TestApp(handler: { connection, _ in
            guard connection.readHead() != nil else { return }
            while connection.send(Self.hints) {}
        })
        let pollhold = try StreamingTests.pollhold(app)
        let client = try TestClient(port: pollhold.port)
        try client.start("GET", "/")
        var hints = 0
        var answer = try client.response()
        while answer.status == 103 {
            hints += 1
            answer = try client.response()
        }
        #expect(answer.status == 502)
        #expect(hints == 16)
    }

    @Test func `101 that nobody asked for is 502`() throws {
        let app = try TestApp(handler: { connection, _ in
            guard connection.readHead() != nil else { return }
            connection.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nbytes")
            _ = connection.readToEnd()
        })
        let pollhold = try StreamingTests.pollhold(app)
        let client = try TestClient(port: pollhold.port)
        #expect(try client.request("GET", "/").status == 502)
        let tail = try client.request("GET", "/").text
        #expect(!tail.contains("bytes"))
    }

    @Test(arguments: ["1.0", "1.1"])
    func `a client of HTTP 1.0 is served by an app of either version`(version: String) throws {
        let app = try TestApp(handler: { connection, app in
            while let head = connection.readHead() {
                app.note(head)
                if version == "1.0" {
                    connection.send("HTTP/1.0 200 OK\r\n\r\nuntil the end")
                    return
                }
                connection.send(
                    "\(Self.hints)HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                        + "6\r\nuntil \r\n7\r\nthe end\r\n0\r\nX-Sum: 1\r\n\r\n")
            }
        })
        let pollhold = try StreamingTests.pollhold(app)
        for head in ["GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.0\r\nHost: t\r\nConnection: keep-alive\r\n\r\n"] {
            let client = try TestClient(port: pollhold.port)
            try client.send(head)
            let bytes = client.readToEnd().map { String(decoding: $0, as: UTF8.self) } ?? ""
            #expect(bytes.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(bytes.contains("\r\nConnection: close\r\n"))
            #expect(bytes.hasSuffix("\r\n\r\nuntil the end"))
        }
        #expect(app.requests.allSatisfy { $0.hasPrefix("GET / HTTP/1.1\r\nHost: ") })
    }

    @Test func `a client of HTTP 1.0 keeps its connection where lengths are known`() throws {
        let app = try TestApp(respond: { _, body in TestApp.plain("\(body.count)") })
        let pollhold = try StreamingTests.pollhold(app)
        let client = try TestClient(port: pollhold.port)
        for _ in 0..<2 {
            try client.send("POST / HTTP/1.0\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nab")
            let answer = try client.response()
            #expect(answer.text == "2")
            #expect(answer["connection"] == "keep-alive")
        }
        try client.send("GET / HTTP/1.0\r\n\r\n")
        #expect(try client.response()["connection"] == "close")
        #expect(client.readToEnd() == [])
    }

    @Test func `a response cut for a client of HTTP 1.0 is a broken connection, not an end`() throws {
        let app = try TestApp(handler: { connection, _ in
            guard let head = connection.readHead() else { return }
            if head.contains("/close") {
                connection.send("HTTP/1.1 200 OK\r\n\r\npart")
                connection.breakOff()
                return
            }
            connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n")
        })
        let pollhold = try StreamingTests.pollhold(app)
        for path in ["/chunked", "/close"] {
            let client = try TestClient(port: pollhold.port)
            try client.send("GET \(path) HTTP/1.0\r\n\r\n")
            #expect(client.readToEnd() == nil, "\(path)")
        }
    }
}
