/// Polls that the app has to allow first: known grants are used, else the app is asked with the client's own fields.
import ByteText
import ConfigFile
import Gateway
import HTTP1
import Polling
import Reactor

/// A poll whose client the app is being asked about.
final class AskedPoll {
    let route: HoldRoute
    let rule: AuthorizeRule
    let captures: PathPattern.Captures
    let client: RequestForwarding.Client
    let head: RequestHead
    /// nil: it has none.
    let content: [UInt8]?
    /// nil: the client shows no credential, so nothing is kept.
    let credential: [UInt8]?
    let identity: RequestIdentity
    var question: ProxiedExchange?

    init(
        route: HoldRoute, rule: AuthorizeRule, captures: PathPattern.Captures, client: RequestForwarding.Client,
        head: borrowing RequestHead, content: [UInt8]?
    ) {
        self.route = route
        self.rule = rule
        self.captures = captures
        self.client = client
        self.head = copy head
        self.content = content
        credential = rule.credential(head)
        identity = rule.identity(
            head, content: content ?? [], credential: credential ?? [],
            ignoring: [route.afterParameter, route.callbackParameter])
    }
}

extension DownstreamStream {
    func beginAuthorized(
        _ route: HoldRoute, _ rule: AuthorizeRule, _ captures: PathPattern.Captures,
        _ client: RequestForwarding.Client, _ head: borrowing RequestHead, content: [UInt8]? = nil
    ) {
        let asked = AskedPoll(
            route: route, rule: rule, captures: captures, client: client, head: head, content: content)
        if asked.credential != nil, let grant = worker.hub.rechecks.grant(asked.identity, now: worker.now) {
            return poll(asked, grant)
        }
        exchange = .asked(asked)
        worker.output.reset()
        RequestForwarding.write(
            asked.head, client: client, host: worker.service.upstreamHost, upgrading: false,
            content: content, into: &worker.output)
        let question = ProxiedExchange(
            downstream: self, asked: asked, requestBytes: rule.question(asked.head, written: worker.output.bytes))
        worker.output.reset()
        asked.question = question
        question.seekServer()
    }

    private func poll(_ asked: AskedPoll, _ grant: GrantTable.Grant?, fields: [GrantedField] = []) {
        exchange = .none
        grantSerial = grant?.serial ?? 0
        let decision = worker.service.routes.decide(
            asked.head, on: asked.route, captures: asked.captures, client: asked.client.identity.client,
            content: asked.content, granted: grant?.fields ?? fields)
        switch decision {
        case .poll(let request): beginPoll(request, asked.head, of: asked.client.identity.client)
        case .answer(let plain): answer(plain)
        case .content, .recheck, .authorize, .proxy:
            preconditionFailure("a poll that is allowed is a poll or is refused")
        }
    }

    /// The app has answered.
    ///
    /// - Returns: whether the client is to be told so, since it is not let in.
    func authorizationAnswered(_ asked: AskedPoll, _ head: borrowing ResponseHead) -> Bool {
        guard case .asked(let current) = exchange, current === asked else { return false }
        guard (200...299).contains(head.status) else {
            if let question = asked.question { exchange = .proxied(question) }
            return true
        }
        let fields = GrantedField.all(of: head)
        asked.question = nil
        let grant = asked.credential.map { credential in
            worker.hub.rechecks.keep(
                fields, for: asked.identity, credential: credential, until: worker.now + asked.rule.cache)
        }
        poll(asked, grant, fields: fields)
        return false
    }
}

extension Worker {
    /// What these credentials were granted is worth nothing any more; nil: nobody's grant is.
    @discardableResult
    func revoke(_ credential: [UInt8]?) -> Int {
        switch handover.stage {
        case .serving: break
        // The grant may be among what another worker has written down for the other process.
        case .quiet: handover.withhold(.revocation(credential))
        case .frozen, .left:
            pass(.revocation(credential))
            return 0
        }
        let serials = hub.rechecks.revoke(credential)
        if !serials.isEmpty { hub.tellAll(.revoked(serials)) }
        return serials.count
    }

    /// Ends the polls that are held under these grants; the next poll of their clients asks the app.
    func endPolls(under serials: Set<UInt64>) {
        for number in switchboard.heldConnections {
            guard let stream = streams[number] as? DownstreamStream, serials.contains(stream.grantSerial)
            else { continue }
            perform(switchboard.finish(number, .revoked), on: number)
        }
    }
}
