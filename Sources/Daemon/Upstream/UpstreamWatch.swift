/// Looks after a group of servers from the main thread: resolves their names, again whenever an answer's time is up,
/// and sends the active checks. No worker's loop ever waits for either.
import ConfigFile
import Gateway
import Glibc
import HTTP1
import Polling
import Reactor

final class UpstreamWatch {
    private static let second: Int64 = 1_000_000_000
    /// An answer is kept for its time to live within these bounds, in seconds.
    private static let answerLifetime = 1...3600
    /// A name of the hosts file is looked up again after this.
    private static let hostsLifetime = 30
    /// Between two tries after a failure; what was known stays.
    private static let retryPause: Int64 = 5 * second

    private let loop: EventLoop
    private let group: UpstreamGroup
    private let resolver: NameResolver?
    /// By server. Their closures hold nothing but an unowned reference, so they go with this object.
    private var nameTimers: [Int: LoopTimer] = [:]
    private var checkTimers: [Int: LoopTimer] = [:]
    /// Of each server, while one is under way.
    private var probes: [HealthProbe?]
    /// Closed; let go of at the next event, never inside their own callback.
    private var finished: [HealthProbe] = []

    init(loop: EventLoop, group: UpstreamGroup) throws(SystemError) {
        self.loop = loop
        self.group = group
        let servers = group.configuration.servers
        probes = servers.map { _ in nil }
        let hasNames = servers.contains { UpstreamGroup.fixedAddress($0.address) == nil }
        resolver = hasNames ? try NameResolver(loop: loop, nameservers: group.configuration.nameservers) : nil
        for (server, settings) in servers.enumerated() {
            if case .network(let host, let port) = settings.address, UpstreamGroup.fixedAddress(settings.address) == nil
            {
                startResolving(server, host, port)
            }
            if let health = group.configuration.health { startChecking(server, health) }
        }
    }

    private var now: Moment { Moment(nanoseconds: loop.now) }

    // MARK: Names

    private func startResolving(_ server: Int, _ host: String, _ port: UInt16) {
        nameTimers[server] = LoopTimer(loop: loop) { [unowned self] in resolve(server, host, port) }
        resolve(server, host, port)
    }

    private func resolve(_ server: Int, _ host: String, _ port: UInt16) {
        resolver?.resolve(host: host, port: port) { [weak self] result in
            guard let self else { return }  // an answer behind a reload
            switch result {
            case .success(let answer):
                group.resolved(server, answer.addresses, now: now)
                let seconds = answer.seconds.map {
                    min(max($0, Self.answerLifetime.lowerBound), Self.answerLifetime.upperBound)
                }
                nameTimers[server]?.set(loop.now + Int64(seconds ?? Self.hostsLifetime) * Self.second)
            case .failure(let failure):
                group.unresolved(server, failure)
                nameTimers[server]?.set(loop.now + Self.retryPause)
            }
        }
    }

    // MARK: Checks

    private func startChecking(_ server: Int, _ health: Configuration.Upstream.Health) {
        let interval = health.interval.wholeNanoseconds
        let timer = LoopTimer(loop: loop) { [unowned self] in
            check(server, health)
            checkTimers[server]?.set(loop.now + interval)
        }
        checkTimers[server] = timer
        // Spread over the interval, so that servers are not all asked in one moment.
        timer.set(loop.now + interval * Int64(server) / Int64(probes.count))
    }

    private func check(_ server: Int, _ health: Configuration.Upstream.Health) {
        finished = []
        guard probes[server] == nil, let address = group.address(of: server) else { return }
        do throws(SystemError) {
            probes[server] = HealthProbe(
                loop: loop, socket: try StreamSocket(to: address), request: request(server, health),
                timeout: health.timeout.wholeNanoseconds
            ) { [unowned self] passes in
                if let probe = probes[server] { finished.append(probe) }
                probes[server] = nil
                group.checked(server, passes: passes, now: now)
            }
        } catch {
            group.checked(server, passes: false, now: now)
        }
    }

    private func request(_ server: Int, _ health: Configuration.Upstream.Health) -> [UInt8] {
        var host = group.configuration.host ?? "localhost"
        if group.configuration.host == nil,
            case .network(let name, let port) = group.configuration.servers[server].address
        {
            host = name.contains(":") ? "[\(name)]:\(port)" : "\(name):\(port)"
        }
        let text = "GET \(health.path) HTTP/1.1\r\nHost: \(host)\r\nUser-Agent: pollhold\r\nConnection: close\r\n\r\n"
        return Array(text.utf8)
    }
}
