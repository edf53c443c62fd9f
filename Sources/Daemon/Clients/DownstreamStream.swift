/// A client's connection: each of its requests becomes a poll, a proxied exchange, or a refusal.
import ByteText
import Gateway
import HTTP1
import Polling
import ProxyProtocol
import Reactor

final class DownstreamStream: ServerStream {
    enum Exchange {
        case none
        /// With its place among those that take each other's, if it has one.
        case poll(HeldPlace?)
        /// A recheck poll whose body is still to come.
        case pending(PendingPoll)
        /// A poll whose client the app is being asked about.
        case asked(AskedPoll)
        case recheck(RecheckedPoll)
        case proxied(ProxiedExchange)
    }

    var exchange = Exchange.none
    /// Of a recheck route that compares answers.
    var lastAnswer: LastAnswer?
    /// Of the grant under which the poll is held; 0: none.
    var grantSerial: UInt64 = 0
    var accessEntry: AccessEntry?
    /// Whom the poll under way is counted for.
    var pollKey = ClientKey.nobody
    /// What an answer that is still being written took from its channels.
    private var takenInFlight: [TakenPosition] = []
    /// The other end; behind a proxy that says so, the end that it names.
    private(set) var peer: Peer
    /// The connection is counted for its peer.
    private var isCounted = false
    /// Requests of this connection, the one under way among them.
    private var requestCount: UInt32 = 0

    /// - Parameter hasProxyHeader: the connection begins with a PROXY header.
    init(worker: Worker, socket: consuming StreamSocket, peer: Peer, hasProxyHeader: Bool) {
        self.peer = peer
        super.init(worker: worker, socket: socket, hasPreamble: hasProxyHeader)
    }

    /// A connection that another process had.
    init(worker: Worker, socket: consuming StreamSocket, adopting connection: HandedConnection) {
        peer = connection.peer
        requestCount = connection.requestCount
        super.init(worker: worker, socket: socket)
        // It has been let in, whatever the limit is now; unless it is not yet known who it is.
        if case .idle(_, hasPreamble: true, _) = connection.state { return }
        isCounted = worker.countConnection(of: peer)
    }

    // MARK: In front of the first request

    override func preambleReceived(_ bytes: Span<UInt8>) -> Int? {
        do throws(ProxyHeaderError) {
            switch try ProxyHeader.read(bytes) {
            case .needsMore: return nil
            case .whole(let header, let byteCount):
                if case .relayed(let source, _) = header { peer.address = ClientAddress(source.address) }
                admit()
                return byteCount
            }
        } catch {
            refusePreamble(error.reason)
            return bytes.count
        }
    }

    /// Closes without a word: what came is no HTTP, and may be anything.
    private func refusePreamble(_ reason: String) {
        worker.notePreambleRefused(reason)
        end()
    }

    /// Counts the connection for its client, or refuses it: at once, so that it takes up nothing while its request
    /// comes.
    func admit() {
        guard let key = worker.admitConnection(of: peer) else {
            beginUnreadEntry()
            return answer(.clientConnectionsExceeded, end: .refused)
        }
        isCounted = key != .nobody
    }

    // MARK: Requests

    override func headReceived(_ head: borrowing RequestHead) {
        requestCount &+= 1
        let service = worker.service
        if let limit = service.requestsLimit, requestCount >= limit { endAfterExchange() }
        let rules = service.forwarding
        let identity = ClientIdentity(head, peer: peer, rules: rules)
        let requestID = worker.requestIDs.id(of: head, identity, rules)
        accessEntry = worker.accessLog?.begin(
            head, client: identity.client, requestID: requestID, now: worker.loop.now, begunAt: worker.headBegunAt)
        if worker.server.isShortOfMemory {
            worker.figures.refusedForMemory += 1
            return answer(.memoryExceeded, end: .refused)
        }
        if let answered = service.rules.answered(head, client: identity.client) {
            return answer(answered)
        }
        let decision = service.routes.decide(head, client: identity.client)
        if case .recheck = decision {} else { lastAnswer = nil }
        switch consume decision {
        case .poll(let request): beginPoll(request, head, of: identity.client)
        case .authorize(let route, let rule, let captures):
            beginAuthorized(
                route, rule, captures,
                RequestForwarding.Client(identity: identity, rules: rules, requestID: requestID), head)
        case .content(let hold, let captures):
            let client = RequestForwarding.Client(identity: identity, rules: rules, requestID: requestID)
            awaitContent(
                of: PendingPoll(route: .hold(hold), captures: captures, client: client, head: head))
        case .recheck(let route, let captures):
            beginRecheck(
                route, captures, RequestForwarding.Client(identity: identity, rules: rules, requestID: requestID),
                head)
        case .answer(var plain):
            if rules.returnsRequestID { plain.requestID = requestID }
            answer(plain)
        case .proxy(let route):
            if case .length(let length) = head.framing, let limit = route.contentBytesLimit,
                length > limit
            {
                // Refused before it is read, so the rest of it ends the connection.
                return refuse(.contentTooLong(limit: limit))
            }
            beginProxied(
                route, head, RequestForwarding.Client(identity: identity, rules: rules, requestID: requestID))
        }
    }

    func beginProxied(
        _ route: ProxyRoute, _ head: borrowing RequestHead, _ client: RequestForwarding.Client
    ) {
        let proxied = ProxiedExchange(downstream: self, head, route: route, client: client)
        exchange = .proxied(proxied)
        worker.figures.proxied += 1
        proxied.begin(head, client)
    }

    override func contentReceived(_ bytes: Span<UInt8>) {
        if case .pending(let pending) = exchange { return pendingContent(bytes, pending) }
        guard case .proxied(let proxied) = exchange else { return }
        proxied.record.requestBytes += bytes.count
        if let limit = proxied.route.contentBytesLimit, UInt64(proxied.record.requestBytes) > limit {
            return refuse(.contentTooLong(limit: limit))
        }
        proxied.requestContent(bytes)
    }

    override func requestReceived(trailers: borrowing FieldLines) {
        switch exchange {
        case .pending(let pending): begin(pending)
        case .proxied(let proxied): proxied.requestEnded(trailers: trailers)
        case .none, .poll, .recheck, .asked: break
        }
    }

    override func refuse(_ error: HTTPError) {
        worker.figures.refused += 1
        if case .proxied(let proxied) = exchange, proxied.responseHasBegun {
            leaveExchange()
            // An answer of ours in the middle of the app's would be taken for a part of it.
            return cut(proxied, reset: proxied.cutNeedsReset, end: error.accessEnd)
        }
        let proxied: ProxiedExchange? = if case .proxied(let proxied) = exchange { proxied } else { nil }
        leaveExchange()
        if phase == .head { beginUnreadEntry(error) }
        answer(
            PlainAnswer(status: error.status, reason: error.reason, closes: true), of: proxied, end: error.accessEnd)
    }

    // MARK: Polls

    func beginPoll(_ request: consuming PollRequest, _ head: borrowing RequestHead, of client: ClientAddress) {
        worker.figures.polls += 1
        switch worker.admitPoll(head, of: client) {
        case .refused(var plain):
            plain.crossOrigin = (request.style.route.crossOrigin, request.style.origin)
            answer(plain)
        case .admitted(let key):
            pollKey = key
            begin(request)
        }
    }

    private func begin(_ request: consuming PollRequest) {
        if worker.handover.stage.isParting {
            exchange = .poll(nil)
            return perform(worker.switchboard.receivedLate(request, on: number, now: worker.now))
        }
        // Its place is taken before anybody can see that it is held: whoever comes then comes later.
        exchange = .poll(request.supersedeKey.map(takePlace))
        if !manner.keepsAlive { request.style.manner.keepsAlive = false }
        perform(worker.switchboard.received(request, on: number, now: worker.now))
    }

    /// The poll that had the place until now gets the empty answer.
    private func takePlace(_ key: [UInt8]) -> HeldPlace {
        let place = SharedRechecks.Place(worker: worker.number, stream: number, serial: worker.nextSerial())
        if let old = worker.hub.rechecks.supersede(key, by: place, startedAt: worker.now) { worker.supersede(old) }
        return HeldPlace(key: key, place: place)
    }

    /// A new poll has taken this one's place.
    func superseded() {
        switch exchange {
        case .poll: perform(worker.switchboard.finish(number, .superseded))
        case .recheck: worker.perform(worker.rechecks.superseded(number), onRecheck: number)
        case .none, .pending, .asked, .proxied: break
        }
    }

    private func endPlace() {
        if case .poll(let held?) = exchange { worker.hub.rechecks.ended(held.key, held.place) }
    }

    /// Does what the Switchboard decided for this connection's poll.
    override func perform(_ action: Switchboard.Action) {
        guard let answer = worker.resolve(action, on: number) else { return }
        // Whoever has the answer may poll again.
        endPlace()
        endPoll()
        send(shared: answer.bytes)
        watchTaken(answer.taken)
        worker.count(answer, on: number)
        finishAccessEntry(
            status: answer.status, bytes: answer.bodyBytes,
            poll: .hold(answer.release, messages: answer.messages))
        exchangeEnded(keepsAlive: answer.keepsAlive)
        watchOutput()
    }

    /// Messages that were taken for this client belong to it once the system has all of its answer; until then they
    /// are given back if the connection ends.
    private func watchTaken(_ taken: [TakenPosition]) {
        guard !taken.isEmpty else { return }
        if hasSendFailed {
            worker.giveBack(taken)
        } else if queuedBytes > 0 {
            takenInFlight = taken
        }
    }

    private func giveBackTaken() {
        guard !takenInFlight.isEmpty else { return }
        let taken = takenInFlight
        takenInFlight = []
        worker.giveBack(taken)
    }

    func endPoll() {
        exchange = .none
        endCounting()
    }

    /// The poll that was under way is no longer counted for its client.
    func endCounting() {
        worker.giveBackPoll(pollKey)
        pollKey = .nobody
    }

    // MARK: Proxied exchanges

    /// The response has been passed on in full, or as far as it came.
    func proxiedExchangeEnded(_ proxied: ProxiedExchange, keepsAlive: Bool) {
        exchange = .none
        finishAccessEntry(status: proxied.record.status, bytes: proxied.record.contentBytes, of: proxied)
        exchangeEnded(keepsAlive: keepsAlive)
        watchOutput()
    }

    /// The response can't be completed; the client must see that.
    ///
    /// - Parameter reset: the body ends with the connection, so only a reset shows that bytes are missing.
    func cut(_ proxied: ProxiedExchange, reset: Bool, end: ExchangeRecord.End? = nil) {
        exchange = .none
        finishAccessEntry(status: proxied.record.status, bytes: proxied.record.contentBytes, of: proxied, end: end)
        if reset { self.end(reset: true) } else { linger() }
    }

    override func tunnelReceived(_ bytes: Span<UInt8>) {
        if case .proxied(let proxied) = exchange { proxied.tunnelFromDownstream(bytes) }
    }

    override func tunnelInputEnded() {
        if case .proxied(let proxied) = exchange { proxied.downstreamTunnelEnded() }
    }

    override func outputDrained() {
        // A broken connection takes all that waits, and nobody has it.
        if hasSendFailed { giveBackTaken() } else { takenInFlight = [] }
        if phase == .head { worker.becameFree(number) }
        if case .proxied(let proxied) = exchange {
            proxied.downstreamDrained()
        } else {
            answersTaken()
        }
    }

    // MARK: Ends

    override func deadlinePassed(_ clock: Clock) {
        if phase == .preamble, unreadBytes > 0 {
            return refusePreamble("The PROXY header did not arrive in time.")
        }
        switch exchange {
        case .proxied(let proxied) where clock == .queue: proxied.queueTimedOut()
        case .recheck(let poll) where clock == .queue: poll.question?.queueTimedOut()
        case .asked(let asked) where clock == .queue: asked.question?.queueTimedOut()
        default: super.deadlinePassed(clock)
        }
    }

    private func leaveExchange() {
        switch exchange {
        case .none: break
        case .poll:
            endPlace()
            endPoll()
            worker.switchboard.peerClosed(number)
            worker.figures.abandonedPolls += 1
        case .pending: break
        case .recheck(let poll): abandonRecheck(poll)
        case .asked(let asked): asked.question?.downstreamGone()
        case .proxied(let proxied): proxied.downstreamGone()
        }
        exchange = .none
    }

    override func abandon() { giveUp(worker.isEnding ? .shutdown : .clientGone) }

    override func giveUp(_ end: ExchangeRecord.End) {
        let proxied: ProxiedExchange? = if case .proxied(let proxied) = exchange { proxied } else { nil }
        leaveExchange()
        // 499 is what proxies write for a client that left before its answer.
        let status = proxied.map { $0.responseHasBegun ? $0.record.status : 499 } ?? 499
        finishAccessEntry(status: status, bytes: proxied?.record.contentBytes ?? 0, of: proxied, end: end)
    }

    override func ended() {
        giveBackTaken()
        if isCounted { worker.giveBackConnection(ClientKey(peer.address)) }
        isCounted = false
        if case .none = exchange { return }
        abandon()
    }

    override func handed(_ grants: [UInt64: HandedGrant]) -> HandedConnection? {
        guard takenInFlight.isEmpty, var connection = handed(.client, holding: handedPoll(grants)) else {
            return nil
        }
        connection.peer = peer
        connection.requestCount = requestCount
        connection.entry = accessEntry?.handed
        connection.pollKey = pollKey
        return connection
    }

    override func forgetPoll() {
        switch exchange {
        case .poll:
            endPlace()
            worker.switchboard.peerClosed(number)
        case .recheck: worker.rechecks.handedOver(number)
        case .none, .pending, .asked, .proxied: break
        }
        accessEntry = nil
        endPoll()
    }

    override func drain() {
        switch exchange {
        case .poll: perform(worker.switchboard.finish(number, .drain))
        case .recheck: worker.perform(worker.rechecks.finish(number, now: worker.now), onRecheck: number)
        case .none, .pending, .asked, .proxied: super.drain()
        }
    }

    override func answerNow() {
        guard case .recheck(let poll) = exchange else { return drain() }
        let question = poll.question
        poll.question = nil
        question?.downstreamGone()
        worker.perform(worker.rechecks.cutShort(number), onRecheck: number)
    }
}
