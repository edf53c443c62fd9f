/// The two connections of one proxied exchange and what flows between them. What a message means and what a failure
/// leads to is `ProxyExchange`'s decision; this class moves bytes and keeps each side from running ahead of the
/// other.
///
/// Back-pressure: as soon as more than `waitingBytesLimit` wait to go out on one side, the other is not read until
/// they have left. So a direction holds at most that and one read. A request's body is not read before there is a
/// connection for it: what was read could not be sent to another server.
import ByteText
import Gateway
import HTTP1
import Polling
import Reactor

final class ProxiedExchange {
    /// Bytes that may wait on one side before the other is paused.
    static let waitingBytesLimit = 32768

    let worker: Worker
    let route: ProxyRoute
    let group: UpstreamGroup
    /// Both go with the end of the exchange, whichever end it is, and are set to nil there. Weak references would give
    /// both streams a side table, through which every count of their references goes from then on.
    var downstream: DownstreamStream?
    var upstream: UpstreamStream?
    var machine: ProxyExchange
    let method: Method
    /// The request's head as it goes to the app, kept until a response begins, for a retry.
    var requestHead: [UInt8] = []
    /// The place at a server that this exchange has, to be given back once.
    var lease: UpstreamGroup.Lease?
    /// Under which it waits for one.
    var ticket: UInt64?
    /// The server that the client's cookie names.
    var wantedServer: Balancer.ServerNumber?
    /// The pool's newest number when the request came, if it may ask for a page that is to begin there.
    private var pageNumber: UInt64?
    /// What the client is told as X-Request-Id.
    let returnedRequestID: RequestID?
    /// What publish rules see of it; nil: none is for it.
    var watcher: PublishWatcher?
    /// Where this is a recheck's question: what the client does not get unless it is new; nil: it gets all.
    var withheld: WithheldAnswer?
    /// The poll that asks, until its permit is given back.
    var asking: RecheckedPoll?
    /// The poll whose client the app is asked about.
    var authorizing: AskedPoll?
    /// What a poll that is only observed shows.
    var observation: Observation?
    /// How its poll was let go; nil: it is no poll, or one that is under way.
    var pollOutcome: PollOutcome?
    /// Ends of what clients were granted; nil: the client was granted nothing.
    var session: SessionWatch?
    var upstreamTunnelHasEnded = false
    var downstreamTunnelHasEnded = false
    var record = ExchangeRecord()
    /// When the app's final response began, also where the client has had nothing of it.
    var responseBegunAt: Int64?

    var asksForUpgrade: Bool { machine.asksForUpgrade }
    var isTunnel: Bool { machine.isTunnel }
    /// Some of the response has been passed on, so the client can be told nothing else any more.
    var responseHasBegun: Bool { !machine.awaitsResponse }
    var cutNeedsReset: Bool { machine.cutNeedsReset }

    /// - Parameter head: of the request.
    init(
        downstream: DownstreamStream, _ head: borrowing RequestHead, route: ProxyRoute,
        client: RequestForwarding.Client
    ) {
        worker = downstream.worker
        self.route = route
        group = worker.service.upstream
        self.downstream = downstream
        returnedRequestID = client.rules.returnsRequestID ? client.requestID : nil
        machine = ProxyExchange(
            head, route: route, as: downstream.manner, returning: returnedRequestID)
        method = head.method
    }

    /// A recheck's question, or with `withholds` false its request passed on plainly.
    init(downstream: DownstreamStream, poll: RecheckedPoll, withholds: Bool) {
        worker = downstream.worker
        route = poll.request.route.proxy
        group = worker.service.upstream
        self.downstream = downstream
        machine = poll.machine
        method = poll.method
        requestHead = poll.requestBytes
        wantedServer = poll.wantedServer(in: group)
        returnedRequestID = poll.returnedRequestID
        if withholds {
            withheld = WithheldAnswer()
            asking = poll
        }
    }

    /// The question whether a client may poll.
    init(downstream: DownstreamStream, asked: AskedPoll, requestBytes: [UInt8]) {
        worker = downstream.worker
        route = asked.rule.proxy
        group = worker.service.upstream
        self.downstream = downstream
        returnedRequestID = asked.client.rules.returnsRequestID ? asked.client.requestID : nil
        machine = ProxyExchange(asked.head, route: asked.rule.proxy, returning: returnedRequestID)
        method = asked.head.method
        requestHead = requestBytes
        wantedServer = Self.stickyServer(asked.head, in: group)
        withheld = WithheldAnswer()
        authorizing = asked
    }

    // MARK: The request

    /// Sends the request's head.
    func begin(_ head: borrowing RequestHead, _ client: RequestForwarding.Client) {
        guard let downstream else { return }
        watcher = worker.service.rules.watcher(head, client: client.identity.client)
        session = SessionWatch(worker.service.authorizeRules, head)
        worker.output.reset()
        RequestForwarding.write(
            head, client: client, host: worker.service.upstreamHost,
            upgrading: machine.asksForUpgrade, uncompressed: watcher?.readsResponseContent ?? false,
            into: &worker.output)
        requestHead = worker.output.bytes
        wantedServer = Self.stickyServer(head, in: group)
        if worker.service.routes.mayBeginPage(head) {
            pageNumber = worker.hub.withPool { $0.lastNumber }
        }
        // What follows an upgrade belongs to the other protocol, if there will be one (RFC 9931).
        if machine.asksForUpgrade { downstream.pauseReading() }
        seekServer()
    }

    func requestContent(_ bytes: Span<UInt8>) {
        watcher?.requestContent(bytes)
        guard let upstream else { return }
        worker.output.reset()
        if machine.passesRequestContentBare(bytes, into: &worker.output) {
            upstream.send(bytes)
        } else {
            upstream.send(gathering: worker.output.bytes)
        }
        if upstream.queuedBytes > Self.waitingBytesLimit {
            downstream?.pauseReading()
            setUpstreamClock()
        }
        setDownstreamClock()
    }

    func requestEnded(trailers: borrowing FieldLines) {
        watcher?.requestEnded()
        // What has no content was complete with its head, and its clocks run.
        guard machine.awaitsRequest else { return }
        worker.output.reset()
        machine.requestEnded(trailers: trailers, into: &worker.output)
        if !worker.output.bytes.isEmpty { upstream?.send(gathering: worker.output.bytes) }
        setDownstreamClock()
        setUpstreamClock()
    }

    /// The app has taken what waited.
    func upstreamDrained() {
        if isTunnel || !machine.asksForUpgrade { downstream?.resumeReading() }
        setUpstreamClock()
        setDownstreamClock()
    }

    // MARK: Clocks

    /// What the app has to do next: take what waits, answer a request that is complete, go on with its response.
    func setUpstreamClock() {
        guard let upstream else { return }
        if isTunnel {
            upstream.setClock(.tunnel)
        } else if !upstream.isConnected {
            upstream.setClock(.connect)
        } else if upstream.queuedBytes > 0 {
            upstream.watchOutput()
        } else if machine.awaitsResponse, withheld?.head == nil {
            if machine.awaitsRequest {
                upstream.setClock(nil)
            } else {
                upstream.setClock(.response, lasting: route.responseTimeout)
            }
        } else if upstream.isPaused {
            upstream.setClock(nil)
        } else {
            upstream.setClock(.gap, lasting: route.idleTimeout)
        }
    }

    /// What the client has to do next: read what waits, go on with its request.
    func setDownstreamClock() {
        // In the queue that one's clock runs.
        guard let downstream, ticket == nil else { return }
        if isTunnel {
            downstream.setClock(.tunnel)
        } else if downstream.queuedBytes > 0 {
            downstream.watchOutput()
        } else if machine.awaitsRequest, !downstream.isPaused {
            downstream.setClock(.body)
        } else {
            downstream.setClock(nil)
        }
    }

    // MARK: The response. `UpstreamStream.received` sets the upstream's clock when all of a call has been taken.

    func responseHead(_ head: borrowing ResponseHead) {
        if !head.isInterim, responseBegunAt == nil { responseBegunAt = worker.loop.now }
        if withheld != nil, withholds(head) { return }
        switch machine.response(head, cookies: cookies(head), into: &worker.output) {
        case .interim: break
        case .final:
            record.status = head.status
            record.respondedAt = worker.loop.now
            requestHead = []
            session?.response(head)
            observation?.response(head)
            if watcher == nil {
                watcher = PublishWatcher(head)
            } else {
                watcher?.response(head)
            }
        case .tunnel:
            record.status = 101
            record.respondedAt = worker.loop.now
            requestHead = []
            flushToDownstream()
            downstream?.becomeTunnel()
        }
    }

    /// Our own cookies for this client: its server's, and where the page begins.
    private func cookies(_ head: borrowing ResponseHead) -> [[UInt8]] {
        var cookies: [[UInt8]] = []
        if let lease, lease.server != wantedServer, let cookie = group.cookie(for: lease.server) {
            cookies.append(cookie)
        }
        if let pageNumber { cookies += worker.service.routes.pageCookies(head, at: pageNumber) }
        return cookies
    }

    func responseContent(_ bytes: Span<UInt8>) {
        if withheld != nil, withholds(bytes) { return }
        pass(bytes)
    }

    func pass(_ bytes: Span<UInt8>) {
        record.contentBytes += bytes.count
        watcher?.responseContent(bytes)
        observation?.responseContent(bytes)
        if machine.passesResponseContentBare(bytes, into: &worker.output) {
            downstream?.send(head: worker.output.bytes, bytes)
            worker.output.reset()
        }
        slowUpstream()
    }

    /// Sends what has been written for the client in this call of the stream.
    func flushToDownstream() {
        guard !worker.output.bytes.isEmpty else { return }
        downstream?.send(copying: worker.output.bytes)
        worker.output.reset()
        slowUpstream()
    }

    /// - Parameter excess: more came than the response; the connection can't be trusted with another.
    func responseEnded(trailers: borrowing FieldLines, excess: Bool) {
        if withheld != nil, !judge() { finishUnheard() }
        machine.responseEnded(trailers: trailers, into: &worker.output)
        flushToDownstream()
        let stream = upstream
        upstream = nil
        stream?.release()
        if let stream, stream.isOpen {
            let isFree = machine.keepsUpstream && !excess && stream.queuedBytes == 0
            if isFree { worker.keepUpstream(stream) } else { stream.end() }
        }
        endLease(.answered)
        endQuestion()
        let downstream = downstream
        self.downstream = nil
        if let observation { endObservation(observation) }
        downstream?.proxiedExchangeEnded(self, keepsAlive: machine.keepsDownstream)
        for credential in session?.responseEnded() ?? [] { worker.revoke(credential) }
        if let publication = watcher?.responseEnded() { worker.publish(publication) }
    }

    private func slowUpstream() {
        guard let downstream, downstream.queuedBytes > Self.waitingBytesLimit else { return }
        upstream?.pauseReading()
        setUpstreamClock()
        setDownstreamClock()
    }

    /// The client has taken what waited.
    func downstreamDrained() {
        setDownstreamClock()
        guard let upstream, upstream.isPaused else { return }
        upstream.resumeReading()
        setUpstreamClock()
    }
}
