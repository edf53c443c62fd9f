/// Requests: the outcome does not depend on the cuts, and what is accepted goes on as the same single request.
import ByteText
import ConfigFile
import Gateway
import HTTP1
import Polling

/// Everything that a reader said of a connection's bytes.
struct ReadRequests {
    enum Step: Equatable {
        case head([UInt8], BodyFraming, keepsAlive: Bool)
        case content([UInt8])
        case end(trailers: [UInt8])
        case refused(HTTPError)
        case incomplete
    }

    /// A request that was whole.
    struct Whole {
        var head: RequestHead
        var content: [UInt8] = []
        var trailers = FieldLines()
    }

    private(set) var steps: [Step] = []
    private(set) var whole: [Whole] = []
    /// How many bytes were taken.
    private(set) var consumed = 0
    /// Of the request under way.
    private var content: [UInt8] = []

    private let limits: HeadLimits

    /// - Parameters:
    ///   - ends: where each piece ends.
    ///   - limits: those of the next hop, for what we add ourselves counts there too.
    init(_ input: [UInt8], ends: [Int], limits: HeadLimits = .requests) {
        self.limits = limits
        var reader = RequestReader()
        var current: Whole?
        do throws(HTTPError) {
            for end in ends {
                // Other connections use the scratch between two calls.
                var head = Self.foreign
                try read(input, upTo: end, &reader, &head, &current)
            }
            endContent(&current)
            do throws(HTTPError) { try reader.endOfInput() } catch { steps.append(.incomplete) }
        } catch {
            endContent(&current)
            steps.append(.refused(error))
        }
    }

    private mutating func endContent(_ current: inout Whole?) {
        if !content.isEmpty { steps.append(.content(content)) }
        current?.content = content
        content = []
    }

    private mutating func read(
        _ input: [UInt8], upTo end: Int, _ reader: inout RequestReader, _ head: inout RequestHead,
        _ current: inout Whole?
    ) throws(HTTPError) {
        while true {
            let bytes = input.span.extracting(consumed..<end)
            var position = 0
            let event = try reader.next(bytes, &position, head: &head, limits: limits)
            consumed += position
            switch event {
            case .needsMore: return
            case .head:
                steps.append(.head(head.fields.bytes, head.framing, keepsAlive: head.keepsAlive))
                current = Whole(head: head)
            case .content(let range):
                // Pieces are put together, so that the steps don't depend on the cuts.
                content += bytes.extracting(range).array
            case .end:
                endContent(&current)
                steps.append(.end(trailers: head.trailers.isEmpty ? [] : head.trailers.bytes))
                current?.trailers = head.trailers
                if let current { whole.append(current) }
                current = nil
            }
        }
    }

    private static let foreign = scratch(
        "PUT /foreign HTTP/1.1\r\nHost: foreign\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Foreign: 1\r\n\r\n")

    /// What a scratch holds behind a request that is a good one.
    static func scratch(_ text: String) -> RequestHead {
        do { return try head(of: Array(text.utf8)) } catch { preconditionFailure("\(error)") }
    }

    private static func head(of bytes: [UInt8]) throws -> RequestHead {
        var head = RequestHead()
        var reader = RequestReader()
        var position = 0
        while position < bytes.count {
            _ = try reader.next(bytes.span, &position, head: &head, limits: .requests)
        }
        return head
    }
}

extension HeadLimits {
    /// Of a reader behind us, which has to take what we add to the most that we take.
    static let generous = HeadLimits(
        lineBytesLimit: 1 << 20, fieldBytesLimit: 1 << 20, headBytesLimit: 1 << 20, fieldCountLimit: 1000,
        trailerBytesLimit: 1 << 20)
}

enum RequestLaws {
    static func check(_ bytes: [UInt8]) throws {
        var outcome: ReadRequests?
        for ends in Cuts(bytes).all {
            let found = ReadRequests(bytes, ends: ends)
            guard let first = outcome else {
                outcome = found
                continue
            }
            try require(found.steps == first.steps, "cut at \(ends.prefix(3)): \(found.steps)\nwhole: \(first.steps)")
        }
        for request in outcome?.whole ?? [] {
            try decide(request.head)
            try pass(request)
        }
    }

    // MARK: Decisions

    private static let configuration = """
        upstream: http://127.0.0.1:1
        trusted: [10.0.0.0/8, 127.0.0.1, "fd00::/8"]
        routes:
          - path: /poll
            hold: { channels: "{query.channel}", allow: [news, "room.*"] }
          - path: /rooms/{room}/**
            hold: { channels: ["room.{path.room}", "{cookie.sid}.{header.X-Tenant}"], allow: ["room.*", "*.a"] }
        publish:
          - when: "POST /rooms/{room}"
            channels: "room.{path.room}"
        """
    private static let tables: (routes: RouteTable, rules: RuleTable, proxy: ProxyRoute, forwarding: ForwardingRules) =
        {
            do throws(ConfigurationErrors) {
                let loaded = try Configuration.load(text: configuration, file: "fuzz.yaml", environment: [:])
                return (
                    RouteTable(loaded, epoch: Epoch(random: 1)), RuleTable(loaded),
                    ProxyRoute(loaded.proxy, loaded.upstream), ForwardingRules(loaded)
                )
            } catch {
                preconditionFailure("\(error)")
            }
        }()
    private static let stranger = ClientAddress.network(IPAddress(ipv4: 0xC000_0201))
    /// A peer that may speak for others.
    private static let friend = ClientAddress.network(IPAddress(ipv4: 0x0A00_0001))

    /// Whatever the request is, there is a decision, and no poll for a channel that no route allows.
    private static func decide(_ head: borrowing RequestHead) throws {
        _ = tables.rules.answered(head, client: stranger)
        _ = tables.rules.watcher(head, client: stranger)
        do throws(ControlError) { _ = try ControlCommand(head) } catch { _ = error.reason }
        guard case .poll(let poll) = tables.routes.decide(head, client: stranger) else { return }
        for channel in poll.channels {
            let name = channel.bytes
            let isAllowed =
                name == Array("news".utf8) || (name.starts(with: "room.".utf8) && name.count > 5)
                || name.suffix(2) == Array(".a".utf8)
            try require(isAllowed, "a poll for \(String(decoding: name, as: UTF8.self))")
        }
    }

    // MARK: Passing on

    /// Written for the app and read by its reader, it is one request, the same one, and nothing is left.
    private static func pass(_ request: ReadRequests.Whole) throws {
        // Without a Host, HTTP/1.0 has one request that HTTP/1.1 can only write with an empty one.
        guard !request.head.hostRange.isEmpty else { return }
        for address in [stranger, friend] {
            let identity = ClientIdentity(request.head, peer: Peer(address), rules: tables.forwarding)
            let (head, sent) = written(request, identity)
            let text = String(decoding: sent, as: UTF8.self)
            let found = ReadRequests(sent, ends: [sent.count], limits: .generous)
            try require(found.whole.count == 1 && found.consumed == sent.count, "passed on as no single one: \(text)")
            guard case .end = found.steps.last, let again = found.whole.first else {
                throw BrokenLaw(description: "passed on as a request that does not end: \(text)")
            }
            try compare(request, again, text)
            try checkLines(head)
            // The next one of us that trusts this one believes what it was told.
            let next = ClientIdentity(again.head, peer: Peer(friend), rules: tables.forwarding)
            try require(next.client == identity.client, "\(identity.client) becomes \(next.client): \(text)")
            if address == stranger { try require(identity.client == stranger, "a stranger spoke for another: \(text)") }
        }
    }

    /// What the app gets: the head, and all of it.
    private static func written(
        _ request: ReadRequests.Whole, _ identity: ClientIdentity
    ) -> (head: [UInt8], all: [UInt8]) {
        var exchange = ProxyExchange(request.head, route: tables.proxy)
        var writer = HTTPWriter()
        RequestForwarding.write(
            request.head,
            client: RequestForwarding.Client(identity: identity, rules: tables.forwarding, requestID: nil), host: nil,
            upgrading: exchange.asksForUpgrade, into: &writer)
        let head = writer.bytes
        var sent = head
        let middle = request.content.count / 2
        for piece in [request.content[..<middle], request.content[middle...]] where !piece.isEmpty {
            writer.reset()
            let content = Array(piece)
            sent += exchange.passesRequestContentBare(content.span, into: &writer) ? content : writer.bytes
        }
        writer.reset()
        exchange.requestEnded(trailers: request.trailers, into: &writer)
        return (head, sent + writer.bytes)
    }

    private static func compare(_ sent: ReadRequests.Whole, _ found: ReadRequests.Whole, _ text: String) throws {
        let (head, again) = (sent.head, found.head)
        let methods = (head[head.methodRange].array, again[again.methodRange].array)
        try require(methods.0 == methods.1, "another method: \(text)")
        let hosts = (head[head.hostRange].array, again[again.hostRange].array)
        try require(hosts.0 == hosts.1, "another host: \(text)")
        var target = head[head.targetRange].array
        if head.targetForm == .absolute {
            let origin = HTTPWriter.originForm(of: head)
            target = origin
        }
        let targetAgain = again[again.targetRange].array
        try require(target == targetAgain, "another target: \(text)")
        try require(again.framing == head.framing, "another framing: \(text)")
        try require(found.content == sent.content, "other content: \(text)")
        try require(found.trailers.count <= sent.trailers.count, "more trailers: \(text)")
        let upgrades = (head.upgradeRange != nil, again.upgradeRange != nil)
        try require(upgrades.0 || !upgrades.1, "an upgrade that nobody asked for: \(text)")
        for name in [FieldName.cookie, .authorization, .contentType, .range, .origin] {
            try require(head.fields.count(of: name) == again.fields.count(of: name), "other fields: \(text)")
        }
    }

    /// For a reader that takes any control byte for a line's end and folds every odd byte of a name there is one
    /// framing field at most, one Host and one X-Forwarded-For.
    private static func checkLines(_ head: [UInt8]) throws {
        var framing = 0
        var hosts = 0
        var clients = 0
        for line in head.split(whereSeparator: { $0 < 0x20 && $0 != 9 || $0 == 0x7F }).dropFirst() {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else {
                throw BrokenLaw(description: "a line without a colon: \(String(decoding: head, as: UTF8.self))")
            }
            let name = line[..<colon].map { byte -> UInt8 in
                let isLetter = (byte | 0x20) &- 0x61 < 26
                return isLetter ? byte | 0x20 : byte &- 0x30 < 10 ? byte : UInt8(ascii: "-")
            }
            switch String(decoding: name, as: UTF8.self) {
            case "content-length", "transfer-encoding": framing += 1
            case "host": hosts += 1
            case "x-forwarded-for": clients += 1
            default: break
            }
        }
        try require(
            framing <= 1 && hosts == 1 && clients == 1,
            "framed \(framing) times, \(hosts) hosts, \(clients) clients: \(String(decoding: head, as: UTF8.self))")
    }
}

extension HTTPWriter {
    /// The target as RFC 9112 §3.2 has it for a request to the origin, made in an obvious way.
    fileprivate static func originForm(of head: borrowing RequestHead) -> [UInt8] {
        let whole = String(decoding: head[head.targetRange].array, as: UTF8.self)
        let scheme = whole.lowercased().hasPrefix("https") ? 8 : 7
        let rest = whole.dropFirst(scheme).drop { $0 != "/" && $0 != "?" }
        if rest.isEmpty { return Array((head.method == .options ? "*" : "/").utf8) }
        return Array((rest.first == "/" ? "" : "/").utf8) + Array(rest.utf8)
    }
}
