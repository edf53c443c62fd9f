import Foundation
import Testing

/// Nothing that one client was sent or has sent may reach another. All exchanges of a worker share its scratch buffers,
/// so these tests let one exchange end badly right behind another that has just used them.
struct CrossClientTests {
    func pollhold(_ app: TestApp, upstream: String = "") throws -> PollholdProcess {
        try PollholdProcess(
            """
            listen: 127.0.0.1:0
            upstream: { server: http://127.0.0.1:\(app.port)\(upstream) }
            workers: 1
            routes:
              - path: /poll
                hold: { channels: "{query.channel}", allow: [public] }
            """)
    }

    @Test(arguments: ["broken", "late"])
    func `an answer of our own to one client is not sent to another whose app fails next`(way: String) throws {
        let fail = Barrier()
        let app = try TestApp(handler: { connection, _ in
            guard connection.readHead() != nil else { return }
            if way == "late" { _ = connection.readToEnd() }
            fail.wait()
            connection.breakOff()
        })
        let pollhold = try pollhold(app, upstream: way == "late" ? ", response_timeout: 500ms" : "")
        let victim = try TestClient(port: pollhold.port)
        try victim.start("GET", "/")
        try waitUntil("the app has been asked") { app.connectionCount == 1 }
        let other = try TestClient(port: pollhold.port)
        #expect(try other.request("GET", "/poll?channel=secret").status == 403)
        fail.open()
        let answer = try victim.response()
        #expect(answer.status == (way == "late" ? 504 : 502), "\(answer.statusLine)")
        #expect(!answer.text.contains("channel"))
    }

    @Test func `a request head is never sent back to its client when the app can't be reached`() throws {
        let directory = try TemporaryDirectory()
        let pollhold = try PollholdProcess(
            "listen: 127.0.0.1:0\nupstream: unix:\(directory.path)/nobody\nworkers: 1\n")
        let client = try TestClient(port: pollhold.port)
        #expect(try client.request("GET", "/", fields: ["Cookie": "secret"]).statusLine == "HTTP/1.1 502 Bad Gateway")
    }

    @Test func `trailers of one response don't come behind another client's response`() throws {
        let asked = Barrier()
        let end = Barrier()
        let app = try TestApp(handler: { connection, _ in
            guard let head = connection.readHead() else { return }
            if head.hasPrefix("GET /trailers") {
                connection.send(
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Secret: mine\r\n\r\n")
                return
            }
            let isChunked = head.hasPrefix("GET /chunked")
            connection.send("HTTP/1.1 200 OK\r\n\(isChunked ? "Transfer-Encoding: chunked\r\n\r\n1\r\n" : "\r\n")b")
            asked.open()
            end.wait()
            if isChunked { connection.send("\r\n0\r\n\r\n") }
        })
        let pollhold = try pollhold(app)
        for path in ["/chunked", "/close"] {
            let client = try TestClient(port: pollhold.port)
            try client.start("GET", path)
            #expect(asked.wait())
            #expect(try client.responseHead().status == 200)
            let other = try TestClient(port: pollhold.port)
            #expect(try other.request("GET", "/trailers").trailers == ["X-Secret: mine"])
            end.open()
            #expect(try client.readText(count: 11) == "1\r\nb\r\n0\r\n\r\n", "\(path)")
        }
    }

    @Test func `trailers of one request don't come behind another client's request`() throws {
        let app = try TestApp(handler: { connection, app in
            guard let head = connection.readHead() else { return }
            if head.hasPrefix("POST /none") { app.note("begun") }
            var bytes: [UInt8] = []
            while !bytes.ends(with: "\r\n\r\n".utf8) {
                let more = connection.receive()
                if more.isEmpty { return }
                bytes += more
            }
            app.note(String(decoding: bytes, as: UTF8.self))
            connection.send(TestApp.plain("ok"))
        })
        let pollhold = try pollhold(app)
        let head = "HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
        let client = try TestClient(port: pollhold.port)
        try client.send("POST /none \(head)1\r\na\r\n")
        try waitUntil("the app reads the first body") { app.requests == ["begun"] }
        let other = try TestClient(port: pollhold.port)
        try other.send("POST /trailers \(head)1\r\nb\r\n0\r\nX-Secret: mine\r\n\r\n")
        #expect(try other.response().text == "ok")
        try client.send("0\r\n\r\n")
        #expect(try client.response().text == "ok")
        #expect(app.requests == ["begun", "1\r\nb\r\n0\r\nX-Secret: mine\r\n\r\n", "1\r\na\r\n0\r\n\r\n"])
    }
}

extension [UInt8] {
    func ends(with end: String.UTF8View) -> Bool { count >= end.count && Array(suffix(end.count)) == Array(end) }
}
