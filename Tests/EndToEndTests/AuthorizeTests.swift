import Foundation
import Testing

/// Who may listen, asked of the app itself.
struct AuthorizeTests {
    /// Lets in who has a session that it knows, and says who that is.
    final class SessionApp: @unchecked Sendable {
        private let lock = NSLock()
        private var sessions = ["a": "ada", "b": "bob"]
        private(set) var server: TestApp!

        init() throws {
            server = try TestApp { [weak self] head, _ in self?.respond(head) ?? TestApp.plain("gone") }
        }

        var questions: [String] { server.requests.filter { $0.contains("/whoami") } }

        func end(_ session: String) { lock.withLock { sessions[session] = nil } }

        private func respond(_ head: String) -> String {
            let session = head.firstRange(of: "session=").map { head[$0.upperBound...].prefix { $0.isLetter } } ?? ""
            let user = lock.withLock { sessions[String(session)] }
            switch head.split(separator: " ")[1].split(separator: "?")[0] {
            case "/whoami":
                guard let user else {
                    return "HTTP/1.1 401 Unauthorized\r\nX-Why: session\r\nContent-Length: 5\r\n\r\nlogin"
                }
                return TestApp.plain("body that nobody reads", fields: "X-User: \(user)\r\n")
            case "/renew": return TestApp.plain("new", fields: "Set-Cookie: session=c; Path=/\r\n")
            case "/logout":
                end(String(session))
                return "HTTP/1.1 303 See Other\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"
            default: return TestApp.plain("page")
            }
        }
    }

    static func configuration(_ port: UInt16, cache: String = "60s") -> String {
        """
        listen: 127.0.0.1:0
        upstream: http://127.0.0.1:\(port)
        workers: 2
        control: { socket: SOCKET }
        routes:
          - path: /poll
            hold:
              channels: "user.{auth.header.X-User}"
              timeout: 60s
              authorize: { path: /whoami, credential: "{cookie.session}", logout: POST /logout, cache: \(cache) }
        """
    }

    static func cookie(_ session: String) -> [String: String] { ["Cookie": "other=1; session=\(session)"] }

    /// - Parameter others: polls that are held there already. Who has his answer may still be counted for a moment.
    func held(
        _ pollhold: PollholdProcess, _ session: String, on channel: String, beside others: Int = 0
    ) throws -> TestClient {
        try waitUntil("nobody else waits on \(channel)") {
            try pollhold.control("GET", "/channels/\(channel)").json["waiting"] as? Int ?? 0 == others
        }
        let client = try TestClient(port: pollhold.port)
        try client.start("GET", "/poll?after=now", fields: Self.cookie(session))
        try pollhold.waitForWaiting(channel) { $0 > others }
        return client
    }

    @Test func `the app lets a client in once, and names its channel`() throws {
        let app = try SessionApp()
        let pollhold = try PollholdProcess(Self.configuration(app.server.port))
        let ada = try held(pollhold, "a", on: "user.ada")
        let bob = try held(pollhold, "b", on: "user.bob")
        try pollhold.publish("user.bob", "2")
        try pollhold.publish("user.ada", "1")
        #expect(try ada.response().messages.first?["data"] as? Int == 1)
        #expect(try bob.response().messages.first?["data"] as? Int == 2)
        let again = try held(pollhold, "a", on: "user.ada")
        again.closeNow()
        #expect(app.questions.count == 2)
        #expect(app.questions[0].hasPrefix("GET /whoami?after=now HTTP/1.1\r\n"))
        #expect(app.questions[0].contains("Cookie: other=1; session=a\r\n"))
    }

    @Test func `a refusal is passed on and not remembered`() throws {
        let app = try SessionApp()
        let pollhold = try PollholdProcess(Self.configuration(app.server.port))
        let client = try TestClient(port: pollhold.port)
        for fields in [Self.cookie("x"), [:], Self.cookie("x")] {
            let answer = try client.request("GET", "/poll", fields: fields)
            #expect(answer.status == 401)
            #expect(answer["x-why"] == "session")
            #expect(answer.text == "login")
        }
        #expect(app.questions.count == 3)
    }

    @Test func `a logout, another session and a revocation end it, and release what is held`() throws {
        let app = try SessionApp()
        let pollhold = try PollholdProcess(Self.configuration(app.server.port))
        let browser = try TestClient(port: pollhold.port)
        let first = try held(pollhold, "a", on: "user.ada")
        let untouched = try held(pollhold, "b", on: "user.bob")
        #expect(try browser.request("POST", "/logout", body: [], fields: Self.cookie("a")).status == 303)
        #expect(try first.response().messages.isEmpty)
        #expect(try first.request("GET", "/poll", fields: Self.cookie("a")).status == 401)

        #expect(try browser.request("GET", "/renew", fields: Self.cookie("b")).status == 200)
        #expect(try untouched.response().messages.isEmpty)

        let third = try held(pollhold, "b", on: "user.bob")
        #expect(try pollhold.control("POST", "/revoke?credential=nobody").json["revoked"] as? Int == 0)
        #expect(try pollhold.control("POST", "/revoke?credential=b").json["revoked"] as? Int == 1)
        #expect(try third.response().messages.isEmpty)
        let fourth = try held(pollhold, "b", on: "user.bob")
        #expect(try pollhold.control("POST", "/revoke").json["revoked"] as? Int == 1)
        #expect(try fourth.response().messages.isEmpty)
        #expect(app.questions.count == 5)
    }

    @Test func `an answer counts for its time`() throws {
        let app = try SessionApp()
        let pollhold = try PollholdProcess(Self.configuration(app.server.port, cache: "0s"))
        let clients = try (0..<2).map { try held(pollhold, "a", on: "user.ada", beside: $0) }
        #expect(app.questions.count == 2)
        try pollhold.publish("user.ada", "1")
        for client in clients { #expect(try client.response().messages.count == 1) }
    }

    @Test(arguments: [false, true]) func `the app is asked about a POST poll with its body`(isChunked: Bool) throws {
        let app = try TestApp { head, body in
            head.hasPrefix("POST /whoami ") && String(decoding: body, as: UTF8.self).contains("room=open")
                ? TestApp.plain("yes") : "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"
        }
        let pollhold = try PollholdProcess(
            Self.configuration(app.port).replacing("user.{auth.header.X-User}", with: "room.{form.room}")
                .replacing("timeout: 60s", with: "timeout: 60s\n      methods: [POST]"))
        let client = try TestClient(port: pollhold.port)
        func start(_ form: String) throws {
            let fields = Self.cookie("a").merging(RuleTests.form) { $1 }
            guard isChunked else {
                return try client.start("POST", "/poll", body: Array(form.utf8), fields: fields)
            }
            try client.start("POST", "/poll", fields: fields.merging(["Transfer-Encoding": "chunked"]) { $1 })
            try client.send("\(String(form.utf8.count, radix: 16))\r\n\(form)\r\n0\r\n\r\n")
        }
        try start("room=shut")
        #expect(try client.response().status == 403)
        var cursor = "now"
        for data in 1...2 {
            try start("room=open&after=\(cursor)")
            try pollhold.waitForWaiting("room.open") { $0 == 1 }
            try pollhold.publish("room.open", "\(data)")
            let answer = try client.response()
            #expect(answer.messages.first?["data"] as? Int == data)
            cursor = answer.cursor
        }
        // Another cursor is no other question.
        #expect(app.requests.count == 2)
        #expect(app.requests.last?.contains("Content-Length: ") ?? false)
        #expect(!(app.requests.last?.contains("chunked") ?? true))
    }
}
