import Foundation
import Testing

/// Crowds. Sizes shrink with POLLHOLD_TEST_SCALE.
@Suite(.serialized)
struct LoadTests {
    static func configuration(_ more: String = "") -> String {
        """
        listen: 127.0.0.1:0
        upstream: http://127.0.0.1:9
        control: { socket: SOCKET }
        pool: { messages: 20000, age: 1h, memory: 1GiB }
        routes:
          - path: /poll
            hold: { channels: "{query.channel}", allow: ["c.*"], timeout: 90s, batch: { messages: 50 } }
        \(more)
        """
    }

    /// What 4 publishers were answered, per channel.
    final class Ledger: @unchecked Sendable {
        private let lock = NSLock()
        private var byChannel: [String: [UInt64]] = [:]
        private var finished = 0
        private var failures: [String] = []

        func record(_ channel: String, _ id: UInt64) { lock.withLock { byChannel[channel, default: []].append(id) } }
        func finish(_ failure: String?) {
            lock.withLock {
                finished += 1
                if let failure { failures.append(failure) }
            }
        }
        var isFinished: Bool { lock.withLock { finished == 4 } }
        var count: Int { lock.withLock { byChannel.values.reduce(0) { $0 + $1.count } } }
        var problems: [String] { lock.withLock { failures } }
        func ids(_ channels: [String]) -> [UInt64] {
            lock.withLock { channels.flatMap { byChannel[$0] ?? [] }.sorted() }
        }
    }

    /// Publishes over JSON lines, twenty in flight, and records every answered id.
    static func publish(_ count: Int, socketPath: String, seed: UInt64, ledger: Ledger) {
        var failure: String?
        do {
            let client = try TestClient(unix: socketPath)
            var random = Seeded(state: seed)
            var left = count
            var last: UInt64 = 0
            while left > 0 {
                let channels = (0..<min(20, left)).map { _ in "c.\(Int.random(in: 0..<50, using: &random))" }
                try client.send(channels.map { "{\"channel\":\"\($0)\",\"data\":{\"text\":\"hello\"}}\n" }.joined())
                for channel in channels {
                    let line = try client.readLine()
                    guard
                        let id = line.split(separator: "\"").dropFirst(2).first(where: { UInt64($0) != nil }).flatMap({
                            UInt64($0)
                        })
                    else {
                        throw TestFailure("not published: \(line)")
                    }
                    guard id > last else { throw TestFailure("id \(id) was answered after \(last)") }
                    last = id
                    ledger.record(channel, id)
                }
                left -= channels.count
            }
        } catch {
            failure = "\(error)"
        }
        ledger.finish(failure)
    }

    @Test func `every client gets every message of its channels exactly once and in order`() throws {
        let seed = UInt64.random(in: 0..<1 << 32)
        let crowd = max(100, Int(2000 * PollholdProcess.scale))
        let messages = max(1000, Int(20_000 * PollholdProcess.scale))
        let pollhold = try PollholdProcess(Self.configuration())
        let load = try LoadClients(port: pollhold.port, seed: seed, crowd: crowd)
        load.leavesPerMille = 20
        for number in 0..<crowd {
            try load.add(
                channels: number % 2 == 0 ? ["c.\(number % 50)"] : ["c.\(number % 50)", "c.\((number + 7) % 50)"])
        }
        let ledger = Ledger()
        let path = pollhold.socketPath
        for publisher in 0..<4 {
            Thread.detachNewThread {
                Self.publish(messages / 4, socketPath: path, seed: seed &+ UInt64(publisher), ledger: ledger)
            }
        }
        try load.run(until: "half of the messages are published") { ledger.count >= messages / 2 || ledger.isFinished }
        try pollhold.write(Self.configuration("log: { level: debug }"))
        pollhold.signal(SIGHUP)
        try load.run(until: "everything is published") { ledger.isFinished }
        #expect(ledger.problems == [])
        load.leavesPerMille = 0
        do {
            try load.run(until: "every client has what is published for it; seed \(seed)") {
                load.clients.allSatisfy { $0.ids.count >= ledger.ids($0.channels).count }
            }
        } catch {
            for client in load.clients.filter({ $0.ids.count < ledger.ids($0.channels).count }).prefix(5) {
                let missing = Set(ledger.ids(client.channels)).subtracting(client.ids).sorted().prefix(3)
                let failures = client.failures.prefix(3)
                Issue.record("client \(client.number) at \(client.cursor) lacks \(missing), \(failures)")
            }
            throw error
        }
        #expect(pollhold.errors.wait { $0.contains("configuration reloaded") })
        var wrong = 0
        for client in load.clients
        where client.ids != ledger.ids(client.channels) || client.gaps > 0 || !client.failures.isEmpty {
            wrong += 1
            if wrong < 5 {
                Issue.record(
                    "client \(client.number): \(client.ids.count) ids, \(client.gaps) gaps, \(client.failures.prefix(3)); seed \(seed)"
                )
            }
        }
        #expect(wrong == 0)
        #expect(load.returns > crowd / 10)
        let deliveries = load.clients.reduce(0) { $0 + $1.ids.count }
        print(
            "load: seed \(seed): \(crowd) clients, \(ledger.count) messages, \(deliveries) deliveries in \(load.answers) answers, \(load.returns) returns, \(wrong) wrong"
        )
        load.closeAll(reset: true)
    }

    @Test func `fifteen thousand polls are held at once, cost little and are released by one publish`() throws {
        let crowd = min(max(500, Int(15_000 * PollholdProcess.scale)), CrowdRoom.total)
        let pollhold = try PollholdProcess(Self.configuration())
        let load = try LoadClients(port: pollhold.port, crowd: crowd)
        // Whatever the first polls set up once is not counted per poll.
        for _ in 0..<100 { try load.add(channels: ["c.all"]) }
        try load.run(until: "the first hundred are held") { try Self.waiting(pollhold) == 100 }
        let before = pollhold.privateBytes
        var added = 100
        try load.run(until: "\(crowd) polls are held") {
            // A few at a time, so that the listener's backlog is not the bound.
            for _ in 0..<min(500, crowd - added) {
                try load.add(channels: ["c.all"])
                added += 1
            }
            return try added == crowd && Self.waiting(pollhold) == crowd
        }
        let perPoll = (pollhold.privateBytes - before) / (crowd - 100)
        let processorBefore = pollhold.processorSeconds
        let start = Date()
        poll(nil, 0, 1000)
        let idleShare = (pollhold.processorSeconds - processorBefore) / Date().timeIntervalSince(start)
        load.isEnding = true
        let reply = try pollhold.publish("c.all", "{\"all\":1}")
        #expect(reply.json["waiting"] as? Int == crowd)
        try load.run(until: "all are answered") { load.answers == crowd }
        #expect(load.clients.allSatisfy { $0.ids == [1] && $0.failures.isEmpty })
        try load.run(until: "nobody waits") { try Self.waiting(pollhold) == 0 }
        print(
            "load: \(crowd) polls held; \(perPoll) bytes of user memory per held poll; \(Int(idleShare * 100)) % of a core while idle"
        )
        // With a small crowd, as under a sanitizer, fixed costs would be counted as the polls'.
        if PollholdProcess.scale == 1 { #expect(perPoll < 2048) }
        #expect(idleShare < 0.2)
    }

    @Test func `a hundred thousand polls whose clients go away leave no memory behind`() throws {
        let wave = max(200, Int(5000 * PollholdProcess.scale))
        let waves = 20
        let pollhold = try PollholdProcess(Self.configuration())
        var memory: [Int] = []
        for number in 0..<waves {
            let load = try LoadClients(port: pollhold.port, crowd: wave)
            for client in 0..<wave { try load.add(channels: ["c.\(number)-\(client)", "c.all"]) }
            try load.run(until: "wave \(number) is held") { try Self.waiting(pollhold) == wave }
            load.closeAll(reset: number % 4 != 0)
            try load.run(until: "wave \(number) is forgotten") { try Self.waiting(pollhold) == 0 }
            memory.append(pollhold.privateBytes)
        }
        print("load: \(wave * waves) polls came and went; memory after each wave in KiB: \(memory.map { $0 >> 10 })")
        // The smallest thing that a poll could leave behind is a slot of 48 bytes. A thread sanitizer's own memory is
        // some ten times the program's, and grows for long.
        let bound = max(2 << 20, memory[2] / 8, (waves - 3) * wave * 40)
        #expect(memory[waves - 1] - memory[2] < bound)
        // A worker's figures are shown when its turn ends.
        try waitUntil("no poll and no channel is left in the figures") {
            let status = try pollhold.control("GET", "/status").json
            let pool = status["pool"] as? [String: Any]
            return status["held"] as? Int == 0 && pool?["channels"] as? Int == 0
        }
        try waitUntil("no descriptor is left") { pollhold.descriptors < 40 }
    }

    static func waiting(_ pollhold: PollholdProcess) throws -> Int {
        let reply = try pollhold.control("GET", "/channels/c.all")
        return reply.status == 404 ? 0 : reply.json["waiting"] as? Int ?? 0
    }
}
