import Foundation
import Testing

/// An app that dies, lies, floods or hangs at each point of an exchange: the client gets a designed answer in time or
/// sees the cut, nobody else notices, and nothing is left behind.
struct AppFaultTests {
    static let head = "HTTP/1.1 200 OK\r\n"

    /// What the client got: a status, or that the response was visibly cut.
    enum Outcome: Equatable {
        case status(Int)
        case cut
    }

    /// Sends a request and reads its response; anything but a whole response with a status is a cut.
    static func outcome(_ bench: FaultBench, _ request: String) throws -> Outcome {
        let client = try bench.client()
        try client.send(request)
        let method = String(request.prefix { $0 != " " })
        let answer: TestResponse
        do { answer = try client.response(to: method) } catch { return .cut }
        return answer.isCut ? .cut : .status(answer.status)
    }

    static func get(_ number: Int) -> String { "GET /fault/\(number) HTTP/1.1\r\nHost: t\r\n\r\n" }
    static func post(_ number: Int) -> String {
        "POST /fault/\(number) HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\nbody"
    }

    /// What the app says before it goes, and what its client must see.
    struct Death {
        let said: String
        let expected: Outcome
        /// Without a length the end is a good one; only a break cuts it.
        var endsWell = false
    }

    static let deaths = [
        Death(said: "", expected: .status(502)),
        Death(said: "HTT", expected: .status(502)),
        Death(said: "HTTP/1.1 200 OK\r\nContent-Le", expected: .status(502)),
        Death(said: "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 20", expected: .status(103)),
        Death(said: "\(head)Content-Length: 100\r\n\r\n", expected: .cut),
        Death(said: "\(head)Content-Length: 100\r\n\r\nhalf", expected: .cut),
        Death(said: "\(head)Transfer-Encoding: chunked\r\n\r\n", expected: .cut),
        Death(said: "\(head)Transfer-Encoding: chunked\r\n\r\n5\r\nhal", expected: .cut),
        Death(said: "\(head)Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", expected: .cut),
        Death(said: "\(head)Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n", expected: .cut),
        Death(said: "\(head)Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\nX-Sum: 1\r\n", expected: .cut),
        Death(said: "\(head)\r\nhalf", expected: .cut, endsWell: true),
        Death(said: "HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nhalf", expected: .cut),
    ]

    @Test(arguments: ["ends", "breaks"])
    func `an app that dies is an error or a visible cut, never a clean end`(way: String) throws {
        let bench = try FaultBench { head, connection, _ in
            _ = connection.readBody(of: head)
            connection.send(Self.deaths[FaultBench.number(in: head)].said)
            if way == "breaks" { connection.breakOff() }
            return .close
        }
        try bench.run(times: 3) { bench in
            for (number, death) in Self.deaths.enumerated() where way == "breaks" || !death.endsWell {
                for request in [Self.get(number), Self.post(number)] {
                    let outcome = try Self.outcome(bench, request)
                    // A break may overtake what was said before it.
                    let isRight =
                        outcome == death.expected || way == "breaks" && [.status(502), .cut].contains(outcome)
                    #expect(isRight, "\(outcome) behind \(death.said)")
                }
            }
        }
    }

    static let garbage = [
        "garbage\r\n\r\n", "\u{15}\u{3}\u{3}\u{0}\u{2}\u{2}\u{28}", "\0\0\0\0", "<html>no head at all</html>",
        "HTTP/2 200\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "\(head)Con tent: 1\r\n\r\n",
        "\(head)Content-Length: 4\r\nContent-Length: 5\r\n\r\nbody!", "\(head)Content-Length: -1\r\n\r\n",
        "\(head)Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "\(head)X: a\rb\r\n\r\n",
        "\(head)Transfer-Encoding: gzip\r\n\r\nx", "\(head)X: a\0b\r\n\r\n", "\(head) folded: 1\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    ]

    @Test func `an app that does not speak HTTP is answered for with 502, and its bytes reach nobody`() throws {
        let bench = try FaultBench { head, connection, _ in
            connection.send(Self.garbage[FaultBench.number(in: head)])
            _ = connection.readToEnd()
            return .close
        }
        try bench.run(times: 4) { bench in
            for (number, said) in Self.garbage.enumerated() {
                let client = try bench.client()
                let answer = try client.request("GET", "/fault/\(number)")
                #expect(answer.status == 502, "\(said)")
                #expect(answer.text == "502 Bad Gateway\nThe application's answer is not valid HTTP.\n")
                #expect(try client.request("GET", "/poll?channel=other&after=nonsense").status == 400)
            }
        }
    }

    static let brokenChunks = [
        "zz\r\n", "-5\r\nhello\r\n", "5\r\nhelloXX", "ffffffffffffffffff\r\n", "5;\u{0}\r\nhello\r\n", "5\nhello\r\n",
    ]

    @Test func `chunks that are none cut the response`() throws {
        let bench = try FaultBench { head, connection, _ in
            let broken = Self.brokenChunks[FaultBench.number(in: head)]
            connection.send("\(Self.head)Transfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n" + broken)
            _ = connection.readToEnd()
            return .close
        }
        try bench.run(times: 4) { bench in
            for (number, said) in Self.brokenChunks.enumerated() {
                let outcome = try Self.outcome(bench, Self.get(number))
                #expect(outcome == .cut, "\(said)")
            }
        }
    }

    static let floods = ["lines", "one line", "no line", "interim", "trailers", "chunk line"]

    @Test func `an app that never comes to the end of its head costs little and is 502`() throws {
        let bench = try FaultBench { head, connection, _ in
            let many = String(repeating: "a", count: 1000)
            let chunked = "\(Self.head)Transfer-Encoding: chunked\r\n\r\n"
            let (first, part) =
                switch Self.floods[FaultBench.number(in: head)] {
                case "lines": (Self.head, "X-Header: \(many)\r\n")
                case "one line": (Self.head + "X: ", many)
                case "no line": ("HTTP/1.1 200 ", many)
                case "interim": ("", "HTTP/1.1 102 Processing\r\n\r\n")
                case "trailers": (chunked + "0\r\n", "X-Trailer: \(many)\r\n")
                default: (chunked + "1;", many)
                }
            connection.send(first)
            // A megabyte, or what is taken of it.
            for _ in 0..<1000 where !connection.send(part) { break }
            return .close
        }
        try bench.run(times: 4) { bench in
            for (number, flood) in Self.floods.enumerated() {
                let client = try bench.client()
                try client.send(Self.get(number))
                var answer = try? client.response()
                while answer?.status == 102 { answer = try? client.response() }
                let isBody = flood == "trailers" || flood == "chunk line"
                #expect(isBody ? answer?.isCut ?? true : answer?.status == 502, "\(flood)")
            }
        }
    }

    @Test(arguments: ["nothing", "head", "interim"])
    func `an app that is too slow with its head is 504, however it drips`(way: String) throws {
        let bench = try FaultBench(upstream: ", response_timeout: 200ms") { _, connection, _ in
            if way == "interim" { connection.send("HTTP/1.1 103 Early Hints\r\n\r\n") }
            let head = way == "head" ? Array("HTTP/1.1 200 OK\r\nX: \(String(repeating: "a", count: 500))".utf8) : []
            for byte in head {
                guard connection.send([byte]) else { break }
                poll(nil, 0, 10)
            }
            _ = connection.readToEnd()
            return .close
        }
        try bench.run(times: 2) { bench in
            let client = try bench.client()
            try client.start("GET", "/fault")
            var answer = try client.response()
            // None if the app itself was too slow for it.
            while answer.status == 103 { answer = try client.response() }
            #expect(answer.status == 504)
        }
    }

    /// Together they take longer than the gap that cuts a response.
    static let drips = 15

    /// Reads a response that drips.
    ///
    /// - Returns: nil if a gap was so long that the app, the program or this test may have been stopped.
    static func drip(_ bench: FaultBench) throws -> Outcome? {
        let client = try bench.client()
        var last = Date()
        var longestGap = 0.0
        func arrived() {
            longestGap = max(longestGap, Date().timeIntervalSince(last))
            last = Date()
        }
        try client.send("GET /drips HTTP/1.1\r\nHost: t\r\n\r\n")
        let head = try? client.responseHead()
        arrived()
        var count = 0
        while count < drips {
            let byte = try? client.read(count: 1)
            arrived()
            if byte?.count != 1 { break }
            count += 1
        }
        if longestGap > 0.3 { return nil }
        return count == drips ? .status(head?.status ?? 0) : .cut
    }

    @Test func `a response that stands still is cut, one that drips is not`() throws {
        let bench = try FaultBench(upstream: ", idle_timeout: 600ms") { head, connection, _ in
            connection.send("\(Self.head)Content-Length: \(Self.drips)\r\n\r\n")
            for _ in 0..<(head.contains("/drips") ? Self.drips : 3) {
                connection.send("a")
                poll(nil, 0, 50)
            }
            if head.contains("/drips") { return .keep }
            _ = connection.readToEnd()
            return .close
        }
        try bench.run(times: 2) { bench in
            var dripped: Outcome?
            // Where somebody was stopped for a while, a cut would say nothing.
            try waitUntil("all drips come in time") {
                dripped = try Self.drip(bench)
                return dripped != nil
            }
            #expect(dripped == Outcome.status(200))
            let stalled = try Self.outcome(bench, Self.get(0))
            #expect(stalled == .cut)
        }
    }

    @Test func `an app that never reads is 504, and the upload stops`() throws {
        let bench = try FaultBench(more: "timeouts: { write: 300ms }") { _, connection, _ in
            // Until the other side has given up.
            while connection.isOpen { poll(nil, 0, 10) }
            return .close
        }
        try bench.run(times: 2) { bench in
            let client = try bench.client()
            try client.send("POST /fault HTTP/1.1\r\nHost: t\r\nContent-Length: 100000000\r\n\r\n")
            var sent = 0
            let part = [UInt8](repeating: 0x61, count: 65536)
            // It goes as far as the systems' buffers, and not on behind the answer.
            while !client.hasBytes(within: 0) {
                let count = client.sendSome(part)
                sent += count
                if count == 0 { _ = client.hasBytes(within: 20) }
            }
            #expect(try client.response().status == 504)
            #expect(sent < 50_000_000)
        }
    }

    @Test(arguments: ["refuses", "drops"])
    func `an app that is not there is 502 at once, and served as soon as it is back`(way: String) throws {
        let closing = "Connection: close\r\n"
        let app = try TestApp(respond: { _, _ in TestApp.plain("ok", fields: closing) })
        let port = app.port
        let pollhold = try StreamingTests.pollhold(app)
        let client = try TestClient(port: pollhold.port)
        #expect(try client.request("GET", "/").text == "ok")
        app.end()
        let dropper = way == "drops" ? try TestApp(port: port, handler: { _, _ in }) : nil
        for _ in 0..<5 {
            #expect(try client.request("GET", "/").status == 502)
            #expect(try client.request("POST", "/", body: [1]).status == 502)
        }
        dropper?.end()
        let back = try TestApp(port: port, respond: { _, _ in TestApp.plain("back", fields: closing) })
        // Which of the two got the connection is the system's choice for a moment.
        try waitUntil("the app is served again") { try client.request("GET", "/").text == "back" }
        for _ in 0..<5 { #expect(try client.request("POST", "/", body: [1]).text == "back") }
        withExtendedLifetime(back) {}
    }
}
