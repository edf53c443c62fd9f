/// What a worker has seen of a route that observes since it last said so: a line once in a while.
import Gateway
import Logging
import Reactor

struct ObservedPolls {
    private var counts: [PollOutcome.Observed: UInt64] = [:]
    private var notice = RareNotice()

    /// - Returns: what is to be told now, if anything is.
    mutating func add(_ observed: PollOutcome.Observed, now: Int64) -> Logger.Metadata? {
        counts[observed, default: 0] += 1
        guard let polls = notice.happened(now: now) else { return nil }
        defer { counts = [:] }
        let spared = counts[.spared] ?? 0
        return [
            "polls": "\(polls)", "held": "\(spared + (counts[.held] ?? 0))", "woken": "\(counts[.woken] ?? 0)",
            "saved": "\(spared)", "unsignalled": "\(counts[.unsignalled] ?? 0)",
        ]
    }
}

extension Worker {
    func noteObserved(_ observed: PollOutcome.Observed, on route: RecheckRoute) {
        guard var told = observedPolls[route.path, default: ObservedPolls()].add(observed, now: loop.now)
        else { return }
        told["route"] = "\(route.path)"
        log.info("observed polls would have been", metadata: told)
    }
}
