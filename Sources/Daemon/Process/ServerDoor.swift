/// What the workers and the main thread share besides the hub: the main thread's box, the board of figures, the count
/// of open connections, which is one because descriptors are the process', and what each client has of what is limited.
import Gateway
import Polling
import Reactor
import Synchronization

final class ServerDoor: Sendable {
    let inbox: LoopInbox<ServerNotice>
    private let board: Guarded<[WorkerFigures]>
    private let reloadFigures = Guarded(ReloadFigures())
    private let connections = Atomic<Int>(0)
    private let held = Atomic<Int>(0)
    private let memoryIsShort = Atomic<Bool>(false)
    private let memoryFigures = Guarded(MemoryPressure())
    private let adminConnections = Atomic<Int>(0)
    private let kept = Guarded(Health(isLeaving: false, stuckWorkers: 0))
    private let connectionsOfClients = Guarded(ClientCounts())
    private let pollsOfClients = Guarded(ClientCounts())

    /// - Throws: `SystemError` when no descriptor is left.
    init(workers: Int) throws(SystemError) {
        inbox = try LoopInbox()
        board = Guarded([WorkerFigures](repeating: WorkerFigures(), count: workers))
    }

    /// What has become of reloads.
    var reloads: ReloadFigures {
        get { reloadFigures.withLock { $0 } }
        set { reloadFigures.withLock { $0 = newValue } }
    }

    /// Puts a worker's figures on the board, at the end of its turn.
    func publish(_ figures: WorkerFigures, of worker: WorkerNumber) {
        board.withLock { $0[worker.index] = figures }
    }

    /// All workers' figures added up.
    var traffic: WorkerFigures {
        board.withLock { board in
            var sum = WorkerFigures()
            for figures in board { sum.add(figures) }
            return sum
        }
    }

    /// Polls held by all workers, as of the end of each one's last turn.
    var heldCount: Int { held.load(ordering: .relaxed) }

    func heldChanged(by difference: Int) { held.add(difference, ordering: .relaxed) }

    /// - Returns: false if the client has as many as the limit lets it.
    func takeConnection(_ key: ClientKey, limit: Int) -> Bool {
        connectionsOfClients.withLock { $0.take(key, limit: limit) }
    }

    func giveBackConnection(_ key: ClientKey) { connectionsOfClients.withLock { $0.giveBack(key) } }

    /// - Returns: false if the client has as many as the limit lets it.
    func takePoll(_ key: ClientKey, limit: Int) -> Bool { pollsOfClients.withLock { $0.take(key, limit: limit) } }

    func giveBackPoll(_ key: ClientKey) { pollsOfClients.withLock { $0.giveBack(key) } }

    /// - Returns: false if there are as many as the limit lets there be.
    func takeAdminConnection(limit: Int) -> Bool {
        if adminConnections.add(1, ordering: .relaxed).newValue <= limit { return true }
        giveBackAdminConnection()
        return false
    }

    func giveBackAdminConnection() { adminConnections.subtract(1, ordering: .relaxed) }

    /// Asked at each request.
    var isShortOfMemory: Bool { memoryIsShort.load(ordering: .relaxed) }

    var memory: MemoryPressure {
        get { memoryFigures.withLock { $0 } }
        set {
            memoryFigures.withLock { $0 = newValue }
            memoryIsShort.store(newValue.isShort, ordering: .relaxed)
        }
    }

    var health: Health { kept.withLock { $0 } }

    func changeHealth(_ change: (inout Health) -> Void) { kept.withLock { change(&$0) } }

    var connectionCount: Int { connections.load(ordering: .relaxed) }

    func connectionsChanged(by difference: Int) { connections.add(difference, ordering: .relaxed) }
}

/// What a worker tells the main thread.
enum ServerNotice: Sendable {
    case started
    case failed(SystemError)
    case ended
    /// The answer to `areYouThere`.
    case here(WorkerNumber)
    /// The worker serves by this configuration.
    case serves(WorkerNumber, generation: UInt64)
    case reload(Asker)
    case upgrade(Asker)
    /// No publisher's request is under way at this worker.
    case quiet(WorkerNumber)
    /// For the process that takes the place of this one.
    case handed(WorkerNumber, [Handed])
    case late(LateEvent)
}

/// A publisher's stream that waits for what the main thread makes of its request.
struct Asker {
    let worker: WorkerNumber
    let stream: Int
    /// Tells it from a later one with the same number.
    let serial: UInt64
}

/// What the main thread or another worker tells a worker.
enum WorkerNotice: Sendable {
    /// A publish or a deletion touched a channel on which this worker holds polls.
    case wake(ChannelID)
    /// Something happened on a channel that recheck polls of this worker watch.
    case signal(ChannelID)
    /// A question of this recheck route may be asked.
    case permit(String)
    /// Another poll has taken the place of this one.
    case supersede(SharedRechecks.Place)
    /// Grants that were taken back.
    case revoked(Set<UInt64>)
    /// Serve by this configuration from now on, and listen on these sockets if they are others.
    case serve(Service, ListeningSockets.Share?, generation: UInt64)
    /// Listen on these sockets from now on; some are others.
    case listen(ListeningSockets.Share)
    /// End, and take this long over the answers to held polls.
    case drain(over: Duration)
    /// A worker can't accept: close some of what is idle.
    case makeRoom
    /// The watchdog's question.
    case areYouThere
    /// A request of this worker that waited has a place at this server.
    case granted(UpstreamGroup, ticket: UInt64, server: Balancer.ServerNumber)
    /// The time for draining is up.
    case endNow
    /// The answer to a reload; empty errors: it took effect.
    case reloaded(Asker, errors: [String])
    /// What has come of changes that streams asked for.
    case settled([StoreReply])
    /// Another process is to take the place of this one: `HandoverStage` says what follows.
    case becomeQuiet
    case freeze
    case goOnServing
    case leave
    /// Go on with these.
    case adopt([AdoptedConnection])
    /// On behalf of the process that this one has replaced.
    case late(LateEvent)
    /// The answer to an upgrade.
    case upgraded(Asker, UpgradeResult)
}
