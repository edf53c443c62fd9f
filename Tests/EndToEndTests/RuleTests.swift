import Foundation
import Testing

/// Publish rules through the real program: an app that knows nothing of Pollhold, and polls that hear of it.
struct RuleTests {
    static func configuration(_ rules: String, port: UInt16) -> String {
        PollTests.configuration(more: "publish:\n" + rules, upstreamPort: port)
    }

    static let form = ["Content-Type": "application/x-www-form-urlencoded"]

    @Test func `what a form sends reaches a held poll when the app has answered`() throws {
        let mayAnswer = Barrier()
        let app = try TestApp { _, _ in
            mayAnswer.wait()
            return TestApp.plain(#"{"id":9}"#, fields: "Content-Type: application/json\r\n")
        }
        let pollhold = try PollholdProcess(
            Self.configuration(
                "  - { when: POST /send, channels: \"room.{form.room}\", data: response }\n"
                    + "  - { when: POST /send, channels: news, data: request }\n", port: app.port))
        let room = try PollTests().held(pollhold, "/poll?channel=room.7", on: "room.7")
        let news = try PollTests().held(pollhold, "/poll?channel=news", on: "news")
        let sender = try TestClient(port: pollhold.port)
        try sender.start("POST", "/send", body: Array("room=7&text=hi".utf8), fields: Self.form)
        try waitUntil("the app has the request") { app.requests.count == 1 }
        #expect(try pollhold.control("GET", "/status").json["published"] as? Int == 0)
        mayAnswer.open()
        #expect(try sender.response().text == #"{"id":9}"#)
        #expect(try room.response().messages.first?["data"] as? [String: Int] == ["id": 9])
        #expect(try news.response().messages.first?["data"] as? [String: String] == ["room": "7", "text": "hi"])
        #expect(app.requests[0].lowercased().contains("accept-encoding: identity\r\n"))
    }

    @Test func `a sender that leaves early is published all the same, a cut response is not`() throws {
        let mayAnswer = Barrier()
        let app = try TestApp(handler: { connection, app in
            while let head = connection.readHead() {
                app.note(head)
                let body = String(decoding: connection.readBody(of: head), as: UTF8.self)
                mayAnswer.wait()
                if body == "room=1" {
                    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut")
                    return
                }
                connection.send(TestApp.plain("done"))
            }
        })
        let pollhold = try PollholdProcess(
            Self.configuration(
                "  - { when: POST /send, channels: \"room.{form.room}\", data: request }\n", port: app.port))
        let cut = try TestClient(port: pollhold.port)
        try cut.start("POST", "/send", body: Array("room=1".utf8), fields: Self.form)
        mayAnswer.open()
        _ = cut.readToEnd()
        cut.closeNow()
        let poll = try PollTests().held(pollhold, "/poll?channel=room.2", on: "room.2")
        let leaver = try TestClient(port: pollhold.port)
        try leaver.start("POST", "/send", body: Array("room=2".utf8), fields: Self.form)
        try waitUntil("the app has the request") { app.requests.count == 2 }
        func connections() throws -> Int { try pollhold.control("GET", "/status").json["connections"] as? Int ?? 0 }
        // The poll, the leaver, the way to the app, and who asks for this.
        try waitUntil("all are counted") { try connections() >= 4 }
        leaver.closeNow()
        // The worker has seen the client go when it counts one connection less.
        try waitUntil("the leaver has gone") { try (1..<4).contains(connections()) }
        mayAnswer.open()
        #expect(try poll.response().messages.count == 1)
        #expect(try pollhold.control("GET", "/channels/room.1").status == 404)
    }

    @Test func `purges are answered for those that the rule names, and an app's field is heard and removed`() throws {
        let app = try TestApp { _, _ in TestApp.plain("ok", fields: "Pollhold-Publish: news; data=response\r\n") }
        let pollhold = try PollholdProcess(
            Self.configuration(
                "  - { when: PURGE /**, channels: news, data: \"{request.path}\", from: [127.0.0.1] }\n"
                    + "  - { when: BAN /**, channels: news, from: [192.0.2.1] }\n", port: app.port))
        let poll = try PollTests().held(pollhold, "/poll?channel=news", on: "news")
        let client = try TestClient(port: pollhold.port)
        #expect(try client.request("PURGE", "/articles/5").status == 200)
        #expect(try poll.response().messages.first?["data"] as? String == "/articles/5")
        #expect(try client.request("BAN", "/articles/5").status == 403)
        #expect(app.requests.isEmpty)
        let next = try PollTests().held(pollhold, "/poll?channel=news&after=now", on: "news")
        let answer = try client.request("GET", "/page")
        #expect(answer.text == "ok")
        #expect(answer["pollhold-publish"] == nil)
        #expect(try next.response().messages.first?["data"] as? String == "ok")
        try waitUntil("figures tell of them") {
            let rules = try pollhold.control("GET", "/status").json["rules"] as? [String: Any]
            return rules?["published"] as? Int == 2
        }
    }
}
