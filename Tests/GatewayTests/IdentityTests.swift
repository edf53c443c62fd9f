import ByteText
import ConfigFile
import Gateway
import HTTP1
import Testing

/// Who asks, decided from the peer, the head and whom the configuration trusts; and what the app is told of it.
struct IdentityTests {
    static func rules(_ more: String = "") throws -> ForwardingRules {
        let text = "upstream: http://127.0.0.1:9\n\(more)\n"
        return ForwardingRules(try Configuration.load(text: text, file: "test.yaml", environment: [:]))
    }

    static func peer(_ text: String, isSecure: Bool = false) throws -> Peer {
        if text == "unix" { return Peer(.unix, isSecure: isSecure) }
        let bytes = Array(text.utf8)
        let address = IPAddress(bytes.span)
        return Peer(.network(try #require(address)), isSecure: isSecure)
    }

    /// The client's address and the identity fields that the app gets, for a request with these fields.
    func told(
        _ fields: String, from peer: Peer, rules: ForwardingRules, first: String = "GET / HTTP/1.1\nHost: a"
    ) throws -> (client: String, fields: String) {
        try withRequest(fields.isEmpty ? first : "\(first)\n\(fields)") { head in
            let identity = ClientIdentity(head, peer: peer, rules: rules)
            var writer = HTTPWriter()
            RequestForwarding.write(
                head, client: .init(identity: identity, rules: rules, requestID: nil), host: nil, upgrading: false,
                into: &writer)
            let ours = text(writer).split(separator: "\n").filter { line in
                line.lowercased().hasPrefix("x") || line.lowercased().hasPrefix("forwarded")
            }
            return (String(decoding: identity.client.text, as: UTF8.self), ours.joined(separator: "\n"))
        }
    }

    static let trusting = "trusted: [10.0.0.0/8, 127.0.0.1, \"fd00::/8\", unix]"

    /// What anybody may try to say. The app hears none of it.
    @Test(arguments: [
        "X-Forwarded-For: 10.0.0.1", "x-forwarded-for: 10.0.0.1\nX-FORWARDED-FOR: 10.0.0.2",
        "X_Forwarded_For: 10.0.0.1",
        "X-Forwarded_For: 10.0.0.1", "X-Forwarded-Proto: https", "X_FORWARDED_PROTO: https", "X-Forwarded-Host: evil",
        "X-Forwarded_Host: evil", "X-Forwarded-Port: 1", "X-Forwarded-Port: 443\nX_Forwarded_Port: 443",
        "Forwarded: for=10.0.0.1;proto=https;host=evil", "X-Real-IP: 10.0.0.1", "X_Real_IP: 10.0.0.1",
        "X-Real_IP: 10.0.0.1", "X-Forwarded-Ssl: on", "X-Forwarded-Scheme: https", "x_forwarded_prefix: /evil",
        "X-Forwarded-Server: evil", "X-FORWARDED-ANYTHING: 1",
    ]) func `who is not trusted speaks for nobody`(fields: String) throws {
        for trusted in ["", Self.trusting] {
            let (client, told) = try told(fields, from: try Self.peer("192.0.2.7"), rules: try Self.rules(trusted))
            #expect(client == "192.0.2.7")
            #expect(
                told == """
                    X-Forwarded-For: 192.0.2.7
                    X-Forwarded-Proto: http
                    X-Forwarded-Host: a
                    X-Forwarded-Port: 80
                    Forwarded: for=192.0.2.7;host=a;proto=http
                    """)
        }
    }

    @Test func `names that only begin alike pass`() throws {
        let (_, told) = try told(
            "X-Forwarded: 1\nX-Forwarded-: 2\nX-Forward-For: 3", from: try Self.peer("192.0.2.7"),
            rules: try Self.rules("forwarding: { send: none }"))
        #expect(told == "X-Forwarded: 1\nX-Forwarded-: 2\nX-Forward-For: 3")
    }

    /// What a trusted peer says, the client that follows from it, and the path as the app gets it in both families.
    @Test(arguments: [
        // The nearest hop that is not trusted is the client; what stands left of it is passed on and not believed.
        ("X-Forwarded-For: 192.0.2.1", "192.0.2.1", "192.0.2.1, 10.0.0.1", "for=192.0.2.1, for=10.0.0.1"),
        (
            "X-Forwarded-For: 6.6.6.6, 192.0.2.1, 10.1.1.1", "192.0.2.1", "6.6.6.6, 192.0.2.1, 10.1.1.1, 10.0.0.1",
            "for=6.6.6.6, for=192.0.2.1, for=10.1.1.1, for=10.0.0.1"
        ),
        // Lines are one list.
        (
            "X-Forwarded-For: 192.0.2.1\nX-Forwarded-For: 10.1.1.1", "192.0.2.1", "192.0.2.1, 10.1.1.1, 10.0.0.1",
            "for=192.0.2.1, for=10.1.1.1, for=10.0.0.1"
        ),
        // All are trusted: the farthest one asks for itself.
        (
            "X-Forwarded-For: 10.3.3.3,10.2.2.2", "10.3.3.3", "10.3.3.3, 10.2.2.2, 10.0.0.1",
            "for=10.3.3.3, for=10.2.2.2, for=10.0.0.1"
        ),
        // A hop that names none hides whoever is behind it.
        (
            "X-Forwarded-For: 192.0.2.1, unknown", "10.0.0.1", "192.0.2.1, unknown, 10.0.0.1",
            "for=192.0.2.1, for=unknown, for=10.0.0.1"
        ),
        (
            "X-Forwarded-For: 192.0.2.1, <script>, 10.9.9.9", "10.9.9.9", "192.0.2.1, <script>, 10.9.9.9, 10.0.0.1",
            "for=192.0.2.1, for=unknown, for=10.9.9.9, for=10.0.0.1"
        ),
        // With ports, and IPv6 in the forms that are about.
        ("X-Forwarded-For: 192.0.2.1:4711", "192.0.2.1", "192.0.2.1:4711, 10.0.0.1", "for=192.0.2.1, for=10.0.0.1"),
        (
            "X-Forwarded-For: 2001:DB8::1", "2001:db8::1", "2001:DB8::1, 10.0.0.1",
            "for=\"[2001:db8::1]\", for=10.0.0.1"
        ),
        (
            "X-Forwarded-For: [2001:db8::1]:80, fd00::1", "2001:db8::1", "[2001:db8::1]:80, fd00::1, 10.0.0.1",
            "for=\"[2001:db8::1]\", for=\"[fd00::1]\", for=10.0.0.1"
        ),
        // Nothing said, or said in the family that is not believed: the peer asks for itself.
        ("Accept: */*", "10.0.0.1", "10.0.0.1", "for=10.0.0.1"),
        ("X-Forwarded-For:", "10.0.0.1", "10.0.0.1", "for=10.0.0.1"),
        ("Forwarded: for=192.0.2.1", "10.0.0.1", "10.0.0.1", "for=10.0.0.1"),
        ("X_Forwarded_For: 192.0.2.1", "10.0.0.1", "10.0.0.1", "for=10.0.0.1"),
    ]) func `a trusted peer's path is kept left of ours, and the client is found from the right`(
        fields: String, client: String, path: String, forwarded: String
    ) throws {
        let (found, told) = try told(fields, from: try Self.peer("10.0.0.1"), rules: try Self.rules(Self.trusting))
        #expect(found == client)
        #expect(told.contains("X-Forwarded-For: \(path)\n"))
        #expect(told.hasSuffix("Forwarded: \(forwarded);host=a;proto=http"))
    }

    @Test(arguments: [
        ("X-Forwarded-Proto: https", "https", "a", 443), ("X-Forwarded-Proto: HTTPS", "https", "a", 443),
        ("X-Forwarded-Proto: wss", "https", "a", 443), ("X-Forwarded-Proto: http, https", "https", "a", 443),
        ("X-Forwarded-Proto: gopher", "http", "a", 80), ("X-Forwarded-Host: shop.example", "http", "shop.example", 80),
        ("X-Forwarded-Host: shop.example:8443\nX-Forwarded-Proto: https", "https", "shop.example:8443", 8443),
        ("X-Forwarded-Host: one, two", "http", "two", 80),
        ("X-Forwarded-Host: one\nX-Forwarded-Host: two", "http", "two", 80),
        ("X-Forwarded-Host: user@evil", "http", "a", 80), ("X-Forwarded-Port: 8080", "http", "a", 8080),
        ("X-Forwarded-Port: 0", "http", "a", 80), ("X-Forwarded-Port: 65536", "http", "a", 80),
        ("X-Forwarded-Port: 80x", "http", "a", 80),
        ("X-Forwarded-Proto: https\nX-Forwarded-Port: 444", "https", "a", 444),
    ]) func `a trusted peer says what the client asked for`(
        fields: String, scheme: String, host: String, port: Int
    ) throws {
        let (_, told) = try told(fields, from: try Self.peer("10.0.0.1"), rules: try Self.rules(Self.trusting))
        let quoted = host.contains(":") ? "\"\(host)\"" : host
        #expect(
            told == """
                X-Forwarded-For: 10.0.0.1
                X-Forwarded-Proto: \(scheme)
                X-Forwarded-Host: \(host)
                X-Forwarded-Port: \(port)
                Forwarded: for=10.0.0.1;host=\(quoted);proto=\(scheme)
                """)
    }

    /// With `believe: forwarded` the other family is only written, from the same knowledge.
    @Test(arguments: [
        (
            "Forwarded: for=192.0.2.1;proto=https;host=shop.example, for=10.1.1.1", "192.0.2.1",
            "192.0.2.1, 10.1.1.1, 10.0.0.1", "for=192.0.2.1, for=10.1.1.1, for=10.0.0.1;host=shop.example;proto=https"
        ),
        (
            "Forwarded: for=\"[2001:db8::1]:99\"\nForwarded: for=10.1.1.1;proto=https", "2001:db8::1",
            "2001:db8::1, 10.1.1.1, 10.0.0.1",
            "for=\"[2001:db8::1]\", for=10.1.1.1, for=10.0.0.1;host=a;proto=https"
        ),
        (
            "Forwarded: for=_secret, for=unknown", "10.0.0.1", "unknown, unknown, 10.0.0.1",
            "for=_secret, for=unknown, for=10.0.0.1;host=a;proto=http"
        ),
        (
            "Forwarded: for=\"a\\\"b\";host=\"x\\\"y\"", "10.0.0.1", "unknown, 10.0.0.1",
            "for=unknown, for=10.0.0.1;host=a;proto=http"
        ),
        // One broken line, and nothing is believed.
        ("Forwarded: for=192.0.2.1\nForwarded: for=", "10.0.0.1", "10.0.0.1", "for=10.0.0.1;host=a;proto=http"),
        (
            "X-Forwarded-For: 192.0.2.1\nX-Forwarded-Proto: https", "10.0.0.1", "10.0.0.1",
            "for=10.0.0.1;host=a;proto=http"
        ),
    ]) func `Forwarded is believed where the configuration says so`(
        fields: String, client: String, path: String, forwarded: String
    ) throws {
        let rules = try Self.rules("\(Self.trusting)\nforwarding: { believe: forwarded }")
        let (found, told) = try told(fields, from: try Self.peer("10.0.0.1"), rules: rules)
        #expect(found == client)
        #expect(told.contains("X-Forwarded-For: \(path)\n"))
        #expect(told.hasSuffix("\nForwarded: \(forwarded)"))
    }

    @Test func `a Unix socket's peer has no address, and is believed only if it is listed`() throws {
        let fields = "X-Forwarded-For: 192.0.2.1\nX-Forwarded-Proto: https"
        let others = try told(fields, from: try Self.peer("unix"), rules: try Self.rules("trusted: 10.0.0.0/8"))
        #expect(others.client == "unix:")
        #expect(
            others.fields == """
                X-Forwarded-Proto: http
                X-Forwarded-Host: a
                X-Forwarded-Port: 80
                Forwarded: for=unknown;host=a;proto=http
                """)
        let listed = try told(fields, from: try Self.peer("unix"), rules: try Self.rules("trusted: [unix]"))
        #expect(listed.client == "192.0.2.1")
        #expect(
            listed.fields == """
                X-Forwarded-For: 192.0.2.1
                X-Forwarded-Proto: https
                X-Forwarded-Host: a
                X-Forwarded-Port: 443
                Forwarded: for=192.0.2.1;host=a;proto=https
                """)
    }

    @Test func `the families that are sent are the configuration's choice, and the rest is dropped all the same`()
        throws
    {
        let fields = "X-Forwarded-For: 6.6.6.6\nForwarded: for=6.6.6.6"
        for (send, expected) in [
            ("none", ""), ("forwarded", "Forwarded: for=192.0.2.7;host=a;proto=http"),
            (
                "x-forwarded",
                "X-Forwarded-For: 192.0.2.7\nX-Forwarded-Proto: http\nX-Forwarded-Host: a\nX-Forwarded-Port: 80"
            ),
        ] {
            let rules = try Self.rules("forwarding: { send: \(send) }")
            #expect(try told(fields, from: try Self.peer("192.0.2.7"), rules: rules).fields == expected)
        }
    }

    @Test func `what a trusted peer may say beyond that passes, in its proper spelling`() throws {
        let (_, told) = try told(
            "X-Real-IP: 192.0.2.1\nX-Forwarded-Prefix: /shop\nX_Real_IP: 6.6.6.6\nX_Forwarded_Prefix: /evil\nX-Forwarded_Ssl: on",
            from: try Self.peer("10.0.0.1"), rules: try Self.rules("\(Self.trusting)\nforwarding: { send: none }"))
        #expect(told == "X-Real-IP: 192.0.2.1\nX-Forwarded-Prefix: /shop")
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\nHost: a:8080", "a:8080", 8080), ("GET / HTTP/1.1\nHost: [::1]:81", "[::1]:81", 81),
        ("GET http://b:82/ HTTP/1.1\nHost: a", "b:82", 82), ("GET / HTTP/1.1\nHost: a", "a", 443),
    ]) func `host and port are the client's words, the scheme is the listener's`(first: String, host: String, port: Int)
        throws
    {
        let peer = try Self.peer("192.0.2.7", isSecure: true)
        let (_, told) = try told("", from: peer, rules: try Self.rules(), first: first)
        #expect(told.contains("X-Forwarded-Host: \(host)\nX-Forwarded-Port: \(port)\n"))
        #expect(told.contains("X-Forwarded-Proto: https\n"))
        #expect(told.hasSuffix(";proto=https"))
    }

    @Test func `a request without a host names none`() throws {
        let (_, told) = try told("", from: try Self.peer("192.0.2.7"), rules: try Self.rules(), first: "GET / HTTP/1.0")
        #expect(!told.contains("X-Forwarded-Host"))
        #expect(told.hasSuffix("Forwarded: for=192.0.2.7;proto=http"))
    }

    @Test func `a path of thousands of hops is cut to the nearest ones`() throws {
        let path = Array(repeating: "1", count: 7000).joined(separator: ",") + ",192.0.2.1"
        let (client, told) = try told(
            "X-Forwarded-For: \(path)", from: try Self.peer("10.0.0.1"), rules: try Self.rules(Self.trusting))
        #expect(client == "192.0.2.1")
        #expect(told.contains("X-Forwarded-For: 1, 1, "))
        #expect(told.contains("1, 192.0.2.1, 10.0.0.1\n"))
        #expect(told.utf8.count < 2000)
    }

    // MARK: X-Request-Id

    func requestID(_ fields: String, from peer: String, _ more: String = trusting) throws -> (
        id: String?, field: String?
    ) {
        let rules = try Self.rules(more)
        var ids = RequestIDs(seed: (1, 2, 3, 4))
        return try withRequest("GET / HTTP/1.1\nHost: a\n\(fields)") { head in
            let identity = ClientIdentity(head, peer: try Self.peer(peer), rules: rules)
            let id = ids.id(of: head, identity, rules)
            var writer = HTTPWriter()
            RequestForwarding.write(
                head, client: .init(identity: identity, rules: rules, requestID: id), host: nil, upgrading: false,
                into: &writer)
            let lines = text(writer).split(separator: "\n").filter { $0.lowercased().hasPrefix("x-request-id: ") }
            #expect(lines.count < 2)
            var bytes: [UInt8] = []
            id?.append(to: &bytes)
            return (
                id == nil ? nil : String(decoding: bytes, as: UTF8.self), lines.first.map { String($0.dropFirst(14)) }
            )
        }
    }

    @Test(arguments: [
        "a", "550e8400-e29b-41d4-a716-446655440000", "1-5759e988-bd862e3fe1be46a994272793",
        "Root=1-67891233-abcdef012345",
        "A_b~c.d:e/f+g@h=", String(repeating: "a", count: 128),
    ]) func `a trusted peer's request id is kept`(id: String) throws {
        let kept = try requestID("X-Request-Id: \(id)", from: "10.0.0.1")
        #expect(kept.id == id)
        #expect(kept.field == id)
    }

    @Test(arguments: [
        ("X-Request-Id: a", "192.0.2.1"), ("X-Request-Id:", "10.0.0.1"), ("X-Request-Id: a b", "10.0.0.1"),
        ("X-Request-Id: a\"b", "10.0.0.1"), ("X-Request-Id: a,b", "10.0.0.1"), ("X-Request-Id: ä", "10.0.0.1"),
        ("X-Request-Id: a\nX-Request-Id: b", "10.0.0.1"),
        ("X-Request-Id: \(String(repeating: "a", count: 129))", "10.0.0.1"),
        ("X_Request_Id: a", "10.0.0.1"), ("Accept: */*", "10.0.0.1"), ("X-Request-Id: ${jndi:x}", "10.0.0.1"),
    ]) func `any other is replaced by one of ours`(fields: String, peer: String) throws {
        let made = try requestID(fields, from: peer)
        #expect(made.id?.count == 32)
        #expect(made.id?.allSatisfy { $0.isHexDigit && !$0.isUppercase } == true)
        #expect(made.field == made.id)
    }

    @Test func `without request ids the field is like any other`() throws {
        let passed = try requestID("X-Request-Id: a b", from: "192.0.2.1", "request_id: off")
        #expect(passed.id == nil)
        #expect(passed.field == "a b")
    }

    @Test func `no two ids are equal`() throws {
        var ids = RequestIDs()
        var other = RequestIDs()
        let rules = try Self.rules()
        try withRequest("GET / HTTP/1.1\nHost: a") { head in
            let identity = ClientIdentity(head, peer: try Self.peer("192.0.2.1"), rules: rules)
            var seen: Set<[UInt8]> = []
            for _ in 0..<5000 {
                for id in [ids.id(of: head, identity, rules), other.id(of: head, identity, rules)] {
                    var bytes: [UInt8] = []
                    id?.append(to: &bytes)
                    #expect(bytes.count == 32)
                    #expect(seen.insert(bytes).inserted)
                }
            }
        }
    }
}
