import Foundation
import Testing

/// Polls through the real program: held, released, answered from the pool, refused.
struct PollTests {
    static func configuration(_ hold: String = "timeout: 60s", more: String = "", upstreamPort: UInt16 = 9) -> String {
        """
        listen: 127.0.0.1:0
        upstream: http://127.0.0.1:\(upstreamPort)
        workers: 2
        control: { socket: SOCKET }
        routes:
          - path: /poll
            hold:
              channels: "{query.channel}"
              allow: [news, "room.*"]
        \(hold.split(separator: "\n").map { "      " + $0 }.joined(separator: "\n"))
        \(more)
        """
    }

    /// A poll that is held, and the connection on which its answer comes.
    ///
    /// Polls before it that ended in another way than by a publish, or that hold on several channels, are counted until
    /// their worker's turn has ended: who had some on this channel waits first until they are counted no more.
    func held(_ pollhold: PollholdProcess, _ target: String, on channel: String) throws -> TestClient {
        let before = try pollhold.control("GET", "/channels/\(channel)").json["waiting"] as? Int ?? 0
        let client = try TestClient(port: pollhold.port)
        try client.start("GET", target)
        try pollhold.waitForWaiting(channel) { $0 > before }
        return client
    }

    @Test func `a held poll is released by each way to publish, and the connection carries the next poll`() throws {
        let pollhold = try PollholdProcess(Self.configuration())
        let json = ["Content-Type": "application/json"]
        let ways: [(String) throws -> (Int, String)] = [
            { data in
                let reply = try pollhold.control("POST", "/publish?channel=news", body: data, fields: json)
                return (reply.json["waiting"] as? Int ?? -1, reply.json["id"] as? String ?? "")
            },
            { data in
                let reply = try pollhold.control(
                    "POST", "/publish", body: #"{"channel":"news","data":\#(data)}"#, fields: json)
                return (reply.json["waiting"] as? Int ?? -1, reply.json["id"] as? String ?? "")
            },
            { data in
                let reply = try pollhold.control(
                    "POST", "/publish", body: #"{"items":[{"channel":"news","data":\#(data)}]}"#, fields: json)
                let first = reply.jsonArray.first as? [String: Any]
                return (first?["waiting"] as? Int ?? -1, first?["id"] as? String ?? "")
            },
            { data in
                let reply = try pollhold.control(
                    "POST", "/publish", body: "\n{\"channel\":\"news\",\"data\":\(data)}\n",
                    fields: ["Content-Type": "application/x-ndjson"])
                let first = reply.jsonArray.first as? [String: Any]
                return (first?["waiting"] as? Int ?? -1, first?["id"] as? String ?? "")
            },
            { data in
                let client = try TestClient(unix: pollhold.socketPath)
                try client.send("{\"channel\":\"news\",\"data\":\(data)}\n")
                let reply = try JSONSerialization.jsonObject(with: Data(try client.readLine().utf8)) as? [String: Any]
                return (reply?["waiting"] as? Int ?? -1, reply?["id"] as? String ?? "")
            },
        ]
        let client = try TestClient(port: pollhold.port)
        var cursor = "now"
        for (number, way) in ways.enumerated() {
            try client.start("GET", "/poll?channel=news&after=\(cursor)")
            try pollhold.waitForWaiting("news") { $0 == 1 }
            let (waiting, id) = try way("{\"n\":\(number)}")
            let answer = try client.response()
            #expect(waiting == 1)
            #expect(answer.status == 200)
            #expect(answer["content-type"] == "application/json")
            #expect(answer["cache-control"] == "no-store")
            #expect(answer.ids == [id])
            #expect((answer.messages.first?["data"] as? [String: Int]) == ["n": number])
            #expect(answer.messages.first?["channel"] as? String == "news")
            cursor = answer.cursor
        }
    }

    @Test func `a message that comes between two polls is delivered by the next one at once`() throws {
        let pollhold = try PollholdProcess(Self.configuration())
        let client = try TestClient(port: pollhold.port)
        try pollhold.publish("news", "1")
        let first = try client.request("GET", "/poll?channel=news")
        try pollhold.publish("room.1", "2")
        try pollhold.publish("other", "3")
        let second = try client.request("GET", "/poll?channel=news&channel=room.1&after=\(first.cursor)")
        #expect(first.ids == ["1"])
        #expect(second.ids == ["2"])
        #expect(!second.hasGap)
    }

    @Test func `a hold that ends without a message gives the same shape, empty, with a cursor`() throws {
        let pollhold = try PollholdProcess(Self.configuration("timeout: 200ms"))
        let client = try TestClient(port: pollhold.port)
        let answer = try client.request("GET", "/poll?channel=news")
        #expect(answer.status == 200)
        #expect(answer.messages.isEmpty && answer.json["messages"] != nil)
        #expect(!answer.cursor.isEmpty)
        #expect(try client.request("GET", "/poll?channel=news&after=\(answer.cursor)").status == 200)
    }

    @Test func `a route gives its own shape to the empty answer`() throws {
        let pollhold = try PollholdProcess(
            Self.configuration(
                "timeout: 200ms\nformat: array\nempty: { status: 203, headers: { X-Old: \"yes\", Content-Type: text/xml }, body: \"<none/>\" }"
            ))
        let answer = try TestClient(port: pollhold.port).request("GET", "/poll?channel=news")
        #expect(answer.status == 203)
        #expect(answer["x-old"] == "yes")
        #expect(answer.all("content-type") == ["text/xml"])
        #expect(answer.text == "<none/>")
        #expect(answer["pollhold-cursor"] != nil)
    }

    @Test func `data comes as the JSON value, text as a string, other bytes as base64`() throws {
        let pollhold = try PollholdProcess(Self.configuration())
        _ = try pollhold.control(
            "POST", "/publish?channel=news", body: " [1, {\"a\":null}] ", fields: ["Content-Type": "application/json"])
        _ = try pollhold.control(
            "POST", "/publish?channel=news", body: "say \"hi\"\n", fields: ["Content-Type": "text/plain; charset=utf-8"]
        )
        let client = try TestClient(unix: pollhold.socketPath)
        _ = try client.request("POST", "/publish?channel=news", body: [0, 255, 1], fields: ["Content-Type": "image/x"])
        _ = try client.request("POST", "/publish?channel=news", body: Array("plain".utf8))
        let answer = try TestClient(port: pollhold.port).request("GET", "/poll?channel=news")
        #expect(answer.messages.count == 4)
        #expect((answer.messages[0]["data"] as? [Any])?.count == 2)
        #expect(answer.messages[1]["data"] as? String == "say \"hi\"\n")
        #expect(answer.messages[2]["data"] as? String == "AP8B")
        #expect(answer.messages[2]["encoding"] as? String == "base64")
        #expect(answer.messages[3]["data"] as? String == "plain")
    }

    @Test func `the array format is a list with the cursor in a field`() throws {
        let pollhold = try PollholdProcess(Self.configuration("timeout: 200ms\nformat: array"))
        try pollhold.publish("news", "{\"a\":1}")
        try pollhold.publish("news", "2")
        let client = try TestClient(port: pollhold.port)
        let answer = try client.request("GET", "/poll?channel=news")
        #expect(answer.text == "[{\"a\":1},2]")
        let cursor = answer["pollhold-cursor"] ?? ""
        #expect(try client.request("GET", "/poll?channel=news&after=\(cursor)").text == "[]")
        let gap = try client.request("GET", "/poll?channel=news&after=elsewhere-1")
        #expect(gap["pollhold-gap"] == "true")
    }

    @Test func `the raw format is one message with its own type`() throws {
        let pollhold = try PollholdProcess(Self.configuration("timeout: 200ms\nformat: raw"))
        let publisher = try TestClient(unix: pollhold.socketPath)
        _ = try publisher.request("POST", "/publish?channel=news", body: [1, 2], fields: ["Content-Type": "image/x"])
        _ = try publisher.request(
            "POST", "/publish?channel=news", body: Array("<b/>".utf8), fields: ["Content-Type": "text/html"])
        let client = try TestClient(port: pollhold.port)
        let first = try client.request("GET", "/poll?channel=news")
        #expect(first.body == [1, 2])
        #expect(first["content-type"] == "image/x")
        let second = try client.request("GET", "/poll?channel=news&after=\(first["pollhold-cursor"] ?? "")")
        #expect(second.text == "<b/>")
        #expect(second["content-type"] == "text/html")
        let none = try client.request("GET", "/poll?channel=news&after=\(second["pollhold-cursor"] ?? "")")
        #expect(none.status == 204)
        #expect(none["pollhold-cursor"] == second["pollhold-cursor"])
    }

    @Test func `a batch is cut and the rest comes with the next poll`() throws {
        let pollhold = try PollholdProcess(Self.configuration("batch: { messages: 2, bytes: 1KiB }"))
        for number in 1...3 { try pollhold.publish("news", "\(number)") }
        let client = try TestClient(port: pollhold.port)
        let first = try client.request("GET", "/poll?channel=news")
        #expect(first.ids == ["1", "2"])
        #expect(try client.request("GET", "/poll?channel=news&after=\(first.cursor)").ids == ["3"])
    }

    @Test func `a poll without a cursor begins where the route or the request says`() throws {
        let pollhold = try PollholdProcess(Self.configuration("start: now\ntimeout: 200ms\nafter_parameter: last"))
        try pollhold.publish("news", "1")
        let client = try TestClient(port: pollhold.port)
        let now = try client.request("GET", "/poll?channel=news")
        #expect(now.messages.isEmpty)
        try pollhold.publish("news", "2")
        #expect(try client.request("GET", "/poll?channel=news&last=\(now.cursor)").ids == ["2"])
        #expect(try client.request("GET", "/poll?channel=news&last=now").messages.isEmpty)
        #expect(try client.request("GET", "/poll?channel=news&last=").messages.isEmpty)
    }

    @Test func `lost messages are told as a gap at once, never waited out`() throws {
        let pollhold = try PollholdProcess(Self.configuration(more: "pool: { messages: 2 }"))
        let client = try TestClient(port: pollhold.port)
        try pollhold.publish("news", "1")
        let start = try client.request("GET", "/poll?channel=news")
        for number in 2...4 { try pollhold.publish("news", "\(number)") }
        let late = try client.request("GET", "/poll?channel=news&after=\(start.cursor)")
        #expect(late.hasGap)
        #expect(late.ids == ["3", "4"])
        let epoch = start.cursor.split(separator: "-")[0]
        for cursor in ["otherpool-1", "\(epoch)-99999", "\(epoch)-99999999999999999999999"] {
            let answer = try client.request("GET", "/poll?channel=news&after=\(cursor)")
            #expect(answer.hasGap, "\(cursor)")
            #expect(answer.ids == ["3", "4"], "\(cursor)")
            #expect(answer.cursor == late.cursor, "\(cursor)")
        }
    }

    @Test func `a deleted channel gives its held polls a gap`() throws {
        let pollhold = try PollholdProcess(Self.configuration())
        try pollhold.publish("news", "1")
        let client = try held(pollhold, "/poll?channel=news&after=now", on: "news")
        #expect(try pollhold.control("DELETE", "/channels/news").json["deleted"] as? Bool == true)
        let answer = try client.response()
        #expect(answer.hasGap)
        #expect(answer.messages.isEmpty)
        #expect(try pollhold.control("DELETE", "/channels/unknown").status == 404)
    }

    @Test(arguments: [
        ("/poll", 400, "channel"), ("/poll?channel=", 400, "channel"), ("/poll?channel=a%20b", 400, "channel"),
        ("/poll?channel=%0a", 400, "channel"), ("/poll?channel=%zz", 400, "channel"),
        ("/poll?channel=secret", 403, "channel"),
        ("/poll?channel=room", 403, "channel"), ("/poll?channel=room.1.2", 403, "channel"),
        ("/poll?channel=news&channel=secret", 403, "channel"), ("/poll?channel=news&after=x", 400, "after"),
        ("/poll?channel=news&after=a-1&after=a-1", 400, "after"),
        ("/poll?" + (0..<33).map { "channel=room.\($0)" }.joined(separator: "&"), 400, "channel"),
        ("/poll?channel=" + String(repeating: "a", count: 201), 400, "channel"),
    ])
    func `a bad poll gets an error that names the parameter, and the connection stays`(
        target: String, status: Int, parameter: String
    ) throws {
        let pollhold = try PollholdProcess(Self.configuration("timeout: 100ms"))
        let client = try TestClient(port: pollhold.port)
        let answer = try client.request("GET", target)
        #expect(answer.status == status)
        #expect(answer.json["parameter"] as? String == parameter)
        #expect((answer.json["error"] as? String)?.isEmpty == false)
        #expect(try client.request("GET", "/poll?channel=news").status == 200)
    }

    @Test func `HEAD is answered at once, OPTIONS says what is allowed, other methods don't poll`() throws {
        let pollhold = try PollholdProcess(Self.configuration())
        let client = try TestClient(port: pollhold.port)
        let head = try client.request("HEAD", "/poll?channel=news")
        #expect(head.status == 200)
        #expect(head["content-type"] == "application/json")
        let options = try client.request("OPTIONS", "/poll?channel=news")
        #expect(options.status == 204)
        #expect(options["allow"] == "GET, HEAD, OPTIONS")
        let post = try client.request("POST", "/poll?channel=news", body: [])
        #expect(post.status == 405)
        #expect(post["allow"] == "GET, HEAD, OPTIONS")
    }

    @Test func `another origin may read what the route lets it, by name and never by reflection`() throws {
        let pollhold = try PollholdProcess(
            Self.configuration(
                "timeout: 100ms\ncors: { origins: [\"https://app.example\"], credentials: true, max_age: 5m }"))
        let client = try TestClient(port: pollhold.port)
        let good = try client.request("GET", "/poll?channel=news", fields: ["Origin": "https://app.example"])
        #expect(good["access-control-allow-origin"] == "https://app.example")
        #expect(good["access-control-allow-credentials"] == "true")
        #expect(good["vary"] == "Origin")
        let bad = try client.request("GET", "/poll?channel=news", fields: ["Origin": "https://evil.example"])
        #expect(bad["access-control-allow-origin"] == nil)
        #expect(bad["vary"] == "Origin")
        let preflight = try client.request(
            "OPTIONS", "/poll?channel=news",
            fields: ["Origin": "https://app.example", "Access-Control-Request-Method": "GET"])
        #expect(preflight.status == 204)
        #expect(preflight["access-control-allow-methods"] == "GET, HEAD, OPTIONS")
        #expect(preflight["access-control-max-age"] == "300")
        let refused = try client.request("GET", "/poll?channel=secret", fields: ["Origin": "https://app.example"])
        #expect(refused["access-control-allow-origin"] == "https://app.example", "a script must be able to read why")
    }

    @Test func `pipelined polls are answered in order on one connection`() throws {
        let pollhold = try PollholdProcess(Self.configuration("timeout: 100ms"))
        try pollhold.publish("news", "1")
        let client = try TestClient(port: pollhold.port)
        try client.send(
            (0..<200).map { "GET /poll?channel=\($0 % 2 == 0 ? "news" : "room.1") HTTP/1.1\r\nHost: t\r\n\r\n" }.prefix(
                20
            ).joined())
        for number in 0..<20 { #expect(try client.response().ids == (number % 2 == 0 ? ["1"] : [])) }
    }

    @Test func `a poll of HTTP 1.0 is told whether its connection stays`() throws {
        let pollhold = try PollholdProcess(Self.configuration("timeout: 100ms"))
        let keeping = try TestClient(port: pollhold.port)
        try keeping.send("GET /poll?channel=news HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        #expect(try keeping.response()["connection"] == "keep-alive")
        let closing = try TestClient(port: pollhold.port)
        try closing.send("GET /poll?channel=news HTTP/1.0\r\n\r\n")
        #expect(try closing.response()["connection"] == "close")
        #expect(closing.readToEnd() == [])
    }
}
