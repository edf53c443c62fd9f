import Foundation
import Gateway
import Polling
import Testing

/// Random histories of requests, ends, failures, checks and cancellations against the laws at the head of `Balancer`.
struct BalancerHistoryTests {
    /// What a history knows for certain, kept in the plainest way.
    struct Ledger {
        var active: [Int]
        var running: [(ticket: Balancer.Ticket, server: Int)] = []
        /// In the order of arrival.
        var waiting: [Balancer.Ticket] = []

        mutating func take(_ aftermath: Balancer.Aftermath, seed: UInt64) {
            for grant in aftermath.grants {
                let place = waiting.firstIndex(of: grant.ticket)
                #expect(place != nil, "a grant for nobody; seed \(seed)")
                guard let place else { continue }
                #expect(place == 0, "\(grant) out of turn; seed \(seed)")
                waiting.remove(at: place)
                running.append((grant.ticket, grant.server))
                active[grant.server] += 1
            }
        }
    }

    @Test func `limits hold, nobody is lost or passed over, and who waits does so only while all are full`() throws {
        for _ in 0..<400 {
            let seed = UInt64.random(in: 0..<1 << 32)
            var random = Seeded(state: seed)
            let count = Int.random(in: 1...4, using: &random)
            let limit = Int.random(in: 1...3, using: &random)
            var balancer = try TestGroup(
                BalancerTests.servers(
                    count, "connections: \(limit), queue: { length: 5 }, failures: { count: 2, pause: 10ms }")
            ).balancer
            var ledger = Ledger(active: Array(repeating: 0, count: count))
            var last: UInt64 = 0
            for step in 0..<200 {
                let now = Moment(nanoseconds: Int64(step) * 1_000_000)
                switch Int.random(in: 0..<6, using: &random) {
                case 0, 1, 2:
                    last += 1
                    let ticket = Balancer.Ticket(worker: WorkerNumber(0), number: last)
                    switch balancer.request(ticket, now: now) {
                    case .server(let server):
                        ledger.running.append((ticket, server))
                        ledger.active[server] += 1
                    case .waits: ledger.waiting.append(ticket)
                    case .refused(let failure):
                        #expect(failure == .queueFull && ledger.waiting.count == 5, "\(failure); seed \(seed)")
                    }
                case 3, 4:
                    guard let index = ledger.running.indices.randomElement(using: &random) else { break }
                    let (_, server) = ledger.running.remove(at: index)
                    ledger.active[server] -= 1
                    let outcomes = [Balancer.Outcome.answered, .answered, .failed, .unknown]
                    let outcome = outcomes[Int.random(in: 0..<outcomes.count, using: &random)]
                    ledger.take(balancer.ended(server, outcome, now: now), seed: seed)
                default:
                    guard let index = ledger.waiting.indices.randomElement(using: &random) else { break }
                    let waited = balancer.cancel(ledger.waiting.remove(at: index))
                    #expect(waited, "seed \(seed)")
                }
                ledger.take(balancer.tick(now: now), seed: seed)
                #expect(ledger.active.allSatisfy { $0 <= limit }, "seed \(seed)")
                #expect(ledger.active == (0..<count).map { balancer.activeCount(of: $0) }, "seed \(seed)")
                #expect(balancer.waitingCount == ledger.waiting.count, "seed \(seed)")
                if !ledger.waiting.isEmpty {
                    let free = (0..<count).filter { ledger.active[$0] < limit && balancer.isIn($0) }
                    #expect(free.isEmpty, "somebody waits while \(free) are free; seed \(seed)")
                }
            }
        }
    }
}

/// SplitMix64: one seed gives one run.
private struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
