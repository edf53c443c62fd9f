import Foundation
import Testing

/// Upgrades: what becomes one, not one byte too early, and then every byte both ways until the ends.
struct TunnelTests {
    static let switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"

    static func upgrade(_ path: String = "/ws", to protocolName: String = "websocket", more: String = "") -> String {
        "GET \(path) HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: \(protocolName)\r\n\(more)\r\n"
    }

    struct Tunnel {
        let pollhold: PollholdProcess
        let app: TestApp
        let client: TestClient
    }

    /// A tunnel through the program to an app that does `body` behind its 101.
    func open(_ more: String = "", _ body: @escaping @Sendable (TestApp.Connection) -> Void) throws -> Tunnel {
        let app = try TestApp(handler: { connection, app in
            guard let head = connection.readHead() else { return }
            app.note(head)
            connection.send(Self.switching)
            body(connection)
        })
        let pollhold = try StreamingTests.pollhold(app, more)
        let client = try TestClient(port: pollhold.port)
        try client.send(Self.upgrade())
        #expect(try client.response().status == 101)
        return Tunnel(pollhold: pollhold, app: app, client: client)
    }

    @Test func `every byte passes both ways at the same time, in order, slowed down by the reader alone`() throws {
        let size = max(1 << 20, StreamingTests.bodyBytes / 4)
        let progress = Progress()
        let mayRead = Barrier()
        let tunnel = try open { connection in
            let hasSent = Barrier()
            let sender = Thread {
                defer { hasSent.open() }
                for start in stride(from: 0, to: size, by: 65536) {
                    guard connection.send(StreamingTests.part(at: start, 65536)) else { return }
                    progress.set(start)
                }
                connection.finishSending()
            }
            sender.start()
            mayRead.wait()
            var read = 0
            while read < size {
                let part = connection.read(count: min(65536, size - read))
                guard !part.isEmpty, StreamingTests.isPart(part, at: read) else { break }
                read += part.count
            }
            // The descriptor is closed behind this, and its number may be another test's then.
            hasSent.wait(seconds: 60)
        }
        var peak = StreamingTests.MemoryPeak(tunnel.pollhold)
        let sent = Progress()
        let done = Barrier()
        let sender = Sender {
            for start in stride(from: 0, to: size, by: 65536) {
                try tunnel.client.send(StreamingTests.part(at: start, 65536))
                sent.set(start)
            }
        }
        Thread.detachNewThread {
            sender.run()
            done.open()
        }
        try progress.waitUntilItStands { peak.look() }
        try sent.waitUntilItStands { peak.look() }
        if size >= 16 << 20 { #expect(progress.value < size - 65536 && sent.value < size - 65536) }
        mayRead.open()
        var read = 0
        while read < size {
            let part = try tunnel.client.read(count: min(65536, size - read))
            guard !part.isEmpty, StreamingTests.isPart(part, at: read) else { break }
            read += part.count
            if read % (1 << 20) < 65536 { peak.look() }
        }
        #expect(read == size)
        #expect(done.wait(seconds: 60))
        #expect(sender.failure == nil)
        print("streaming: \(size >> 20) MiB each way through a tunnel: memory grew by \(peak.growth >> 10) KiB")
        if PollholdProcess.scale >= 1 { #expect(peak.growth <= 2 * StreamingTests.bufferedBytesLimit) }
    }

    @Test(arguments: ["app", "client"], ["end", "break"])
    func `when one side goes the other is told, behind the last bytes`(side: String, way: String) throws {
        let ended = Barrier()
        let read = Barrier()
        let tunnel = try open { connection in
            if side == "app" {
                connection.send(String(repeating: "last", count: 1000))
                if way == "break" {
                    read.wait()
                    connection.breakOff()
                }
            } else {
                guard connection.read(count: 4000).count == 4000 else { return }
                read.open()
                _ = connection.readToEnd()
                ended.open()
            }
        }
        if side == "app" {
            #expect(try tunnel.client.read(count: 4000).count == 4000)
            read.open()
            let rest = tunnel.client.readToEnd()
            #expect(rest == [] || (way == "break" && rest == nil))
        } else {
            try tunnel.client.send(String(repeating: "last", count: 1000))
            if way == "break" {
                #expect(read.wait())
                tunnel.client.reset()
            } else {
                tunnel.client.finishSending()
            }
            #expect(ended.wait(), "the app is not told that the client has gone")
        }
    }

    @Test func `one side's end leaves the other time to finish, and the tunnel goes when both have ended`() throws {
        let tunnel = try open { connection in
            let got = connection.readToEnd()
            connection.send("you sent \(got.count)")
        }
        try tunnel.client.send("four")
        tunnel.client.finishSending()
        #expect(tunnel.client.readToEnd().map { String(decoding: $0, as: UTF8.self) } == "you sent 4")
    }

    @Test(arguments: ["client", "app"])
    func `a tunnel in which one side alone speaks is not idle, a silent one ends for both`(speaker: String) throws {
        let ended = Barrier()
        let tunnel = try open("timeouts: { tunnel: 4s }\n") { connection in
            if speaker == "app" {
                for _ in 0..<22 {
                    poll(nil, 0, 200)
                    connection.send("x")
                }
            }
            let count = connection.readToEnd().count
            if count == (speaker == "client" ? 22 : 0) { ended.open() }
        }
        if speaker == "client" {
            for _ in 0..<22 {
                poll(nil, 0, 200)
                try tunnel.client.send("x")
            }
        }
        let received = tunnel.client.readToEnd() ?? []
        #expect(received.count == (speaker == "app" ? 22 : 0))
        #expect(ended.wait())
    }

    @Test func `not one byte behind an upgrade goes to the app before its 101`() throws {
        let early = Barrier()
        let app = try TestApp(handler: { connection, _ in
            guard let head = connection.readHead() else { return }
            // Whatever were sent on too early would be here by now.
            var waiting = pollfd(fd: connection.descriptor, events: Int16(POLLIN), revents: 0)
            if poll(&waiting, 1, 300) != 0 || !head.contains("Upgrade: websocket") { return }
            early.open()
            connection.send(Self.switching)
            connection.send(connection.read(count: 5))
        })
        let pollhold = try StreamingTests.pollhold(app)
        let client = try TestClient(port: pollhold.port)
        try client.send(Self.upgrade() + "ear")
        try client.send("ly")
        #expect(early.wait(), "bytes were passed on before the app had agreed")
        #expect(try client.response().status == 101)
        #expect(try client.readText(count: 5) == "early")
    }

    @Test(arguments: ["refused", "200", "down"])
    func `bytes behind an upgrade that was not granted are requests, judged like all`(way: String) throws {
        let app = try TestApp(handler: { connection, app in
            while let head = connection.readHead() {
                app.note(head)
                if way == "down", head.contains("/ws") { return }
                connection.send(TestApp.plain(head.contains("/ws") ? "no tunnel" : "next"))
            }
        })
        let pollhold = try StreamingTests.pollhold(
            app, "routes:\n  - path: /poll\n    hold: { channels: \"{query.channel}\", allow: [a] }\n")
        let client = try TestClient(port: pollhold.port)
        try client.send(
            Self.upgrade() + "GET /poll?channel=secret HTTP/1.1\r\nHost: t\r\n\r\nGET /next HTTP/1.1\r\nHost: t\r\n\r\n"
                + "\u{81}\u{5}hello")
        #expect(try client.response().status == (way == "down" ? 502 : 200))
        #expect(try client.response().status == 403, "the rules hold for what follows")
        #expect(try client.response().text == "next")
        #expect(try client.response().status == 400)
        #expect(client.readToEnd() == [])
        #expect(app.requests.count == 2)
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\nHost: t\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAAA\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: H2C\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket, h2c\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: h2c, websocket\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: h2c/1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: h2\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: HTTP/2.0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: t\r\nUpgrade: websocket\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\nhi",
        "POST / HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ])
    func `an upgrade that may not be passed on is an ordinary request`(text: String) throws {
        let app = try TestApp(respond: { _, _ in TestApp.plain("plain") })
        let pollhold = try PollholdProcess(
            "listen: 127.0.0.1:0\nupstream: { server: http://127.0.0.1:\(app.port), upgrade: [\"*\"] }\n")
        let client = try TestClient(port: pollhold.port)
        try client.send(text)
        #expect(try client.response().text == "plain")
        let head = try #require(app.requests.first).lowercased()
        #expect(!head.contains("\r\nupgrade:") && !head.contains("http2-settings"))
        #expect(!head.contains("\r\nconnection: upgrade"))
    }

    @Test func `CONNECT is refused in every form`() throws {
        let app = try TestApp(respond: { _, _ in TestApp.plain("plain") })
        let pollhold = try StreamingTests.pollhold(app)
        for target in ["a:443", "/", "http://a/", "*", "127.0.0.1:\(app.port)"] {
            let client = try TestClient(port: pollhold.port)
            try client.send("CONNECT \(target) HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
            let answer = try client.response()
            #expect(answer.status == 501 || answer.status == 400, "\(target)")
            #expect(client.readToEnd() == [])
        }
        #expect(app.connectionCount == 0)
    }
}
