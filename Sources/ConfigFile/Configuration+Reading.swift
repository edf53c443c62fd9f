/// Builds a Configuration from the file's sections.
import Glibc
import Yams

extension Configuration {
    init(_ root: SectionReader) {
        listen = Self.listen(root)
        trusted = Self.addresses(root, "trusted")
        forwarding = Self.forwarding(root.section("forwarding"))
        requestID = root.choice("request_id", as: RequestID.self) ?? .app
        upstream = Upstream(root)
        control = root.has("control") ? Self.control(root.section("control")) : nil
        admin = root.has("admin") ? Self.admin(root.section("admin"), besides: listen) : nil
        workers = root.optionalInteger("workers") ?? min(64, max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))))
        user = root.text("user")
        group = root.text("group")
        pool = Self.pool(root.section("pool"))
        publish = Self.publishRules(root)
        limits = Self.limits(root.section("limits"), pool)
        routes = Self.routes(
            root,
            proxy: Proxy(
                requestBodyBytes: limits.requestBodyBytes, responseTimeout: upstream.responseTimeout,
                idleTimeout: upstream.idleTimeout))
        timeouts = Self.timeouts(root.section("timeouts"))
        log = Self.log(root.section("log"))
    }

    // MARK: Addresses

    private static func control(_ section: SectionReader) -> Control {
        let socket = section.filePath("socket")
        if let socket, socket.utf8.count > 107 {
            section.collector.note(
                section.node("socket")?.mark, found: "socket: a path of \(socket.utf8.count) bytes",
                expected: "expected 107 at most, which is what the system takes")
        }
        return Control(
            socket: socket ?? "", mode: section.mode("mode"), owner: section.text("owner"),
            group: section.text("group"),
            bodyBytesLimit: section.size("body"), lineBytesLimit: section.size("line"))
    }

    private static func pool(_ section: SectionReader) -> Pool {
        Pool(
            messages: section.integer("messages"), age: section.duration("age"), memoryBytes: section.size("memory"),
            channels: section.integer("channels"), idempotencyKeys: section.integer("idempotency_keys"),
            store: section.filePath("store"), sync: section.choice("sync", as: Pool.Sync.self) ?? .os)
    }

    /// The pool fills up to its own bound; a limit below it would be reached for good.
    private static func memory(_ section: SectionReader, above pool: Pool) -> Int? {
        guard let bytes = section.optionalSize("memory") else { return nil }
        if bytes < pool.memoryBytes + minimumBesidesPool {
            section.collector.note(
                section.node("memory")?.mark, found: "limits.memory: \(ByteSize(bytes))",
                expected: "expected \(ByteSize(minimumBesidesPool)) more than pool.memory, which is "
                    + "\(ByteSize(pool.memoryBytes))")
        }
        return bytes
    }

    /// Of a process that does nothing yet, and room for some hundred connections.
    private static let minimumBesidesPool = 15 << 20

    private static func limits(_ section: SectionReader, _ pool: Pool) -> Limits {
        Limits(
            requestLineBytes: section.size("request_line"), fieldBytes: section.size("field"),
            headBytes: section.size("head"),
            headerLines: section.integer("header_lines"), requestBodyBytes: section.optionalSize("request_body"),
            connections: section.optionalInteger("connections"), polls: section.optionalInteger("polls"),
            requests: section.optionalInteger("requests"),
            connectionsPerClient: section.optionalInteger("connections_per_client"),
            pollsPerClient: pollsPerClient(section), pollsPerChannel: section.optionalInteger("polls_per_channel"),
            memoryBytes: memory(section, above: pool),
            client: template(
                section, "client",
                TemplateRules(
                    sources: [.query, .cookie, .header, .clientAddress], paths: [], place: "limits.client")),
            bytesPerSecond: section.optionalSize("rate"))
    }

    private static func pollsPerClient(_ section: SectionReader) -> PollsPerClient {
        section.read("polls_per_client") { row, text in
            if text == "auto" { return .automatic }
            guard case .automaticInteger(let range) = row.kind, let value = Int(text), range.contains(value) else {
                return nil
            }
            return .count(value)
        } ?? .unlimited
    }

    private static func timeouts(_ section: SectionReader) -> Timeouts {
        let (drain, spread) = (section.duration("drain"), section.duration("drain_spread"))
        if spread > drain, section.has("drain_spread") {
            section.collector.note(
                section.node("drain_spread")?.mark, found: "drain_spread longer than drain",
                expected: "expected at most the time in which the process ends")
        }
        return Timeouts(
            head: section.duration("head"), body: section.duration("body"), write: section.duration("write"),
            keepAlive: section.duration("keep_alive"), tunnel: section.duration("tunnel"),
            drain: drain, drainNotice: section.duration("drain_notice"), drainSpread: spread,
            upgrade: section.duration("upgrade"),
            rate: section.duration("rate"))
    }

    private static func log(_ section: SectionReader) -> Log {
        let access: Log.Access? = section.read("access") { _, text in
            switch text {
            case "off": .off
            case "stderr": .standardError
            case "stdout": .standardOutput
            default: text.hasPrefix("/") ? .file(text) : nil
            }
        }
        return Log(
            level: section.choice("level", as: Log.Level.self) ?? .info,
            format: section.choice("format", as: Log.Format.self) ?? .text, access: access ?? .off,
            accessFormat: section.choice("access_format", as: Log.AccessFormat.self) ?? .combined)
    }
}

/// Splits `host:port`, where an IPv6 address stands in brackets.
func hostAndPort(_ text: String) -> (host: String, port: UInt16)? {
    guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else { return nil }
    var host = text[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") {
        host = host.dropFirst().dropLast()
    } else if host.contains(":") {
        return nil
    }
    guard host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
    return (String(host), port)
}
