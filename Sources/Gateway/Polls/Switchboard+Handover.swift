/// A held poll on its way to another process, and one that comes from there.
import ConfigFile
package import Polling

extension Switchboard {
    /// What the connection's held poll is, for another process; nil if none is held on it. It goes on being held.
    ///
    /// - Parameters:
    ///   - names: of its channels.
    ///   - key: of those whose place another may take.
    package mutating func handed(
        _ number: ConnectionNumber, names: [ChannelName], supersedeKey key: [UInt8]?
    ) -> HandedHold? {
        guard let (style, after, startedAt) = waiting(on: number) else { return nil }
        let route = style.route
        let lastWord = encoder.emptyAnswer(at: after, style: style, release: .reload)
        let poll = HandedPoll(
            path: route.path, templates: route.channels.map(\.description), epoch: encoder.epoch, channels: names,
            manner: style.manner, supersedeKey: key, startedAt: startedAt, lastWord: lastWord.bytes,
            lastStatus: lastWord.status)
        return HandedHold(
            poll: poll, after: after, isTrusted: route === HoldRoute.trusted, isAuthorized: route.authorize != nil,
            origin: route.crossOrigin.handed(style.origin), callback: style.callback)
    }
}

extension Switchboard {
    /// A poll that came too late for this process, and can't be handed over since it does not wait: it has what is
    /// there, or the empty answer, and its client comes again.
    package mutating func receivedLate(
        _ request: consuming PollRequest, on number: ConnectionNumber, now: Moment
    ) -> Action {
        let late = PollRequest(
            channels: request.channels, position: request.position, style: request.style, mayHold: false,
            supersedeKey: request.supersedeKey)
        let (style, takes) = (request.style, request.style.route.takes)
        let action = received(late, on: number, now: now)
        guard takes else { return action }
        // What would be taken here, the other process would hand out once more.
        return end(number, with: encoder.emptyAnswer(at: 0, style: style, release: .drain))
    }
}

extension HandedHold {
    /// The poll as it goes on under a route.
    ///
    /// - Parameter epoch: of the pool that answers it from now on.
    package func request(on route: HoldRoute, epoch: Epoch) -> PollRequest {
        PollRequest(
            channels: poll.channels, position: poll.epoch == epoch ? .after(after) : .foreign,
            style: AnswerStyle(
                route: route, manner: poll.manner, origin: route.crossOrigin.allowed(origin), callback: callback),
            mayHold: true, supersedeKey: poll.supersedeKey)
    }
}

extension CrossOrigin {
    func handed(_ origin: AllowedOrigin) -> HandedOrigin {
        switch origin {
        case .none: .none
        case .any: .any
        case .listed(let index): .listed(text(of: index))
        }
    }

    /// What an origin is allowed that another configuration allowed something.
    func allowed(_ origin: HandedOrigin) -> AllowedOrigin {
        switch origin {
        case .none: .none
        case .any: allowsAny ? .any : .none
        case .listed(let text): allowsAny ? .any : index(of: text).map { .listed($0) } ?? .none
        }
    }
}
