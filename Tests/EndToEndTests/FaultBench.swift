import Foundation
import Testing

/// The real program between an app and clients that misbehave, with two bystanders that must not notice anything: a
/// held poll, and a proxied exchange whose response has begun. What the process holds is counted before the faults and
/// behind them.
///
/// `run` commits a fault once to set up whatever is set up once, counts, commits it several times more, so that what
/// one fault leaves behind adds up, and counts again.
final class FaultBench {
    /// What becomes of the app's connection behind the handler.
    enum Next { case keep, close }

    typealias Handler = @Sendable (_ head: String, _ connection: TestApp.Connection, _ app: TestApp) -> Next

    /// Memory that may come and go with where the allocator puts things.
    static let noiseBytes = 512 << 10

    let app: TestApp
    let pollhold: PollholdProcess
    private let idle: IdleConnections
    private let more: Barrier
    /// Descriptors that are no connections.
    private let ownDescriptors: Int

    /// - Parameters:
    ///   - upstream: further keys of `upstream`, in YAML's flow style, each with a comma before it.
    ///   - more: further lines of the configuration.
    ///   - handler: the app's part of each request that is no bystander's.
    init(
        upstream: String = "", more text: String = "", launcher: [String] = [], in directory: TemporaryDirectory? = nil,
        handler: @escaping Handler
    ) throws {
        let idle = IdleConnections()
        let more = Barrier()
        app = try TestApp(handler: { connection, app in
            while idle.wait(on: connection), let head = connection.readHead() {
                idle.leave(connection)
                if head.hasPrefix("GET /bystander ") {
                    // It goes on all the time, and its clocks are not the test's, so that none runs out for it.
                    connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                    while connection.send("1\r\n.\r\n"), !more.wait(seconds: 0.02) {}
                    connection.send("6\r\nbehind\r\n0\r\n\r\n")
                } else if case .close = handler(head, connection, app) {
                    return
                }
            }
            idle.leave(connection)
        })
        self.idle = idle
        self.more = more
        pollhold = try PollholdProcess(
            """
            listen: 127.0.0.1:0
            upstream: { server: http://127.0.0.1:\(app.port)\(upstream) }
            workers: 1
            control: { socket: SOCKET }
            routes:
              - path: /poll
                hold: { channels: "{query.channel}", allow: ["*"], timeout: 600s }
              - { path: /bystander, proxy: { response_timeout: 60s, idle_timeout: 60s } }
            \(text)
            """, launcher: launcher, in: directory)
        ownDescriptors = pollhold.descriptors
    }

    /// The number behind `/fault/` in a request's target, which says what the app is to do.
    static func number(in head: String) -> Int {
        head.firstRange(of: "/fault/").flatMap { Int(head[$0.upperBound...].prefix { $0.isNumber }) } ?? 0
    }

    func client(receiveBytes: Int32? = nil) throws -> TestClient {
        try TestClient(port: pollhold.port, receiveBytes: receiveBytes)
    }

    /// The app closes its connections that wait for a next request, all at once.
    func endIdleConnections() { idle.endAll() }

    /// Commits `fault` over and over between two counts, and fails the test if anything is left of it or a bystander
    /// was harmed.
    func run(times: Int = 8, _ fault: (FaultBench) throws -> Void) throws {
        let poll = try client()
        try poll.start("GET", "/poll?channel=bystander&after=now")
        try pollhold.waitForWaiting("bystander") { $0 == 1 }
        let exchange = try client()
        try exchange.start("GET", "/bystander")
        try waitUntil("the bystander's response has begun") { exchange.hasBytes(within: 10) }
        try fault(self)
        let before = try settledBytes()
        for _ in 0..<times { try fault(self) }
        let growth = try settledBytes() - before
        // A sanitizer, and an allocator that fills what it frees, have a memory of their own.
        if PollholdProcess.scale >= 1 { #expect(growth < Self.noiseBytes, "memory grew by \(growth >> 10) KiB") }
        more.open()
        let answer = try exchange.response()
        #expect(
            answer.status == 200 && !answer.isCut && answer.text.hasSuffix(".behind"),
            "a proxied exchange has been harmed")
        try pollhold.publish("bystander", "1")
        #expect(try poll.response().ids.count == 1, "a held poll has been harmed")
        #expect(try exchange.request("GET", "/poll?channel=bystander").ids.count == 1)
    }

    /// Waits until the process has only the bystanders' connections and its own descriptors: exactly these, so one that
    /// is left behind fails the test.
    ///
    /// - Returns: its memory then.
    private func settledBytes() throws -> Int {
        try waitUntil("only the bystanders' connections are left") {
            // The app closes what waits for a next request, so that what is left is no matter of reuse.
            idle.endAll()
            // A poll, an exchange's two ends, and the connection that asks.
            return try pollhold.control("GET", "/status").json["connections"] as? Int == 4
        }
        try waitUntil("only the bystanders' descriptors are left") { pollhold.descriptors == ownDescriptors + 3 }
        return pollhold.privateBytes
    }
}

/// The app's connections that wait for a next request.
private final class IdleConnections: @unchecked Sendable {
    private let lock = NSLock()
    private var waiting: [ObjectIdentifier: TestApp.Connection] = [:]

    /// - Returns: true.
    func wait(on connection: TestApp.Connection) -> Bool {
        lock.withLock { waiting[ObjectIdentifier(connection)] = connection }
        return true
    }

    func leave(_ connection: TestApp.Connection) {
        lock.withLock { waiting[ObjectIdentifier(connection)] = nil }
    }

    func endAll() {
        lock.withLock { for connection in waiting.values { connection.end() } }
    }
}
