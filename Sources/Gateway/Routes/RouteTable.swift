/// The routes of a configuration in order, and which one a request takes.
import ByteText
package import ConfigFile
package import HTTP1
package import Polling

package struct RouteTable: Sendable {
    private enum Target: Sendable {
        case hold(HoldRoute)
        case recheck(RecheckRoute)
        case proxy(ProxyRoute)
    }

    private struct Route: Sendable {
        let pattern: PathPattern
        let target: Target
    }

    private let routes: [Route]
    /// For what no route takes.
    private let rest: ProxyRoute
    private let epoch: Epoch
    /// Cookies in which browsers keep a cursor; a page that the app renders begins at its own moment.
    private let cursorCookies: [[UInt8]]

    package init(_ configuration: Configuration, epoch: Epoch) {
        self.epoch = epoch
        cursorCookies = Set(
            configuration.routes.compactMap { route in
                if case .hold(let hold) = route.kind, case .cookie(let name) = hold.cursor { name } else { nil }
            }
        ).sorted().map { Array($0.utf8) }
        let rest = ProxyRoute(configuration.proxy, configuration.upstream)
        self.rest = rest
        routes = configuration.routes.map { route in
            switch route.kind {
            case .hold(let hold):
                let holdRoute = HoldRoute(hold, path: route.path.description, proxy: rest)
                return Route(pattern: route.path, target: .hold(holdRoute))
            case .recheck(let recheck):
                let recheckRoute = RecheckRoute(
                    recheck, path: route.path.description, upstream: configuration.upstream)
                return Route(pattern: route.path, target: .recheck(recheckRoute))
            case .proxy(let proxy):
                return Route(pattern: route.path, target: .proxy(ProxyRoute(proxy, configuration.upstream)))
            }
        }
    }

    /// What becomes of a request from outside. The first route whose path matches decides; without one the app does.
    package func decide(_ head: borrowing RequestHead, client: ClientAddress) -> Decision {
        for route in routes {
            guard let captures = route.pattern.match(head[head.pathRange]) else { continue }
            switch route.target {
            case .hold(let hold): return hold.decide(head, captures: captures, client: client, epoch: epoch)
            case .recheck(let recheck):
                if let answer = RequestForwarding.endOfHops(head) { return .answer(answer) }
                return recheck.takes(head) ? .recheck(recheck, captures) : .proxy(recheck.proxy)
            case .proxy(let proxy): return pass(head, to: proxy)
            }
        }
        return pass(head, to: rest)
    }

    private func pass(_ head: borrowing RequestHead, to route: ProxyRoute) -> Decision {
        if let answer = RequestForwarding.endOfHops(head) { return .answer(answer) }
        return .proxy(route)
    }

    /// What becomes of a poll that the app has allowed, or whose body has come.
    package func decide(
        _ head: borrowing RequestHead, on route: HoldRoute, captures: PathPattern.Captures, client: ClientAddress,
        content: [UInt8]? = nil, granted: [GrantedField]? = nil
    ) -> Decision {
        route.decide(head, captures: captures, client: client, epoch: epoch, content: content, granted: granted)
    }

    /// The rules by which clients are let in.
    package var authorizeRules: [AuthorizeRule] {
        routes.compactMap { route in if case .hold(let hold) = route.target { hold.authorize } else { nil } }
    }

    /// Whether the page that a request may ask for is to begin at a cursor.
    package func mayBeginPage(_ head: borrowing RequestHead) -> Bool { !cursorCookies.isEmpty && head.method == .get }

    /// Set-Cookie values for an app's response, if it is a page.
    ///
    /// - Parameter number: the pool's newest when the request came, so that nothing is missed that is published while
    ///   the app renders.
    package func pageCookies(_ head: borrowing ResponseHead, at number: UInt64) -> [[UInt8]] {
        guard head.status == 200, let line = head.fields.first(of: .contentType) else { return [] }
        let type = head.fields.value(of: line)
        guard type.count >= 9, type.extracting(0..<9).equalsIgnoringCase("text/html") else { return [] }
        return cursorCookies.map { name in
            var text: [UInt8] = []
            CursorCookie.append(name: name, epoch: epoch, number: number, to: &text)
            return text
        }
    }

    /// What becomes of a poll on the control socket.
    package func decideTrusted(_ head: borrowing RequestHead) -> Decision {
        HoldRoute.trusted.decide(head, captures: .none, client: .unix, epoch: epoch)
    }

    /// The hold route that now stands in the place of `old`, if polls of that one may go on under it.
    ///
    /// - Parameter channels: what such a poll waits for.
    package func successor(of old: HoldRoute, channels: [ChannelName]) -> HoldRoute? {
        if old === HoldRoute.trusted { return old }
        for case .hold(let route) in routes.map(\.target) where route.path == old.path {
            // Who was let in without being asked for is not let in by the new route.
            guard route.authorize == nil || old.authorize != nil else { return nil }
            return route.channels == old.channels && channels.allSatisfy(route.allows) ? route : nil
        }
        return nil
    }

    /// The hold route under which a poll goes on that another process has held.
    package func successor(of hold: HandedHold) -> HoldRoute? {
        if hold.isTrusted { return .trusted }
        for case .hold(let route) in routes.map(\.target) where route.path == hold.poll.path {
            guard route.authorize == nil || hold.isAuthorized,
                route.channels.map(\.description) == hold.poll.templates, hold.poll.channels.allSatisfy(route.allows)
            else { return nil }
            return route
        }
        return nil
    }

    /// The same for a recheck route.
    package func successor(of recheck: HandedRecheck) -> RecheckRoute? {
        for case .recheck(let route) in routes.map(\.target) where route.path == recheck.poll.path {
            guard !route.observes, route.channels.map(\.description) == recheck.poll.templates else { return nil }
            // Its client's answer is not known where it was not compared with.
            return !route.nothingNew.comparesLast || recheck.comparesLast ? route : nil
        }
        return nil
    }

    /// Whether polls of a recheck route may go on: there still is one with this path and the same channels.
    package func goesOn(_ old: RecheckRoute) -> Bool {
        routes.contains { route in
            guard case .recheck(let recheck) = route.target else { return false }
            return recheck.path == old.path && recheck.channels == old.channels && !recheck.observes
        }
    }
}
