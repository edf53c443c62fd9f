import Foundation
import Testing

/// The control socket: what publishers and operators may say, and what they are told when it is wrong.
struct ControlTests {
    static let json = ["Content-Type": "application/json"]

    @Test func `whatever is wrong with a publish is said, nothing of it is published, and the connection stays`() throws
    {
        let pollhold = try PollholdProcess(
            PollTests.configuration().replacing(
                "control: { socket: SOCKET }", with: "control: { socket: SOCKET, body: 10KiB, line: 1KiB }"))
        let client = try TestClient(unix: pollhold.socketPath)
        let cases: [(target: String, body: String, fields: [String: String], status: Int, words: String)] = [
            ("/publish?channel=news", "not json", Self.json, 400, "JSON is not valid"),
            ("/publish?channel=news", "", Self.json, 400, "it ends at byte 0"),
            ("/publish?channel=a%20b", "1", Self.json, 400, "byte 32 at offset 1"),
            ("/publish?channel=a%0d%0a", "1", Self.json, 400, "byte 13 at offset 1"),
            ("/publish?channel=%zz", "1", Self.json, 400, "percent-encoded"),
            ("/publish?channel=" + String(repeating: "a", count: 201), "1", Self.json, 400, "201 bytes"),
            ("/publish?channel=", "1", Self.json, 400, "it is empty"),
            ("/publish?channel=a&channel=b", "1", Self.json, 400, "one value"),
            ("/publish", "{\"channel\":\"a\"}", Self.json, 400, "\"data\" is missing"),
            ("/publish", "{\"data\":1}", Self.json, 400, "\"channel\" is missing"),
            ("/publish", "{\"channel\":\"a\",\"data\":1,\"channel\":\"b\"}", Self.json, 400, "stands twice"),
            ("/publish", "{\"channel\":1,\"data\":1}", Self.json, 400, "must be a string"),
            ("/publish", "[1]", Self.json, 400, "an item is an object"),
            (
                "/publish", "{\"items\":[{\"channel\":\"a\",\"data\":1},{\"channel\":\"a b\",\"data\":1}]}", Self.json,
                400, "item 1:"
            ),
            ("/publish", "{\"items\":[]}", Self.json, 400, "no item"),
            (
                "/publish", "{\"channel\":\"a\",\"data\":1}\n{]", ["Content-Type": "application/x-ndjson"], 400,
                "item 1:"
            ),
            ("/publish", "hello", ["Content-Type": "image/png"], 415, "Content-Type"),
            ("/publish?channel=a", "\u{e9}", ["Content-Type": "text/plain; charset=latin1"], 200, ""),
            (
                "/publish", "{\"items\":[{\"channel\":\"a\",\"data\":1},{\"channel\":\"a\",\"data\":1}]}",
                Self.json.merging(["Idempotency-Key": "k"]) { $1 }, 400, "own \"key\""
            ),
            ("/nothing", "", [:], 404, "unknown path"),
        ]
        for (target, body, fields, status, words) in cases {
            let reply = try client.request("POST", target, body: Array(body.utf8), fields: fields)
            #expect(reply.status == status, "\(target.prefix(60)) \(body)")
            if status != 200 {
                #expect(
                    (reply.json["error"] as? String)?.contains(words) == true,
                    "\(target.prefix(60)) \(body): \(reply.text)")
            }
        }
        let text = try client.request(
            "POST", "/publish?channel=a", body: [0xFF], fields: ["Content-Type": "text/plain"])
        #expect(text.status == 400)
        let wrongMethod = try client.request("GET", "/publish")
        #expect(wrongMethod.status == 405)
        #expect(wrongMethod["allow"] == "POST")
        let status = try client.request("GET", "/status").json
        #expect(status["published"] as? Int == 1)
        let large = try client.request(
            "POST", "/publish?channel=a", body: [UInt8](repeating: 0x31, count: 10_241), fields: Self.json)
        #expect(large.status == 413)
    }

    @Test func `a broken request on the control socket is refused and closed`() throws {
        let pollhold = try PollholdProcess(PollTests.configuration())
        for text in [
            "GARBAGE\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
            "POST /publish HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
        ] {
            let client = try TestClient(unix: pollhold.socketPath)
            try client.send(text)
            let reply = try client.response()
            #expect(reply.status == 400)
            #expect(reply.json["error"] != nil)
            #expect(client.readToEnd() == [])
        }
        #expect(try pollhold.publish("news", "1").status == 200)
    }

    @Test func `lines are answered in order, errors in their place, however they are cut`() throws {
        let pollhold = try PollholdProcess(
            PollTests.configuration().replacing(
                "control: { socket: SOCKET }", with: "control: { socket: SOCKET, line: 1KiB }"))
        let client = try TestClient(unix: pollhold.socketPath)
        let lines =
            "{\"channel\":\"a\",\"data\":1}\n\n{\"channel\":\"a\",\"dat\":1}\nnonsense\n{\"channel\":\"a\",\"data\":2,\"key\":\"k\"}\n{\"channel\":\"a\",\"data\":2,\"key\":\"k\"}\r\n"
        for byte in lines.utf8 { try client.send([byte]) }
        #expect(try client.readLine() == "{\"id\":\"1\",\"waiting\":0}")
        #expect(try client.readLine().contains("an item knows"))
        #expect(try client.readLine().contains("true, false or null"))
        #expect(try client.readLine() == "{\"id\":\"2\",\"waiting\":0}")
        #expect(try client.readLine() == "{\"id\":\"2\",\"waiting\":0}")
        try client.send("{\"channel\":\"a\",\"data\":\"" + String(repeating: "x", count: 2000))
        #expect(try client.readLine().contains("longer than 1024 bytes"))
        #expect(client.readToEnd() == [])
    }

    @Test func `channels are listed, described and deleted`() throws {
        let pollhold = try PollholdProcess(PollTests.configuration())
        for name in ["b", "a/1", "a/2", "a.3"] { try pollhold.publish(name.replacing("/", with: "%2F"), "12345") }
        #expect(try pollhold.control("GET", "/channels").json["channels"] as? [String] == ["a.3", "a/1", "a/2", "b"])
        #expect(try pollhold.control("GET", "/channels?prefix=a%2F").json["channels"] as? [String] == ["a/1", "a/2"])
        let first = try pollhold.control("GET", "/channels?limit=2").json
        #expect(first["channels"] as? [String] == ["a.3", "a/1"])
        #expect(
            try pollhold.control("GET", "/channels?limit=2&after=a/1").json["channels"] as? [String] == ["a/2", "b"])
        let one = try pollhold.control("GET", "/channels/a%2F1").json
        #expect(one["depth"] as? Int == 1)
        #expect(one["last_id"] as? String == "2")
        #expect(one["waiting"] as? Int == 0)
        #expect(try pollhold.control("GET", "/channels/zzz").status == 404)
        #expect(try pollhold.control("DELETE", "/channels/b").status == 200)
        #expect(try pollhold.control("GET", "/channels/b").status == 404)
        #expect(try pollhold.control("GET", "/channels?limit=0").status == 400)
    }

    @Test func `a trusted poll reads any channel, and is held and released like others`() throws {
        let pollhold = try PollholdProcess(PollTests.configuration())
        let client = try TestClient(unix: pollhold.socketPath)
        try client.start("GET", "/poll?channel=secret&after=now")
        try pollhold.waitForWaiting("secret") { $0 == 1 }
        try pollhold.publish("secret", "1")
        #expect(try client.response().ids == ["1"])
        #expect(try client.request("GET", "/poll?channel=").status == 400)
        #expect(try client.request("GET", "/status").status == 200)
    }

    @Test func `metrics are Prometheus text that counts what happened`() throws {
        let pollhold = try PollholdProcess(PollTests.configuration("timeout: 100ms"))
        let client = try TestClient(port: pollhold.port)
        try pollhold.publish("news", "1")
        let first = try client.request("GET", "/poll?channel=news")
        _ = try client.request("GET", "/poll?channel=news&after=\(first.cursor)")
        // A worker reports at the end of its turn, which may be just behind its answer.
        try waitUntil("the second poll is counted") {
            try pollhold.control("GET", "/metrics").text.contains("{reason=\"timeout\"} 1\n")
        }
        let metrics = try pollhold.control("GET", "/metrics")
        #expect(metrics["content-type"]?.hasPrefix("text/plain; version=0.0.4") == true)
        for line in [
            "pollhold_messages_published_total 1", "pollhold_polls_total 2",
            "pollhold_polls_released_total{reason=\"found\"} 1",
            "pollhold_polls_released_total{reason=\"timeout\"} 1", "# TYPE pollhold_polls_held gauge",
        ] {
            #expect(metrics.text.contains(line + "\n"), "\(line)")
        }
    }
}
