import Foundation
import Testing

/// Pages that know how to poll and nothing of cursors, with the real program.
struct OldPageTests {
    static func configuration(_ hold: String, upstreamPort: UInt16 = 9) -> String {
        """
        listen: 127.0.0.1:0
        upstream: http://127.0.0.1:\(upstreamPort)
        control: { socket: SOCKET }
        workers: 2
        routes:
          - path: /poll
            hold: { channels: "{query.channel}", allow: [news, "user.*"], \(hold) }
        """
    }

    @Test func `a browser's cookie begins at the page and loses nothing between two polls`() throws {
        let asked = Barrier()
        let rendered = Barrier()
        let app = try TestApp(respond: { head, _ in
            if head.hasPrefix("GET /page") {
                asked.open()
                rendered.wait()
                return TestApp.plain("<html>", fields: "Content-Type: text/html; charset=utf-8\r\n")
            }
            return TestApp.plain("{}", fields: "Content-Type: application/json\r\n")
        })
        let pollhold = try PollholdProcess(
            Self.configuration("cursor: cookie, format: array, timeout: 100ms", upstreamPort: app.port))
        try pollhold.publish("news", "\"before\"")
        let client = try TestClient(port: pollhold.port)
        #expect(try client.request("GET", "/data")["set-cookie"] == nil, "only a page begins anew")
        try client.start("GET", "/page")
        #expect(asked.wait())
        try pollhold.publish("news", "\"while it renders\"")
        rendered.open()
        var cookie = try cookie(client.response())
        let first = try client.request("GET", "/poll?channel=news", fields: ["Cookie": cookie])
        #expect(first.text == "[\"while it renders\"]")
        cookie = try self.cookie(first)
        try pollhold.publish("news", "\"between\"")
        let second = try client.request("GET", "/poll?channel=news", fields: ["Cookie": cookie])
        #expect(second.text == "[\"between\"]")
        let third = try client.request("GET", "/poll?channel=news", fields: ["Cookie": try self.cookie(second)])
        #expect(third.text == "[]")
    }

    func cookie(_ answer: TestResponse) throws -> String {
        let line = try #require(answer["set-cookie"])
        #expect(line.hasPrefix("pollhold_cursor="))
        return String(line.prefix { $0 != ";" })
    }

    @Test func `what is taken is handed out once, to one of those who wait`() throws {
        let pollhold = try PollholdProcess(Self.configuration("cursor: take, format: array, timeout: 20s"))
        let clients = try (0..<4).map { _ in try TestClient(port: pollhold.port) }
        for client in clients { try client.start("GET", "/poll?channel=user.1") }
        try pollhold.waitForWaiting("user.1") { $0 == 4 }
        for number in 0..<4 {
            try pollhold.publish("user.1", "\(number)")
            try pollhold.waitForWaiting("user.1") { $0 == 3 - number }
        }
        let got = try clients.map { try $0.response().text }
        #expect(got.sorted() == ["[0]", "[1]", "[2]", "[3]"])
        try pollhold.publish("user.1", "4")
        try pollhold.publish("user.1", "5")
        #expect(try clients[0].request("GET", "/poll?channel=user.1").text == "[4,5]")
    }

    @Test func `messages of an answer that could not be written are handed out again`() throws {
        let pollhold = try PollholdProcess(
            Self.configuration("cursor: take, format: array, timeout: 20s, batch: { bytes: 64MiB }")
                .replacing("control: { socket: SOCKET }", with: "control: { socket: SOCKET, body: 32MiB }"))
        let data = "\"" + String(repeating: "x", count: 16 << 20) + "\""
        try pollhold.publish("user.1", data)
        let gone = try TestClient(port: pollhold.port)
        try gone.start("GET", "/poll?channel=user.1")
        #expect(try gone.read(count: 1).count == 1, "the answer has begun")
        gone.closeNow()
        let next = try TestClient(port: pollhold.port)
        let answer = try next.request("GET", "/poll?channel=user.1")
        #expect(answer.body.count == data.utf8.count + 2, "\(answer.status) \(answer.text.prefix(80))")
    }

    @Test func `a poll may be a POST with its channels and cursor in a form or in JSON`() throws {
        let pollhold = try PollholdProcess(
            Self.configuration("methods: [GET, POST], timeout: 100ms").replacing("{query.channel}", with: "{form.room}")
        )
        try pollhold.publish("news", "1")
        let client = try TestClient(port: pollhold.port)
        let form = ["Content-Type": "application/x-www-form-urlencoded"]
        let first = try client.request("POST", "/poll", body: Array("room=news".utf8), fields: form)
        #expect(first.ids == ["1"])
        let second = try client.request(
            "POST", "/poll", body: Array("after=\(first.cursor)&room=news".utf8), fields: form)
        #expect(second.status == 200)
        #expect(second.ids == [])
        #expect(try client.request("POST", "/poll", body: Array("room=secret".utf8), fields: form).status == 403)
        #expect(try client.request("POST", "/poll", body: [], fields: form).status == 400)
        let long = try client.request("POST", "/poll", body: [UInt8](repeating: 0x61, count: 65537), fields: form)
        #expect(long.status == 413)
        let head = "POST /poll HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        let chunked = try TestClient(port: pollhold.port)
        try chunked.send(head + "5\r\nroom=\r\n4\r\nnews\r\n0\r\n\r\n")
        #expect(try chunked.response().ids == ["1"])
        try chunked.send(head + "10001\r\n" + String(repeating: "x", count: 0x10001) + "\r\n")
        let longer = try chunked.response()
        #expect(longer.status == 413)
        #expect(longer.json["error"] as? String == "A poll's body has 64 KiB at most.")
        let other = try TestClient(port: pollhold.port)
        #expect(try other.request("PUT", "/poll").status == 405)
    }

    @Test func `a new poll of the same page takes the place of the held one, on whichever worker`() throws {
        let pollhold = try PollholdProcess(
            Self.configuration("supersede: \"{cookie.sid}\", format: array, timeout: 60s"))
        var clients: [TestClient] = []
        for _ in 0..<6 {
            let client = try TestClient(port: pollhold.port)
            try client.start("GET", "/poll?channel=news", fields: ["Cookie": "sid=5"])
            clients.append(client)
            try pollhold.waitForWaiting("news") { $0 == 1 }
            for earlier in clients.dropLast() { #expect(try earlier.response().text == "[]") }
            clients = [client]
        }
        let stranger = try TestClient(port: pollhold.port)
        try stranger.start("GET", "/poll?channel=news", fields: ["Cookie": "sid=6"])
        try pollhold.waitForWaiting("news") { $0 == 2 }
        try pollhold.publish("news", "1")
        #expect(try clients[0].response().text == "[1]")
        #expect(try stranger.response().text == "[1]")
        // Whoever has been answered has no place that could be taken.
        #expect(try clients[0].request("GET", "/poll?channel=news", fields: ["Cookie": "sid=5"]).text == "[1]")
    }
}
