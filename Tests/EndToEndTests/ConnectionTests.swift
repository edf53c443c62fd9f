import Foundation
import Testing

/// What a connection carries one behind another, on both sides, and what its end means.
struct ConnectionTests {
    @Test func `pipelined requests are answered in their order, whoever answers them`() throws {
        let app = try TestApp(respond: { head, body in
            TestApp.plain("\(head.split(separator: " ")[1]) \(body.count)")
        })
        let pollhold = try StreamingTests.pollhold(
            app, "routes:\n  - path: /poll\n    hold: { channels: \"{query.channel}\", allow: [a], timeout: 100ms }\n")
        let client = try TestClient(port: pollhold.port)
        var text = ""
        var expected: [String] = []
        for number in 0..<50 {
            switch number % 5 {
            case 0:
                text += "POST /\(number) HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\nabc"
                expected.append("/\(number) 3")
            case 1:
                text +=
                    "POST /\(number) HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n\r\n"
                expected.append("/\(number) 2")
            case 2:
                text += "GET /poll?channel=b HTTP/1.1\r\nHost: t\r\n\r\n"
                expected.append("403")
            case 3 where number < 10:
                text += "GET /poll?channel=a HTTP/1.1\r\nHost: t\r\n\r\n"
                expected.append("held")
            default:
                text += "GET /\(number) HTTP/1.1\r\nHost: t\r\n\r\n"
                expected.append("/\(number) 0")
            }
        }
        try client.send(text)
        for what in expected {
            let answer = try client.response()
            switch what {
            case "403": #expect(answer.status == 403)
            case "held": #expect(answer.json["messages"] != nil)
            default: #expect(answer.text == what)
            }
        }
    }

    @Test func `nothing is processed behind a request that closes`() throws {
        let app = try TestApp(respond: { _, _ in TestApp.plain("ok") })
        let pollhold = try StreamingTests.pollhold(app)
        for option in ["close", "Close", "x, CLOSE", "close, keep-alive"] {
            let client = try TestClient(port: pollhold.port)
            try client.send(
                "GET /last HTTP/1.1\r\nHost: t\r\nConnection: \(option)\r\n\r\nGET /behind HTTP/1.1\r\nHost: t\r\n\r\n")
            let answer = try client.response()
            #expect(answer.text == "ok")
            #expect(answer["connection"] == "close")
            #expect(client.readToEnd() == [])
        }
        #expect(!app.requests.contains { $0.contains("/behind") })
        #expect(app.connectionCount == 1, "the client's wish to close does not cost the app's connection")
    }

    @Test(arguments: ["poll", "proxied"])
    func `a client that pipelines and does not read is not answered into memory`(way: String) throws {
        let app = try TestApp(respond: { _, _ in TestApp.plain(String(repeating: "a", count: 60000)) })
        let pollhold = try PollholdProcess(
            """
            listen: 127.0.0.1:0
            upstream: http://127.0.0.1:\(app.port)
            workers: 1
            control: { socket: SOCKET }
            routes:
              - path: /poll
                hold: { channels: "{query.channel}", allow: [a] }
            """)
        try pollhold.publish("a", "\"\(String(repeating: "a", count: 60000))\"")
        let client = try TestClient(port: pollhold.port)
        let target = way == "poll" ? "/poll?channel=a" : "/"
        #expect(try client.request("GET", target).status == 200)
        var peak = StreamingTests.MemoryPeak(pollhold)
        let count = 1000
        try client.send(String(repeating: "GET \(target) HTTP/1.1\r\nHost: t\r\n\r\n", count: count))
        let end = Date().addingTimeInterval(1)
        while Date() < end {
            peak.look()
            poll(nil, 0, 5)
        }
        #expect(peak.growth < 2 << 20, "grew by \(peak.growth >> 10) KiB")
        for _ in 0..<count { #expect(try client.response().body.count >= 60000) }
    }

    @Test func `a client that ends its side while it is served is gone, and the app's connection is closed at once`()
        throws
    {
        let asked = Barrier()
        let ended = Barrier()
        let app = try TestApp(handler: { connection, _ in
            guard let head = connection.readHead() else { return }
            if head.contains("/streaming") { connection.send("HTTP/1.1 200 OK\r\n\r\nbegun") }
            if head.contains("/flood") {
                connection.send("HTTP/1.1 200 OK\r\n\r\n")
                asked.open()
                while connection.send([UInt8](repeating: 0x61, count: 65536)) {}
            } else {
                asked.open()
                _ = connection.readToEnd()
            }
            ended.open()
        })
        let pollhold = try StreamingTests.pollhold(app, "control: { socket: SOCKET }\n")
        let get = "HTTP/1.1\r\nHost: t\r\n\r\n"
        let cases = [
            "GET /waiting \(get)", "GET /streaming \(get)", "GET /flood \(get)",
            "POST /unfinished HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\nhalf",
            "POST /whole HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\nbody",
            "GET /pipelined \(get)" + String(repeating: "GET /behind \(get)", count: 100),
            // More than is read ahead, so that reading has stopped.
            "GET /stopped \(get)" + String(repeating: "GET /behind \(get)", count: 3000),
            "GET /upgrade HTTP/1.1\r\nHost: t\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nbytes",
        ]
        for text in cases {
            for way in ["end", "reset"] {
                // The machine may be busy; the best of a few is what it costs.
                var best = Double.infinity
                for _ in 0..<10 where best > 0.1 {
                    let client = try TestClient(port: pollhold.port)
                    try client.send(text)
                    #expect(asked.wait())
                    let start = Date()
                    if way == "end" { client.finishSending() } else { client.reset() }
                    try #require(ended.wait(), "\(text.prefix(16)) \(way): the app's connection stays")
                    best = min(best, Date().timeIntervalSince(start))
                }
                #expect(best <= 0.1, "\(text.prefix(16)) \(way)")
            }
        }
        // An end that comes with the request, in one edge. The app may or may not have been asked by then.
        for text in cases {
            let client = try TestClient(port: pollhold.port)
            try client.send(text)
            client.finishSending()
            try waitUntil("only the connection that asks is there; \(text.prefix(16))") {
                try pollhold.control("GET", "/status").json["connections"] as? Int == 1
            }
        }
    }

    @Test func `an app that ends its side behind its response has answered`() throws {
        let ended = Barrier()
        let app = try TestApp(handler: { connection, _ in
            guard let head = connection.readHead() else { return }
            connection.send(TestApp.plain("whole"))
            connection.finishSending()
            ended.open()
            // It still reads what the client sends.
            _ = connection.readBody(of: head)
            _ = connection.readToEnd()
        })
        let pollhold = try StreamingTests.pollhold(app)
        let client = try TestClient(port: pollhold.port)
        for number in 0..<6 {
            // A POST is not sent into a connection that is known to be ending.
            #expect(try client.request(number < 3 ? "GET" : "POST", "/", body: [1]).text == "whole")
            #expect(ended.wait())
        }
    }

    @Test func `bytes behind a response end the app's connection and reach nobody`() throws {
        let evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
        let app = try TestApp(handler: { connection, app in
            while let head = connection.readHead() {
                app.note(head)
                switch head.split(separator: " ")[1] {
                case "/length": connection.send(TestApp.plain("good") + evil)
                case "/chunked":
                    connection.send(
                        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n0\r\n\r\n" + evil)
                case "/head": connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(evil.utf8.count)\r\n\r\n" + evil)
                case "/204": connection.send("HTTP/1.1 204 No Content\r\n\r\n" + evil)
                case "/304": connection.send("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n" + evil)
                default: connection.send(TestApp.plain("good"))
                }
            }
        })
        let pollhold = try StreamingTests.pollhold(app)
        let client = try TestClient(port: pollhold.port)
        for (number, path) in ["/length", "/chunked", "/head", "/204", "/304"].enumerated() {
            let method = path == "/head" ? "HEAD" : "GET"
            let answer = try client.request(method, path)
            #expect(!answer.text.contains("evil"))
            #expect(try client.request("GET", "/next").text == "good", "\(path)")
            #expect(app.connectionCount == number + 2, "\(path): the connection was used again")
        }
    }

    @Test func `what an idle connection to the app says is thrown away with it`() throws {
        let say = Barrier()
        let said = Barrier()
        let app = try TestApp(handler: { connection, app in
            guard let head = connection.readHead() else { return }
            app.note(head)
            connection.send(TestApp.plain("good"))
            guard head.contains("/first") else { return }
            say.wait()
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
            // The connection is closed on that, not used.
            if let next = connection.readHead() { app.note("used: \(next)") }
            said.open()
        })
        let pollhold = try StreamingTests.pollhold(app)
        let client = try TestClient(port: pollhold.port)
        #expect(try client.request("GET", "/first").text == "good")
        say.open()
        #expect(said.wait())
        #expect(try client.request("POST", "/next", body: [1]).text == "good")
        #expect(!app.requests.contains { $0.hasPrefix("used") })
    }

    @Test func `a connection that died half-way through an answer is no reason to ask again`() throws {
        let app = try TestApp(handler: { connection, app in
            var number = 0
            while let head = connection.readHead() {
                app.note(head)
                number += 1
                if number == 2 {
                    connection.send("HTTP/1.1 200 OK\r\nContent-Le")
                    return
                }
                connection.send(TestApp.plain("ok"))
            }
        })
        let pollhold = try StreamingTests.pollhold(app)
        let client = try TestClient(port: pollhold.port)
        #expect(try client.request("GET", "/").text == "ok")
        #expect(try client.request("GET", "/").status == 502)
        #expect(app.requests.count == 2)
    }
}
