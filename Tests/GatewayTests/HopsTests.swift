import ByteText
import Gateway
import HTTP1
import Testing

/// How far a request goes: loops, and requests that say where they end.
struct HopsTests {
    private func decided(_ request: String) throws -> String {
        let table = try HoldRouteTests.table("  - path: /poll\n    hold: { channels: news }")
        return try withRequest(request) { head in
            switch table.decide(head, client: .unix) {
            case .proxy, .recheck, .authorize, .content: return "passes"
            case .poll: return "polls"
            case .answer(let answer): return "\(answer.status)" + (answer.allow.map { " \($0)" } ?? "")
            }
        }
    }

    @Test(arguments: [
        ("1.1 pollhold", "passes"), ("1.1 pollhold, 1.1 pollhold, 1.0 pollhold", "passes"),
        ("1.1 pollhold, 1.1 pollhold, 1.1 nginx, 1.1 pollhold, 1.1 pollhold", "508"),
        ("1.1 pollhold, 1.1 POLLHOLD (one)\nVia: HTTP/1.1   pollhold,1.0 pollhold", "508"),
        ("1.1 pollholder, 1.1 my-pollhold, 1.1 pollhold:80, pollhold, 1.1 a (pollhold), 1.1", "passes"),
    ]) func `a request that has come through us four times is in a loop`(via: String, expected: String) throws {
        #expect(try decided("GET / HTTP/1.1\nHost: a\nVia: \(via)") == expected)
        #expect(try decided("GET /poll HTTP/1.1\nHost: a\nVia: \(via)") == "polls")
    }

    @Test func `each pass adds what the loop is known by`() throws {
        var via = ""
        for _ in 0..<4 {
            let request = "GET / HTTP/1.1\nHost: a" + (via.isEmpty ? "" : "\nVia: \(via)")
            #expect(try decided(request) == "passes")
            via = try withRequest(request) { head in
                var writer = HTTPWriter()
                RequestForwarding.write(
                    head, client: try ForwardingTests.client(head), host: nil, upgrading: false, into: &writer)
                return try withRequest(text(writer)) { again in
                    guard let line = again.fields.first(of: .via) else { throw TestFailure("no Via") }
                    return again.fields.value(of: line).string
                }
            }
        }
        #expect(try decided("GET / HTTP/1.1\nHost: a\nVia: \(via)") == "508")
    }

    @Test(arguments: [
        ("OPTIONS * HTTP/1.1\nHost: a\nMax-Forwards: 0", "204"),
        ("TRACE / HTTP/1.1\nHost: a\nMax-Forwards: 0", "405 OPTIONS"),
        ("OPTIONS * HTTP/1.1\nHost: a\nMax-Forwards: 1", "passes"),
        ("OPTIONS * HTTP/1.1\nHost: a\nMax-Forwards: x", "passes"),
        ("OPTIONS * HTTP/1.1\nHost: a\nMax-Forwards: 0\nMax-Forwards: 0", "passes"),
        ("GET / HTTP/1.1\nHost: a\nMax-Forwards: 0", "passes"), ("TRACE / HTTP/1.1\nHost: a", "passes"),
    ]) func `a request that says it ends here does`(request: String, expected: String) throws {
        #expect(try decided(request) == expected)
    }
}
