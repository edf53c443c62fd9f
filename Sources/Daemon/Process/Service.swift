/// A configuration made ready for the workers: routes compiled, servers grouped, limits in the units of their use. It
/// never changes, so that a reload is one assignment; a class, because each request asks it several times, and asking a
/// value inside a worker would copy its nine references.
import ConfigFile
import Gateway
import Glibc
import HTTP1
import Polling
import Reactor

final class Service: Sendable {
    let routes: RouteTable
    let rules: RuleTable
    let authorizeRules: [AuthorizeRule]
    let upstream: UpstreamGroup
    let forwarding: ForwardingRules
    /// What the app is told as Host; nil: what the client said.
    let upstreamHost: [UInt8]?
    let idleUpstreamLimit: Int
    let headLimits: HeadLimits
    let responseLimits: HeadLimits
    let publishBodyLimit: Int
    let publishLineLimit: Int
    let connectionsLimit: Int
    let clientLimits: ClientLimits
    let pollsPerChannel: Int?
    /// Requests of one connection; nil: no limit.
    let requestsLimit: Int?
    /// What a body must bring at least, and the time over which that is taken; nil: nothing.
    let leastRate: (bytesPerSecond: UInt64, milliseconds: UInt64)?
    /// What a client must take at least while the write clock runs.
    let leastDelivered: UInt64
    /// Of all workers; nil: as many as there are connections.
    let heldPollsLimit: Int?
    /// Nanoseconds per `Clock`, in its order.
    let clockDurations: [Int64]
    let configurationPath: String
    let workers: Int
    let startedAt: Int64
    private let accessWriter: LogWriter?
    private let accessFormat: AccessFormat

    init(
        _ configuration: Configuration, upstream: UpstreamGroup, path: String, epoch: Epoch, descriptorsLimit: Int,
        accessWriter: LogWriter?, startedAt: Int64
    ) {
        routes = RouteTable(configuration, epoch: epoch)
        rules = RuleTable(configuration)
        authorizeRules = routes.authorizeRules
        self.upstream = upstream
        forwarding = ForwardingRules(configuration)
        upstreamHost = configuration.upstream.host.map { Array($0.utf8) }
        idleUpstreamLimit = configuration.upstream.idleConnections
        let limits = configuration.limits
        headLimits = HeadLimits(
            lineBytesLimit: limits.requestLineBytes, fieldBytesLimit: limits.fieldBytes,
            headBytesLimit: limits.headBytes,
            fieldCountLimit: limits.headerLines)
        responseLimits = HeadLimits.responses
        publishBodyLimit = configuration.control?.bodyBytesLimit ?? 0
        publishLineLimit = configuration.control?.lineBytesLimit ?? 0
        let room = max(1, descriptorsLimit - DescriptorLimit.reserve)
        connectionsLimit = min(configuration.limits.connections ?? room, room)
        heldPollsLimit = configuration.limits.polls
        clientLimits = ClientLimits(limits)
        pollsPerChannel = limits.pollsPerChannel
        requestsLimit = limits.requests
        let (rate, timeouts) = (limits.bytesPerSecond.map(UInt64.init), configuration.timeouts)
        leastRate = rate.map { ($0, UInt64(max(1, timeouts.rate.wholeNanoseconds / 1_000_000))) }
        leastDelivered = max(1, (rate ?? 0) * UInt64(timeouts.write.wholeNanoseconds / 1_000_000) / 1000)
        clockDurations = Clock.allCases.map { $0.duration(in: configuration).wholeNanoseconds }
        configurationPath = path
        workers = configuration.workers
        self.startedAt = startedAt
        self.accessWriter = accessWriter
        accessFormat = configuration.log.accessFormat == .json ? .json : .combined
    }

    var droppedLogLines: UInt64 { accessWriter?.droppedLines ?? 0 }

    func makeAccessLog() -> AccessLog? { accessWriter.map { AccessLog(writer: $0, format: accessFormat) } }
}

extension Clock {
    func duration(in configuration: Configuration) -> Duration {
        let timeouts = configuration.timeouts
        return switch self {
        case .head: timeouts.head
        case .body: timeouts.body
        case .write: timeouts.write
        case .keepAlive: timeouts.keepAlive
        case .tunnel: timeouts.tunnel
        case .linger: .seconds(2)
        case .queue: configuration.upstream.queue.timeout
        case .connect: configuration.upstream.connectTimeout
        case .response: configuration.upstream.responseTimeout
        case .gap: configuration.upstream.idleTimeout
        case .idleUpstream: configuration.upstream.idleConnectionTimeout
        }
    }
}

extension PoolLimits {
    init(of pool: Configuration.Pool) {
        self.init(
            messagesPerChannel: pool.messages, age: pool.age, memoryBytes: pool.memoryBytes, channels: pool.channels,
            idempotencyKeys: pool.idempotencyKeys)
    }
}
