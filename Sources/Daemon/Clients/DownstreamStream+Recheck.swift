/// A client's polls on recheck routes: read, asked for, held, answered.
import ByteText
import ConfigFile
import Gateway
import HTTP1
import Polling
import Reactor

extension DownstreamStream {
    func beginRecheck(
        _ route: RecheckRoute, _ captures: PathPattern.Captures, _ client: RequestForwarding.Client,
        _ head: borrowing RequestHead
    ) {
        worker.figures.polls += 1
        let pending = PendingPoll(route: .recheck(route), captures: captures, client: client, head: head)
        // Its body is a part of the question.
        if head.framing == .none { beginRecheck(pending, route) } else { awaitContent(of: pending) }
    }

    /// The scratch serves other streams until the poll's body has come.
    func awaitContent(of pending: PendingPoll) {
        exchange = .pending(pending)
        setClock(.body)
    }

    /// A piece of a poll's body. What turns out to be too long to be kept is no poll that is held.
    func pendingContent(_ bytes: Span<UInt8>, _ pending: PendingPoll) {
        pending.body.append(bytes)
        guard pending.body.count > CapturedContent.bytesLimit else { return setClock(.body) }
        switch pending.route {
        case .hold(let hold): answer(hold.contentTooLong(pending.head))
        case .recheck(let route):
            beginProxied(route.proxy, pending.head, pending.client)
            let body = pending.body
            contentReceived(body.span)
        }
    }

    /// The poll is whole.
    func begin(_ pending: PendingPoll) {
        setClock(nil)
        switch pending.route {
        case .recheck(let route): beginRecheck(pending, route)
        case .hold(let hold):
            let decision = worker.service.routes.decide(
                pending.head, on: hold, captures: pending.captures, client: pending.client.identity.client,
                content: pending.body)
            switch decision {
            case .poll(let request): beginPoll(request, pending.head, of: pending.client.identity.client)
            case .answer(var plain):
                if pending.client.rules.returnsRequestID { plain.requestID = pending.client.requestID }
                answer(plain)
            case .authorize(let hold, let rule, let captures):
                beginAuthorized(hold, rule, captures, pending.client, pending.head, content: pending.body)
            case .content, .recheck, .proxy:
                preconditionFailure("a hold route decides on a whole poll by itself")
            }
        }
    }

    private func beginRecheck(_ pending: PendingPoll, _ route: RecheckRoute) {
        var request = route.read(
            pending.head, captures: pending.captures, client: pending.client.identity.client, body: pending.body)
        let known = request.flatMap { knowledge(of: $0.identity, on: route) }
        request?.lastAnswer = known?.digest
        let requestID = pending.client.rules.returnsRequestID ? pending.client.requestID : nil
        let poll = RecheckedPoll(
            request: request ?? RecheckRequest(passing: route, pending.head), requestBytes: requestBytes(pending),
            machine: machine(pending, route, returning: requestID), method: pending.head.method,
            wantedServer: ProxiedExchange.stickyServer(pending.head, in: worker.service.upstream),
            in: worker.service.upstream, returnedRequestID: requestID,
            place: SharedRechecks.Place(worker: worker.number, stream: number, serial: worker.nextSerial()),
            receivedAt: worker.loop.now)
        if route.observes, let request { return pass(poll, observing: observation(of: request)) }
        // What may not be held is not refused either: the app answers it, as it would without us.
        guard let request, !worker.handover.stage.isParting,
            case .admitted(let key) = worker.admitPoll(pending.head, of: pending.client.identity.client)
        else { return pass(poll) }
        pollKey = key
        exchange = .recheck(poll)
        if let key = request.supersedeKey,
            let old = worker.hub.rechecks.supersede(key, by: poll.place, startedAt: worker.now)
        {
            worker.supersede(old)
        }
        let action = worker.rechecks.received(request, knowing: known?.knowledge, on: number, now: worker.now)
        worker.perform(action, onRecheck: number)
    }

    /// What is known of a request that has just come, and the answer that its page has where the route compares them.
    private func knowledge(
        of identity: RequestIdentity, on route: RecheckRoute
    ) -> (knowledge: Knowledge, digest: RequestIdentity.BodyDigest?)? {
        guard route.nothingNew.comparesLast else {
            return worker.hub.rechecks.knowledge(of: identity).map { ($0, nil) }
        }
        let last = lastAnswer.flatMap { $0.identity == identity ? $0 : nil }
        lastAnswer = nil
        let isSure = worker.hub.rechecks.polled(identity, having: last?.digest, now: worker.now, age: route.timeout)
        return isSure ? last.map { ($0.knowledge, $0.digest) } : nil
    }

    /// The request as it goes to the app, whole. The answer is to be read here, so it is asked for uncompressed.
    private func requestBytes(_ pending: PendingPoll) -> [UInt8] {
        worker.output.reset()
        RequestForwarding.write(
            pending.head, client: pending.client, host: worker.service.upstreamHost, upgrading: false,
            uncompressed: true, content: pending.body, into: &worker.output)
        defer { worker.output.reset() }
        return worker.output.bytes
    }

    private func machine(
        _ pending: PendingPoll, _ route: RecheckRoute, returning requestID: RequestID?
    ) -> ProxyExchange {
        var machine = ProxyExchange(
            pending.head, route: route.proxy, as: manner, returning: requestID)
        var unused = HTTPWriter()
        machine.requestEnded(trailers: FieldLines(), into: &unused)
        return machine
    }

    /// What the board decided for this connection's poll.
    func perform(_ action: RecheckBoard.Action) {
        guard case .recheck(let poll) = exchange else { return }
        switch action {
        case .watch, .watchAgain: preconditionFailure("the worker asks the pool")
        case .wait: break
        case .ask:
            let question = ProxiedExchange(downstream: self, poll: poll, withholds: true)
            poll.question = question
            question.seekServer()
        case .relay(let ending):
            guard let question = poll.question else { preconditionFailure("there is an answer to relay") }
            endAnswered(poll)
            question.pollOutcome = PollOutcome(.recheck(ending), releasedAt: worker.loop.now)
            exchange = .proxied(question)
        case .share(let leader, let ending): share(poll, with: leader, ending)
        case .answer(let kept, let ending):
            endAnswered(poll)
            send(kept ?? KeptAnswer(poll.request.route.empty, date: worker.switchboard.date), ending)
        case .fail(let failure, let ending):
            endAnswered(poll)
            answer(PlainAnswer(failure), poll: .recheck(ending))
        case .pass: pass(poll)
        }
    }

    /// Passes the request on as if its route were none.
    private func pass(_ poll: RecheckedPoll, observing observation: Observation? = nil) {
        endPlace(poll)
        worker.figures.proxied += 1
        let proxied = ProxiedExchange(downstream: self, poll: poll, withholds: false)
        proxied.observation = observation
        if observation == nil { proxied.pollOutcome = PollOutcome(.passed, releasedAt: worker.loop.now) }
        exchange = .proxied(proxied)
        proxied.seekServer()
    }

    private func share(_ poll: RecheckedPoll, with leader: Int, _ ending: RecheckExchange.Ending) {
        guard let withheld = (worker.streams[leader] as? DownstreamStream)?.withheldAnswer, let head = withheld.head
        else {
            preconditionFailure("a shared answer is there when it is shared")
        }
        endAnswered(poll)
        send(KeptAnswer(whole: head, body: withheld.content), ending)
    }

    private var withheldAnswer: WithheldAnswer? {
        guard case .recheck(let poll) = exchange else { return nil }
        return poll.question?.withheld
    }

    private func send(_ kept: KeptAnswer, _ ending: RecheckExchange.Ending) {
        exchange = .none
        var manner = manner
        if worker.isDraining { manner.keepsAlive = false }
        worker.output.reset()
        let sent = kept.write(for: manner, into: &worker.output)
        send(shared: worker.output.bytes)
        worker.output.reset()
        finishAccessEntry(status: kept.status, bytes: sent, poll: .recheck(ending))
        exchangeEnded(keepsAlive: manner.keepsAlive)
        watchOutput()
    }

    // MARK: Questions

    /// Whether an answer with this status has to be had whole before anything of it may be told.
    func mayBeNothing(_ status: Int, of poll: RecheckedPoll) -> Bool {
        poll.request.route.nothingNew.mayBe(status) || worker.rechecks.hasFollowers(number)
    }

    /// The app has answered this poll's question.
    ///
    /// - Parameter isWhole: the withheld answer is complete. If not, it can't be "nothing new".
    /// - Returns: whether it is to be relayed to this client.
    func questionAnswered(_ poll: RecheckedPoll, isWhole: Bool) -> Bool {
        guard case .recheck(let current) = exchange, current === poll, let withheld = poll.question?.withheld,
            let head = withheld.head, let asked = worker.rechecks.exchange(number)
        else { return false }
        let route = poll.request.route
        let content = withheld.content
        let digest = isWhole && route.nothingNew.comparesLast ? RequestIdentity.digest(of: content) : nil
        let carriesNews = !isWhole || poll.request.hasNewCookies(in: head)
        let isNothing: (RecheckRequest) -> Bool = { request in
            !carriesNews
                && route.nothingNew.isMet(
                    status: head.status, body: content.span, isSame: digest != nil && digest == request.lastAnswer)
        }
        let kept = isWhole ? KeptAnswer(head, body: content) : nil
        let knowledge = Knowledge(number: asked.number, askedAt: asked.sentAt, kept: kept)
        if !route.nothingNew.comparesLast { remember(knowledge, isNothing: isNothing(poll.request), of: poll.request) }
        let decisions = worker.rechecks.answered(
            number, kept: kept, mayShare: isWhole && route.mayShare(head), now: worker.now, isNothing: isNothing)
        if let digest { worker.noteAnswers(decisions, digest, knowledge) }
        worker.perform(decisions)
        if case .proxied = exchange { return true }
        poll.question = nil
        return false
    }

    /// What is known for the next poll.
    private func remember(_ knowledge: Knowledge, isNothing: Bool, of request: RecheckRequest) {
        if isNothing {
            worker.hub.rechecks.remember(knowledge, of: request.identity)
        } else {
            worker.hub.rechecks.forget(request.identity)
        }
    }

    /// The poll under way gets this answer, by which the next one is measured.
    func noteAnswer(_ digest: RequestIdentity.BodyDigest, _ knowledge: Knowledge) {
        guard case .recheck(let poll) = exchange else { return }
        let identity = poll.request.identity
        lastAnswer = LastAnswer(identity: identity, digest: digest, knowledge: knowledge)
        worker.hub.rechecks.answered(knowledge, digest, to: identity, now: worker.now)
    }

    /// The app gave no answer to this poll's question.
    func questionFailed(_ poll: RecheckedPoll, _ failure: ProxyFailure) {
        poll.question = nil
        worker.perform(worker.rechecks.failed(number, failure, now: worker.now))
    }

    // MARK: Ends

    /// The client has gone while it was held or asked for.
    func abandonRecheck(_ poll: RecheckedPoll) {
        worker.rechecks.peerClosed(number)
        endPlace(poll)
        let question = poll.question
        poll.question = nil
        question?.downstreamGone()
    }

    private func endAnswered(_ poll: RecheckedPoll) {
        worker.figures.recheckTimes.count(worker.loop.now - poll.receivedAt, on: .poll)
        endPlace(poll)
    }

    private func endPlace(_ poll: RecheckedPoll) {
        endCounting()
        if let key = poll.request.supersedeKey { worker.hub.rechecks.ended(key, poll.place) }
    }

    /// The place of the poll under way.
    var place: SharedRechecks.Place? {
        switch exchange {
        case .poll(let held): held?.place
        case .recheck(let poll): poll.place
        case .none, .pending, .asked, .proxied: nil
        }
    }
}

/// What a connection was answered last, if that was a poll on a recheck route that compares answers: whoever sends the
/// next request on it has that answer.
///
/// A class, so that every other connection has one word for it.
final class LastAnswer {
    let identity: RequestIdentity
    let digest: RequestIdentity.BodyDigest
    let knowledge: Knowledge

    init(identity: RequestIdentity, digest: RequestIdentity.BodyDigest, knowledge: Knowledge) {
        self.identity = identity
        self.digest = digest
        self.knowledge = knowledge
    }
}
