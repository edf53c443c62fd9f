import Foundation

/// Polls that are held while something else goes wrong, and that must notice nothing of it.
final class HeldCrowd {
    let pollhold: PollholdProcess
    let load: LoadClients
    let size: Int
    /// How often all of them were seen to be held.
    private(set) var looks = 0

    /// The route has to let polls wait on `alive`.
    init(_ size: Int, of pollhold: PollholdProcess) throws {
        self.pollhold = pollhold
        self.size = size
        load = try LoadClients(port: pollhold.port, crowd: size)
        for _ in 0..<size { try load.add(channels: ["alive"]) }
        try load.run(until: "the crowd is held") { try self.waiting() == size }
        // All workers know of all of them once each one's turn has ended.
        try load.run(until: "the crowd is counted") {
            try pollhold.control("GET", "/status").json["held"] as? Int == size
        }
    }

    private func waiting() throws -> Int {
        try pollhold.control("GET", "/channels/alive").json["waiting"] as? Int ?? 0
    }

    /// Looks again and again whether all are held, for some seconds and until something else is true too.
    func stays(seconds: Double, until what: String, patience: Double = 30, _ condition: () throws -> Bool) throws {
        let end = Date().addingTimeInterval(seconds)
        var next = Date()
        var isMet = false
        try load.run(until: what, seconds: seconds + patience) {
            guard Date() >= next else { return false }
            next = Date().addingTimeInterval(0.1)
            let held = try waiting()
            guard held == size else { throw TestFailure("\(held) of \(size) polls are held") }
            looks += 1
            if !isMet { isMet = try condition() }
            return isMet && Date() >= end
        }
    }

    /// Each of them gets the one message that there is for it, on the connection that it has had all the time.
    ///
    /// - Returns: what is wrong; nil: nothing.
    func release() throws -> String? {
        load.isEnding = true
        let reply = try pollhold.publish("alive", "\"all is well\"")
        guard reply.status == 200, let id = (reply.json["id"] as? String).flatMap({ UInt64($0) }) else {
            return "the publish was answered \(reply.status) \(reply.text)"
        }
        try load.run(until: "the crowd is answered") { load.answers == size }
        let wrong = load.clients.filter { $0.ids != [id] || $0.gaps > 0 || !$0.failures.isEmpty }
        if load.returns > 0 { return "\(load.returns) connections were lost" }
        return wrong.first.map { "\(wrong.count) are wrong; client \($0.number): \($0.ids) \($0.failures)" }
    }
}

/// Threads that do something again and again, as fast as they can, until they are told to stop.
final class Flood: @unchecked Sendable {
    private let lock = NSLock()
    private var isOver = false
    private var running: Int
    private var done = 0
    private var errors: [String] = []

    /// - Parameter body: does it once or some times, and says how often that was.
    init(threads: Int, _ body: @escaping @Sendable (_ thread: Int, Flood) throws -> Void) {
        running = threads
        for number in 0..<threads {
            Thread.detachNewThread { [self] in
                do {
                    try body(number, self)
                } catch {
                    lock.withLock { errors.append("\(error)") }
                }
                lock.withLock { running -= 1 }
            }
        }
    }

    var goesOn: Bool { lock.withLock { !isOver } }
    var count: Int { lock.withLock { done } }
    var failures: [String] { lock.withLock { errors } }
    func did(_ more: Int = 1) { lock.withLock { done += more } }

    /// Waits for all threads.
    func end() throws {
        lock.withLock { isOver = true }
        try waitUntil("the flood has ended") { lock.withLock { running == 0 } }
    }
}
