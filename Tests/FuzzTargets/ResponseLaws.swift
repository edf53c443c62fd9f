/// Responses: the outcome does not depend on the cuts, and what goes on to the client is the same response, whole if and
/// only if it was whole.
import ByteText
import ConfigFile
import Gateway
import HTTP1

/// Everything that a reader said of the bytes that answer one request.
struct ReadResponse {
    enum Step: Equatable {
        case interim([UInt8])
        case switching([UInt8])
        case head([UInt8], BodyFraming, keepsAlive: Bool)
        case content([UInt8])
        case end(trailers: [UInt8])
        case failed(ResponseError)
    }

    private(set) var steps: [Step] = []
    /// Heads in their order, interim ones first.
    private(set) var heads: [ResponseHead] = []
    private(set) var trailers = FieldLines()
    private(set) var consumed = 0
    private(set) var endsWithConnection = false
    var content: [UInt8] = []

    var isWhole: Bool { if case .end = steps.last { true } else { false } }

    private let limits: HeadLimits

    init(
        _ input: [UInt8], ends: [Int], to method: HTTP1.Method, upgrade: Bool, limits: HeadLimits = .responses
    ) {
        self.limits = limits
        var reader = ResponseReader()
        reader.awaitResponse(to: method, upgrade: upgrade)
        do throws(ResponseError) {
            for end in ends {
                var head = Self.foreign
                try read(input, upTo: end, &reader, &head)
            }
            if try reader.endOfInput() {
                endsWithConnection = true
                steps.append(.end(trailers: []))
            }
        } catch {
            steps.append(.failed(error))
        }
        if let place = steps.firstIndex(of: .content([])) { steps[place] = .content(content) }
    }

    private mutating func read(
        _ input: [UInt8], upTo end: Int, _ reader: inout ResponseReader, _ head: inout ResponseHead
    ) throws(ResponseError) {
        while true {
            let bytes = input.span.extracting(consumed..<end)
            var position = 0
            let event = try reader.next(bytes, &position, head: &head, limits: limits)
            consumed += position
            switch event {
            case .needsMore: return
            case .interimHead: steps.append(.interim(head.fields.bytes))
            case .switchingProtocols: steps.append(.switching(head.fields.bytes))
            case .head: steps.append(.head(head.fields.bytes, head.framing, keepsAlive: head.keepsAlive))
            case .content(let range):
                // Pieces are put together, so that the steps don't depend on the cuts.
                if content.isEmpty { steps.append(.content([])) }
                content += bytes.extracting(range).array
                continue
            case .end:
                trailers = head.trailers
                steps.append(.end(trailers: trailers.isEmpty ? [] : trailers.bytes))
                continue
            }
            heads.append(head)
        }
    }

    private static let foreign: ResponseHead = {
        let text = "HTTP/1.1 299 Foreign\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Foreign: 1\r\n\r\n"
        do { return try head(of: Array(text.utf8)) } catch { preconditionFailure("\(error)") }
    }()

    private static func head(of bytes: [UInt8]) throws -> ResponseHead {
        var head = ResponseHead()
        var reader = ResponseReader()
        reader.awaitResponse(to: .get)
        var position = 0
        while position < bytes.count {
            _ = try reader.next(bytes.span, &position, head: &head, limits: .responses)
        }
        return head
    }
}

enum ResponseLaws {
    private static let requests: [RequestHead] = [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    ].map(ReadRequests.scratch)

    private static let route: ProxyRoute = {
        let text = "upstream: { server: http://127.0.0.1:1, upgrade: [websocket] }"
        do throws(ConfigurationErrors) {
            let loaded = try Configuration.load(text: text, file: "fuzz.yaml", environment: [:])
            return ProxyRoute(loaded.proxy, loaded.upstream)
        } catch {
            preconditionFailure("\(error)")
        }
    }()

    static func check(_ bytes: [UInt8]) throws {
        let cuts = Cuts(bytes).all
        for request in requests {
            let upgrade = route.passesUpgrade(of: request)
            let outcome = ReadResponse(bytes, ends: cuts[0], to: request.method, upgrade: upgrade)
            for ends in cuts.dropFirst() {
                let found = ReadResponse(bytes, ends: ends, to: request.method, upgrade: upgrade)
                try require(
                    found.steps == outcome.steps, "cut at \(ends.prefix(3)): \(found.steps)\nwhole: \(outcome.steps)")
            }
            try pass(outcome, request)
        }
    }

    /// Goes through the machine that passes a response on, and is read as the client reads it.
    private static func pass(_ outcome: ReadResponse, _ request: RequestHead) throws {
        var exchange = ProxyExchange(request, route: route)
        var sent: [UInt8] = []
        var writer = HTTPWriter()
        for head in outcome.heads { _ = exchange.response(head, into: &writer) }
        sent += writer.bytes
        let middle = outcome.content.count / 2
        for piece in [outcome.content[..<middle], outcome.content[middle...]] where !piece.isEmpty {
            writer.reset()
            let content = Array(piece)
            sent += exchange.passesResponseContentBare(content.span, into: &writer) ? content : writer.bytes
        }
        if outcome.isWhole {
            writer.reset()
            exchange.responseEnded(trailers: outcome.trailers, into: &writer)
            sent += writer.bytes
        }

        let text = String(decoding: sent, as: UTF8.self)
        let upgrade = exchange.asksForUpgrade
        let found = ReadResponse(
            sent, ends: [sent.count], to: request.method, upgrade: upgrade, limits: .generous)
        guard let last = outcome.heads.last, !exchange.awaitsResponse else {
            let isOver = found.isWhole || found.heads.contains { !$0.isInterim }
            return try require(!isOver, "only interim responses, but the client got \(found.steps)")
        }
        try require(found.consumed == sent.count, "the client has bytes left: \(text)")
        try require(found.heads.last?.status == last.status, "another status: \(text)")
        try require(found.content == outcome.content, "other content: \(text)")
        if exchange.isTunnel { return }
        if outcome.isWhole {
            try require(found.isWhole, "whole, but the client sees it cut: \(text)")
            try require(
                found.endsWithConnection ? !exchange.keepsDownstream : true, "it ends with a connection that stays")
        } else {
            try require(!found.isWhole || exchange.cutNeedsReset, "cut, but the client sees it whole: \(text)")
        }
        try checkClient(found, request, text)
    }

    private static func checkClient(_ found: ReadResponse, _ request: RequestHead, _ text: String) throws {
        guard let head = found.heads.last else { return }
        let fields = head.fields
        try require(
            fields.count(of: .contentLength) + fields.count(of: .transferEncoding) <= 1, "framed twice: \(text)")
        if request.version == .http10 {
            try require(found.heads.count == 1, "an interim response for HTTP/1.0: \(text)")
            try require(!fields.has(.transferEncoding), "chunks for HTTP/1.0: \(text)")
        }
        if !request.expectsContinue {
            try require(!found.heads.contains { $0.status == 100 }, "100 for nobody that waits: \(text)")
        }
        for line in fields.lines {
            let name = String(decoding: fields.name(of: line).array, as: UTF8.self).lowercased()
            try require(!name.hasPrefix("pollhold-"), "a field of our own from the app: \(text)")
        }
    }
}
