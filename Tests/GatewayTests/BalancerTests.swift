import ConfigFile
import Polling
import Testing

@testable import Gateway

/// A balancer behind a reference, so that an expectation may change it, with tickets of its own.
final class TestGroup {
    var balancer: Balancer
    private var lastTicket: UInt64 = 0

    /// - Parameter keys: of `upstream`.
    init(_ keys: String) throws {
        let text = "upstream: { \(keys) }"
        let configuration = try Configuration.load(text: text, file: "test.yaml", environment: [:])
        balancer = Balancer(configuration.upstream, seed: 1)
    }

    func ticket() -> Balancer.Ticket {
        lastTicket += 1
        return Balancer.Ticket(worker: WorkerNumber(0), number: lastTicket)
    }

    func request(
        _ own: Balancer.Ticket? = nil, wanted: Int? = nil, tried: ServerSet = ServerSet(), at seconds: Double = 0
    ) -> Balancer.Assignment {
        balancer.request(own ?? ticket(), wanted: wanted, tried: tried, now: Self.moment(seconds))
    }

    func ended(_ server: Int, _ outcome: Balancer.Outcome, at seconds: Double = 0) -> Balancer.Aftermath {
        balancer.ended(server, outcome, now: Self.moment(seconds))
    }

    func checked(_ server: Int, passes: Bool) -> Balancer.Aftermath {
        balancer.checked(server, passes: passes, now: Self.moment(0))
    }

    func cancel(_ ticket: Balancer.Ticket) -> Bool { balancer.cancel(ticket) }

    /// Which server each of `count` requests gets, none of them ending.
    func choices(_ count: Int, at seconds: Double = 0) -> [Int] {
        (0..<count).compactMap { _ in
            if case .server(let server) = request(at: seconds) { server } else { nil }
        }
    }

    private static func moment(_ seconds: Double) -> Moment { Moment(nanoseconds: Int64(seconds * 1e9)) }
}

/// Choosing, waiting, leaving out. The laws over random histories stand in `BalancerHistoryTests`.
struct BalancerTests {
    static func servers(_ count: Int, _ more: String = "") -> String {
        "servers: [\((1...count).map { "http://127.0.0.1:\($0)" }.joined(separator: ", "))]"
            + (more.isEmpty ? "" : ", \(more)")
    }

    @Test func `round robin goes round, by weight and spread out`() throws {
        let even = try TestGroup(Self.servers(3))
        #expect(even.choices(6) == [0, 1, 2, 0, 1, 2])
        let weighted = try TestGroup(
            "servers: [{ address: \"http://127.0.0.1:1\", weight: 3 }, http://127.0.0.1:2, http://127.0.0.1:3]")
        let chosen = weighted.choices(10)
        #expect(chosen.count { $0 == 0 } == 6)
        #expect(chosen.count { $0 == 1 } == 2)
        #expect(zip(chosen, chosen.dropFirst()).count { $0 == 0 && $1 == 0 } < 4, "\(chosen)")
    }

    @Test func `least connections takes the one with the fewest by its weight`() throws {
        let group = try TestGroup(
            "servers: [{ address: \"http://127.0.0.1:1\", weight: 2 }, http://127.0.0.1:2], balance: least_connections")
        let chosen = group.choices(6)
        #expect(chosen.count { $0 == 0 } == 4)
        _ = group.ended(1, .answered)
        _ = group.ended(1, .answered)
        #expect(group.choices(2) == [1, 1])
    }

    @Test func `full servers make requests wait, and they are granted in their order`() throws {
        let group = try TestGroup(Self.servers(2, "connections: 1, queue: { length: 3 }"))
        #expect(group.choices(2) == [0, 1])
        let waiting = (0..<3).map { _ in group.ticket() }
        for ticket in waiting { #expect(group.request(ticket) == .waits) }
        #expect(group.request() == .refused(.queueFull))
        #expect(group.cancel(waiting[1]))
        #expect(!group.cancel(waiting[1]))
        let first = group.ended(1, .answered)
        #expect(first.grants == [Balancer.Grant(ticket: waiting[0], server: 1)])
        #expect(!group.cancel(waiting[0]), "granted already")
        let second = group.ended(0, .failed)
        #expect(second.grants == [Balancer.Grant(ticket: waiting[2], server: 0)])
        #expect(group.balancer.waitingCount == 0)
    }

    @Test func `a client that stays waits for its server, and takes another when that is left out`() throws {
        let group = try TestGroup(Self.servers(2, "connections: 1, failures: { count: 1, pause: 10s }"))
        #expect(group.request(wanted: 1) == .server(1))
        let faithful = group.ticket()
        #expect(group.request(faithful, wanted: 1) == .waits, "though the other is free")
        #expect(group.request() == .server(0))
        let failed = group.ended(1, .failed)
        #expect(failed.grants == [])
        #expect(failed.changes == [Balancer.Change(server: 1, kind: .failing(inARow: 1))])
        let free = group.ended(0, .answered, at: 1)
        #expect(free.grants == [Balancer.Grant(ticket: faithful, server: 0)])
    }

    @Test func `failures in a row leave a server out, a success between them does not`() throws {
        let group = try TestGroup(Self.servers(2, "failures: { count: 2, pause: 10s }"))
        for outcome in [Balancer.Outcome.failed, .answered, .failed] {
            #expect(group.request(wanted: 0) == .server(0))
            #expect(group.ended(0, outcome).changes == [])
        }
        #expect(group.request(wanted: 0) == .server(0))
        #expect(group.ended(0, .failed).changes.count == 1)
        #expect(!group.balancer.isIn(0))
        #expect(Set(group.choices(4, at: 1)) == [1])
        // Back on trial: one request, and nobody else until it has an outcome.
        #expect(group.request(wanted: 0, at: 12) == .server(0))
        #expect(Set(group.choices(4, at: 12)) == [1])
        #expect(
            group.ended(0, .answered, at: 13).changes
                == [Balancer.Change(server: 0, kind: .recovered)])
        #expect(group.balancer.isIn(0))
        #expect(Set(group.choices(4, at: 13)) == [0, 1])
    }

    @Test func `when all are left out the next in turn is tried, but not one where it was in vain`() throws {
        let group = try TestGroup(Self.servers(2, "failures: { count: 1, pause: 10s }"))
        for (server, second) in [(0, 0.0), (1, 5.0)] {
            _ = group.request(wanted: server, at: second)
            _ = group.ended(server, .failed, at: second)
        }
        #expect(group.request(at: 6) == .server(0))
        var tried = ServerSet()
        tried.insert(0)
        #expect(group.request(tried: tried, at: 6) == .server(1))
        tried.insert(1)
        #expect(group.request(tried: tried, at: 6) == .refused(.noServer))
    }

    @Test func `checks take a server out and bring it back, each after its number in a row`() throws {
        let group = try TestGroup(Self.servers(1, "health: { path: /up, rise: 2, fall: 3 }"))
        for passes in [false, false, true, false, false] {
            #expect(group.checked(0, passes: passes).changes == [])
        }
        #expect(
            group.checked(0, passes: false).changes
                == [Balancer.Change(server: 0, kind: .checksFail)])
        #expect(group.request() == .refused(.noServer))
        #expect(group.checked(0, passes: true).changes == [])
        #expect(
            group.checked(0, passes: true).changes
                == [Balancer.Change(server: 0, kind: .checksPass)])
        #expect(group.request() == .server(0))
    }

    @Test func `a server without an address is not asked`() throws {
        let group = try TestGroup(Self.servers(2))
        _ = group.balancer.setResolved(0, false, now: Moment(nanoseconds: 0))
        #expect(Set(group.choices(3)) == [1])
        _ = group.balancer.setResolved(0, true, now: Moment(nanoseconds: 0))
        #expect(Set(group.choices(3)) == [0, 1])
    }
}
