/// The app's servers as all workers share them: who is asked next, where it is, how it stands.
///
/// Decisions are the `Balancer`'s, under one lock; this class adds addresses, and tells the workers of grants and the
/// log of changes. A reload that leaves `upstream` as it is keeps its group, and with it what is known of each server.
import ConfigFile
import Gateway
import Logging
import Polling
import Reactor

final class UpstreamGroup: Sendable {
    /// A place at a server, to be given back by `ended`.
    struct Lease: Sendable {
        let server: Balancer.ServerNumber
        let address: SocketAddress
        /// Of the server's addresses; a kept connection of another one goes to where the server no longer is.
        let generation: UInt32
    }

    enum Assignment {
        case server(Lease)
        case waits
        case refused(ProxyFailure)
    }

    private struct State {
        var balancer: Balancer
        var places: [Place]
    }

    private struct Place {
        var addresses: [SocketAddress]
        /// Which of them is next; moved on by a failure.
        var turn = 0
        var generation: UInt32 = 0
        /// How long its responses took to begin.
        var times = Histogram()
    }

    let configuration: Configuration.Upstream
    /// For logs, in the order of the configuration.
    let names: [String]
    /// What the cookie says of each server: stable over restarts, and nothing of its address.
    private let marks: [[UInt8]]
    private let state: Guarded<State>
    private let hub: Hub
    private let log: Logger

    init(_ configuration: Configuration.Upstream, hub: Hub, log: Logger) {
        self.configuration = configuration
        self.hub = hub
        self.log = log
        names = configuration.servers.map { "\($0.address)" }
        marks = names.map { Self.mark(of: $0) }
        let places = configuration.servers.map { server in
            Place(addresses: Self.fixedAddress(server.address).map { [$0] } ?? [])
        }
        var balancer = Balancer(configuration, seed: .random(in: .min ... .max))
        for (server, place) in places.enumerated() where place.addresses.isEmpty {
            _ = balancer.setResolved(server, false, now: Moment(nanoseconds: 0))
        }
        state = Guarded(State(balancer: balancer, places: places))
    }

    /// The address of a server that is not known by name.
    static func fixedAddress(_ server: UpstreamServer) -> SocketAddress? {
        switch server {
        case .unix(let path): .unix(path: path)
        case .network(let host, let port): SocketAddress(numericHost: host, port: port)
        }
    }

    // MARK: For workers

    func request(
        _ ticket: Balancer.Ticket, wanted: Balancer.ServerNumber?, tried: ServerSet, now: Moment
    ) -> Assignment {
        state.withLock { state in
            switch state.balancer.request(ticket, wanted: wanted, tried: tried, now: now) {
            case .server(let server): .server(Self.lease(state.places, server))
            case .waits: .waits
            case .refused(let failure): .refused(failure)
            }
        }
    }

    /// The place that was granted to a request which waited.
    func lease(_ server: Balancer.ServerNumber) -> Lease { state.withLock { Self.lease($0.places, server) } }

    /// - Returns: false if a grant is on its way; it is then to be given back when it comes.
    func cancel(_ ticket: Balancer.Ticket) -> Bool { state.withLock { $0.balancer.cancel(ticket) } }

    /// - Parameter responseTime: in nanoseconds; nil: no response began.
    func ended(
        _ server: Balancer.ServerNumber, _ outcome: Balancer.Outcome, responseTime: Int64? = nil, now: Moment
    ) {
        change { state in
            if let responseTime { state.places[server].times.count(responseTime, on: .upstream) }
            if outcome == .failed { state.places[server].turn += 1 }
            return state.balancer.ended(server, outcome, now: now)
        }
    }

    /// Whether a connection of this generation still goes to where the server is.
    func isCurrent(_ generation: UInt32, of server: Balancer.ServerNumber) -> Bool {
        state.withLock { $0.places[server].generation == generation }
    }

    private static func lease(_ places: [Place], _ server: Int) -> Lease {
        let place = places[server]
        precondition(!place.addresses.isEmpty, "a server without an address is not assigned")
        return Lease(
            server: server, address: place.addresses[place.turn % place.addresses.count], generation: place.generation)
    }

    // MARK: For the main thread

    func checked(_ server: Balancer.ServerNumber, passes: Bool, now: Moment) {
        change { $0.balancer.checked(server, passes: passes, now: now) }
    }

    /// - Parameter addresses: not empty; a failed look-up keeps what was known.
    func resolved(_ server: Balancer.ServerNumber, _ addresses: [SocketAddress], now: Moment) {
        let isNew = state.withLock { Set($0.places[server].addresses) != Set(addresses) }
        guard isNew else { return }
        log.info("resolved \(names[server])", metadata: ["addresses": "\(addresses.map(\.description))"])
        change { state in
            state.places[server].addresses = addresses
            state.places[server].turn = 0
            state.places[server].generation &+= 1
            return state.balancer.setResolved(server, true, now: now)
        }
    }

    /// A look-up failed; the server stays where it was.
    func unresolved(_ server: Balancer.ServerNumber, _ failure: NameResolver.Failure) {
        log.warning("can't resolve \(names[server])", metadata: ["error": "\(failure)"])
    }

    func tick(now: Moment) { change { $0.balancer.tick(now: now) } }

    /// Where a check is sent; nil while no address is known.
    func address(of server: Balancer.ServerNumber) -> SocketAddress? {
        state.withLock { state in
            let place = state.places[server]
            return place.addresses.isEmpty ? nil : place.addresses[place.turn % place.addresses.count]
        }
    }

    var figures: [ServerFigures] {
        state.withLock { state in
            names.indices.map { server in
                ServerFigures(
                    name: names[server], isIn: state.balancer.isIn(server),
                    active: state.balancer.activeCount(of: server), times: state.places[server].times)
            }
        }
    }

    var waitingCount: Int { state.withLock { $0.balancer.waitingCount } }

    /// Changes the state, then tells those whom it concerns.
    private func change(_ body: (inout State) -> Balancer.Aftermath) {
        let aftermath = state.withLock { body(&$0) }
        for grant in aftermath.grants {
            hub.door(of: grant.ticket.worker).post(.granted(self, ticket: grant.ticket.number, server: grant.server))
        }
        for change in aftermath.changes { tell(change) }
    }

    private func tell(_ change: Balancer.Change) {
        let name = names[change.server]
        switch change.kind {
        case .failing(let count): log.warning("server \(name) is left out", metadata: ["failures": "\(count)"])
        case .recovered: log.info("server \(name) answers again")
        case .checksFail: log.warning("server \(name) is left out: its checks fail")
        case .checksPass: log.info("server \(name) is back: its checks pass")
        }
    }

    // MARK: Staying with a server

    /// The server that a cookie's value names.
    func server(marked value: [UInt8]) -> Balancer.ServerNumber? { marks.firstIndex(of: value) }

    /// The Set-Cookie value that keeps a client with `server`; nil if clients don't stay.
    func cookie(for server: Balancer.ServerNumber) -> [UInt8]? {
        configuration.stickyCookie.map {
            Array("\($0)=".utf8) + marks[server] + Array("; Path=/; HttpOnly; SameSite=Lax".utf8)
        }
    }

    /// FNV-1a over the server's text.
    private static func mark(of name: String) -> [UInt8] {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return Array(String(hash, radix: 16).utf8)
    }
}
