import Foundation
import Testing

/// Recheck routes through the real program, in front of an app and a page that know nothing of it.
struct RecheckTests {
    static func configuration(_ port: UInt16, _ more: String = "", timeout: String = "60s", workers: Int = 2) -> String
    {
        """
        listen: 127.0.0.1:0
        upstream: http://127.0.0.1:\(port)
        workers: \(workers)
        control: { socket: SOCKET }
        routes:
          - path: /updates
            recheck:
              channels: "room.{query.room}"
              nothing_new: { body: "[]" }
              timeout: \(timeout)
        \(more.split(separator: "\n").map { "      " + $0 }.joined(separator: "\n"))
          - path: /state
            recheck:
              channels: "room.{query.room}"
              nothing_new: { same: true }
              timeout: \(timeout)
        publish:
          - when: POST /send
            channels: "room.{form.room}"
        """
    }

    static func send(_ pollhold: PollholdProcess, _ room: String, _ text: String) throws {
        let client = try TestClient(port: pollhold.port)
        let answer = try client.request(
            "POST", "/send", body: Array("room=\(room)&text=\(text)".utf8), fields: RuleTests.form)
        #expect(answer.status == 303)
    }

    /// A poll that the app has answered with "nothing new" and that is held.
    static func held(_ pollhold: PollholdProcess, _ target: String, fields: [String: String] = [:]) throws -> TestClient
    {
        let client = try TestClient(port: pollhold.port)
        let before = try heldCount(pollhold)
        try client.start("GET", target, fields: fields)
        try waitUntil("the poll is held") { try heldCount(pollhold) > before }
        return client
    }

    /// Polls that wait on rooms, and of which no question is under way.
    static func heldCount(_ pollhold: PollholdProcess) throws -> Int {
        try figure(pollhold, "/updates", "held") + figure(pollhold, "/state", "held")
    }

    static func figure(_ pollhold: PollholdProcess, _ path: String, _ name: String) throws -> Int {
        let routes = try pollhold.control("GET", "/status").json["rechecks"] as? [String: Any]
        return (routes?[path] as? [String: Any])?[name] as? Int ?? 0
    }

    @Test func `what one client sends reaches another's held poll at once, with no change to app or page`() throws {
        let app = try RoomApp()
        let pollhold = try PollholdProcess(Self.configuration(app.port))
        var delays: [Double] = []
        var pages: [Double] = []
        let reader = try TestClient(port: pollhold.port)
        let other = try TestClient(port: pollhold.port)
        for number in 0..<40 {
            let before = try Self.heldCount(pollhold)
            try reader.start("GET", "/updates?room=1&since=\(number)")
            try waitUntil("the poll is held") { try Self.heldCount(pollhold) > before }
            let start = Date()
            try Self.send(pollhold, "1", "m\(number)")
            let answer = try reader.response()
            delays.append(Date().timeIntervalSince(start))
            #expect(answer.text == "[\"m\(number)\"]")
            #expect(answer["content-type"] == "application/json")
            let asked = Date()
            #expect(try other.request("GET", "/page").text == "page")
            pages.append(Date().timeIntervalSince(asked))
        }
        // One question found nothing and one found the message: for each message two, where a page alone asks for ever.
        #expect(app.polls == 80)
        // Where the machine is slow, a page is too.
        #expect(delays.sorted()[20] < 0.05 + 10 * pages.sorted()[20], "the medians of \(delays) and \(pages)")
    }

    @Test func `an idle client costs the app one question a hold, whichever connection it comes on`() throws {
        let app = try RoomApp()
        let pollhold = try PollholdProcess(Self.configuration(app.port, timeout: "1s"))
        let start = Date()
        for _ in 0..<4 {
            let client = try TestClient(port: pollhold.port)
            #expect(try client.request("GET", "/updates?room=1&since=0").text == "[]")
        }
        let seconds = Date().timeIntervalSince(start)
        #expect(seconds > 3.5)
        // The first poll asks when it comes and when it ends, the others when they end.
        #expect(app.polls <= Int(seconds) + 1)
    }

    @Test func `somebody else's poll is asked for itself`() throws {
        let app = try RoomApp()
        let pollhold = try PollholdProcess(Self.configuration(app.port))
        let first = try Self.held(pollhold, "/updates?room=1&since=0", fields: ["Cookie": "sid=a"])
        let second = try Self.held(pollhold, "/updates?room=1&since=0", fields: ["Cookie": "sid=b"])
        let third = try Self.held(pollhold, "/updates?room=1&since=0", fields: ["X-Token": "b"])
        #expect(app.polls == 3)
        app.add("1", "x")
        _ = try pollhold.publish("room.1", "1")
        for client in [first, second, third] { #expect(try client.response().text == "[\"x\"]") }
        #expect(app.polls == 6)
        let cookies = app.server.requests.suffix(3).map {
            $0.contains("sid=a") ? "a" : $0.contains("sid=b") ? "b" : "-"
        }
        #expect(Set(cookies) == ["a", "b", "-"])
    }

    @Test func `a signal while the question is under way makes just one more`() throws {
        let app = try RoomApp()
        let pollhold = try PollholdProcess(Self.configuration(app.port))
        let poll = try Self.held(pollhold, "/updates?room=1&since=0")
        let gate = Barrier()
        app.holdBack(by: gate)
        _ = try pollhold.publish("room.1", "1")
        try waitUntil("the app is asked again") { app.server.requests.count == 2 }
        for _ in 0..<5 { _ = try pollhold.publish("room.1", "1") }
        app.holdBack(by: nil)
        gate.open()
        try waitUntil("it is held again") { try Self.heldCount(pollhold) == 1 && app.polls == 3 }
        app.add("1", "x")
        _ = try pollhold.publish("room.1", "1")
        #expect(try poll.response().text == "[\"x\"]")
        #expect(app.polls == 4)
    }

    @Test func `the app works on no more questions at a time than it is allowed, and all are reached`() throws {
        let app = try RoomApp(work: 0.005)
        let pollhold = try PollholdProcess(Self.configuration(app.port, "concurrency: 2\ndebounce: 0s"))
        let clients = try (0..<60).map { number in
            let client = try TestClient(port: pollhold.port)
            try client.start("GET", "/updates?room=1&since=0", fields: ["Cookie": "sid=\(number)"])
            return client
        }
        try waitUntil("all are held") { try Self.heldCount(pollhold) == 60 }
        app.add("1", "x")
        _ = try pollhold.publish("room.1", "1")
        for client in clients { #expect(try client.response().text == "[\"x\"]") }
        #expect(app.peak == 2)
        #expect(app.polls == 120)
    }

    @Test func `questions that a route lets be shared are one`() throws {
        let app = try RoomApp(fields: { head in head.contains("sid=9") ? "Set-Cookie: sid=10\r\n" : "" })
        let pollhold = try PollholdProcess(
            Self.configuration(app.port, "concurrency: 1\nshare: [path, query]\ndebounce: 0s", workers: 1))
        let clients = try (0..<8).map { number in
            try Self.held(pollhold, "/updates?room=1&since=0", fields: ["Cookie": "sid=\(number)"])
        }
        let before = app.polls
        app.add("1", "x")
        _ = try pollhold.publish("room.1", "1")
        for client in clients { #expect(try client.response().text == "[\"x\"]") }
        #expect(app.polls == before + 1)
        // An answer that sets a cookie is for the one who asked.
        let setting = try TestClient(port: pollhold.port)
        let answer = try setting.request("GET", "/updates?room=1&since=1", fields: ["Cookie": "sid=9"])
        #expect(answer["set-cookie"] == "sid=10")
    }

    @Test func `a hold ends with what the app says, and without the app with what it said last`() throws {
        // Nothing has to be done while a hold lasts: the message comes behind the first answer's making, and the app
        // answers no question behind the third, the first one for room 2.
        let later = Later()
        let app = try RoomApp(
            faults: { $0 >= 3 },
            fields: { head in
                if head.contains("room=1") { later.app?.add("1", "unsignalled") }
                return ""
            })
        later.app = app
        let pollhold = try PollholdProcess(Self.configuration(app.port, timeout: "4s"))
        let client = try TestClient(port: pollhold.port)
        #expect(try client.request("GET", "/updates?room=1&since=0").text == "[\"unsignalled\"]")
        let kept = try client.request("GET", "/updates?room=2&since=0")
        #expect(app.polls > 3, "the app was asked once more, and gave no answer")
        #expect(kept.status == 200)
        #expect(kept.text == "[]")
        #expect(kept["content-type"] == "application/json")
        // Who was never answered is told as by any proxy.
        app.server.end()
        #expect(try TestClient(port: pollhold.port).request("GET", "/updates?room=3").status == 502)
    }

    /// An app, for what it is made with.
    private final class Later: @unchecked Sendable {
        private let lock = NSLock()
        private weak var made: RoomApp?
        var app: RoomApp? {
            get { lock.withLock { made } }
            set { lock.withLock { made = newValue } }
        }
    }

    @Test func `a new poll takes the place of the held one, and the app is not asked for it`() throws {
        let app = try RoomApp()
        let pollhold = try PollholdProcess(Self.configuration(app.port, "supersede: \"{cookie.sid}\""))
        let fields = ["Cookie": "sid=a"]
        var last = try Self.held(pollhold, "/updates?room=1&since=0&_=1", fields: fields)
        for number in 2..<8 {
            let next = try TestClient(port: pollhold.port)
            try next.start("GET", "/updates?room=1&since=0&_=\(number)", fields: fields)
            #expect(try last.response().text == "[]")
            last = next
        }
        #expect(app.polls == 1)
        try Self.send(pollhold, "1", "x")
        #expect(try last.response().text == "[\"x\"]")
    }

    @Test func `an answer equal to the last one on the connection is nothing new`() throws {
        let app = try RoomApp()
        let pollhold = try PollholdProcess(Self.configuration(app.port))
        let client = try TestClient(port: pollhold.port)
        #expect(try client.request("GET", "/state?room=1").text == "state: ")
        try client.start("GET", "/state?room=1")
        try waitUntil("it is held") { try Self.heldCount(pollhold) == 1 }
        // Another connection has seen nothing yet.
        #expect(try TestClient(port: pollhold.port).request("GET", "/state?room=1").text == "state: ")
        try Self.send(pollhold, "1", "x")
        #expect(try client.response().text == "state: x")
        #expect(app.polls == 3)
    }

    @Test func `where the tabs of a browser share a connection, each of them sees what is new`() throws {
        let app = try RoomApp()
        let pollhold = try PollholdProcess(Self.configuration(app.port))
        let (one, other) = (try TestClient(port: pollhold.port), try TestClient(port: pollhold.port))
        #expect(try one.request("GET", "/state?room=1").text == "state: ")
        #expect(try other.request("GET", "/state?room=1").text == "state: ")
        // One tab polls; there is news while the other is between two polls.
        try one.start("GET", "/state?room=1")
        try waitUntil("it is held") { try Self.heldCount(pollhold) == 1 }
        try Self.send(pollhold, "1", "x")
        #expect(try one.response().text == "state: x")
        // Now the other's poll comes where the first one was told.
        #expect(try one.request("GET", "/state?room=1").text == "state: x")
    }

    @Test func `a page that is loaded anew is told the state`() throws {
        let app = try RoomApp()
        let pollhold = try PollholdProcess(Self.configuration(app.port))
        let client = try TestClient(port: pollhold.port)
        for _ in 0..<2 {
            #expect(try client.request("GET", "/page").text == "page")
            #expect(try client.request("GET", "/state?room=1").text == "state: ")
        }
        try client.start("GET", "/state?room=1")
        try waitUntil("what has it is held") { try Self.heldCount(pollhold) == 1 }
    }

    private static func posting(_ port: UInt16) -> String {
        """
        listen: 127.0.0.1:0
        upstream: http://127.0.0.1:\(port)
        control: { socket: SOCKET }
        routes:
          - path: /updates
            recheck: { channels: "room.{form.room}", nothing_new: { body: "[]" }, methods: [POST] }
        """
    }

    @Test(arguments: [false, true]) func `polls that are POST requests are held with their body`(
        isChunked: Bool
    ) throws {
        let app = try RoomApp()
        let pollhold = try PollholdProcess(Self.posting(app.port))
        let client = try TestClient(port: pollhold.port)
        if isChunked {
            try client.send(Self.chunkedHead + "5\r\nroom=\r\n9\r\n7&since=0\r\n0\r\nX-Trailer: 1\r\n\r\n")
        } else {
            try client.start("POST", "/updates", body: Array("room=7&since=0".utf8), fields: RuleTests.form)
        }
        try waitUntil("it is held") { try Self.heldCount(pollhold) == 1 }
        app.add("7", "x")
        _ = try pollhold.publish("room.7", "1")
        #expect(try client.response().text == "[\"x\"]")
        #expect(app.polls == 2)
    }

    private static let chunkedHead = """
        POST /updates HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r
        Transfer-Encoding: chunked\r\n\r\n
        """

    @Test func `a body in chunks that is too long to be kept goes to the app whole`() throws {
        let app = try TestApp { _, body in TestApp.plain("\(body.count) of \(Set(body).count)") }
        let pollhold = try PollholdProcess(Self.posting(app.port))
        let client = try TestClient(port: pollhold.port)
        try client.send(Self.chunkedHead)
        for _ in 0..<100 { try client.send("3e8\r\n" + String(repeating: "x", count: 1000) + "\r\n") }
        try client.send("0\r\n\r\n")
        #expect(try client.response().text == "100000 of 1")
        // The connection goes on.
        #expect(try client.request("POST", "/updates", body: [0x61], fields: RuleTests.form).text == "1 of 1")
    }

    @Test func `a client that has gone is not asked for`() throws {
        let app = try RoomApp()
        let pollhold = try PollholdProcess(Self.configuration(app.port, "concurrency: 1\ndebounce: 0s", workers: 1))
        let first = try Self.held(pollhold, "/updates?room=1&since=0", fields: ["Cookie": "sid=1"])
        let second = try Self.held(pollhold, "/updates?room=1&since=0", fields: ["Cookie": "sid=2"])
        let gate = Barrier()
        app.holdBack(by: gate)
        app.add("1", "x")
        _ = try pollhold.publish("room.1", "1")
        try waitUntil("one question is under way") { app.server.requests.count == 3 }
        let isFirst = app.server.requests.last?.contains("sid=1") ?? false
        (isFirst ? second : first).closeNow()
        try waitUntil("the client is gone") {
            try pollhold.control("GET", "/channels/room.1").json["waiting"] as? Int == 1
        }
        app.holdBack(by: nil)
        gate.open()
        #expect(try (isFirst ? first : second).response().text == "[\"x\"]")
        #expect(app.server.requests.count == 3)
    }

    @Test func `a session that lives by polls is asked for now and then, and a new cookie goes through`() throws {
        let app = try RoomApp(fields: { head in head.contains("sid=old") ? "Set-Cookie: sid=new; Path=/\r\n" : "" })
        let pollhold = try PollholdProcess(Self.configuration(app.port, "pass_every: 1s"))
        let renewed = try TestClient(port: pollhold.port)
            .request("GET", "/updates?room=1&since=0", fields: ["Cookie": "sid=old"])
        #expect(renewed["set-cookie"] == "sid=new; Path=/")
        let client = try Self.held(pollhold, "/updates?room=1&since=0", fields: ["Cookie": "sid=new"])
        let before = app.polls
        try waitUntil("the app is asked twice more") { app.polls >= before + 2 }
        client.closeNow()
    }

    @Test func `a drain answers held polls whole`() throws {
        let app = try RoomApp()
        let pollhold = try PollholdProcess(Self.configuration(app.port))
        let client = try Self.held(pollhold, "/updates?room=1&since=0")
        pollhold.signal(SIGTERM)
        let answer = try client.response()
        #expect(answer.text == "[]")
        #expect(answer["connection"] == "close")
        #expect(pollhold.waitForExit() == 0)
    }

    @Test func `a route that observes changes nothing, and counts what it would have done`() throws {
        let app = try RoomApp()
        // One worker: another could serve the next poll before the message of an answered request is in the pool.
        let pollhold = try PollholdProcess(Self.configuration(app.port, "observe: true", workers: 1))
        let client = try TestClient(port: pollhold.port)
        for _ in 0..<5 { #expect(try client.request("GET", "/updates?room=1&since=0").text == "[]") }
        try Self.send(pollhold, "1", "x")
        #expect(try client.request("GET", "/updates?room=1&since=0").text == "[\"x\"]")
        #expect(try client.request("GET", "/updates?room=1&since=1").text == "[]")
        app.add("1", "nobody was told")
        #expect(try client.request("GET", "/updates?room=1&since=1").text == "[\"nobody was told\"]")
        #expect(app.polls == 8)
        try waitUntil("the last one is counted") { try Self.figure(pollhold, "/updates", "unsignalled") == 1 }
        #expect(try Self.figure(pollhold, "/updates", "polls") == 8)
        // The first, the one behind the message, the first with the new number.
        #expect(try Self.figure(pollhold, "/updates", "questions") == 3)
        #expect(try Self.figure(pollhold, "/updates", "spared") == 5)
        #expect(try Self.figure(pollhold, "/updates", "nothing_new") == 6)
    }
}
