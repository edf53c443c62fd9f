import Foundation
import Testing

/// Bodies pass both ways as they come, and a slow reader slows the sender down by TCP: what waits in between is bounded
/// however large the body is. POLLHOLD_TEST_SCALE=16 makes it 1 GiB each way.
@Suite(.serialized)
struct StreamingTests {
    /// Never so small that the system's own socket buffers, some 10 MiB on a way, could hold it.
    static let bodyBytes = max(32, Int(64 * PollholdProcess.scale)) << 20
    /// What may stand in memory for one direction of one exchange.
    static let bufferedBytesLimit = 256 << 10

    static func pollhold(_ app: TestApp, _ more: String = "") throws -> PollholdProcess {
        try PollholdProcess("listen: 127.0.0.1:0\nupstream: http://127.0.0.1:\(app.port)\nworkers: 1\n\(more)")
    }

    /// Bytes that tell their place in a body: repeated with a prime period, so that no buffer's size hides a mistake.
    private static let period = 65521
    private static let pattern = {
        var random = Seeded(state: 1)
        let once = (0..<period).map { _ in UInt8.random(in: 0...255, using: &random) }
        return once + once + once[..<64]
    }()

    /// The part of every large body from `start` on; 64 KiB at most.
    static func part(at start: Int, _ count: Int) -> [UInt8] { Array(pattern[(start % period)...].prefix(count)) }

    static func isPart(_ bytes: [UInt8], at start: Int) -> Bool {
        pattern.withUnsafeBytes { memcmp(bytes, $0.baseAddress! + start % period, bytes.count) == 0 }
    }

    /// The largest private memory seen, in bytes above the first look.
    struct MemoryPeak {
        let pollhold: PollholdProcess
        let first: Int
        var growth = 0

        init(_ pollhold: PollholdProcess) {
            self.pollhold = pollhold
            first = pollhold.privateBytes
        }

        mutating func look() { growth = max(growth, pollhold.privateBytes - first) }
    }

    @Test(arguments: ["length", "chunked", "close"])
    func `a large response passes through a slow reader with little in memory`(framing: String) throws {
        let progress = Progress()
        let app = try TestApp(handler: { connection, _ in
            while let head = connection.readHead() {
                let size = head.hasPrefix("GET /warm") ? 1 << 20 : Self.bodyBytes
                switch framing {
                case "length": connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")
                case "chunked": connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                default: connection.send("HTTP/1.1 200 OK\r\n\r\n")
                }
                var sent = 0
                while sent < size {
                    let part = Self.part(at: sent, 65536)
                    if framing == "chunked" { connection.send("10000\r\n") }
                    guard connection.send(part) else { return }
                    if framing == "chunked" { connection.send("\r\n") }
                    sent += part.count
                    progress.set(sent)
                }
                if framing == "chunked" { connection.send("0\r\n\r\n") }
                if framing == "close" { return }
            }
        })
        let pollhold = try Self.pollhold(app)
        let client = try TestClient(port: pollhold.port, receiveBytes: 65536)
        #expect(try client.request("GET", "/warm").body.count == 1 << 20)
        var peak = MemoryPeak(pollhold)
        try client.start("GET", "/large")
        let head = try client.responseHead()
        try progress.waitUntilItStands { peak.look() }
        #expect(progress.value < Self.bodyBytes, "the app can't run ahead of a client that does not read")
        let isChunked = head["transfer-encoding"] == "chunked"
        #expect(isChunked == (framing != "length"))
        var left = isChunked ? 0 : Self.bodyBytes
        var read = 0
        while true {
            if isChunked {
                left = Int(try client.readLine().dropLast(), radix: 16) ?? 0
                if left == 0 { break }
            }
            while left > 0 {
                let part = try client.read(count: min(left, 65536))
                if part.isEmpty { throw TestFailure("the response ended at \(read)") }
                if !Self.isPart(part, at: read) { throw TestFailure("a wrong byte behind \(read)") }
                read += part.count
                left -= part.count
                if read % (1 << 20) < 65536 { peak.look() }
            }
            if !isChunked { break }
            _ = try client.readLine()
        }
        #expect(read == Self.bodyBytes)
        print("streaming: \(read >> 20) MiB down, \(framing): memory grew by \(peak.growth >> 10) KiB")
        if PollholdProcess.scale >= 1 { #expect(peak.growth <= Self.bufferedBytesLimit) }
    }

    @Test(arguments: ["length", "chunked"])
    func `a large request passes to a slow app with little in memory`(framing: String) throws {
        let progress = Progress()
        let mayRead = Barrier()
        let app = try TestApp(handler: { connection, _ in
            while let head = connection.readHead() {
                let size = head.hasPrefix("POST /warm") ? 1 << 20 : Self.bodyBytes
                if size == Self.bodyBytes { mayRead.wait() }
                var read = 0
                var left = framing == "length" ? size : 0
                while true {
                    if framing == "chunked" {
                        left = Int(connection.readLine(), radix: 16) ?? 0
                        if left == 0 { break }
                    }
                    while left > 0 {
                        let part = connection.read(count: min(left, 65536))
                        guard !part.isEmpty, Self.isPart(part, at: read) else { return }
                        read += part.count
                        left -= part.count
                    }
                    if framing == "length" { break }
                    _ = connection.readLine()
                }
                if framing == "chunked" { _ = connection.readLine() }
                connection.send(TestApp.plain("\(read)"))
            }
        })
        let pollhold = try Self.pollhold(app)
        let client = try TestClient(port: pollhold.port)
        func send(_ size: Int) throws {
            for start in stride(from: 0, to: size, by: 65536) {
                if framing == "chunked" { try client.send("10000\r\n") }
                try client.send(Self.part(at: start, 65536) + Array(framing == "chunked" ? "\r\n".utf8 : "".utf8))
                progress.set(start)
            }
            if framing == "chunked" { try client.send("0\r\n\r\n") }
        }
        func begin(_ path: String, _ size: Int) throws {
            let field = framing == "length" ? "Content-Length: \(size)" : "Transfer-Encoding: chunked"
            try client.send("POST \(path) HTTP/1.1\r\nHost: t\r\n\(field)\r\n\r\n")
        }
        try begin("/warm", 1 << 20)
        try send(1 << 20)
        #expect(try client.response().text == "\(1 << 20)")
        var peak = MemoryPeak(pollhold)
        progress.set(0)
        try begin("/large", Self.bodyBytes)
        let ended = Barrier()
        // The sender has a thread of its own, for it will have to wait.
        let sender = Sender { try send(Self.bodyBytes) }
        Thread.detachNewThread {
            sender.run()
            ended.open()
        }
        try progress.waitUntilItStands { peak.look() }
        #expect(progress.value < Self.bodyBytes - 65536, "the client can't run ahead of an app that does not read")
        mayRead.open()
        while !ended.wait(seconds: 0.02) { peak.look() }
        #expect(sender.failure == nil)
        #expect(try client.response().text == "\(Self.bodyBytes)")
        print("streaming: \(Self.bodyBytes >> 20) MiB up, \(framing): memory grew by \(peak.growth >> 10) KiB")
        if PollholdProcess.scale >= 1 { #expect(peak.growth <= Self.bufferedBytesLimit) }
    }

    @Test func `a body in the smallest pieces costs no more memory than in one`() throws {
        let mayRead = Barrier()
        let app = try TestApp(
            receiveBytes: 4096,
            handler: { connection, _ in
                while let head = connection.readHead() {
                    if head.hasPrefix("POST /small") { mayRead.wait() }
                    connection.send(TestApp.plain("\(connection.readBody(of: head).count)"))
                }
            })
        let pollhold = try Self.pollhold(app)
        let client = try TestClient(port: pollhold.port)
        #expect(try client.request("POST", "/warm", body: [1]).text == "1")
        var peak = MemoryPeak(pollhold)
        try client.send("POST /small HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n")
        let pieces = 200_000
        let bytes = Array(String(repeating: "1\r\na\r\n", count: pieces).utf8)
        var sent = 0
        var standing = 0
        while standing < 50 {
            let count = client.sendSome(Array(bytes[sent..<min(bytes.count, sent + 65536)]))
            sent += count
            peak.look()
            if count > 0 { standing = 0 } else { standing += 1 }
            poll(nil, 0, 2)
        }
        mayRead.open()
        try client.send(Array(bytes[sent...]) + Array("0\r\n\r\n".utf8))
        #expect(try client.response().text == "\(pieces)")
        peak.look()
        print("streaming: a body in pieces of one byte: memory grew by \(peak.growth >> 10) KiB")
        if PollholdProcess.scale >= 1 { #expect(peak.growth <= Self.bufferedBytesLimit) }
    }

    @Test func `each piece of a response and of a request passes at once`() throws {
        let received = Barrier()
        let pieces = 20
        let app = try TestApp(handler: { connection, _ in
            guard let head = connection.readHead() else { return }
            if head.hasPrefix("GET") {
                connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
                for number in 0..<pieces {
                    connection.send("data: \(number % 10)\n\n")
                    guard received.wait() else { return }
                }
            } else {
                for _ in 0..<pieces {
                    guard connection.read(count: 6).count == 6 else { return }
                    received.open()
                }
                _ = connection.read(count: 5)
                connection.send(TestApp.plain("whole"))
            }
        })
        let pollhold = try Self.pollhold(app)
        let reader = try TestClient(port: pollhold.port)
        try reader.start("GET", "/events")
        #expect(try reader.responseHead()["content-type"] == "text/event-stream")
        for number in 0..<pieces {
            // The app sends the next one only when this one has come out.
            #expect(try reader.readText(count: 14) == "9\r\ndata: \(number % 10)\n\n\r\n")
            received.open()
        }
        #expect(try reader.readText(count: 5) == "0\r\n\r\n")
        let writer = try TestClient(port: pollhold.port)
        try writer.send("POST /pieces HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in 0..<pieces {
            try writer.send("1\r\na\r\n")
            #expect(received.wait(), "the app has not got a piece that was sent")
        }
        try writer.send("0\r\n\r\n")
        #expect(try writer.response().text == "whole")
    }

    @Test func `trailers pass both ways`() throws {
        let app = try TestApp(handler: { connection, app in
            while let head = connection.readHead() {
                _ = connection.readBody(of: head, keepsTrailers: true)
                app.note(connection.readHead() ?? "")
                connection.send(
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\nX-Sum: 2\r\n\r\n")
            }
        })
        let pollhold = try Self.pollhold(app)
        let client = try TestClient(port: pollhold.port)
        for _ in 0..<2 {
            try client.send(
                "POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\n\r\n"
                    + "2\r\nhi\r\n0\r\nX-Check: a\r\nx-other:  b \r\n\r\n")
            let answer = try client.response()
            #expect(answer.text == "ok")
            #expect(answer.trailers == ["X-Sum: 1", "X-Sum: 2"])
        }
        #expect(app.requests == Array(repeating: "X-Check: a\r\nx-other: b\r\n\r\n", count: 2))
    }

    @Test func `an upload is over with its last byte, even if that has to wait for the app`() throws {
        let mayRead = Barrier()
        let app = try TestApp(handler: { connection, _ in
            guard let head = connection.readHead() else { return }
            mayRead.wait()
            let count = connection.readBody(of: head).count
            // Longer than the client would have for more of its body.
            poll(nil, 0, 5000)
            connection.send(TestApp.plain("\(count)"))
        })
        let pollhold = try Self.pollhold(app, "timeouts: { body: 4s }\n")
        let client = try TestClient(port: pollhold.port)
        let size = 16 << 20
        try client.send("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: \(size)\r\n\r\n")
        let sender = Sender { try client.send([UInt8](repeating: 0x61, count: size)) }
        let done = Barrier()
        Thread.detachNewThread {
            sender.run()
            done.open()
        }
        #expect(!done.wait(seconds: 0.5), "the client has to wait for the app")
        mayRead.open()
        #expect(try client.response().text == "\(size)")
        #expect(done.wait())
        #expect(sender.failure == nil)
    }

    @Test func `an upload that takes longer than the app's time for an answer is no late answer`() throws {
        let app = try TestApp(respond: { _, body in TestApp.plain("\(body.count)") })
        let pollhold = try PollholdProcess(
            "listen: 127.0.0.1:0\nupstream: { server: http://127.0.0.1:\(app.port), response_timeout: 4s }\n")
        let client = try TestClient(port: pollhold.port)
        try client.send("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\n")
        for _ in 0..<10 {
            poll(nil, 0, 450)
            try client.send("a")
        }
        #expect(try client.response().text == "10")
    }
}

/// How far a sender on another thread has come.
final class Progress: @unchecked Sendable {
    private let lock = NSLock()
    private var count = 0

    func set(_ value: Int) { lock.withLock { count = value } }
    var value: Int { lock.withLock { count } }

    /// Returns when the sender has begun and has not moved for a quarter of a second: it has to wait.
    func waitUntilItStands(_ look: () -> Void) throws {
        var last = -1
        var since = Date()
        try waitUntil("the sender has to wait") {
            look()
            let now = value
            if now != last { (last, since) = (now, Date()) }
            return now > 0 && Date().timeIntervalSince(since) > 0.25
        }
    }
}

/// A body sent on a thread of its own.
final class Sender: @unchecked Sendable {
    private let body: () throws -> Void
    private(set) var failure: String?

    init(_ body: @escaping () throws -> Void) { self.body = body }

    func run() {
        do { try body() } catch { failure = "\(error)" }
    }
}
