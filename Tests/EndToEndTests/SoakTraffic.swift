import Foundation

/// Traffic of one kind, one piece after the other on a thread of its own, parked between two pieces when it is asked
/// to, so that what the process holds can be counted.
final class SoakTraffic: @unchecked Sendable {
    enum Kind: String, CaseIterable {
        case small, large, slow, broken, upgraded, rechecked, published
    }

    private let condition = NSCondition()
    private var isParking = false
    private var isEnding = false
    private var parked = 0
    private var running = 0
    private var counts: [Kind: Int] = [:]
    private var found: [String] = []
    let pollhold: PollholdProcess

    init(_ pollhold: PollholdProcess) { self.pollhold = pollhold }

    func start(_ kind: Kind, threads: Int, seed: UInt64) {
        for number in 0..<threads {
            condition.withLock { running += 1 }
            Thread.detachNewThread { [self] in
                var random = Seeded(state: seed &+ UInt64(number) &* 1000)
                while mayGoOn() {
                    do {
                        try SoakPieces.one(kind, pollhold, &random)
                        condition.withLock { counts[kind, default: 0] += 1 }
                    } catch {
                        condition.withLock { found.append("\(kind): \(error)") }
                    }
                }
                condition.withLock {
                    running -= 1
                    condition.broadcast()
                }
            }
        }
    }

    private func mayGoOn() -> Bool {
        condition.withLock {
            if isParking {
                parked += 1
                condition.broadcast()
                while isParking, !isEnding { condition.wait() }
                parked -= 1
            }
            return !isEnding
        }
    }

    /// Lets every thread finish its piece and wait.
    func park() throws {
        let end = Date().addingTimeInterval(60)
        try condition.withLock {
            isParking = true
            while parked < running {
                guard condition.wait(until: end) else { throw TestFailure("a piece of traffic does not end") }
            }
        }
    }

    func goOn() {
        condition.withLock {
            isParking = false
            condition.broadcast()
        }
    }

    func end() throws {
        let end = Date().addingTimeInterval(60)
        try condition.withLock {
            isEnding = true
            condition.broadcast()
            while running > 0 {
                guard condition.wait(until: end) else { throw TestFailure("a piece of traffic does not end") }
            }
        }
    }

    func count(_ kind: Kind) -> Int { condition.withLock { counts[kind] ?? 0 } }
    /// What went otherwise than it should.
    var failures: [String] { condition.withLock { found } }
}

/// The pieces of traffic, each with what must come of it.
enum SoakPieces {
    static func one(_ kind: SoakTraffic.Kind, _ pollhold: PollholdProcess, _ random: inout Seeded) throws {
        switch kind {
        case .small: try small(pollhold, &random)
        case .large: try large(pollhold, &random)
        case .slow: try slow(pollhold, &random)
        case .broken: try broken(pollhold, &random)
        case .upgraded: try upgraded(pollhold, &random)
        case .rechecked: try rechecked(pollhold, &random)
        case .published: try published(pollhold, &random)
        }
    }

    private static func require(_ isRight: Bool, _ what: @autoclosure () -> String) throws {
        if !isRight { throw TestFailure(what()) }
    }

    private static func small(_ pollhold: PollholdProcess, _ random: inout Seeded) throws {
        let client = try TestClient(port: pollhold.port)
        for _ in 0..<Int.random(in: 1...20, using: &random) {
            let size = Int.random(in: 0...500, using: &random)
            let answer =
                size < 250
                ? try client.request("GET", "/small")
                : try client.request("POST", "/small", body: [UInt8](repeating: 0x61, count: size))
            try require(answer.text == (size < 250 ? "0" : "\(size)"), "\(answer.statusLine) \(answer.text.prefix(80))")
        }
        if Bool.random(using: &random) { client.reset() }
    }

    private static func large(_ pollhold: PollholdProcess, _ random: inout Seeded) throws {
        let client = try TestClient(port: pollhold.port)
        if Bool.random(using: &random) {
            let answer = try client.request("GET", "/large")
            try require(answer.body.count == SoakApp.largeBytes && !answer.isCut, "\(answer.body.count) bytes")
            try require(StreamingTests.isPart(Array(answer.body[65536..<131072]), at: 65536), "a wrong byte")
        } else {
            try client.send("POST /large HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n")
            for start in stride(from: 0, to: SoakApp.largeBytes, by: 65536) {
                try client.send(Array("10000\r\n".utf8) + StreamingTests.part(at: start, 65536) + Array("\r\n".utf8))
            }
            try client.send("0\r\n\r\n")
            let answer = try client.response()
            try require(answer.text == "\(SoakApp.largeBytes)", answer.statusLine)
        }
    }

    private static func slow(_ pollhold: PollholdProcess, _ random: inout Seeded) throws {
        switch Int.random(in: 0..<3, using: &random) {
        case 0:
            let client = try TestClient(port: pollhold.port, receiveBytes: 8192)
            try client.start("GET", "/large")
            // A slow beginning, so that the app has to wait; then the rest.
            for _ in 0..<50 {
                _ = client.hasBytes(within: 20)
                poll(nil, 0, 5)
            }
            let answer = try client.response()
            try require(answer.body.count == SoakApp.largeBytes, "\(answer.body.count) bytes")
        case 1:
            let client = try TestClient(port: pollhold.port)
            for byte in Array("POST /small HTTP/1.1\r\nHost: t\r\nContent-Length: 50\r\n\r\n".utf8) {
                try client.send([byte])
                poll(nil, 0, 2)
            }
            for _ in 0..<50 {
                try client.send("a")
                poll(nil, 0, 5)
            }
            let answer = try client.response()
            try require(answer.text == "50", answer.statusLine)
        default:
            let answer = try TestClient(port: pollhold.port).request("GET", "/drip")
            try require(answer.body.count == 2000 && !answer.isCut, "\(answer.body.count) bytes")
        }
    }

    private static let halves = [
        "", "GET", "GET / HTTP/1.1\r\nHost", "POST /wait HTTP/1.1\r\nHost: t\r\nContent-Length: 100\r\n\r\nhalf",
        "POST /wait HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe",
        "GET /wait HTTP/1.1\r\nHost: t\r\n\r\n",
        "GET /large HTTP/1.1\r\nHost: t\r\n\r\n", "GET /poll?channel=c.0&after=now HTTP/1.1\r\nHost: t\r\n\r\n",
        "GET /updates?room=1 HTTP/1.1\r\nHost: t\r\n\r\n", TunnelTests.upgrade() + "bytes",
        String(repeating: "GET /small HTTP/1.1\r\nHost: t\r\n\r\n", count: 100),
    ]

    private static func broken(_ pollhold: PollholdProcess, _ random: inout Seeded) throws {
        let client = try TestClient(port: pollhold.port)
        switch Int.random(in: 0..<3, using: &random) {
        case 0:
            // The client goes in the midst of something.
            try client.send(halves.randomElement(using: &random) ?? "")
            if Bool.random(using: &random) { _ = client.hasBytes(within: 10) }
            switch Int.random(in: 0..<3, using: &random) {
            case 0: client.reset()
            case 1: client.closeNow()
            default:
                client.finishSending()
                _ = client.readToEnd()
            }
        case 1:
            // The app does.
            let number = Int.random(in: 0..<AppFaultTests.deaths.count, using: &random)
            let breaks = Bool.random(using: &random) ? "X-Way: breaks\r\n" : ""
            try client.send("GET /fault/\(number) HTTP/1.1\r\nHost: t\r\n\(breaks)\r\n")
            let answer = try? client.response()
            let isDesigned = answer.map { $0.isCut || [103, 200, 502].contains($0.status) } ?? true
            try require(isDesigned, "\(answer?.statusLine ?? "")")
        default:
            // What is no request.
            try client.send("GET /small HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\nGET /small HTTP/1.1\r\nHost: t\r\n\r\n")
            try require(try client.response().status == 400, "a broken request was taken")
            try require(client.readToEnd() == [], "something behind a refusal")
        }
    }

    private static func upgraded(_ pollhold: PollholdProcess, _ random: inout Seeded) throws {
        let client = try TestClient(port: pollhold.port)
        try client.send(TunnelTests.upgrade())
        try require(try client.response().status == 101, "no tunnel")
        for _ in 0..<Int.random(in: 1...20, using: &random) {
            let count = Int.random(in: 1...60000, using: &random)
            let start = Int.random(in: 0..<65536, using: &random)
            try client.send(StreamingTests.part(at: start, count))
            let back = try client.read(count: count)
            try require(back.count == count && StreamingTests.isPart(back, at: start), "a wrong byte in a tunnel")
        }
        switch Int.random(in: 0..<3, using: &random) {
        case 0: client.reset()
        case 1: client.closeNow()
        default:
            client.finishSending()
            try require(client.readToEnd() == [], "bytes behind the end of a tunnel")
        }
    }

    private static func rechecked(_ pollhold: PollholdProcess, _ random: inout Seeded) throws {
        let client = try TestClient(port: pollhold.port)
        let answer = try client.request("GET", "/updates?room=\(Int.random(in: 0..<4, using: &random))")
        try require(answer.status == 200 && answer.text == "[]", answer.statusLine)
    }

    private static func published(_ pollhold: PollholdProcess, _ random: inout Seeded) throws {
        let channel = "c.\(Int.random(in: 0..<20, using: &random))"
        let data = "{\"text\":\"\(String(repeating: "a", count: Int.random(in: 0...2000, using: &random)))\"}"
        switch Int.random(in: 0..<3, using: &random) {
        case 0: try require(try pollhold.publish(channel, data).status == 200, "not published")
        case 1:
            let client = try TestClient(unix: pollhold.socketPath)
            try client.send(String(repeating: "{\"channel\":\"\(channel)\",\"data\":\(data)}\n", count: 5))
            for _ in 0..<5 { try require(try client.readLine().contains("\"id\""), "not published") }
        default:
            let client = try TestClient(port: pollhold.port)
            let answer = try client.request(
                "POST", "/send", body: Array("room=\(Int.random(in: 0..<4, using: &random))&text=hi".utf8),
                fields: ["Content-Type": "application/x-www-form-urlencoded"])
            try require(answer.status == 204, answer.statusLine)
        }
        poll(nil, 0, 10)
    }
}
