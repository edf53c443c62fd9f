import Foundation
import Reactor
import Testing

/// The promise of the durable pool: a process that is killed at any moment takes nothing along that it has answered.
///
/// `POLLHOLD_CRASHES` is how often it is killed; `make torture` has 200.
@Suite(.serialized)
struct CrashTests {
    static let kills =
        ProcessInfo.processInfo.environment["POLLHOLD_CRASHES"].flatMap { Int($0) }
        ?? max(3, Int(15 * PollholdProcess.scale))

    /// Nothing leaves this pool, so that at the end it is the whole truth.
    static let configuration = """
        listen: unix:DIRECTORY/web.sock
        upstream: http://127.0.0.1:9
        control: { socket: SOCKET }
        workers: 2
        pool: { store: DIRECTORY/pool, messages: 1000000, age: 1h, memory: 4GiB, idempotency_keys: 1000000 }
        routes:
          - path: /poll
            hold: { channels: "{query.channel}", allow: ["*.*"], timeout: 90s, batch: { messages: 200 } }
        """

    @Test func `killed at random moments under load, it delivers every answered publish once and in order`() throws {
        let seed = UInt64.random(in: 0..<1 << 32)
        var random = Seeded(state: seed)
        let crowd = 200
        let directory = try TemporaryDirectory()
        var pollhold = try PollholdProcess(Self.configuration, in: directory)
        let load = try LoadClients(address: .unix(path: directory.path + "/web.sock"), seed: seed, crowd: crowd)
        load.serverMayEnd = true
        load.leavesPerMille = 5
        for number in 0..<crowd {
            // Channels of publishers with keys, or of those without: two of the ten of a kind.
            let kind = number % 2 == 0 ? "k" : "u"
            try load.add(channels: ["\(kind).\(number / 2 % 10)", "\(kind).\((number / 2 + 3) % 10)"])
        }
        let ledger = CrashLedger()
        for number in 0..<8 {
            let publisher = CrashPublisher(
                number: number, socketPath: pollhold.socketPath, seed: seed &+ UInt64(number), ledger: ledger)
            Thread.detachNewThread { publisher.run() }
        }
        for round in 0..<Self.kills {
            // In each second round there is load before the kill, however slow the machine is. Publishers without keys
            // lose up to 42 of what is allowed on connections of before.
            let wanted = round % 2 == 0 ? ledger.count + 25 : 0
            ledger.allow(.random(in: 100...500, using: &random))
            let end = Date().addingTimeInterval(.random(in: 0...0.25, using: &random))
            try load.run(until: "it is time") { Date() >= end && ledger.count >= wanted }
            pollhold.signal(SIGKILL)
            _ = pollhold.waitForExit()
            if Int.random(in: 0..<8, using: &random) == 0 { try Self.killWhileStarting(directory, &random) }
            pollhold = try PollholdProcess(Self.configuration, in: directory)
            load.newServer()
            try load.run(until: "the kill has been noticed by all") { load.haveAllNoticed }
            try load.bringBack()
        }
        ledger.end()
        try load.run(until: "every publisher has ended") { ledger.isFinished }
        #expect(ledger.problems == [])
        load.leavesPerMille = 0
        let pool = try Self.pool(pollhold)
        do {
            try load.run(until: "every client has all of its channels; seed \(seed)", seconds: 60) {
                load.clients.allSatisfy { $0.ids.count >= Self.ids(pool, $0.channels).count }
            }
        } catch {
            Issue.record("\(error)")
        }
        Self.check(load, pool, ledger, seed)
        load.closeAll(reset: true)
    }

    /// Starts one and kills it before it can be ready, somewhere in reading the pool.
    private static func killWhileStarting(_ directory: TemporaryDirectory, _ random: inout Seeded) throws {
        let process = Process()
        process.executableURL = URL(filePath: PollholdProcess.binary)
        process.arguments = ["serve", "--config", directory.path + "/pollhold.yaml"]
        process.standardError = FileHandle.nullDevice
        try process.run()
        poll(nil, 0, .random(in: 0...80, using: &random))
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// All ids of the pool by channel, as a poll without a cursor is told them.
    private static func pool(_ pollhold: PollholdProcess) throws -> [String: [UInt64]] {
        var found: [String: [UInt64]] = [:]
        for kind in ["k", "u"] {
            for number in 0..<10 {
                let channel = "\(kind).\(number)"
                let client = try TestClient(unix: pollhold.socketPath)
                var after = ""
                var ids: [UInt64] = []
                while true {
                    // `timeout` has no say in a trusted poll; so the end is known by the channel's own newest id.
                    let depth = try pollhold.control("GET", "/channels/\(channel)").json["depth"] as? Int ?? 0
                    if ids.count >= depth { break }
                    let reply = try client.request("GET", "/poll?channel=\(channel)\(after)")
                    ids += reply.messages.compactMap { ($0["id"] as? String).flatMap { UInt64($0) } }
                    after = "&after=\(reply.json["cursor"] as? String ?? "")"
                    #expect(reply.json["gap"] == nil)
                }
                found[channel] = ids
            }
        }
        return found
    }

    private static func ids(_ pool: [String: [UInt64]], _ channels: [String]) -> [UInt64] {
        Set(channels).flatMap { pool[$0] ?? [] }.sorted()
    }

    private static func check(_ load: LoadClients, _ pool: [String: [UInt64]], _ ledger: CrashLedger, _ seed: UInt64) {
        var lost = 0
        for (channel, answered) in ledger.answered {
            let there = Set(pool[channel] ?? [])
            lost += answered.subtracting(there).count
            if channel.hasPrefix("k") {
                #expect(there == answered, "seed \(seed): with keys and repeats, what is there was answered, and once")
            }
        }
        var (missing, duplicates, wrong) = (0, 0, 0)
        for client in load.clients {
            let expected = Self.ids(pool, client.channels)
            missing += Set(expected).subtracting(client.ids).count
            duplicates += client.ids.count - Set(client.ids).count
            if client.ids != expected || client.gaps > 0 || !client.failures.isEmpty {
                wrong += 1
                if wrong < 5 {
                    Issue.record(
                        "client \(client.number): \(client.ids.count) of \(expected.count) ids, \(client.gaps) gaps, \(client.failures.prefix(3)); seed \(seed)"
                    )
                }
            }
        }
        #expect(lost == 0 && missing == 0 && duplicates == 0 && wrong == 0, "seed \(seed)")
        #expect(ledger.count > Self.kills * 10, "seed \(seed): there was load")
        let deliveries = load.clients.reduce(0) { $0 + $1.ids.count }
        print(
            "crash: seed \(seed): \(Self.kills) kills, \(ledger.count) publishes answered, \(ledger.unanswered) cut off before their answer, \(deliveries) deliveries to \(load.clients.count) clients, \(load.returns) returns, \(lost + missing) losses, \(duplicates) duplicates"
        )
    }
}

/// What publishers were answered, and how much more they may publish.
final class CrashLedger: @unchecked Sendable {
    private let condition = NSCondition()
    private var tokens = 0
    private var hasEnded = false
    private var finished = 0
    private var ids: [String: Set<UInt64>] = [:]
    private var lostAnswers = 0
    private var failures: [String] = []

    func allow(_ count: Int) {
        condition.withLock {
            tokens = count
            condition.broadcast()
        }
    }

    func end() {
        condition.withLock {
            hasEnded = true
            condition.broadcast()
        }
    }

    /// Blocks until something may be published.
    ///
    /// - Returns: how much, at most `count`; nil at the end.
    func take(_ count: Int) -> Int? {
        condition.withLock {
            while tokens == 0, !hasEnded { condition.wait() }
            if hasEnded { return nil }
            let taken = min(tokens, count)
            tokens -= taken
            return taken
        }
    }

    func record(_ channel: String, _ id: UInt64) { condition.withLock { _ = ids[channel, default: []].insert(id) } }
    func recordUnanswered(_ count: Int) { condition.withLock { lostAnswers += count } }
    func finish(_ failure: String?) {
        condition.withLock {
            finished += 1
            if let failure { failures.append(failure) }
        }
    }

    var answered: [String: Set<UInt64>] { condition.withLock { ids } }
    var count: Int { condition.withLock { ids.values.reduce(0) { $0 + $1.count } } }
    var unanswered: Int { condition.withLock { lostAnswers } }
    var isFinished: Bool { condition.withLock { finished == 8 } }
    var problems: [String] { condition.withLock { failures } }
}

/// One of the eight: with keys, and then what was not answered is sent again; or without, and then it is not. By lines,
/// several at a time, or by requests.
final class CrashPublisher: @unchecked Sendable {
    private let number: Int
    private let socketPath: String
    private let ledger: CrashLedger
    private var random: Seeded
    private var client: TestClient?
    private var count = 0

    private var hasKeys: Bool { number % 2 == 0 }
    private var speaksLines: Bool { number < 4 }

    private struct Item {
        let channel: String
        let key: String
    }

    init(number: Int, socketPath: String, seed: UInt64, ledger: CrashLedger) {
        self.number = number
        self.socketPath = socketPath
        self.ledger = ledger
        random = Seeded(state: seed)
    }

    func run() {
        do {
            while let count = ledger.take(speaksLines ? .random(in: 1...20, using: &random) : 1) {
                var items = (0..<count).map { _ in
                    self.count += 1
                    let channel = "\(hasKeys ? "k" : "u").\(Int.random(in: 0..<10, using: &random))"
                    return Item(channel: channel, key: "\(number)-\(self.count)")
                }
                while !items.isEmpty {
                    let answered = try publish(items)
                    items.removeFirst(answered)
                    if !hasKeys {
                        ledger.recordUnanswered(items.count)
                        break
                    }
                    if !items.isEmpty { ledger.recordUnanswered(items.count) }
                }
            }
            ledger.finish(nil)
        } catch {
            ledger.finish("\(error)")
        }
    }

    /// - Returns: how many were answered before the connection broke, if it did.
    private func publish(_ items: [Item]) throws -> Int {
        let client = try connect()
        var answered = 0
        do {
            if speaksLines {
                let lines = items.map { item in
                    "{\"channel\":\"\(item.channel)\",\"data\":{\"from\":\(number)}\(hasKeys ? ",\"key\":\"\(item.key)\"" : "")}\n"
                }
                try client.send(lines.joined())
                for item in items {
                    try record(item, try client.readLine())
                    answered += 1
                }
            } else {
                var fields = ["Content-Type": "application/json"]
                if hasKeys { fields["Idempotency-Key"] = items[0].key }
                let reply = try client.request(
                    "POST", "/publish?channel=\(items[0].channel)", body: Array("{\"from\":\(number)}".utf8),
                    fields: fields)
                guard !reply.isCut else { throw TestFailure("cut") }
                try record(items[0], reply.text)
                answered += 1
            }
        } catch let error as Refusal {
            throw error
        } catch {
            self.client = nil
        }
        return answered
    }

    /// An answer that says something else than an id: a fault, where a broken connection is none.
    private struct Refusal: Error, CustomStringConvertible { let description: String }

    private func record(_ item: Item, _ answer: String) throws {
        guard answer.hasPrefix("{\"id\":\""), let id = UInt64(answer.dropFirst(7).prefix { $0.isNumber }) else {
            throw Refusal(description: "not published: \(answer)")
        }
        ledger.record(item.channel, id)
    }

    /// Tries until the next server is there.
    private func connect() throws -> TestClient {
        if let client { return client }
        let end = Date().addingTimeInterval(60)
        while true {
            do {
                let client = try TestClient(unix: socketPath)
                self.client = client
                return client
            } catch {
                guard Date() < end else { throw error }
                poll(nil, 0, 2)
            }
        }
    }
}
