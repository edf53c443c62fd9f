import ByteText
import ConfigFile
import Gateway
import HTTP1
import Polling
import Testing

struct HoldRouteTests {
    static let epoch = Epoch(random: 1)

    static func table(_ routes: String) throws -> RouteTable {
        let text = "upstream: http://127.0.0.1:8000\nroutes:\n" + routes
        return RouteTable(
            try Configuration.load(text: text, file: "test.yaml", environment: [:]), epoch: epoch)
    }

    static let routes = """
          - path: /poll
            hold: { channels: "{query.channel}", allow: [news, "room.*"], channels_limit: 3 }
          - path: /rooms/{room}/poll
            hold: { channels: ["room.{path.room}", news], allow: ["room.*", news], start: now }
          - path: /mine
            hold: { channels: "user.{cookie.sid}", allow: ["user.*"] }
          - path: /tenant
            hold: { channels: "t.{header.X-Tenant}", allow: ["t.a", "t.b"], after_parameter: since }
          - path: /here
            hold: { channels: "at.{client.address}" }
          - path: /static/**
            proxy:
        """

    /// A decision in words.
    func decide(_ request: String) throws -> String {
        let table = try Self.table(Self.routes)
        return try withRequest(request) { head in
            switch table.decide(head, client: .network(IPAddress(ipv4: 0xC000_0201))) {
            case .proxy: return "proxy"
            case .recheck: return "recheck"
            case .authorize: return "authorize"
            case .content: return "content"
            case .answer(let answer):
                return "\(answer.status)" + (answer.parameter.map { " \($0)" } ?? "") + (answer.closes ? " closes" : "")
            case .poll(let poll):
                let names = poll.channels.map { String(decoding: $0.bytes, as: UTF8.self) }
                return "\(names.joined(separator: ",")) \(poll.position)" + (poll.mayHold ? "" : " at once")
            }
        }
    }

    @Test(arguments: [
        ("GET /poll?channel=news", "news oldest"), ("GET /poll?channel=news&channel=room.1", "news,room.1 oldest"),
        ("GET /poll?channel=news&channel=news", "news oldest"), ("GET /poll?channel=%6eews", "news oldest"),
        ("GET /poll?channel=news&after=", "news oldest"), ("GET /poll?channel=news&after=now", "news now"),
        ("GET /poll?channel=news&after=x-1", "news foreign"), ("HEAD /poll?channel=news", "news oldest at once"),
        ("GET /poll?channel=news&after=1&after=2", "400 after"), ("GET /poll?channel=news&after=!", "400 after"),
        ("GET /poll", "400 channel"), ("GET /poll?channel=", "400 channel"), ("GET /poll?channel=a%00b", "400 channel"),
        ("GET /poll?channel=%zz", "400 channel"), ("GET /poll?channel=secret", "403 channel"),
        ("GET /poll?channel=room.1.2", "403 channel"), ("GET /poll?channel=news&channel=secret", "403 channel"),
        ("GET /poll?channel=news&channel=room.1&channel=room.2&channel=room.3", "400 channel"),
        ("GET /poll?Channel=news", "400 channel"), ("POST /poll?channel=news", "405"), ("DELETE /poll", "405"),
        ("OPTIONS /poll", "204"), ("GET /Poll?channel=news", "proxy"), ("GET /poll/?channel=news", "proxy"),
        ("GET /rooms/7/poll", "room.7,news now"), ("GET /rooms/%37/poll", "room.7,news now"),
        ("GET /rooms/a%2Fb/poll", "room.a/b,news now"), ("GET /rooms/a%20b/poll", "400 room"),
        ("GET /rooms/a.b/poll", "403 room"), ("GET /rooms//poll", "proxy"), ("GET /rooms/%/poll", "400 room"),
        ("GET /mine\nCookie: a=b; sid=77", "user.77 oldest"), ("GET /mine", "400 sid"),
        ("GET /tenant\nX-Tenant: a", "t.a oldest"), ("GET /tenant\nX-Tenant: c", "403 x-tenant"),
        ("GET /tenant?since=now\nX-Tenant: a", "t.a now"), ("GET /tenant", "400 x-tenant"),
        ("GET /here", "at.192.0.2.1 oldest"), ("GET /static/x", "proxy"), ("GET /", "proxy"),
    ]) func `what a request comes to`(request: String, decision: String) throws {
        let lines = request.split(separator: "\n", maxSplits: 1)
        let rest = lines.count > 1 ? "\n\(lines[1])" : ""
        #expect(try decide("\(lines[0]) HTTP/1.1\nHost: a\(rest)") == decision)
    }

    @Test func `a poll with a body is refused, and so is its connection`() throws {
        #expect(try decide("GET /poll?channel=news HTTP/1.1\nHost: a\nContent-Length: 1") == "400 closes")
        #expect(try decide("POST /poll HTTP/1.1\nHost: a\nTransfer-Encoding: chunked") == "405 closes")
    }

    @Test func `a cursor of this epoch is a position, another's is foreign`() throws {
        var own: [UInt8] = []
        Cursor(epoch: Self.epoch, number: 41).append(to: &own)
        let text = String(decoding: own, as: UTF8.self)
        #expect(try decide("GET /poll?channel=news&after=\(text) HTTP/1.1\nHost: a") == "news after(41)")
        var other: [UInt8] = []
        Cursor(epoch: Epoch(random: 2), number: 41).append(to: &other)
        let foreign = String(decoding: other, as: UTF8.self)
        #expect(try decide("GET /poll?channel=news&after=\(foreign) HTTP/1.1\nHost: a") == "news foreign")
    }

    @Test func `a trusted poll may read any channel`() throws {
        let table = try Self.table(Self.routes)
        try withRequest("GET /poll?channel=secret&channel=a.b.c HTTP/1.1\nHost: a") { head in
            guard case .poll(let poll) = table.decideTrusted(head) else { throw TestFailure("no poll") }
            #expect(poll.channels.count == 2)
        }
    }

    @Test func `a poll goes on under the route that took its route's place`() throws {
        let old = try Self.table(Self.routes)
        let route = try withRequest("GET /poll?channel=news HTTP/1.1\nHost: a") { head in
            guard case .poll(let poll) = old.decide(head, client: .unix) else { throw TestFailure("no poll") }
            return poll.style.route
        }
        let news = try ChannelName(Array("news".utf8).span)
        func successor(_ routes: String) throws -> HoldRoute? {
            try Self.table(routes).successor(of: route, channels: [news])
        }
        #expect(try successor(Self.routes) != nil)
        #expect(try successor("  - path: /poll\n    hold: { channels: \"{query.channel}\", allow: [news] }\n") != nil)
        #expect(
            try successor("  - path: /poll\n    hold: { channels: \"{query.channel}\", allow: [\"room.*\"] }\n") == nil)
        #expect(try successor("  - path: /poll\n    hold: { channels: news }\n") == nil)
        #expect(try successor("  - path: /other\n    hold: { channels: news }\n") == nil)
    }

    @Test(
        arguments: [
            ("[\"*\"]", "https://any.example", "*"),
            ("[\"https://a.example\"]", "https://a.example", "https://a.example"),
            ("[\"https://a.example\"]", "https://a.example.evil", nil), ("[\"https://a.example\"]", "null", nil),
            ("[\"https://a.example\"]", "HTTPS://A.EXAMPLE", nil), ("[\"https://a.example\"]", "http://a.example", nil),
        ] as [(String, String, String?)]) func `another origin is let in by name`(
            origins: String, origin: String, told: String?
        ) throws
    {
        let table = try Self.table("  - path: /poll\n    hold: { channels: news, cors: { origins: \(origins) } }\n")
        try withRequest("OPTIONS /poll HTTP/1.1\nHost: a\nOrigin: \(origin)\nAccess-Control-Request-Method: GET") {
            head in
            guard case .answer(let answer) = table.decide(head, client: .unix) else { throw TestFailure("no answer") }
            var writer = HTTPWriter()
            _ = answer.write(for: RequestManner(head), date: DateField(seconds: 0), into: &writer)
            let lines = text(writer).split(separator: "\n")
            #expect(
                lines.first { $0.hasPrefix("Access-Control-Allow-Origin:") }
                    == told.map { "Access-Control-Allow-Origin: \($0)" })
            #expect(lines.contains { $0.hasPrefix("Access-Control-Max-Age:") } == (told != nil))
            #expect(lines.contains("Vary: Origin") == (origins != "[\"*\"]"))
        }
    }
}
