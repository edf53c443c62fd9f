/// What one worker counts. Plain numbers that only grow, but for the first group, which says how many there are now.
import Polling

package struct WorkerFigures: Sendable {
    package var connections = 0
    package var held = 0
    package var idleUpstream = 0
    package var clocks = 0

    package var accepted: UInt64 = 0
    /// Connections that another process handed over.
    package var adopted: UInt64 = 0
    package var acceptPauses: UInt64 = 0
    /// Requests that could not be read.
    package var refused: UInt64 = 0
    /// Connections that did not begin with the PROXY header that their listener expects.
    package var preamblesRefused: UInt64 = 0
    /// Connections of clients that had as many as one may have.
    package var connectionsRefused: UInt64 = 0
    package var adminConnectionsRefused: UInt64 = 0
    package var polls: UInt64 = 0
    /// Polls that were not held because all that may be held were, and because their client had as many as one may.
    package var pollsRefusedInAll: UInt64 = 0
    package var pollsRefusedOfClient: UInt64 = 0
    /// Polls whose client left before its answer.
    package var abandonedPolls: UInt64 = 0
    /// By `PollExchange.Release`, in the order of its cases.
    /// Not an array, which would be copied at each report of the figures.
    package var released = InlineArray<16, UInt64>(repeating: 0)
    /// Messages handed out in answers.
    package var delivered: UInt64 = 0
    /// From a poll's request to its answer.
    package var holdTimes = Histogram()
    package var recheckTimes = Histogram()
    /// From a publish to the answer of a poll that it released.
    package var deliveryDelays = Histogram()
    package var proxied: UInt64 = 0
    /// Messages and signals that publish rules made, and rules that matched and could make none.
    package var rulePublishes: UInt64 = 0
    package var skippedRules: UInt64 = 0
    /// By the paths of recheck routes.
    package var rechecks: [String: RecheckFigures] = [:]
    package var upstreamConnects: UInt64 = 0
    /// By `ProxyFailure`, in the order of its cases.
    package var upstreamFailures = InlineArray<8, UInt64>(repeating: 0)
    /// Connections of clients that were idle and had to make room.
    package var shedConnections: UInt64 = 0
    /// Requests that were refused because memory was short.
    package var refusedForMemory: UInt64 = 0
    /// Publishes on the control socket that were refused, by `PublishRefusal`.
    package var publishesRefused = InlineArray<3, UInt64>(repeating: 0)
    package var retried: UInt64 = 0

    package init() {}

    /// - Parameters:
    ///   - lasting: from the poll's request on, in nanoseconds.
    ///   - now: in nanoseconds of the clock by which messages are published.
    package mutating func count(_ answer: PollAnswer, lasting: Int64, now: Int64) {
        released[answer.release.place] += 1
        delivered += UInt64(answer.messages)
        holdTimes.count(lasting, on: .poll)
        guard answer.release == .message, let publishedAt = answer.publishedAt else { return }
        deliveryDelays.count(now - publishedAt.nanoseconds, on: .delay)
    }

    package mutating func add(_ other: WorkerFigures) {
        connections += other.connections
        held += other.held
        idleUpstream += other.idleUpstream
        clocks += other.clocks
        accepted += other.accepted
        adopted += other.adopted
        acceptPauses += other.acceptPauses
        refused += other.refused
        preamblesRefused += other.preamblesRefused
        connectionsRefused += other.connectionsRefused
        adminConnectionsRefused += other.adminConnectionsRefused
        polls += other.polls
        pollsRefusedInAll += other.pollsRefusedInAll
        pollsRefusedOfClient += other.pollsRefusedOfClient
        abandonedPolls += other.abandonedPolls
        for index in released.indices { released[index] += other.released[index] }
        delivered += other.delivered
        holdTimes.add(other.holdTimes)
        recheckTimes.add(other.recheckTimes)
        deliveryDelays.add(other.deliveryDelays)
        proxied += other.proxied
        rulePublishes += other.rulePublishes
        skippedRules += other.skippedRules
        for (path, figures) in other.rechecks { rechecks[path, default: RecheckFigures()].add(figures) }
        upstreamConnects += other.upstreamConnects
        for index in upstreamFailures.indices { upstreamFailures[index] += other.upstreamFailures[index] }
        refusedForMemory += other.refusedForMemory
        shedConnections += other.shedConnections
        for index in publishesRefused.indices { publishesRefused[index] += other.publishesRefused[index] }
        retried += other.retried
    }
}
