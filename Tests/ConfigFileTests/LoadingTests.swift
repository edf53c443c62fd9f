import Foundation
import Testing

@testable import ConfigFile

struct LoadingTests {
    static func load(_ text: String, _ environment: [String: String] = [:]) throws -> Configuration {
        try Configuration.load(text: text, file: "pollhold.yaml", environment: environment)
    }

    static let minimal = "upstream: http://127.0.0.1:8000\n"

    @Test func `values arrive where they belong`() throws {
        let configuration = try Self.load(
            """
            listen: ["*:80", "[::1]:81", unix:/run/a.sock, localhost:82, { address: ":83", proxy_protocol: true, scheme: https }]
            trusted: [10.0.0.0/8, "::1", unix]
            forwarding: { send: none, believe: forwarded }
            request_id: client
            upstream:
              servers:
                - http://app.internal:8000/
                - { address: unix:/run/app.sock, weight: 36, connections: 37 }
                - { address: "http://[::1]:84", connections: none }
              connections: 38
              balance: least_connections
              sticky: { cookie: stay }
              queue: { length: 39, timeout: 40s }
              failures: { count: 41, pause: 42s }
              health: { path: /up, interval: 43s, timeout: 44s, rise: 45, fall: 46 }
              nameservers: [127.0.0.1:47, "::1"]
              retries: 48
              upgrade: [WebSocket, tls/1.0]
              connect_timeout: 1s
              response_timeout: 2s
              idle_timeout: 3s
              keep_alive: { connections: 4, timeout: 5s }
              host: app
            control: { socket: /run/c.sock, mode: "640", owner: me, group: us, body: 6KiB, line: 7KiB }
            workers: 8
            user: pollhold
            group: web
            pool: { messages: 9, age: 10s, memory: 11MiB, channels: 12, idempotency_keys: 0, store: /p, sync: full }
            limits: { request_line: 16KiB, field: 17KiB, head: 18KiB, header_lines: 19, request_body: 20, connections: 21, polls: 22, requests: 33, connections_per_client: 34, polls_per_client: 35, polls_per_channel: 36, client: "{cookie.sid}", rate: 37B }
            timeouts: { head: 23s, body: 24s, write: 25s, keep_alive: 26s, tunnel: 27s, drain: 28s, drain_notice: 3s,
              drain_spread: 4s, upgrade: 42s, rate: 38s }
            log: { level: warning, format: json, access: /var/log/access, access_format: json }
            routes:
              - path: /poll/{room}
                hold:
                  channels: "r.{path.room}"
                  allow: ["r.*"]
                  timeout: 29s
                  start: now
                  batch: { messages: 30, bytes: 31 }
                  format: array
                  empty: { status: 201, headers: { X-Empty: yes }, body: "" }
                  cors: { origins: ["https://a.example"], credentials: true, max_age: 32s }
                  channels_limit: 33
                  after_parameter: since
                  cursor: cookie
                  cookie: at
                  callback_parameter: fn
                  methods: [GET, POST]
                  supersede: "{cookie.s}"
              - path: /upload
                proxy: { request_body: none, response_timeout: 34s, idle_timeout: 35s }
              - path: /**
                proxy:
            """)
        #expect(
            configuration.listen == [
                .init(.network(host: "0.0.0.0", port: 80)), .init(.network(host: "::1", port: 81)),
                .init(.unix(path: "/run/a.sock")), .init(.network(host: "127.0.0.1", port: 82)),
                .init(.network(host: "0.0.0.0", port: 83), proxyProtocol: true, isSecure: true),
            ])
        #expect(configuration.trusted.ranges.count == 2)
        #expect(configuration.trusted.includesUnix)
        #expect(configuration.forwarding == .init(send: .none, believe: .forwarded))
        #expect(configuration.requestID == .client)
        #expect(
            configuration.upstream
                == .init(
                    servers: [
                        .init(address: .network(host: "app.internal", port: 8000), weight: 1, connections: 38),
                        .init(address: .unix(path: "/run/app.sock"), weight: 36, connections: 37),
                        .init(address: .network(host: "::1", port: 84), weight: 1, connections: nil),
                    ], balance: .leastConnections, stickyCookie: "stay",
                    queue: .init(length: 39, timeout: .seconds(40)),
                    failures: .init(count: 41, pause: .seconds(42)),
                    health: .init(
                        path: "/up", interval: .seconds(43), timeout: .seconds(44), rise: 45, fall: 46),
                    nameservers: ["127.0.0.1:47", "[::1]:53"], retries: 48, upgrades: ["websocket", "tls/1.0"],
                    connectTimeout: .seconds(1),
                    responseTimeout: .seconds(2), idleTimeout: .seconds(3), idleConnections: 4,
                    idleConnectionTimeout: .seconds(5), host: "app"))
        #expect(
            configuration.control
                == .init(
                    socket: "/run/c.sock", mode: 0o640, owner: "me", group: "us", bodyBytesLimit: 6144,
                    lineBytesLimit: 7168))
        #expect(configuration.workers == 8)
        #expect(configuration.user == "pollhold")
        #expect(configuration.group == "web")
        #expect(
            configuration.pool
                == .init(
                    messages: 9, age: .seconds(10), memoryBytes: 11 << 20, channels: 12, idempotencyKeys: 0,
                    store: "/p", sync: .full))
        #expect(
            configuration.limits
                == .init(
                    requestLineBytes: 16384, fieldBytes: 17408, headBytes: 18432, headerLines: 19, requestBodyBytes: 20,
                    connections: 21, polls: 22, requests: 33, connectionsPerClient: 34, pollsPerClient: .count(35),
                    pollsPerChannel: 36, client: TemplateText(.cookie, "sid"), bytesPerSecond: 37))
        #expect(
            configuration.timeouts
                == .init(
                    head: .seconds(23), body: .seconds(24), write: .seconds(25), keepAlive: .seconds(26),
                    tunnel: .seconds(27), drain: .seconds(28), drainNotice: .seconds(3),
                    drainSpread: .seconds(4), upgrade: .seconds(42), rate: .seconds(38)))
        #expect(
            configuration.log
                == .init(level: .warning, format: .json, access: .file("/var/log/access"), accessFormat: .json))
        let expected = Configuration.Hold(
            channels: [try TemplateText("r.{path.room}")], allow: [try #require(ChannelPattern("r.*"))],
            timeout: .seconds(29), startsNow: true, batchMessages: 30, batchBytes: 31, format: .array,
            empty: .init(status: 201, headers: [.init(name: "X-Empty", value: "yes")], body: ""),
            crossOrigin: .init(origins: ["https://a.example"], credentials: true, maxAge: .seconds(32)),
            channelsLimit: 33, afterParameter: "since", cursor: .cookie("at"), callbackParameter: "fn", template: nil,
            holdsPosts: true, supersede: try TemplateText("{cookie.s}"))
        #expect(
            configuration.proxy == .init(requestBodyBytes: 20, responseTimeout: .seconds(2), idleTimeout: .seconds(3)))
        #expect(
            configuration.routes == [
                .init(path: try PathPattern("/poll/{room}"), kind: .hold(expected)),
                .init(
                    path: try PathPattern("/upload"),
                    kind: .proxy(.init(responseTimeout: .seconds(34), idleTimeout: .seconds(35)))),
                .init(path: try PathPattern("/**"), kind: .proxy(configuration.proxy)),
            ])
    }

    @Test func `a variable fills a value and adds no keys`() throws {
        let text = "upstream: http://${HOST}:${PORT:-8000}\nuser: ${TRICK}\ngroup: a$$b\n"
        let configuration = try Self.load(text, ["HOST": "10.0.0.1", "TRICK": "root\nworkers: 3"])
        #expect(configuration.upstream.servers.map(\.address) == [.network(host: "10.0.0.1", port: 8000)])
        #expect(configuration.user == "root\nworkers: 3")
        #expect(configuration.group == "a$b")
    }

    @Test func `what a reload can not change is named`() throws {
        let old = try Self.load(Self.minimal + "control: { socket: /a }\n")
        let new = try Self.load(
            Self.minimal + "listen: 127.0.0.1:1\nworkers: 64\nuser: u\ngroup: g\n"
                + "control: { socket: /b, mode: \"600\", owner: o, group: p }\n"
                + "pool: { store: /s, sync: full }\n")
        #expect(
            Configuration.changesThatNeedRestart(from: old, to: new) == [
                "workers", "user", "group", "pool.store", "pool.sync",
            ])
        #expect(Configuration.changes(from: old, to: new) == ["listen", "control", "pool"])
        #expect(Configuration.changes(from: old, to: old) == [])
        #expect(Configuration.changesThatNeedRestart(from: old, to: old) == [])
    }

    /// A file that was cut while it was being written, or that a stray byte got into: an answer, never a crash.
    @Test func `a damaged file is an error or another configuration`() throws {
        let example = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "examples/pollhold.yaml")
        // The comments say nothing to the reader; without them each cut hits something.
        let text = try String(contentsOf: example, encoding: .utf8).split(separator: "\n")
            .filter { !$0.drop { $0 == " " }.hasPrefix("#") }.joined(separator: "\n")
        let bytes = Array(text.utf8)
        var refused = 0
        var read = 0
        func attempt(_ bytes: [UInt8]) {
            do throws(ConfigurationErrors) {
                _ = try Configuration.load(
                    text: String(decoding: bytes, as: UTF8.self), file: "cut", environment: [:])
                read += 1
            } catch {
                refused += 1
                #expect(!error.errors.isEmpty)
            }
        }
        for length in stride(from: 0, through: bytes.count, by: 7) { attempt(Array(bytes[..<length])) }
        var random = SystemRandomNumberGenerator()
        for _ in 0..<300 {
            var changed = bytes
            let place = Int.random(in: bytes.indices, using: &random)
            changed[place] = Array("{}[]:,-\"'#&*!|>%@`\n\t\0 x9".utf8).randomElement(using: &random) ?? 0
            attempt(changed)
        }
        #expect(refused > 50)
        #expect(read > 50)
    }

    @Test(arguments: [
        ([UInt8](repeating: 0x61, count: (1 << 20) + 1), "more than 1 MiB"), ([0x61, 0xFF], "bytes that are no UTF-8"),
    ]) func `a file that is no text`(bytes: [UInt8], found: String) throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "pollhold-\(UUID().uuidString).yaml")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(bytes).write(to: file)
        let errors = #expect(throws: ConfigurationErrors.self) {
            try Configuration.load(path: file.path, environment: [:])
        }
        #expect(errors?.errors.first?.found == found)
    }

    @Test func `a file that is not there`() throws {
        let errors = #expect(throws: ConfigurationErrors.self) {
            try Configuration.load(path: "/nowhere/pollhold.yaml", environment: [:])
        }
        #expect(
            errors?.description
                == "/nowhere/pollhold.yaml: can't be opened: No such file or directory; expected a readable file")
    }

    @Test(arguments: [
        "127.0.0.1:9101", "10.1.2.3:9101", "172.31.0.1:9101", "192.168.7.7:9101", "[::1]:9101", "[fd00::1]:9101",
        "unix:/run/pollhold/admin.sock",
    ]) func `the admin listener may have a private address`(_ address: String) throws {
        let text = "upstream: http://127.0.0.1:8000\nadmin: { listen: \"\(address)\" }"
        let configuration = try Configuration.load(text: text, file: "a", environment: [:])
        #expect(configuration.admin?.description == address)
    }

    @Test func `and a public one where that is said`() throws {
        let text = "upstream: http://127.0.0.1:8000\nadmin: { listen: \"*:9101\", public: true }"
        let configuration = try Configuration.load(text: text, file: "a", environment: [:])
        #expect(configuration.admin?.description == "0.0.0.0:9101")
    }
}
