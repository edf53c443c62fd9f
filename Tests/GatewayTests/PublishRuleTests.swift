import ByteText
import ConfigFile
import Gateway
import HTTP1
import Polling
import Testing

/// What publish rules make of an exchange, told in words.
struct PublishRuleTests {
    static func table(_ rules: String) throws -> RuleTable {
        let text = "upstream: http://127.0.0.1:8000\npublish:\n" + rules
        return RuleTable(try Configuration.load(text: text, file: "test.yaml", environment: [:]))
    }

    static func words(_ publication: RulePublication) -> String {
        var words = publication.items.map { item in
            switch item {
            case .signal(let name): "\(name)!"
            case .message(let item): "\(item.channel)=\(item.kind):\(String(decoding: item.payload, as: UTF8.self))"
            }
        }
        if publication.skipped > 0 { words.append("skipped \(publication.skipped)") }
        return words.joined(separator: " ")
    }

    /// Runs one exchange through; `cut` leaves its response without an end.
    static func publication(
        _ rules: String, _ request: String, body: String = "",
        _ response: String = "HTTP/1.1 200 OK\nContent-Length: 9",
        answer: String = "", readsRequest: Bool = true
    ) throws -> String {
        let table = try table(rules)
        let framed = body.isEmpty ? request : request + "\nContent-Length: \(body.utf8.count)"
        return try withRequest(framed) { head in
            var watcher = table.watcher(head, client: try IdentityTests.peer("192.0.2.1").address)
            if !body.isEmpty {
                // In two pieces, as it may come.
                let bytes = Array(body.utf8)
                watcher?.requestContent(bytes.span.extracting(0..<bytes.count / 2))
                watcher?.requestContent(bytes.span.extracting((bytes.count / 2)...))
            }
            if readsRequest { watcher?.requestEnded() }
            return try withResponse(response) { responseHead in
                if watcher == nil { watcher = PublishWatcher(responseHead) } else { watcher?.response(responseHead) }
                let bytes = Array(answer.utf8)
                watcher?.responseContent(bytes.span)
                return watcher.map { watcher in
                    var watcher = watcher
                    return words(watcher.responseEnded())
                } ?? "nothing"
            }
        }
    }

    static let form = "POST /chat/send HTTP/1.1\nHost: a\nContent-Type: application/x-www-form-urlencoded"
    static let json = "POST /api HTTP/1.1\nHost: a\nContent-Type: application/json"

    @Test(arguments: [
        ("{ when: POST /chat/send, channels: \"room.{form.room}\" }", "room=7&text=hi", "room.7!"),
        ("{ when: POST /chat/send, channels: \"room.{form.room}\" }", "room=a%2fb+", "skipped 1"),
        ("{ when: POST /chat/send, channels: \"room.{form.room}\" }", "text=hi", "skipped 1"),
        ("{ when: POST /chat/send, channels: \"room.{form.room}\" }", "room=%zz", "skipped 1"),
        ("{ when: POST /chat/send, channels: \"r.{form.to[]}\" }", "to%5B%5D=1&to%5B%5D=2&to[]=1", "r.1! r.2!"),
        ("{ when: POST /chat/send, channels: [all, \"r.{form.room}\"] }", "room=7", "all! r.7!"),
        ("{ when: GET /chat/send, channels: x }", "room=7", "nothing"),
        ("{ when: \"*  /chat/send\", channels: x }", "", "error"),
        ("{ when: \"* /chat/**\", channels: x }", "room=7", "x!"),
        ("{ channels: \"{request.path}\" }", "a=b", "/chat/send!"),
        (
            "{ when: POST /chat/send, channels: x, data: request }", "room=7&text=a%22%0ab&room=8",
            #"x=json:{"room":["7","8"],"text":"a\"\nb"}"#
        ),
        (
            #"{ when: POST /chat/send, channels: x, data: '{{"text":"{form.text}","by":{client.address}}}' }"#,
            "text=%22,%22a%22:%22", #"x=json:{"text":"\",\"a\":\"","by":"192.0.2.1"}"#
        ),
        ("{ when: POST /chat/send, channels: x, data: \"{form.text}!\" }", "text=hi", "x=text:hi!"),
        ("{ when: POST /chat/send, channels: x, data: \"{form.none}\" }", "text=hi", "skipped 1"),
        ("{ when: POST /chat/send, channels: x, status: 201 }", "room=7", ""),
        ("{ when: POST /chat/send, channels: x, status: [404, 2xx] }", "room=7", "x!"),
    ]) func `a form that was sent is a publish`(rule: String, body: String, published: String) throws {
        if published == "error" {
            #expect(throws: ConfigurationErrors.self) { try Self.table("  - " + rule + "\n") }
        } else {
            #expect(try Self.publication("  - " + rule + "\n", Self.form, body: body) == published)
        }
    }

    @Test func `a page's FormData is a form`() throws {
        let head = "POST /chat/send HTTP/1.1\nHost: a\nContent-Type: multipart/form-data; boundary=----b7"
        let body =
            "------b7\r\nContent-Disposition: form-data; name=\"room\"\r\n\r\n7\r\n"
            + "------b7\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"a.png\"\r\n"
            + "Content-Type: image/png\r\n\r\n\u{1}\u{2}\r\n"
            + "------b7\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nhi\r\n------b7--\r\n"
        let rule = "  - { when: POST /chat/send, channels: \"room.{form.room}\", data: request }\n"
        #expect(try Self.publication(rule, head, body: body) == #"room.7=json:{"room":"7","text":"hi"}"#)
        #expect(try Self.publication(rule, head, body: String(body.dropLast(4))) == "skipped 1")
        let photo = "  - { when: POST /chat/send, channels: \"room.{form.photo}\" }\n"
        #expect(try Self.publication(photo, head, body: body) == "skipped 1")
    }

    @Test(arguments: [
        ("\"room.{json./room/id}\"", "none", #"{"room":{"id":12}}"#, "room.12!"),
        ("\"room.{json./rooms}\"", "none", #"{"rooms":["a",{"b":1},2]}"#, "room.a! room.2!"),
        ("\"room.{json./room}\"", "none", #"{"room":null}"#, "skipped 1"),
        ("\"room.{json./room}\"", "none", #"{"room":"#, "skipped 1"),
        ("x", "\"{json./m}\"", #"{"m":{"a":[1, 2]}}"#, #"x=json:{"a":[1, 2]}"#),
        ("x", "request", #"{"a": 1}"#, #"x=json:{"a": 1}"#),
        ("x", "'{{\"m\":{json./m},\"t\":\"{json./m/0}\"}}'", #"{"m":["\"",2]}"#, #"x=json:{"m":["\"",2],"t":"\""}"#),
    ]) func `JSON that was sent is a publish`(channels: String, data: String, body: String, published: String) throws {
        let rule = "  - { when: POST /api, channels: \(channels), data: \(data) }\n"
        #expect(try Self.publication(rule, Self.json, body: body) == published)
    }

    @Test func `the response is looked into when it is whole`() throws {
        let rule = "  - { when: POST /api, channels: \"room.{response.json./room}\", data: response }\n"
        let answer = #"{"room":"z","id":5}"#
        let plain = "HTTP/1.1 201 Created\nContent-Type: application/json\nContent-Length: 19"
        #expect(try Self.publication(rule, Self.json, plain, answer: answer) == "room.z=json:\(answer)")
        let packed = plain + "\nContent-Encoding: gzip"
        #expect(try Self.publication(rule, Self.json, packed, answer: answer) == "skipped 1")
        let long = String(repeating: " ", count: 65536) + answer
        #expect(try Self.publication(rule, Self.json, plain, answer: long) == "skipped 1")
        let named = "  - { when: POST /api, channels: \"{response.header.X-Room}\" }\n"
        #expect(try Self.publication(named, Self.json, plain + "\nX-Room: r1") == "r1!")
        #expect(try Self.publication(named, Self.json, plain) == "skipped 1")
    }

    @Test func `a request that was not read to its end publishes nothing`() throws {
        let rule = "  - { when: POST /chat/send, channels: x }\n"
        #expect(try Self.publication(rule, Self.form, body: "a=b", readsRequest: false) == "")
    }

    @Test func `a body over the bound stops only the rules that look into it`() throws {
        let rules =
            "  - { when: POST /chat/send, channels: \"r.{form.room}\" }\n"
            + "  - { when: POST /chat/send, channels: x }\n"
        let long = "room=7&text=" + String(repeating: "a", count: 65536)
        #expect(try Self.publication(rules, Self.form, body: long) == "x! skipped 1")
    }

    @Test func `several requests and captures are one rule`() throws {
        let rule =
            "  - { when: [\"PUT,DELETE /rooms/{room}\", \"POST /rooms/{room}/messages\"], "
            + "channels: \"r.{path.room}\" }\n"
        for line in ["PUT /rooms/5", "DELETE /rooms/5", "POST /rooms/5/messages"] {
            #expect(try Self.publication(rule, "\(line) HTTP/1.1\nHost: a") == "r.5!")
        }
        #expect(try Self.publication(rule, "PATCH /rooms/5 HTTP/1.1\nHost: a") == "nothing")
        #expect(try Self.publication(rule, "PUT /rooms/5%0d%0a HTTP/1.1\nHost: a") == "skipped 1")
    }

    @Test func `an app names channels in its response`() throws {
        let response = "HTTP/1.1 200 OK\nContent-Type: application/json\nContent-Length: 4\nPollhold-Publish: "
        let get = "GET /x HTTP/1.1\nHost: a"
        #expect(try Self.publication("  - { channels: y }\n", get, response + "a, b.c") == "a! b.c!")
        #expect(
            try Self.publication("  - { channels: y }\n", get, response + "a; data=response", answer: "true")
                == "a=json:true")
        #expect(try Self.publication("  - { channels: y }\n", get, response + "no channel") == "nochannel!")
        #expect(try Self.publication("  - { channels: y }\n", get, response + "a*") == "skipped 1")
        #expect(try Self.publication("  - { channels: y }\n", Self.form, response + "a") == "y! a!")
        #expect(try Self.publication("  - { channels: y }\n", get) == "nothing")
    }

    @Test(arguments: [
        ("PURGE /a/b", "127.0.0.1", "/a/b! 200"), ("PURGE /a/b", "10.1.2.3", "/a/b! 200"),
        ("PURGE /a/b", "unix", "/a/b! 200"),
        ("PURGE /a/b", "192.0.2.1", "refused"), ("PURGE /a/b", "::ffff:127.0.0.1", "/a/b! 200"),
        ("DELETE /cache/x", "127.0.0.1", "c.x! 204"), ("DELETE /cache/x", "192.0.2.1", "passed on"),
        ("BAN /a", "127.0.0.1", "passed on"), ("GET /a", "127.0.0.1", "passed on"),
    ]) func `what a rule answers is only for those that it names`(request: String, client: String, told: String) throws
    {
        let table = try Self.table(
            """
              - { when: PURGE /**, channels: "{request.path}", from: [127.0.0.1, 10.0.0.0/8, unix] }
              - { when: "DELETE /cache/{key}", channels: "c.{path.key}", from: [127.0.0.1], answer: 204 }

            """)
        try withRequest("\(request) HTTP/1.1\nHost: a") { head in
            switch table.answered(head, client: try IdentityTests.peer(client).address) {
            case nil: #expect(told == "passed on")
            case .refused: #expect(told == "refused")
            case .publish(let publication, let status): #expect(told == "\(Self.words(publication)) \(status)")
            }
        }
    }
}
