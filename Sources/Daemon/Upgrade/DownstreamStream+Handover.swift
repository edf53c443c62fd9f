/// A client's connection on its way to another process, and one that comes from there.
import ConfigFile
import Gateway
import HTTP1
import Polling
import Reactor

extension DownstreamStream {
    // MARK: Away

    /// The poll that is held, for another process.
    func handedPoll(_ grants: [UInt64: HandedGrant]) -> HandedConnection.State? {
        switch exchange {
        case .poll(let place):
            guard var hold = worker.handedHold(on: number, supersedeKey: place?.key) else { return nil }
            hold.grant = grants[grantSerial]
            return .hold(hold)
        case .recheck(let poll) where poll.question == nil:
            let progress = worker.rechecks.progress(of: number) { channels, since in
                // A notice of what has happened may still be on its way.
                worker.hub.withPool { $0.isQuiet(channels, since: since) ? $0.lastNumber : nil }
            }
            guard let progress else { return nil }
            let server = poll.wantedServer(in: worker.service.upstream).map { worker.service.upstream.names[$0] }
            return .recheck(
                HandedRecheck(
                    poll.request, progress, requestBytes: poll.requestBytes, server: server,
                    requestID: poll.returnedRequestID, epoch: worker.hub.epoch,
                    startedAt: Moment(nanoseconds: poll.receivedAt), date: worker.switchboard.date))
        case .none, .pending, .asked, .recheck, .proxied: return nil
        }
    }

    // MARK: Here

    func goOn(as connection: HandedConnection) {
        begin(as: connection)
        if worker.accessLog != nil { accessEntry = connection.entry.map(AccessEntry.init) }
        switch connection.state {
        case .idle: break
        case .hold(let hold):
            takeUp(connection)
            guard let route = worker.service.routes.successor(of: hold) else { return endWith(hold.poll) }
            grantSerial = hold.grantSerial
            goOn(hold.request(on: route, epoch: worker.hub.epoch), since: hold.poll.startedAt)
        case .recheck(let recheck):
            takeUp(connection)
            guard let route = worker.service.routes.successor(of: recheck), goOn(recheck, on: route) else {
                return endWith(recheck.poll)
            }
        }
    }

    private func takeUp(_ connection: HandedConnection) {
        worker.figures.polls += 1
        pollKey = connection.pollKey
        if pollKey != .nobody { _ = worker.server.takePoll(pollKey, limit: .max) }
    }

    private func goOn(_ request: PollRequest, since startedAt: Moment) {
        let place = newPlace
        exchange = .poll(request.supersedeKey.map { HeldPlace(key: $0, place: place) })
        perform(worker.switchboard.received(request, on: number, now: startedAt))
        join(request.supersedeKey, place, startedAt)
    }

    private var newPlace: SharedRechecks.Place {
        SharedRechecks.Place(worker: worker.number, stream: number, serial: worker.nextSerial())
    }

    /// Takes its place among the polls that take each other's, if it is still held.
    private func join(_ key: [UInt8]?, _ place: SharedRechecks.Place, _ startedAt: Moment) {
        guard let key, self.place == place else { return }
        let old = worker.hub.rechecks.supersede(key, by: place, startedAt: startedAt, isNew: false)
        if let old { worker.supersede(old) }
    }

    /// - Returns: false if the request is none, which it always is.
    private func goOn(_ recheck: HandedRecheck, on route: RecheckRoute) -> Bool {
        guard let machine = machine(recheck, route) else { return false }
        let place = newPlace
        let group = worker.service.upstream
        let poll = RecheckedPoll(
            request: RecheckRequest(recheck, on: route, serial: place.serial), requestBytes: recheck.requestBytes,
            machine: machine.exchange, method: machine.method,
            wantedServer: recheck.server.flatMap { group.names.firstIndex(of: $0) }, in: group,
            returnedRequestID: recheck.requestID,
            place: place, receivedAt: recheck.poll.startedAt.nanoseconds)
        exchange = .recheck(poll)
        var progress = recheck.progress
        // Numbers of another pool say nothing about this one's.
        if recheck.poll.epoch != worker.hub.epoch { progress.number = nil }
        let action = worker.rechecks.adopted(poll.request, progress, startedAt: recheck.poll.startedAt, on: number)
        worker.perform(action, onRecheck: number)
        join(recheck.poll.supersedeKey, place, recheck.poll.startedAt)
        return true
    }

    private func machine(
        _ recheck: HandedRecheck, _ route: RecheckRoute
    ) -> (exchange: ProxyExchange, method: Method)? {
        var (reader, head, position) = (RequestReader(), RequestHead(), 0)
        do throws(HTTPError) {
            let event = try reader.next(
                recheck.requestBytes.span, &position, head: &head, limits: worker.service.headLimits)
            guard event == .head else { return nil }
        } catch {
            return nil
        }
        var exchange = ProxyExchange(
            head, route: route.proxy, as: recheck.poll.manner, returning: recheck.requestID)
        var unused = HTTPWriter()
        exchange.requestEnded(trailers: FieldLines(), into: &unused)
        return (exchange, head.method)
    }

    /// No route of this process goes on with the poll.
    private func endWith(_ poll: HandedPoll) {
        send(shared: poll.lastWord)
        endPoll()
        finishAccessEntry(status: poll.lastStatus, bytes: 0, poll: .hold(.reload, messages: 0))
        exchangeEnded(keepsAlive: poll.manner.keepsAlive)
        watchOutput()
    }
}

extension Worker {
    /// A connection's held poll, for another process.
    func handedHold(on number: Int, supersedeKey key: [UInt8]?) -> HandedHold? {
        guard let (_, channels) = switchboard.held(on: number) else { return nil }
        let names = hub.withPool { $0.channelNames(of: channels) }
        return switchboard.handed(number, names: names, supersedeKey: key)
    }
}
