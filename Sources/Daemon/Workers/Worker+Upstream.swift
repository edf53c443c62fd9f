/// A worker's way to the app's servers: requests that wait for one, and connections, kept or new.
import Gateway
import Logging
import Polling
import Reactor

extension Worker {
    /// Asks for a server on an exchange's behalf. If it has to wait, it is told by `granted`.
    ///
    /// - Returns: the answer, and the ticket under which the exchange waits.
    func requestServer(
        for exchange: ProxiedExchange, wanted: Balancer.ServerNumber?, tried: ServerSet
    ) -> (UpstreamGroup.Assignment, ticket: UInt64) {
        let number = nextSerial()
        let ticket = Balancer.Ticket(worker: self.number, number: number)
        let assignment = exchange.group.request(ticket, wanted: wanted, tried: tried, now: now)
        if case .waits = assignment { waitingExchanges[number] = exchange }
        return (assignment, number)
    }

    /// The exchange waits no more. A grant that is on its way finds nobody and is given back.
    func cancelWaiting(_ ticket: UInt64, in group: UpstreamGroup) {
        guard waitingExchanges.removeValue(forKey: ticket) != nil else { return }
        _ = group.cancel(Balancer.Ticket(worker: number, number: ticket))
    }

    func granted(_ group: UpstreamGroup, _ ticket: UInt64, _ server: Balancer.ServerNumber) {
        guard let exchange = waitingExchanges.removeValue(forKey: ticket) else {
            return group.ended(server, .unknown, now: now)
        }
        exchange.granted(group.lease(server))
    }

    /// A connection to a server: one that waits, or a new one.
    ///
    /// - Parameters:
    ///   - fresh: a kept one has failed.
    ///   - mayBeRepeated: false: a kept connection is looked at once more before it is trusted with this request.
    func upstreamStream(
        _ lease: UpstreamGroup.Lease, in group: UpstreamGroup, fresh: Bool, mayBeRepeated: Bool
    ) throws(SystemError) -> UpstreamStream {
        if !fresh, group === service.upstream {
            while let stream = upstream.take(for: lease.server) {
                guard stream.isOpen else { continue }
                if stream.lease.generation == lease.generation, mayBeRepeated || stream.isQuiet { return stream }
                stream.end()
            }
        }
        figures.upstreamConnects += 1
        return UpstreamStream(worker: self, socket: try StreamSocket(to: lease.address), group: group, lease: lease)
    }

    func keepUpstream(_ stream: UpstreamStream) {
        let isCurrent =
            stream.group === service.upstream
            && stream.group.isCurrent(stream.lease.generation, of: stream.lease.server)
        if !isDraining, handover.stage != .left, isCurrent, upstream.keep(stream, limit: service.idleUpstreamLimit) {
            stream.setClock(.idleUpstream)
            stream.resumeReading()
        } else {
            stream.end()
        }
    }

    func noteUpstreamError(_ error: SystemError) {
        log.debug("the application can't be reached", metadata: ["error": "\(error)"])
    }
}
