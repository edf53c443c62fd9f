import ByteText
import ConfigFile
import Gateway
import HTTP1
import Testing

/// Who counts as one client, and for what.
struct ClientLimitsTests {
    /// The key and the limit of a poll; nil: it isn't counted.
    func poll(
        _ limits: String, from peer: String, _ fields: String = "", trusted: String = "[10.0.0.0/8]"
    ) throws -> (key: ClientKey, limit: Int)? {
        let text = "upstream: http://127.0.0.1:9\ntrusted: \(trusted)\nlimits: { \(limits) }\n"
        let configuration = try Configuration.load(text: text, file: "test.yaml", environment: [:])
        let rules = ForwardingRules(configuration)
        let head = "GET /poll?u=7 HTTP/1.1\nHost: a"
        return try withRequest(fields.isEmpty ? head : "\(head)\n\(fields)") { head in
            let identity = ClientIdentity(head, peer: try IdentityTests.peer(peer), rules: rules)
            let (key, limit) = ClientLimits(configuration.limits).poll(head, of: identity.client, rules)
            return key == .nobody ? nil : (key, limit)
        }
    }

    @Test(
        arguments: [
            ("192.0.2.1", 20), ("2001:db8::1", 20), ("127.0.0.1", nil), ("127.8.8.8", nil), ("::1", nil), ("unix", nil),
            ("10.0.0.1", nil),
        ] as [(String, Int?)]) func `without a number, 20 for clients elsewhere and any for who may stand for many`(
            peer: String, limit: Int?
        ) throws
    {
        #expect(try poll("polls_per_client: auto", from: peer)?.limit == limit)
        #expect(try poll("head: 64KiB", from: peer)?.limit == limit)
        #expect(try poll("polls_per_client: 3", from: peer)?.limit == 3, "a number counts everybody")
        #expect(try poll("polls_per_client: none", from: peer) == nil)
    }

    @Test func `a client that a trusted peer names is counted for itself`() throws {
        let told = try poll("polls_per_client: auto", from: "10.0.0.1", "X-Forwarded-For: 192.0.2.1")
        let own = try poll("polls_per_client: auto", from: "192.0.2.1")
        #expect(told?.key == own?.key)
        #expect(told?.limit == 20)
        let forged = try poll("polls_per_client: auto", from: "192.0.2.9", "X-Forwarded-For: 192.0.2.1")
        #expect(forged?.key != own?.key)
    }

    @Test func `an IPv6 network of 64 bits is one client, an IPv4 address is one`() throws {
        func key(_ peer: String) throws -> ClientKey? { try poll("polls_per_client: 3", from: peer)?.key }
        #expect(try key("2001:db8:0:1::1") == key("2001:db8:0:1:ffff::"))
        #expect(try key("2001:db8:0:1::1") != key("2001:db8:0:2::1"))
        #expect(try key("192.0.2.1") != key("192.0.2.2"))
        #expect(try key("::ffff:192.0.2.1") == key("192.0.2.1"))
        let different = try ["192.0.2.1", "2001:db8::1", "::1", "127.0.0.1", "unix"].map { try key($0) }
        #expect(Set(different).count == different.count)
    }

    @Test func `the configuration may name clients by a template`() throws {
        func key(_ fields: String, _ peer: String = "192.0.2.1") throws -> ClientKey? {
            try poll("polls_per_client: 3, client: \"{cookie.sid}\"", from: peer, fields)?.key
        }
        #expect(try key("Cookie: sid=a") == key("Cookie: sid=a", "192.0.2.2"))
        #expect(try key("Cookie: sid=a") != key("Cookie: sid=b"))
        // Without the cookie, and with an empty one, the address counts.
        #expect(try key("") == key("Cookie: sid="))
        #expect(try key("") == poll("polls_per_client: 3", from: "192.0.2.1")?.key)
        // A named client is counted wherever it is; the rest as always.
        let auto = "polls_per_client: auto, client: \"u{query.u}.{client.address}\""
        #expect(try poll(auto, from: "127.0.0.1")?.limit == 20)
        #expect(try poll("client: \"{cookie.sid}\"", from: "127.0.0.1") == nil)
    }

    @Test func `connections count for their peer, but for proxies that are trusted`() throws {
        let text = "upstream: http://127.0.0.1:9\ntrusted: [10.0.0.0/8]\nlimits: { connections_per_client: 2 }\n"
        let configuration = try Configuration.load(text: text, file: "test.yaml", environment: [:])
        let (rules, limits) = (ForwardingRules(configuration), ClientLimits(configuration.limits))
        #expect(limits.connection(of: try IdentityTests.peer("10.0.0.1"), rules) == .nobody)
        #expect(limits.connection(of: try IdentityTests.peer("127.0.0.1"), rules) != .nobody)
        #expect(limits.connection(of: try IdentityTests.peer("unix"), rules) != .nobody)
        let plain = try Configuration.load(text: "upstream: http://127.0.0.1:9\n", file: "test.yaml", environment: [:])
        let unlimited = ClientLimits(plain.limits)
        #expect(unlimited.connection(of: try IdentityTests.peer("192.0.2.1"), rules) == .nobody)
    }

    @Test func `counts follow what is taken and given back`() throws {
        var random = SystemRandomNumberGenerator()
        var counts = ClientCounts()
        var twin: [Int: Int] = [:]
        let keys = try (0..<10).map { ClientKey(try IdentityTests.peer("192.0.2.\($0)").address) }
        for _ in 0..<5000 {
            let client = Int.random(in: 0..<10, using: &random)
            if Bool.random(using: &random) {
                let isTaken = counts.take(keys[client], limit: 4)
                #expect(isTaken == (twin[client, default: 0] < 4))
                if isTaken { twin[client, default: 0] += 1 }
            } else if twin[client, default: 0] > 0 {
                counts.giveBack(keys[client])
                twin[client, default: 0] -= 1
            }
            #expect(counts.clientCount == twin.values.count { $0 > 0 })
        }
        for (client, count) in twin { for _ in 0..<count { counts.giveBack(keys[client]) } }
        #expect(counts.clientCount == 0)
    }
}
