/// Reading where clients come in, and who of them is believed.
import ByteText
import Glibc
import Yams

extension Configuration {
    static func listen(_ root: SectionReader) -> [Listen] {
        let row = root.row("listen")
        guard let node = root.node("listen") else {
            return row.defaultText.flatMap(ListenAddress.init).map { [Listen($0)] } ?? []
        }
        var listeners: [Listen] = []
        let entries = node.sequence.map { Array($0) } ?? [node]
        for entry in entries {
            guard let listen = listen(entry, root) else { continue }
            if listeners.contains(where: { $0.address == listen.address }), listen.address.port != 0 {
                let address = root.quoted("\(listen.address)")
                root.collector.note(entry.mark, found: "listen: \(address) twice", expected: "expected it once")
            }
            listeners.append(listen)
        }
        if entries.isEmpty {
            root.collector.note(node.mark, found: "listen: an empty list", expected: "expected an address")
        }
        return listeners
    }

    /// An address, or a mapping with one.
    private static func listen(_ entry: Node, _ root: SectionReader) -> Listen? {
        let row = root.row("listen")
        let section = SectionReader(
            root.collector, path: "listen[]", node: entry.mapping == nil ? nil : entry, mark: entry.mark)
        let (proxyProtocol, scheme) = (
            section.boolean("proxy_protocol"), section.choice("scheme", as: Scheme.self) ?? .http
        )
        guard entry.mapping == nil else {
            section.require("address")
            return section.read("address") { _, text in ListenAddress(text) }.map {
                Listen($0, proxyProtocol: proxyProtocol, isSecure: scheme == .https)
            }
        }
        guard let text = root.scalar(entry, expected: row.expectation) else { return nil }
        guard let address = ListenAddress(text) else {
            root.collector.note(
                entry.mark, found: "listen: \(root.quoted(text))", expected: "expected \(row.expectation)")
            return nil
        }
        return Listen(address)
    }

    /// Figures tell strangers how much goes on, so an address that strangers reach has to be meant.
    static func admin(_ section: SectionReader, besides clients: [Listen]) -> ListenAddress? {
        section.require("listen")
        let isPublic = section.boolean("public")
        guard let address = section.read("listen", { _, text in ListenAddress(text) }) else { return nil }
        if clients.contains(where: { $0.address == address }), address.port != 0 {
            section.collector.note(
                section.node("listen")?.mark, found: "admin.listen: \"\(address)\", where clients come in",
                expected: "expected an address of its own")
        } else if !isPublic, !address.isPrivate {
            section.collector.note(
                section.node("listen")?.mark, found: "admin.listen: \"\(address)\", which may be public",
                expected: "expected an address of this machine or of a private network, or admin.public: true")
        }
        return address
    }

    private enum Scheme: String, CaseIterable {
        case http
        case https
    }

    static func forwarding(_ section: SectionReader) -> Forwarding {
        Forwarding(
            send: section.choice("send", as: Forwarding.Sent.self) ?? .both,
            believe: section.choice("believe", as: Forwarding.Family.self) ?? .xForwarded)
    }
}

extension ListenAddress {
    /// `host:port` with the host in numbers, `*` or nothing for all addresses; `unix:/path`.
    init?(_ text: String) {
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst(5))
            guard path.hasPrefix("/"), path.utf8.count <= 107 else { return nil }
            self = .unix(path: path)
            return
        }
        guard let (host, port) = hostAndPort(text) else { return nil }
        let wanted = host.isEmpty || host == "*" ? "0.0.0.0" : host == "localhost" ? "127.0.0.1" : host
        var four = in_addr()
        var six = in6_addr()
        guard unsafe inet_pton(AF_INET, wanted, &four) == 1 || inet_pton(AF_INET6, wanted, &six) == 1 else {
            return nil
        }
        self = .network(host: wanted, port: port)
    }

    /// Reached from this machine or a private network alone: loopback, RFC 1918, RFC 4193, link-local addresses, and
    /// Unix sockets. All addresses at once (0.0.0.0) are not.
    var isPrivate: Bool {
        guard case .network(let host, _) = self else { return true }
        let text = Array(host.utf8)
        guard let number = IPAddress(text.span) else { return false }
        let ranges = [
            "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "::1", "fc00::/7",
            "fe80::/10",
        ]
        return ranges.contains { range in
            let text = Array(range.utf8)
            return AddressRange(text.span)?.contains(number) ?? false
        }
    }

    var port: UInt16? { if case .network(_, let port) = self { port } else { nil } }
}
