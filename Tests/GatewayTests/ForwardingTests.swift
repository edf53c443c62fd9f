import Gateway
import HTTP1
import Testing

struct ForwardingTests {
    static let ours = """
        X-Forwarded-For: 192.0.2.7
        X-Forwarded-Proto: http
        X-Forwarded-Host: a
        X-Forwarded-Port: 80
        Forwarded: for=192.0.2.7;host=a;proto=http
        Via: 1.1 pollhold
        """

    static func client(_ head: borrowing RequestHead) throws -> RequestForwarding.Client {
        let rules = try IdentityTests.rules()
        let identity = ClientIdentity(head, peer: try IdentityTests.peer("192.0.2.7"), rules: rules)
        return RequestForwarding.Client(identity: identity, rules: rules, requestID: nil)
    }

    func forwarded(_ request: String, host: String? = nil) throws -> String {
        try withRequest(request) { head in
            var writer = HTTPWriter()
            RequestForwarding.write(
                head, client: try Self.client(head), host: host.map { Array($0.utf8) },
                upgrading: try proxyRoute().passesUpgrade(of: head), into: &writer)
            return text(writer)
        }
    }

    @Test(arguments: [
        (  // What belongs to the message goes on, in its order and spelling.
            "GET /a?b=c HTTP/1.1\nHost: a\nACCEPT: */*\nCookie: x=1\nAuthorization: Basic eA==\nCookie: y=2",
            "GET /a?b=c HTTP/1.1\nHost: a\nACCEPT: */*\nCookie: x=1\nAuthorization: Basic eA==\nCookie: y=2\n\(ours)"
        ),
        (  // What belongs to the connection does not, nor what the Connection field names (RFC 9110 §7.6.1).
            "GET / HTTP/1.1\nHost: a\nConnection: close, x-hop\nX-Hop: 1\nKeep-Alive: 5\nTE: gzip\nProxy-Connection: x\nTrailer: b\nProxy-Authorization: z\nHTTP2-Settings: q\nX-Stay: 1",
            "GET / HTTP/1.1\nHost: a\nX-Stay: 1\n\(ours)"
        ),
        (  // Nobody outside speaks for us, in any spelling that an app may fold together.
            "GET / HTTP/1.1\nHost: a\nX-Forwarded-For: 10.0.0.1\nx_forwarded_for: 10.0.0.1\nX.Forwarded.Host: b\nTransfer_Encoding: chunked\ncontent~length: 9\nHo_st: ok\nForwarded: for=10.0.0.1\nX-Forwarded-Port: 1\nPollhold-Publish: x\npollhold_gap: y\nPollhold: z\nX-Forward-Foreign: ok",
            "GET / HTTP/1.1\nHost: a\nHo_st: ok\nPollhold: z\nX-Forward-Foreign: ok\n\(ours)"
        ),
        (  // One framing field, written anew.
            "POST / HTTP/1.1\nHost: a\ncontent-length: 5", "POST / HTTP/1.1\nHost: a\nContent-Length: 5\n\(ours)"
        ),
        (
            "POST / HTTP/1.1\nHost: a\ntransfer-encoding: CHUNKED",
            "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\(ours)"
        ),
        (  // The absolute form's host wins over the Host field (RFC 9112 §3.2.2).
            "GET http://a/b?c HTTP/1.1\nHost: evil", "GET /b?c HTTP/1.1\nHost: a\n\(ours)"
        ),
        ("GET http://a HTTP/1.1\nHost: a", "GET / HTTP/1.1\nHost: a\n\(ours)"),
        ("OPTIONS * HTTP/1.1\nHost: a", "OPTIONS * HTTP/1.1\nHost: a\n\(ours)"),
        (  // Asked of the server as a whole, which only the last proxy can write (RFC 9112 §3.2.4).
            "OPTIONS http://a HTTP/1.1\nHost: b", "OPTIONS * HTTP/1.1\nHost: a\n\(ours)"
        ),
        ("OPTIONS http://a?b HTTP/1.1\nHost: a", "OPTIONS /?b HTTP/1.1\nHost: a\n\(ours)"),
        (
            "GET / HTTP/1.0\nHost: a\nVia: 1.1 first",
            "GET / HTTP/1.1\nHost: a\n\(ours.replacing("Via: 1.1 pollhold", with: "Via: 1.1 first, 1.0 pollhold"))"
        ),
        (
            "GET / HTTP/1.1\nHost: a\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Key: k",
            "GET / HTTP/1.1\nHost: a\nSec-WebSocket-Key: k\n\(ours)\nConnection: upgrade\nUpgrade: websocket"
        ),
        (  // HTTP/2 over a tunnel would be past every rule.
            "GET / HTTP/1.1\nHost: a\nConnection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: x",
            "GET / HTTP/1.1\nHost: a\n\(ours)"
        ),
        (  // Trailers go through, so a client's word that it can take them does too, and nothing else of TE.
            "GET / HTTP/1.1\nHost: a\nTE: gzip;q=1, Trailers\nConnection: TE, close",
            "GET / HTTP/1.1\nHost: a\n\(ours)\nConnection: TE\nTE: trailers"
        ),
        ("GET / HTTP/1.0\nHost: a\nTE: trailers", "GET / HTTP/1.1\nHost: a\n\(ours.replacing("1.1 p", with: "1.0 p"))"),
        (  // Where Max-Forwards means something, one less goes on (RFC 9110 §7.6.2).
            "OPTIONS * HTTP/1.1\nHost: a\nMax-Forwards: 010",
            "OPTIONS * HTTP/1.1\nHost: a\n\(ours.replacing("Via", with: "Max-Forwards: 9\nVia"))"
        ),
        (
            "TRACE / HTTP/1.1\nHost: a\nMax-Forwards: 1",
            "TRACE / HTTP/1.1\nHost: a\n\(ours.replacing("Via", with: "Max-Forwards: 0\nVia"))"
        ),
        ("GET / HTTP/1.1\nHost: a\nMax-Forwards: 0", "GET / HTTP/1.1\nHost: a\nMax-Forwards: 0\n\(ours)"),
        ("TRACE / HTTP/1.1\nHost: a\nMax-Forwards: -1", "TRACE / HTTP/1.1\nHost: a\nMax-Forwards: -1\n\(ours)"),
        (  // An Upgrade that Connection does not name belongs to nobody.
            "GET / HTTP/1.1\nHost: a\nUpgrade: websocket", "GET / HTTP/1.1\nHost: a\n\(ours)"
        ),
    ]) func `a request's head is written anew`(request: String, expected: String) throws {
        #expect(try forwarded(request) == expected)
    }

    @Test func `the app may be told a host of its own`() throws {
        #expect(try forwarded("GET / HTTP/1.1\nHost: a", host: "app:1") == "GET / HTTP/1.1\nHost: app:1\n\(Self.ours)")
    }

    func answered(_ request: String, _ response: String) throws -> String {
        try withRequest(request) { head in
            var exchange = ProxyExchange(head, route: try proxyRoute())
            return try withResponse(response, to: head.method, upgrade: exchange.asksForUpgrade) { response in
                var writer = HTTPWriter()
                _ = exchange.response(response, into: &writer)
                return text(writer)
            }
        }
    }

    static let get = "GET / HTTP/1.1\nHost: a"

    @Test(arguments: [
        (
            get, "HTTP/1.1 200 Fine\nServer: x\nSet-Cookie: a\nSet-Cookie: b\nContent-Length: 3",
            "HTTP/1.1 200 Fine\nServer: x\nSet-Cookie: a\nSet-Cookie: b\nContent-Length: 3"
        ),
        (
            get,
            "HTTP/1.1 200 OK\nConnection: x-hop, close\nX-Hop: 1\nKeep-Alive: t\nPollhold-Gap: 1\nContent-Length: 0",
            "HTTP/1.1 200 OK\nContent-Length: 0"
        ),
        (get, "HTTP/1.1 200 OK\nTransfer-Encoding: chunked", "HTTP/1.1 200 OK\nTransfer-Encoding: chunked"),
        (get, "HTTP/1.1 200 OK", "HTTP/1.1 200 OK\nTransfer-Encoding: chunked"),
        (get, "HTTP/1.0 200 OK", "HTTP/1.1 200 OK\nTransfer-Encoding: chunked"),
        (
            "GET / HTTP/1.0\nHost: a\nConnection: keep-alive", "HTTP/1.1 200 OK\nTransfer-Encoding: chunked",
            "HTTP/1.1 200 OK\nConnection: close"
        ),
        (
            "GET / HTTP/1.0\nHost: a\nConnection: keep-alive", "HTTP/1.1 200 OK\nContent-Length: 1",
            "HTTP/1.1 200 OK\nContent-Length: 1\nConnection: keep-alive"
        ),
        ("HEAD / HTTP/1.1\nHost: a", "HTTP/1.1 200 OK\nContent-Length: 9", "HTTP/1.1 200 OK\nContent-Length: 9"),
        ("HEAD / HTTP/1.1\nHost: a", "HTTP/1.1 200 OK\nTransfer-Encoding: chunked", "HTTP/1.1 200 OK"),
        (get, "HTTP/1.1 304 Not Modified\nContent-Length: 9", "HTTP/1.1 304 Not Modified\nContent-Length: 9"),
        (get, "HTTP/1.1 204 No Content\nX: y", "HTTP/1.1 204 No Content\nX: y"),
        (
            "\(get)\nConnection: close", "HTTP/1.1 200 OK\nContent-Length: 1",
            "HTTP/1.1 200 OK\nContent-Length: 1\nConnection: close"
        ),
        (
            "\(get)\nConnection: upgrade\nUpgrade: websocket",
            "HTTP/1.1 101 Switching\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Accept: k",
            "HTTP/1.1 101 Switching\nUpgrade: websocket\nSec-WebSocket-Accept: k\nConnection: upgrade"
        ),
        (get, "HTTP/1.1 103 Early Hints\nLink: </a>", "HTTP/1.1 103 Early Hints\nLink: </a>"),
        ("GET / HTTP/1.0\nHost: a", "HTTP/1.1 103 Early Hints\nLink: </a>", ""),
        (get, "HTTP/1.1 100 Continue", ""),
        (
            "POST / HTTP/1.1\nHost: a\nContent-Length: 1\nExpect: 100-continue", "HTTP/1.1 100 Continue",
            "HTTP/1.1 100 Continue"
        ),
    ]) func `a response's head is written for its client`(request: String, response: String, expected: String) throws {
        #expect(try answered(request, response) == expected)
    }

    @Test(arguments: [
        // A kept connection that the app had closed: once more, if that can do no harm.
        (get, true, ProxyFailure.disconnected, ProxyExchange.Remedy.again),
        (get, false, .disconnected, .answer(.disconnected)), (get, true, .responseTimeout, .answer(.responseTimeout)),
        ("POST / HTTP/1.1\nHost: a", true, .disconnected, .answer(.disconnected)),
        ("PUT / HTTP/1.1\nHost: a\nContent-Length: 1", true, .disconnected, .answer(.disconnected)),
        ("DELETE / HTTP/1.1\nHost: a", true, .disconnected, .again),
        (get, false, .unreachable, .answer(.unreachable)),
    ]) func `a failure before the response is retried or told`(
        request: String, reused: Bool, failure: ProxyFailure, remedy: ProxyExchange.Remedy
    ) throws {
        try withRequest(request) { head in
            var exchange = ProxyExchange(head, route: try proxyRoute())
            #expect(exchange.upstreamFailed(failure, reused: reused) == remedy)
            if remedy == .again {
                #expect(exchange.upstreamFailed(failure, reused: true) == .answer(failure), "only once")
            }
        }
    }

    @Test func `a failure inside the response cuts it`() throws {
        try withRequest(Self.get) { head in
            var exchange = ProxyExchange(head, route: try proxyRoute())
            try withResponse("HTTP/1.1 200 OK\nContent-Length: 5") { response in
                var writer = HTTPWriter()
                _ = exchange.response(response, into: &writer)
            }
            #expect(exchange.upstreamFailed(.disconnected, reused: true) == .cut)
            #expect(!exchange.keepsUpstream)
        }
    }

    @Test func `a connection to the app is kept when both messages are complete and nobody wants to close`() throws {
        for (request, response, isKept) in [
            (Self.get, "HTTP/1.1 200 OK\nContent-Length: 0", true),
            (Self.get, "HTTP/1.1 200 OK\nContent-Length: 0\nConnection: close", false),
            (Self.get, "HTTP/1.0 200 OK\nContent-Length: 0", false),
            (Self.get, "HTTP/1.0 200 OK\nContent-Length: 0\nConnection: keep-alive", true),
            ("POST / HTTP/1.1\nHost: a\nContent-Length: 5", "HTTP/1.1 413 No\nContent-Length: 0", false),
        ] {
            try withRequest(request) { head in
                var exchange = ProxyExchange(head, route: try proxyRoute())
                try withResponse(response) { response in
                    var writer = HTTPWriter()
                    _ = exchange.response(response, into: &writer)
                    exchange.responseEnded(trailers: FieldLines(), into: &writer)
                }
                #expect(exchange.keepsUpstream == isKept, "\(request) \(response)")
            }
        }
    }

    /// Reads chunked content of nothing with these trailers.
    private func trailers(_ text: String) throws -> FieldLines {
        var reader = BodyReader(.chunked)
        var trailers = FieldLines()
        var position = 0
        let bytes = Array(("0\n" + text + "\n").replacing("\n", with: "\r\n").utf8)
        let event = try reader.next(bytes.span, &position, trailers: &trailers, limits: HeadLimits())
        guard event == .end else { throw TestFailure("no end: \(event)") }
        return trailers
    }

    @Test(arguments: [
        ("X-Sum: 1\ngrpc-status:0\n", "0\nX-Sum: 1\ngrpc-status: 0"), ("", "0"),
        ("Pollhold-Publish: x\nX-Sum: 1\nPOLLHOLD_gap: 1\n", "0\nX-Sum: 1"),
    ]) func `trailers pass as trailers, but for our own names`(given: String, expected: String) throws {
        let trailers = try trailers(given)
        try withRequest("POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked") { head in
            var exchange = ProxyExchange(head, route: try proxyRoute())
            var writer = HTTPWriter()
            exchange.requestEnded(trailers: trailers, into: &writer)
            #expect(text(writer) == expected)
            try withResponse("HTTP/1.1 200 OK\nTransfer-Encoding: chunked") { response in
                var head = HTTPWriter()
                _ = exchange.response(response, into: &head)
            }
            writer.reset()
            exchange.responseEnded(trailers: trailers, into: &writer)
            #expect(text(writer) == expected)
        }
    }

    @Test func `what has no trailers gets none, whatever is left of another message`() throws {
        let trailers = try trailers("X-Foreign: 1\n")
        try withRequest("POST / HTTP/1.1\nHost: a\nContent-Length: 1") { head in
            var exchange = ProxyExchange(head, route: try proxyRoute())
            var writer = HTTPWriter()
            exchange.requestEnded(trailers: trailers, into: &writer)
            #expect(text(writer) == "")
            try withResponse("HTTP/1.1 200 OK") { response in
                var head = HTTPWriter()
                _ = exchange.response(response, into: &head)
            }
            exchange.responseEnded(trailers: trailers, into: &writer)
            #expect(text(writer) == "0")
        }
    }
}
