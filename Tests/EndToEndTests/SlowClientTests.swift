import Foundation
import Testing

/// Clients that take their time: each phase has its clock, and nobody holds anything beyond it.
struct SlowClientTests {
    func pollhold(_ app: TestApp, _ timeouts: String, _ more: String = "") throws -> PollholdProcess {
        try PollholdProcess(
            """
            listen: 127.0.0.1:0
            upstream: http://127.0.0.1:\(app.port)
            control: { socket: SOCKET }
            timeouts: { \(timeouts) }
            \(more)
            """)
    }

    func app() throws -> TestApp { try TestApp(respond: { _, body in TestApp.plain("\(body.count)") }) }

    /// Sends the bytes one by one, some every few milliseconds, until all are sent or the peer has had enough. The
    /// pauses pace the client; nothing waits for them.
    @discardableResult
    func drip(_ bytes: [UInt8], to client: TestClient, every milliseconds: Int32 = 20) -> Int {
        var sent = 0
        for byte in bytes {
            if client.sendSome([byte]) != 1 || client.hasInput { break }
            sent += 1
            poll(nil, 0, milliseconds)
        }
        return sent
    }

    /// Everything of the clients' connections has gone from the process.
    ///
    /// - Parameter kept: connections to the app that wait for another request.
    func expectNothingLeft(_ pollhold: PollholdProcess, kept: Int = 0) throws {
        try waitUntil("only the connection that asks is left") {
            try pollhold.control("GET", "/status").json["connections"] as? Int == 1 + kept
        }
    }

    @Test func `a head has its time from the connection on, and bytes do not put it off`() throws {
        let app = try app()
        let pollhold = try pollhold(app, "head: 4s")
        let start = Date()
        let client = try TestClient(port: pollhold.port)
        let sent = drip(Array("GET / HTTP/1.1\r\n\(String(repeating: "X: y\r\n", count: 1000))".utf8), to: client)
        let answer = try client.response()
        #expect(answer.status == 408)
        #expect(answer["connection"] == "close")
        #expect(Date().timeIntervalSince(start) > 3.9)
        #expect(sent < 1000)
        #expect(app.requests.isEmpty)
        client.closeNow()
        try expectNothingLeft(pollhold)
    }

    @Test func `the next head on a connection has its time from its first byte on`() throws {
        let app = try app()
        let pollhold = try pollhold(app, "head: 4s")
        let client = try TestClient(port: pollhold.port)
        #expect(try client.request("GET", "/").status == 200)
        // The connection may be idle for longer than a head may take.
        poll(nil, 0, 4500)
        #expect(try client.request("GET", "/").status == 200)
        drip(Array("GET / HTTP/1.1\r\n\(String(repeating: "X: y\r\n", count: 1000))".utf8), to: client)
        #expect(try client.response().status == 408)
    }

    @Test func `a connection that is never used is closed without a word, and so is an idle one`() throws {
        let app = try app()
        let pollhold = try pollhold(app, "head: 4s, keep_alive: 200ms")
        let unused = try TestClient(port: pollhold.port)
        let idle = try TestClient(port: pollhold.port)
        #expect(try idle.request("GET", "/").status == 200)
        #expect(unused.readToEnd() == [])
        #expect(idle.readToEnd() == [])
        try expectNothingLeft(pollhold, kept: 1)
    }

    @Test(arguments: ["Content-Length: 100", "Transfer-Encoding: chunked"])
    func `a body that stops is given up, and the app sees its connection end`(framing: String) throws {
        let ended = Barrier()
        let app = try TestApp(handler: { connection, app in
            guard let head = connection.readHead() else { return }
            app.note(head)
            app.note(String(decoding: connection.readToEnd(), as: UTF8.self))
            ended.open()
        })
        let pollhold = try pollhold(app, "body: 200ms")
        let client = try TestClient(port: pollhold.port)
        try client.send("POST / HTTP/1.1\r\nHost: t\r\n\(framing)\r\n\r\n4\r\nbody\r\n")
        let answer = try client.response()
        #expect(answer.status == 408)
        #expect(answer["connection"] == "close")
        #expect(ended.wait())
        #expect(app.requests.last?.hasSuffix("0\r\n\r\n") == false, "no end that the client has not sent")
        client.closeNow()
        try expectNothingLeft(pollhold)
    }

    @Test func `a body that never begins is given up`() throws {
        let app = try TestApp(handler: { connection, _ in
            _ = connection.readHead()
            _ = connection.readToEnd()
        })
        let pollhold = try pollhold(app, "body: 200ms")
        let client = try TestClient(port: pollhold.port)
        try client.send("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\n")
        #expect(try client.response().status == 408)
    }

    @Test func `a body that drips is given up, one that is slow but steady is not`() throws {
        let app = try TestApp(handler: { connection, _ in
            while let head = connection.readHead() {
                connection.send(TestApp.plain("\(connection.readBody(of: head).count)"))
            }
        })
        // 400 bytes a second over 300 ms: 120 bytes. A byte every 20 ms is 50 a second.
        let pollhold = try pollhold(app, "body: 10s, rate: 300ms", "limits: { rate: 400B }")
        let dripping = try TestClient(port: pollhold.port)
        try dripping.send("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 1000\r\n\r\n")
        let sent = drip([UInt8](repeating: 0x61, count: 1000), to: dripping)
        #expect(sent < 1000)
        #expect(try dripping.response().status == 408)
        let steady = try TestClient(port: pollhold.port)
        try steady.send("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 20000\r\n\r\n")
        // Each piece is enough for five seconds, if this thread is stopped for some of them.
        for _ in 0..<10 {
            try steady.send([UInt8](repeating: 0x61, count: 2000))
            poll(nil, 0, 100)
        }
        #expect(try steady.response().text == "20000")
    }

    @Test func `an upload that the app makes wait is not called slow`() throws {
        let go = Barrier()
        let app = try TestApp(handler: { connection, _ in
            guard connection.readHead() != nil else { return }
            go.wait(seconds: 300)
            var count = 0
            while count < 64 << 20 {
                let part = connection.read(count: min(1 << 20, (64 << 20) - count)).count
                if part == 0 { return }
                count += part
            }
            connection.send(TestApp.plain("\(count)"))
        })
        let pollhold = try pollhold(app, "body: 4s, rate: 500ms, write: 60s", "limits: { rate: 10KiB }")
        let body = [UInt8](repeating: 0x61, count: 64 << 20)
        let client = try TestClient(port: pollhold.port)
        try client.send("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: \(body.count)\r\n\r\n")
        var sent = 0
        // Until nothing more goes, for longer than a body may wait: every buffer on the way is full, and nobody but
        // the app can go on.
        var quiet = 0
        while quiet < 500 {
            let count = client.sendSome(Array(body[sent...].prefix(1 << 20)))
            sent += count
            quiet = count > 0 ? 0 : quiet + 1
            poll(nil, 0, 10)
        }
        #expect(sent < 64 << 20)
        go.open()
        try client.send(Array(body[sent...]))
        #expect(try client.response().text == "\(64 << 20)")
    }

    /// An app that answers with more than the buffers on the way take.
    func large(_ bytes: Int, ended: Barrier? = nil) throws -> TestApp {
        try TestApp(handler: { connection, _ in
            while connection.readHead() != nil {
                connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(bytes)\r\n\r\n")
                connection.send([UInt8](repeating: 0x61, count: bytes))
            }
            ended?.open()
        })
    }

    @Test func `a client that reads nothing is cut off, and the app is told`() throws {
        let ended = Barrier()
        let app = try large(64 << 20, ended: ended)
        let pollhold = try pollhold(app, "write: 300ms")
        let client = try TestClient(port: pollhold.port, receiveBytes: 4096)
        try client.start("GET", "/")
        #expect(ended.wait())
        try expectNothingLeft(pollhold)
        #expect((try? client.response().isCut) != false)
    }

    @Test func `a client that reads next to nothing is cut off too`() throws {
        let ended = Barrier()
        let app = try large(64 << 20, ended: ended)
        let pollhold = try pollhold(app, "write: 500ms", "limits: { rate: 10MiB }")
        let client = try TestClient(port: pollhold.port, receiveBytes: 4096)
        try client.start("GET", "/")
        let reading = Reading(client, bytes: 1000, milliseconds: 5)
        #expect(ended.wait(), "it reads 200 KB a second")
        reading.end()
        try expectNothingLeft(pollhold)
    }

    @Test func `a slow reader that goes on gets everything, however long the system's buffers take nothing`() throws {
        let size = 4 << 20
        let app = try large(size)
        let pollhold = try pollhold(app, "write: 3500ms", "limits: { rate: 1KiB }")
        let client = try TestClient(port: pollhold.port, receiveBytes: 4096)
        try client.start("GET", "/")
        #expect(try client.responseHead().status == 200)
        var count = 0
        let start = Date()
        // Slowly at first, for more than twice the timeout, then the rest.
        while count < size {
            let part = try client.read(count: min(2048, size - count)).count
            if part == 0 { break }
            count += part
            if Date().timeIntervalSince(start) < 7.5 { poll(nil, 0, 20) }
        }
        #expect(count == size)
    }

    @Test func `three hundred slow heads don't keep others waiting, and are gone after their time`() throws {
        let app = try app()
        let pollhold = try pollhold(app, "head: 6s")
        let slow = try (0..<300).map { _ in
            let client = try TestClient(port: pollhold.port)
            try client.send("GET / HTTP/1.1\r\nX")
            return client
        }
        #expect(try TestClient(port: pollhold.port).request("GET", "/").status == 200)
        #expect(!slow.contains { $0.hasInput }, "the time of none of them is up, so nobody waited for it")
        for client in slow { #expect(try client.response().status == 408) }
        for client in slow { client.closeNow() }
        try expectNothingLeft(pollhold, kept: 1)
    }
}

/// Reads a few bytes now and then, on a thread of its own.
private final class Reading: @unchecked Sendable {
    private let done = Barrier()
    private let lock = NSLock()
    private var hasEnded = false

    init(_ client: TestClient, bytes: Int, milliseconds: Int32) {
        nonisolated(unsafe) let client = client
        Thread.detachNewThread { [self] in
            while !lock.withLock({ hasEnded }), let part = try? client.read(count: bytes), !part.isEmpty {
                poll(nil, 0, milliseconds)
            }
            done.open()
        }
    }

    func end() {
        lock.withLock { hasEnded = true }
        done.wait()
    }
}
