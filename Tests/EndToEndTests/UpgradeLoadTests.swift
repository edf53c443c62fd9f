import Foundation
import Reactor
import Testing

/// The promise of an upgrade under load: every answered publish reaches every client once and in order, and no
/// connection is cut.
///
/// `POLLHOLD_UPGRADES` is how often the process is replaced; `make torture` has 50.
@Suite(.serialized)
struct UpgradeLoadTests {
    static let upgrades =
        ProcessInfo.processInfo.environment["POLLHOLD_UPGRADES"].flatMap { Int($0) }
        ?? max(2, Int(5 * PollholdProcess.scale))

    static let configuration = """
        listen: 127.0.0.1:0
        upstream: http://127.0.0.1:9
        control: { socket: SOCKET }
        workers: 2
        pool: { messages: 1000000, age: 1h, memory: 4GiB, POOL }
        routes:
          - path: /poll
            hold: { channels: "{query.channel}", allow: ["u.*", "alive"], timeout: 90s, batch: { messages: 200 } }
        """

    /// Where each process has its pool, one after the other and over again.
    enum Places: String, CaseIterable {
        case memory, store, changing

        func configuration(_ number: Int) -> String {
            let files: [String?] =
                switch self {
                case .memory: [nil]
                case .store: ["a"]
                case .changing: [nil, "a", "b"]
                }
            let store = files[number % files.count].map { "store: DIRECTORY/\($0)" } ?? "channels: 100000"
            return UpgradeLoadTests.configuration.replacing("POOL", with: store)
        }
    }

    @Test(arguments: Places.allCases)
    func `upgraded again and again under load, it delivers every answered publish once and in order`(places: Places)
        throws
    {
        let seed = UInt64.random(in: 0..<1 << 32)
        let pollhold = try PollholdProcess(places.configuration(0))
        let load = try LoadClients(port: pollhold.port, seed: seed, crowd: 300)
        for number in 0..<300 { try load.add(channels: ["u.\(number % 10)", "u.\((number + 3) % 10)"]) }
        let ledger = UpgradeLedger()
        let path = pollhold.socketPath
        let publishers = Flood(threads: 8) { thread, flood in
            let client = try TestClient(unix: path)
            while flood.goesOn {
                let channel = "u.\((thread + flood.count) % 10)"
                let reply = try client.request("POST", "/publish?channel=\(channel)", body: Array("\(thread)".utf8))
                guard reply.status == 200, let id = (reply.json["id"] as? String).flatMap({ UInt64($0) }) else {
                    throw TestFailure("a publish was answered \(reply.status) \(reply.text)")
                }
                ledger.note(id, on: channel)
                flood.did()
                poll(nil, 0, 4)
            }
        }
        for number in 0..<Self.upgrades {
            let before = ledger.count
            try load.run(until: "some are published; seed \(seed)") {
                ledger.count > before + 200 || !publishers.failures.isEmpty
            }
            try pollhold.write(places.configuration(number + 1))
            let asker = try TestClient(unix: path)
            asker.setPatience(seconds: 60)
            try asker.start("POST", "/upgrade")
            try load.run(until: "upgrade \(number) is answered") { asker.hasInput }
            let reply = try asker.response()
            #expect(reply.status == 200, "\(reply.text)")
            if let process = reply.json["process"] as? Int { pollhold.note(successor: Int32(process)) }
        }
        try load.run(until: "publishers go on") { !publishers.failures.isEmpty || ledger.count > 250 * Self.upgrades }
        try publishers.end()
        #expect(publishers.failures == [])
        try load.run(until: "every client has all of its channels; seed \(seed)") {
            load.clients.allSatisfy { $0.ids.count >= ledger.ids(of: $0.channels).count }
        }
        for client in load.clients {
            #expect(client.ids == ledger.ids(of: client.channels), "client \(client.number); seed \(seed)")
            #expect(client.gaps == 0 && client.failures == [], "client \(client.number); seed \(seed)")
        }
        #expect(load.returns == 0, "no connection was cut")
        let deliveries = load.clients.reduce(0) { $0 + $1.ids.count }
        print(
            "upgrades (\(places)): seed \(seed), \(Self.upgrades) upgrades, \(ledger.count) publishes answered, "
                + "\(deliveries) deliveries, 0 losses, 0 duplicates, 0 connections cut")
        load.closeAll(reset: true)
    }

    @Test(arguments: ["channels: 100000", "store: DIRECTORY/pool"])
    func `thousands of held polls notice nothing`(store: String) throws {
        let wanted = Int(8000 * PollholdProcess.scale)
        let pollhold = try PollholdProcess(Self.configuration.replacing("POOL", with: store))
        let crowd = try HeldCrowd(min(wanted, CrowdRoom.total), of: pollhold)
        for _ in 0..<3 {
            #expect(try pollhold.upgrade().status == 200)
            try pollhold.waitForWaiting("alive") { $0 == crowd.size }
            try crowd.stays(seconds: 0, until: "all of them are held by the process that took over") { true }
        }
        if let wrong = try crowd.release() { Issue.record("\(wrong)") }
    }
}

/// What was answered, by channel, in the order of ids.
private final class UpgradeLedger: @unchecked Sendable {
    private let lock = NSLock()
    private var answered: [String: [UInt64]] = [:]
    private var all = 0

    var count: Int { lock.withLock { all } }

    func note(_ id: UInt64, on channel: String) {
        lock.withLock {
            answered[channel, default: []].append(id)
            all += 1
        }
    }

    func ids(of channels: [String]) -> [UInt64] {
        lock.withLock { Set(channels).flatMap { answered[$0] ?? [] }.sorted() }
    }
}
