/// The servers of the app as one choice: which one a request goes to, which requests wait for one, and which servers
/// are left out for a while. A value that one lock guards for all workers, so that limits and health are the process'.
///
/// The laws:
///  1. A server never carries more exchanges than its limit.
///  2. A request waits only while every server that may be asked is full. It is granted one in the order of arrival
///     among those that want the same, or cancelled by whoever waits for it (his clock, or his client's end).
///  3. As long as the checks let any server through, there is one to ask: if all are out because of failures, the one
///     whose pause ends first is tried. So an app that comes back is noticed by the next request.
///  4. A server that comes back from its pause gets one request on trial; the next ones wait for its outcome.
package import ConfigFile
import DequeModule
package import Polling

package struct Balancer {
    /// Index of a server in the configuration's order.
    package typealias ServerNumber = Int

    /// Who asked: unique among those that wait.
    package struct Ticket: Hashable, Sendable {
        package let worker: WorkerNumber
        package let number: UInt64

        package init(worker: WorkerNumber, number: UInt64) {
            self.worker = worker
            self.number = number
        }
    }

    package enum Assignment: Equatable {
        case server(ServerNumber)
        /// A grant follows, unless the ticket is cancelled before.
        case waits
        case refused(ProxyFailure)
    }

    /// How an exchange ended, as far as it speaks for the server.
    package enum Outcome {
        /// It began a response.
        case answered
        /// It could not be reached, broke off or kept silent.
        case failed
        /// The exchange was given up for other reasons.
        case unknown
    }

    /// What an event brought about besides its own purpose.
    package struct Aftermath: Equatable {
        /// Requests that waited and may now go.
        package var grants: [Grant] = []
        package var changes: [Change] = []
    }

    package struct Grant: Equatable {
        package let ticket: Ticket
        package let server: ServerNumber
    }

    /// A change in a server's standing, for the log.
    package struct Change: Equatable, Sendable {
        package enum Kind: Equatable, Sendable {
            case failing(inARow: Int)
            case recovered
            case checksFail
            case checksPass
        }
        package let server: ServerNumber
        package let kind: Kind
    }

    struct Server {
        let weight: Int
        /// Exchanges at a time.
        let limit: Int
        var active = 0
        /// Smooth weighted round robin: grows by the weight at each choice, the greatest is chosen and pays for all.
        var credit = 0
        var failuresInARow = 0
        /// Left out until then; at a trial, as long as that may last.
        var outUntil: Moment?
        var passesChecks = true
        /// Checks in a row that contradict `passesChecks`.
        var contraryChecks = 0
        /// An address is known.
        var isResolved = true

        var hasRoom: Bool { active < limit }
    }

    private(set) var servers: [Server]
    private let balance: Configuration.Upstream.Balance
    private let failures: Configuration.Upstream.Failures
    private let health: Configuration.Upstream.Health?
    private let queueLimit: Int
    var queue: WaitingRequests
    private var random: UInt64

    /// - Parameter seed: of the jitter in pauses.
    package init(_ upstream: Configuration.Upstream, seed: UInt64) {
        servers = upstream.servers.map { Server(weight: $0.weight, limit: $0.connections ?? .max) }
        precondition((1...ServerSet.capacity).contains(servers.count), "the configuration bounds the list of servers")
        balance = upstream.balance
        failures = upstream.failures
        health = upstream.health
        queueLimit = upstream.queue.length
        queue = WaitingRequests(servers: servers.count)
        random = seed
    }

    package var waitingCount: Int { queue.count }
    package var serverCount: Int { servers.count }
    package func activeCount(of server: ServerNumber) -> Int { servers[server].active }

    /// Whether requests go to this server as a matter of course.
    package func isIn(_ server: ServerNumber) -> Bool {
        let server = servers[server]
        return server.isResolved && server.passesChecks && server.outUntil == nil
    }

    // MARK: Requests

    /// A request asks for a server.
    ///
    /// - Parameters:
    ///   - wanted: the server that its client sticks to, if it does.
    ///   - tried: servers that this request has been at in vain.
    package mutating func request(
        _ ticket: Ticket, wanted: ServerNumber? = nil, tried: ServerSet = ServerSet(), now: Moment
    ) -> Assignment {
        if let wanted, mayServe(wanted, tried, now) {
            guard servers[wanted].hasRoom else { return wait(ticket, for: wanted) }
            return take(wanted, now)
        }
        if let chosen = choose(tried, now) { return take(chosen, now) }
        if servers.indices.contains(where: { mayServe($0, tried, now) }) { return wait(ticket, for: nil) }
        guard let last = lastResort(tried) else { return .refused(.noServer) }
        return servers[last].hasRoom ? take(last, now) : wait(ticket, for: nil)
    }

    /// Whoever waited under this ticket does so no more.
    ///
    /// - Returns: false if it has been granted already; then the server is to be given back.
    package mutating func cancel(_ ticket: Ticket) -> Bool { queue.remove(ticket) }

    /// An exchange with a server is over.
    package mutating func ended(_ server: ServerNumber, _ outcome: Outcome, now: Moment) -> Aftermath {
        precondition(servers[server].active > 0, "an exchange ends once")
        servers[server].active -= 1
        var aftermath = Aftermath()
        switch outcome {
        case .answered:
            if servers[server].failuresInARow > 0 { noteSuccess(server, &aftermath) }
        case .failed: noteFailure(server, now, &aftermath)
        case .unknown:
            // A trial that told nothing leaves the way open for the next one.
            if servers[server].outUntil != nil { servers[server].outUntil = now }
        }
        if aftermath.changes.isEmpty { serve(server, now, &aftermath) } else { serveAll(now, &aftermath) }
        return aftermath
    }

    private mutating func wait(_ ticket: Ticket, for server: ServerNumber?) -> Assignment {
        guard queue.count < queueLimit else { return .refused(.queueFull) }
        queue.append(ticket, for: server)
        return .waits
    }

    private mutating func take(_ server: ServerNumber, _ now: Moment) -> Assignment {
        servers[server].active += 1
        // From a pause it comes back on trial: nobody else is sent there until the outcome is known, or as long again.
        if servers[server].outUntil != nil { servers[server].outUntil = now + failures.pause }
        return .server(server)
    }

    // MARK: Choosing

    private func mayServe(_ server: ServerNumber, _ tried: ServerSet, _ now: Moment) -> Bool {
        let state = servers[server]
        guard state.isResolved, state.passesChecks, !tried.contains(server) else { return false }
        return state.outUntil.map { $0 <= now } ?? true
    }

    private mutating func choose(_ tried: ServerSet, _ now: Moment) -> ServerNumber? {
        if servers.count == 1 { return mayServe(0, tried, now) && servers[0].hasRoom ? 0 : nil }
        var chosen: ServerNumber?
        var weights = 0
        for server in servers.indices where servers[server].hasRoom && mayServe(server, tried, now) {
            servers[server].credit += servers[server].weight
            weights += servers[server].weight
            guard let best = chosen, !isBetter(server, than: best) else {
                chosen = server
                continue
            }
        }
        if let chosen { servers[chosen].credit -= weights }
        return chosen
    }

    /// Least connections by weight; among equals, and for round robin, whose turn it is.
    private func isBetter(_ server: ServerNumber, than other: ServerNumber) -> Bool {
        let (left, right) = (servers[server], servers[other])
        if balance == .leastConnections {
            let (here, there) = ((left.active + 1) * right.weight, (right.active + 1) * left.weight)
            if here != there { return here < there }
        }
        return left.credit > right.credit
    }

    /// The server to try when all are out for their failures.
    private func lastResort(_ tried: ServerSet) -> ServerNumber? {
        servers.indices.filter { servers[$0].isResolved && servers[$0].passesChecks && !tried.contains($0) }
            .min { (servers[$0].outUntil ?? Self.epoch) < (servers[$1].outUntil ?? Self.epoch) }
    }

    private static let epoch = Moment(nanoseconds: 0)

    // MARK: Health

    private mutating func noteFailure(_ server: ServerNumber, _ now: Moment, _ aftermath: inout Aftermath) {
        servers[server].failuresInARow += 1
        let count = servers[server].failuresInARow
        guard count >= failures.count else { return }
        if count == failures.count { aftermath.changes.append(Change(server: server, kind: .failing(inARow: count))) }
        // Jitter of a quarter, so that servers which failed together are not tried together.
        random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let pause = failures.pause.wholeNanoseconds
        let jitter = Int64(random >> 33) % max(1, pause / 4)
        servers[server].outUntil = now + .nanoseconds(pause - pause / 8 + jitter)
        queue.unpin(from: server)
    }

    private mutating func noteSuccess(_ server: ServerNumber, _ aftermath: inout Aftermath) {
        servers[server].failuresInARow = 0
        guard servers[server].outUntil != nil else { return }
        servers[server].outUntil = nil
        aftermath.changes.append(Change(server: server, kind: .recovered))
    }

    /// An active check has passed or failed.
    package mutating func checked(_ server: ServerNumber, passes: Bool, now: Moment) -> Aftermath {
        var aftermath = Aftermath()
        guard let health else { return aftermath }
        guard passes != servers[server].passesChecks else {
            servers[server].contraryChecks = 0
            return aftermath
        }
        servers[server].contraryChecks += 1
        guard servers[server].contraryChecks >= (passes ? health.rise : health.fall) else { return aftermath }
        servers[server].passesChecks = passes
        servers[server].contraryChecks = 0
        if passes {
            // The check has seen it answer; its failures are history.
            servers[server].failuresInARow = 0
            servers[server].outUntil = nil
        } else {
            queue.unpin(from: server)
        }
        aftermath.changes.append(Change(server: server, kind: passes ? .checksPass : .checksFail))
        serveAll(now, &aftermath)
        return aftermath
    }

    /// A server's name has been resolved, or never was yet.
    package mutating func setResolved(_ server: ServerNumber, _ isResolved: Bool, now: Moment) -> Aftermath {
        servers[server].isResolved = isResolved
        return tick(now: now)
    }

    /// Time has passed: pauses may be over. To be called now and then.
    package mutating func tick(now: Moment) -> Aftermath {
        var aftermath = Aftermath()
        serveAll(now, &aftermath)
        return aftermath
    }

    // MARK: Granting

    private mutating func serveAll(_ now: Moment, _ aftermath: inout Aftermath) {
        guard queue.count > 0 else { return }
        for server in servers.indices { serve(server, now, &aftermath) }
    }

    private mutating func serve(_ server: ServerNumber, _ now: Moment, _ aftermath: inout Aftermath) {
        while queue.count > 0, servers[server].hasRoom {
            guard mayServe(server, ServerSet(), now) || isLastResort(server, now) else { return }
            guard let ticket = queue.next(for: server) else { return }
            _ = take(server, now)
            aftermath.grants.append(Grant(ticket: ticket, server: server))
        }
    }

    private func isLastResort(_ server: ServerNumber, _ now: Moment) -> Bool {
        lastResort(ServerSet()) == server && !servers.indices.contains { mayServe($0, ServerSet(), now) }
    }
}

/// A few servers of the group, as bits.
package struct ServerSet: Equatable, Sendable {
    package static let capacity = 64
    private var bits: UInt64 = 0

    package init() {}

    package var isEmpty: Bool { bits == 0 }
    package func contains(_ server: Int) -> Bool { bits & (1 << UInt64(server)) != 0 }
    package mutating func insert(_ server: Int) { bits |= 1 << UInt64(server) }
}
