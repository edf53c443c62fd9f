/// What a client's connection tells the access log of each of its requests.
import Gateway
import HTTP1
import Reactor

extension DownstreamStream {
    /// For a request that could not be read.
    ///
    /// - Parameter error: nil: nothing of it was looked at.
    func beginUnreadEntry(_ error: HTTPError? = nil) {
        let now = worker.loop.now
        // The clock that would tell has run out.
        let begunAt = error == .headTooSlow ? now - worker.service.clockDurations[Clock.head.rawValue] : headBegunAt
        accessEntry = worker.accessLog?.beginUnread(client: peer.address, now: now, begunAt: begunAt)
    }

    /// The request is over.
    ///
    /// - Parameters:
    ///   - bytes: of the response's body.
    ///   - proxied: how it was passed on, if it was.
    ///   - end: nil: as the exchange has it.
    func finishAccessEntry(
        status: Int, bytes: Int, of proxied: ProxiedExchange? = nil, end: ExchangeRecord.End? = nil,
        poll: PollOutcome.Course? = nil
    ) {
        guard let entry = accessEntry else { return }
        accessEntry = nil
        let record = proxied?.record
        var outcome = AccessOutcome(
            status: status, bytes: bytes, end: end ?? record?.end ?? .complete, endedAt: worker.loop.now)
        outcome.record = record
        outcome.server = record?.server.flatMap { proxied?.group.names[$0] }
        outcome.poll = poll.map { PollOutcome($0, releasedAt: outcome.endedAt) } ?? proxied?.pollOutcome
        worker.accessLog?.end(entry, outcome)
    }
}

extension HTTPError {
    /// How a request ends that is refused for this.
    var accessEnd: ExchangeRecord.End {
        switch self {
        case .headTooSlow, .contentTooSlow: .clientTimeout
        default: .refused
        }
    }
}
