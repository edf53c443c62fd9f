/// Finding a server for an exchange, and what happens when one fails or the client goes.
import ByteText
import ConfigFile
import Gateway
import HTTP1
import Reactor

extension ProxiedExchange {
    /// The server that the client's cookie names, if clients stay with theirs.
    static func stickyServer(_ head: borrowing RequestHead, in group: UpstreamGroup) -> Balancer.ServerNumber? {
        guard let name = group.configuration.stickyCookie else { return nil }
        return cookie(Array(name.utf8), in: head).flatMap { group.server(marked: $0) }
    }

    private static func cookie(_ name: [UInt8], in head: borrowing RequestHead) -> [UInt8]? {
        guard let range = head.fields.cookie(named: name.span) else { return nil }
        return head[range].array
    }

    func seekServer() {
        if record.begunAt == nil { record.begunAt = worker.loop.now }
        let (assignment, ticket) = worker.requestServer(for: self, wanted: wantedServer, tried: machine.tried)
        switch assignment {
        case .server(let lease): connect(lease)
        case .waits:
            self.ticket = ticket
            downstream?.pauseReading()
            downstream?.setClock(.queue)
        case .refused(let failure): answer(machine.refused(failure))
        }
    }

    /// A server has become free for this exchange, which has waited.
    func granted(_ lease: UpstreamGroup.Lease) {
        ticket = nil
        connect(lease)
    }

    /// The time in the queue is up.
    func queueTimedOut() {
        leaveQueue()
        answer(machine.refused(.queueTimeout))
    }

    private func leaveQueue() {
        if let ticket { worker.cancelWaiting(ticket, in: group) }
        ticket = nil
    }

    private func connect(_ lease: UpstreamGroup.Lease, fresh: Bool = false) {
        self.lease = lease
        machine.assigned(lease.server)
        if withheld != nil { withheld = WithheldAnswer() }
        record.server = lease.server
        record.attempts += 1
        record.assignedAt = worker.loop.now
        responseBegunAt = nil
        do throws(SystemError) {
            let stream = try worker.upstreamStream(
                lease, in: group, fresh: fresh, mayBeRepeated: machine.mayBeRepeated)
            upstream = stream
            stream.begin(self, method: method)
            stream.send(shared: requestHead)
            if stream.isConnected { upstreamConnected() } else { waitForConnection() }
        } catch {
            worker.noteUpstreamError(error)
            fail(.unreachable)
        }
    }

    private func waitForConnection() {
        if machine.awaitsRequest { downstream?.pauseReading() }
        setUpstreamClock()
        setDownstreamClock()
    }

    func upstreamConnected() {
        record.connectedAt = worker.loop.now
        if !machine.asksForUpgrade { downstream?.resumeReading() }
        setUpstreamClock()
        setDownstreamClock()
    }

    /// Gives the place at the server back.
    func endLease(_ outcome: Balancer.Outcome) {
        guard let lease else { return }
        self.lease = nil
        let responseTime = responseBegunAt.flatMap { begun in record.assignedAt.map { begun - $0 } }
        responseBegunAt = nil
        group.ended(lease.server, outcome, responseTime: responseTime, now: worker.now)
    }

    // MARK: Failures

    /// The app's connection has ended before the response was complete; it is closed already.
    func upstreamFailed(_ failure: ProxyFailure) { fail(failure) }

    private func fail(_ failure: ProxyFailure) {
        let reused = upstream?.mayHaveDiedIdle ?? false
        upstream = nil
        switch machine.upstreamFailed(failure, reused: reused) {
        case .again:
            worker.figures.retried += 1
            if let lease { connect(lease, fresh: true) }
        case .elsewhere:
            endLease(.failed)
            worker.figures.retried += 1
            seekServer()
        case .answer(let failure):
            endLease(.failed)
            answer(failure)
        case .cut:
            endLease(.answered)
            record.end = .cut(failure)
            endQuestion()
            let downstream = downstream
            self.downstream = nil
            downstream?.cut(self, reset: machine.cutNeedsReset)
        }
    }

    private func answer(_ failure: ProxyFailure) {
        worker.figures.upstreamFailures[failure.place] += 1
        record.status = failure.status
        record.end = .failed(failure)
        let downstream = downstream
        self.downstream = nil
        if let poll = endQuestion() {
            downstream?.questionFailed(poll, failure)
            return
        }
        var answer = PlainAnswer(failure)
        answer.requestID = returnedRequestID
        downstream?.answer(answer, of: self)
    }

    /// The client has gone, or is refused: the app's work is for nobody, and its connection is closed so that it may
    /// notice. Where a publish rule watches, the work is for all who wait: once the app has the whole request its
    /// answer is waited for.
    func downstreamGone() {
        downstream = nil
        leaveQueue()
        endQuestion()
        if let watcher, watcher.hasRequest, !isTunnel, let upstream {
            if upstream.isPaused { downstreamDrained() }
            return
        }
        let stream = upstream
        upstream = nil
        stream?.release()
        stream?.end()
        record.end = .clientGone
        endLease(record.respondedAt == nil ? .unknown : .answered)
    }
}
