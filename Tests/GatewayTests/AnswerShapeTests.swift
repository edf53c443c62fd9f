import ConfigFile
import Gateway
import HTTP1
import Polling
import Testing

/// Answers in the shapes of old pages: JSONP, templates, cookies.
struct AnswerShapeTests {
    /// The answer to a poll on a route with these keys, after these messages.
    static func answer(
        _ hold: String, _ messages: [(String, Message.Kind)] = [], query: String = "", cookie: String? = nil
    ) throws -> (status: Int, text: String) {
        let text = """
            upstream: http://127.0.0.1:1
            routes:
              - path: /poll
                hold: { channels: c, timeout: 1s, \(hold) }
            """
        let configuration = try Configuration.load(text: text, file: "test.yaml", environment: [:])
        let epoch = Epoch(random: 1)
        let table = RouteTable(configuration, epoch: epoch)
        var pool = MessagePool(
            limits: PoolLimits(messagesPerChannel: 10, age: .seconds(60), memoryBytes: 1 << 20, channels: 10))
        let channel = try ChannelName(Array("c".utf8).span)
        for (payload, kind) in messages {
            let item = PublishItem(channel: channel, payload: Array(payload.utf8), kind: kind)
            _ = try pool.publish([item], now: Moment(nanoseconds: 0))
        }
        let cookieLine = cookie.map { "\nCookie: \($0)" } ?? ""
        return try withRequest("GET /poll\(query) HTTP/1.1\nHost: a\(cookieLine)") { head in
            switch table.decide(head, client: .network(.init(ipv4: 0x7F00_0001))) {
            case .answer(let plain): return (plain.status, plain.parameter ?? "")
            case .poll(let request):
                var switchboard = Switchboard(epoch: epoch)
                var action = switchboard.received(request, on: 0, now: Moment(nanoseconds: 0))
                for _ in 0..<4 {
                    switch action {
                    case .answer(let answer): return (answer.status, String(decoding: answer.bytes, as: UTF8.self))
                    case .hold: action = switchboard.finish(0, .timeout)
                    case .lookUp(let channels, let position, let limit, _):
                        let result = pool.lookUp(
                            channels: channels, from: position, limit: limit, holdFor: WorkerNumber(0))
                        action = switchboard.found(result, on: 0, now: Moment(nanoseconds: 0))
                    case .lookUpHeld(let channels, let after, let limit):
                        let result = pool.lookUp(held: channels, after: after, limit: limit)
                        action = switchboard.found(result, on: 0, now: Moment(nanoseconds: 0))
                    case .take(let channels, let limit, _):
                        let result = pool.take(channels: channels, limit: limit, holdFor: WorkerNumber(0))
                        action = switchboard.found(result, on: 0, now: Moment(nanoseconds: 0))
                    case .takeHeld(let channels, let after, let staysHeld, let limit):
                        let result = pool.take(held: channels, after: after, staysHeld: staysHeld, limit: limit)
                        action = switchboard.found(result, on: 0, now: Moment(nanoseconds: 0))
                    }
                }
                throw TestFailure("no answer")
            default: throw TestFailure("no poll")
            }
        }
    }

    static func body(_ answer: (status: Int, text: String)) -> String {
        answer.text.components(separatedBy: "\r\n\r\n").dropFirst().joined(separator: "\r\n\r\n")
    }

    @Test func `JSONP calls the function that the page names, and nothing that is none`() throws {
        let answer = try Self.answer("format: jsonp", [("\"a\u{2028}b\"", .json)], query: "?callback=jQuery1._$f")
        let body = Self.body(answer)
        #expect(body.hasPrefix("/**/jQuery1._$f({\"cursor\":\""))
        #expect(body.hasSuffix("\"data\":\"a\\u2028b\"}]});"))
        #expect(answer.text.contains("Content-Type: application/javascript; charset=utf-8\r\n"))
        #expect(answer.text.contains("X-Content-Type-Options: nosniff\r\n"))
        let empty = try Self.answer("format: jsonp, callback_parameter: cb", query: "?cb=f")
        #expect(Self.body(empty).hasPrefix("/**/f({\"cursor\":"))
        for bad in ["", "?callback=", "?callback=a(b", "?callback=a&callback=b", "?callback=%22", "?callback=a-b"] {
            let refused = try Self.answer("format: jsonp", query: bad)
            #expect(refused == (400, "callback"), "\(bad)")
        }
        let long = try Self.answer("format: jsonp", query: "?callback=" + String(repeating: "a", count: 65))
        #expect(long.status == 400)
    }

    static let messages: [(String, Message.Kind)] = [
        (#"{"text":"a\"<b>","n":7,"list":[1,2]}"#, .json), ("plain & simple", .text),
    ]

    @Test func `a template in JSON keeps what is put in where it belongs`() throws {
        let keys = """
            template: { answer: '{{"last":"{cursor}","missed":{gap},"n":{count},"items":[{messages}]}}', \
            message: '{{"id":{id},"room":"{channel}","text":{data./text},"raw":{data},"in":"<{data./n}>"}}' }
            """
        let body = Self.body(try Self.answer(keys, Self.messages))
        let first =
            #"{"id":1,"room":"c","text":"a\"<b>","raw":{"text":"a\"<b>","n":7,"list":[1,2]},"in":"<7>"}"#
        let second = #"{"id":2,"room":"c","text":null,"raw":"plain & simple","in":"<>"}"#
        let cursor = body.dropFirst(9).prefix { $0 != "\"" }
        #expect(body == #"{"last":"\#(cursor)","missed":false,"n":2,"items":[\#(first),\#(second)]}"#)
        #expect(cursor.hasSuffix("-2"))
    }

    @Test func `a template in XML escapes markup, and other text is left alone`() throws {
        let xml = """
            template: { type: text/xml, answer: "<m last='{cursor}'>{messages}</m>", separator: "", \
            message: "<i n='{id}'>{data./text}</i>" }
            """
        let body = Self.body(try Self.answer(xml, Self.messages))
        #expect(body.contains("<i n='1'>a&quot;&lt;b&gt;</i><i n='2'></i></m>"))
        let lines = "template: { type: text/plain, answer: \"{messages}\", separator: \"|\" }"
        let answer = try Self.answer(lines, Self.messages)
        #expect(Self.body(answer) == #"{"text":"a\"<b>","n":7,"list":[1,2]}|plain & simple"#)
        #expect(answer.text.contains("Content-Type: text/plain\r\n"))
        #expect(answer.text.contains("Pollhold-Cursor: "), "a shape without a cursor has it in the head")
    }

    @Test func `a cookie carries the cursor for a page that can not`() throws {
        let first = try Self.answer("cursor: cookie, cookie: at, format: array", Self.messages)
        let line = try #require(
            first.text.components(separatedBy: "\r\n").first { $0.hasPrefix("Set-Cookie: at=") })
        #expect(line.hasSuffix("-2; Path=/; HttpOnly; SameSite=Lax"))
        let cookie = String(line.dropFirst(12).prefix { $0 != ";" })
        let second = try Self.answer("cursor: cookie, cookie: at, format: array", Self.messages, cookie: cookie)
        #expect(Self.body(second) == "[]")
        let strange = try Self.answer(
            "cursor: cookie, cookie: at, format: array", Self.messages, cookie: "at=\"what is this\"")
        #expect(strange.status == 200)
        #expect(Self.body(strange).hasPrefix("[{"))
    }

    @Test func `a poll that takes has no cursor at all`() throws {
        let answer = try Self.answer("cursor: take, format: array", Self.messages)
        #expect(Self.body(answer).hasPrefix("[{"))
        #expect(!answer.text.contains("Cursor"))
    }
}
