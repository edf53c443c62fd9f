/// The app behind: its servers, how one is chosen, how long each step may take.
import Yams

extension Configuration {
    package struct Upstream: Equatable, Sendable {
        /// At least one.
        package var servers: [Server]
        package var balance: Balance
        /// Name of the cookie by which a client stays with its server; nil: it doesn't.
        package var stickyCookie: String?
        package var queue: Queue
        package var failures: Failures
        /// nil: no active checks.
        package var health: Health?
        /// For names, `address:port` in numbers; empty: the system's.
        package var nameservers: [String]
        /// How many further servers a request is tried at when a connection can't be opened.
        package var retries: Int
        /// Protocols that a request may switch to, in lower case; `*` stands for any.
        package var upgrades: [String]
        package var connectTimeout: Duration
        /// Until the response's first byte.
        package var responseTimeout: Duration
        /// Between two pieces of a response.
        package var idleTimeout: Duration
        /// Idle connections kept per server and worker.
        package var idleConnections: Int
        package var idleConnectionTimeout: Duration
        /// Sent as Host; nil: what the client sent.
        package var host: String?

        package struct Server: Equatable, Sendable {
            package var address: UpstreamServer
            package var weight: Int
            /// Exchanges at a time; nil: no limit.
            package var connections: Int?
        }

        package enum Balance: String, CaseIterable, Sendable {
            case roundRobin = "round_robin"
            case leastConnections = "least_connections"
        }

        /// Requests that wait while all servers are full.
        package struct Queue: Equatable, Sendable {
            package var length: Int
            package var timeout: Duration
        }

        /// When a server is left out, and for how long.
        package struct Failures: Equatable, Sendable {
            /// In a row.
            package var count: Int
            package var pause: Duration
        }

        package struct Health: Equatable, Sendable {
            /// Asked with GET.
            package var path: String
            package var interval: Duration
            package var timeout: Duration
            /// Checks in a row that bring a server back, or take it out.
            package var rise: Int
            package var fall: Int
        }
    }
}

/// Where one server of the app is.
package enum UpstreamServer: Hashable, Sendable, CustomStringConvertible {
    /// The host by name or in numbers.
    case network(host: String, port: UInt16)
    case unix(path: String)

    package var description: String {
        switch self {
        case .network(let host, let port): host.contains(":") ? "http://[\(host)]:\(port)" : "http://\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }
}

extension Configuration.Upstream {
    /// - Parameter root: `upstream` in it is one server's address or a mapping.
    init(_ root: SectionReader) {
        let isMapping = root.node("upstream")?.mapping != nil
        let section = SectionReader(
            root.collector, path: "upstream", node: isMapping ? root.node("upstream") : nil, mark: root.mark)
        _ = root.row("upstream")
        let keepAlive = section.section("keep_alive")
        let connections = section.optionalInteger("connections")
        servers = Self.servers(isMapping ? section : root, isMapping: isMapping, connections: connections)
        balance = section.choice("balance", as: Balance.self) ?? .roundRobin
        stickyCookie = Self.stickyCookie(section.section("sticky"), isThere: section.has("sticky"))
        let queue = section.section("queue")
        self.queue = Queue(length: queue.integer("length"), timeout: queue.duration("timeout"))
        let failures = section.section("failures")
        self.failures = Failures(count: max(1, failures.integer("count")), pause: failures.duration("pause"))
        health = Self.health(section.section("health"), isThere: section.has("health"))
        nameservers = Self.nameservers(section)
        retries = section.integer("retries")
        upgrades = Self.upgrades(section)
        connectTimeout = section.duration("connect_timeout")
        responseTimeout = section.duration("response_timeout")
        idleTimeout = section.duration("idle_timeout")
        idleConnections = keepAlive.integer("connections")
        idleConnectionTimeout = keepAlive.duration("timeout")
        host = section.text("host")
    }

    // MARK: Servers

    private static func servers(_ owner: SectionReader, isMapping: Bool, connections: Int?) -> [Server] {
        let collector = owner.collector
        // Rows of a mapping that is not there are known nevertheless.
        let table = isMapping ? owner : SectionReader(collector, path: "upstream", node: nil, mark: owner.mark)
        for key in ["server", "servers"] { _ = table.row(key) }
        guard isMapping, owner.has("servers") else {
            let key = isMapping ? "server" : "upstream"
            owner.require(key)
            let address = owner.read(key) { _, text in UpstreamServer(text) }
            _ = server(SectionReader(collector, path: "upstream.servers[]", node: nil, mark: nil), connections)
            return [Server(address: address ?? .unix(path: "/"), weight: 1, connections: connections)]
        }
        if owner.has("server") {
            collector.note(
                owner.node("servers")?.mark, found: "servers beside server", expected: "expected one of the two")
        }
        return list(owner, connections)
    }

    private static func list(_ owner: SectionReader, _ connections: Int?) -> [Server] {
        let collector = owner.collector
        guard let node = owner.node("servers"), let sequence = node.sequence, !sequence.isEmpty,
            sequence.count <= serversLimit
        else {
            collector.note(
                owner.node("servers")?.mark, found: "servers: \(owner.node("servers")?.kindText ?? "nothing")",
                expected: "expected a list of 1 to \(serversLimit) servers")
            return [Server(address: .unix(path: "/"), weight: 1)]
        }
        var servers: [Server] = []
        for entry in sequence {
            let isMapping = entry.mapping != nil
            let section = SectionReader(
                collector, path: "upstream.servers[]", node: isMapping ? entry : nil, mark: entry.mark)
            var fresh = server(section, connections)
            if isMapping {
                section.require("address")
                fresh.address = section.read("address") { _, text in UpstreamServer(text) } ?? fresh.address
            } else if let text = section.scalar(entry, expected: section.row("address").expectation) {
                if let address = UpstreamServer(text) {
                    fresh.address = address
                } else {
                    collector.note(
                        entry.mark, found: "servers: \(section.quoted(text))",
                        expected: "expected \(section.row("address").expectation)")
                }
            }
            if servers.contains(where: { $0.address == fresh.address }) {
                collector.note(entry.mark, found: "the server \(fresh.address) twice", expected: "expected it once")
            }
            servers.append(fresh)
        }
        return servers
    }

    /// So many fit into a set of bits.
    private static let serversLimit = 64

    private static func server(_ section: SectionReader, _ connections: Int?) -> Server {
        _ = section.row("address")
        let own = section.optionalInteger("connections")
        return Server(
            address: .unix(path: "/"), weight: max(1, section.integer("weight")),
            connections: section.has("connections") ? own : connections)
    }

    // MARK: The rest

    private static func stickyCookie(_ section: SectionReader, isThere: Bool) -> String? {
        guard isThere else {
            _ = section.row("cookie")
            return nil
        }
        let name = section.text("cookie")
        if let name, !Configuration.isToken(name) {
            section.collector.note(
                section.node("cookie")?.mark, found: "cookie: \(section.quoted(name))",
                expected: "expected a cookie's name: letters, digits and !#$%&'*+-.^_`|~")
        }
        return name
    }

    private static func health(_ section: SectionReader, isThere: Bool) -> Health? {
        let health = Health(
            path: section.text("path") ?? "/", interval: section.duration("interval"),
            timeout: section.duration("timeout"), rise: max(1, section.integer("rise")),
            fall: max(1, section.integer("fall")))
        guard isThere else { return nil }
        section.require("path")
        if !health.path.hasPrefix("/") || !health.path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x23 }) {
            section.collector.note(
                section.node("path")?.mark, found: "path: \(section.quoted(health.path))",
                expected: "expected a path that begins with /, percent-encoded where needed")
        }
        return health
    }

    private static func nameservers(_ section: SectionReader) -> [String] {
        guard section.has("nameservers") else {
            _ = section.row("nameservers")
            return []
        }
        return section.scalars("nameservers").compactMap { text, mark in
            let hasPort = text.hasPrefix("[") ? text.contains("]:") : text.filter { $0 == ":" }.count == 1
            if let address = ListenAddress(hasPort ? text : text.contains(":") ? "[\(text)]:53" : "\(text):53"),
                case .network = address
            {
                return address.description
            }
            section.collector.note(
                mark, found: "nameservers: \(section.quoted(text))",
                expected: "expected \(section.row("nameservers").expectation)")
            return nil
        }
    }

    private static func upgrades(_ section: SectionReader) -> [String] {
        section.scalars("upgrade").compactMap { text, mark in
            if text == "none" { return nil }
            let name = text.lowercased()
            let parts = name.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            if text == "*" || (name != "h2c" && parts.allSatisfy({ Configuration.isToken($0) })) {
                return name
            }
            section.collector.note(
                mark, found: "upgrade: \(section.quoted(text))",
                expected: name == "h2c"
                    ? "expected another protocol: requests inside h2c would be seen by nobody"
                    : "expected \(section.row("upgrade").expectation)")
            return nil
        }
    }
}

extension UpstreamServer {
    init?(_ text: String) {
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst(5))
            guard path.hasPrefix("/"), path.utf8.count <= 107 else { return nil }
            self = .unix(path: path)
            return
        }
        guard text.hasPrefix("http://") else { return nil }
        var rest = text.dropFirst(7)
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        guard !rest.contains("/"), !rest.contains("@") else { return nil }
        let hasPort = rest.hasPrefix("[") ? rest.contains("]:") : rest.contains(":")
        guard let (host, port) = hostAndPort(hasPort ? String(rest) : "\(rest):80"), !host.isEmpty, port > 0 else {
            return nil
        }
        self = .network(host: host, port: port)
    }
}
