/// What the main thread and other workers tell a worker: wake these polls, serve by this configuration, drain, end.
import Gateway
import HTTP1
import Polling
import Reactor

extension Worker {
    func take(_ notice: WorkerNotice) {
        // Who is asleep may have an answer of another process already.
        if handover.stage == .frozen, notice.endsPolls { return handover.postponed.append(notice) }
        switch notice {
        case .wake(let channel): switchboard.noticed(channel)
        case .signal(let channel): rechecks.noticed(channel, now: now)
        case .permit(let path): permits[path, default: 0] += 1
        case .supersede(let place): supersede(place)
        case .revoked(let serials): endPolls(under: serials)
        case .serve(let service, let sockets, let generation):
            reconfigure(service)
            if let sockets { listenAnew(on: sockets) }
            server.inbox.post(.serves(number, generation: generation))
        case .listen(let sockets): listenAnew(on: sockets)
        case .granted(let group, let ticket, let server): granted(group, ticket, server)
        case .makeRoom: shedIdle()
        case .areYouThere: reportPresence()
        case .drain(let spread): drain(over: spread)
        case .endNow: endNow()
        case .reloaded(let asker, let errors): stream(of: asker)?.reloaded(errors: errors)
        case .settled(let replies): settled(replies)
        case .becomeQuiet: becomeQuiet()
        case .freeze: handover.isFreezeDue = true
        case .goOnServing: goOnServing()
        case .leave: leave()
        case .adopt(let connections): adopt(connections)
        case .late(let event): perform(event)
        case .upgraded(let asker, let result): stream(of: asker)?.upgraded(result)
        }
    }

    private func reconfigure(_ service: Service) {
        let upstreamMoved = service.upstream !== self.service.upstream
        self.service = service
        accessLog = service.makeAccessLog()
        if upstreamMoved { for stream in upstream.takeAll() { stream.end() } }
        // A poll goes on if a route with the same channels stands in the place of its own and still allows them.
        for number in switchboard.heldConnections {
            guard let (route, channels) = switchboard.held(on: number) else { continue }
            let names = hub.withPool { $0.channelNames(of: channels) }
            if let successor = service.routes.successor(of: route, channels: names) {
                switchboard.adopt(successor, on: number)
            } else {
                perform(switchboard.finish(number, .reload), on: number)
            }
        }
        for (number, route) in rechecks.polls where !service.routes.goesOn(route) {
            perform(rechecks.routeGone(number, now: now), onRecheck: number)
        }
    }
}
