/// The process: binds, starts the workers, and then handles signals, reloads and the pool's clock on the main thread.
package import ConfigFile
import Gateway
import Glibc
import Logging
import Polling
import Reactor

package final class Server {
    /// Why the daemon could not start, in one sentence.
    package struct StartError: Error, CustomStringConvertible {
        package let description: String
    }

    let path: String
    var configuration: Configuration
    let environment: [String: String]
    let loop: EventLoop
    let writer: LogWriter
    let log: Logger
    let door: ServerDoor
    let hub: Hub
    let supervisor: Supervisor
    /// The pool's store until its thread takes it.
    let opened: OpenedPool
    let sockets: ListeningSockets
    /// The process whose place this one takes, and the connections that it has handed over; nil: there is none.
    var predecessor: Predecessor?
    private var adopted: [AdoptedConnection] = []
    /// While the process before this one has something under way.
    var adoption: RecordSource?
    /// What it has said while this one was being replaced.
    var putAside: [RecordSocket.Record] = []
    /// Connections that came late.
    var adoptedCount = 0
    let launch: Launch
    /// The process that is to take the place of this one.
    var successor: Successor?
    private let startedAt: Int64
    private let descriptorsLimit: Int
    /// Of the configuration that is served.
    var upstream: UpstreamGroup
    var watch: UpstreamWatch?
    var watchdog: Watchdog

    var accessWriter: LogWriter?
    private var threads: [LoopThread] = []
    /// Kept here for as long as it serves: what a local name holds may go with its last use.
    private var signals: [SignalSource] = []
    private var runningWorkers = 0
    private var failure: SystemError?
    var reloads: ReloadLedger
    /// Reloads that not all workers have taken yet, by their number.
    var pendingReloads: [UInt64: PendingReload] = [:]
    let logSettings: OperationalLog.Settings
    /// Log writers that nobody writes to any more; they end when they have written what they have.
    var retired: [LogWriter] = []

    /// To be called first. What is sent to all processes of the program, as for a rotation of logs, is not meant for
    /// one that starts.
    package static func ignoreSignalsForOthers() { SignalSource.ignore([SIGHUP, SIGUSR1, SIGUSR2]) }

    /// Binds everything, so that a daemon that cannot serve says so before it is called started.
    ///
    /// - Parameters:
    ///   - path: the configuration file, read again at each reload.
    ///   - configuration: what was read from it.
    ///   - salvage: a pool's file that can't be used is set aside.
    ///   - predecessor: the process whose place this one takes.
    package init(
        path: String, configuration: Configuration, environment: [String: String], salvage: Bool = false,
        predecessor: Predecessor? = nil
    ) throws(StartError) {
        self.path = path
        self.configuration = configuration
        self.environment = environment
        self.predecessor = predecessor
        launch = Launch(environment: environment)
        let given = try GivenSockets(environment, for: configuration)
        SignalSource.ignoreBrokenPipes()
        SignalSource.ignoreFileSizeLimit()
        CoreDump.leaveOutMemory()
        descriptorsLimit = DescriptorLimit.raise()
        do {
            loop = try EventLoop()
            startedAt = loop.now
            let writer = try LogWriter(.standardError, isJSON: configuration.log.format == .json)
            self.writer = writer
            logSettings = OperationalLog.Settings(configuration.log)
            log = OperationalLog.logger(writer: writer, settings: logSettings)
            accessWriter = try AccessLog.writer(for: configuration.log, sharing: writer)
            door = try ServerDoor(workers: configuration.workers)
            door.reloads.succeededAt = Int64(WallTime.now.seconds)
        } catch {
            throw error as? StartError ?? StartError(description: "\(error)")
        }
        supervisor = Supervisor(
            Supervision(
                environment: environment, processID: Int(getpid()), pathBytesLimit: SocketAddress.unixPathBytesLimit),
            log: log)
        // The store's files belong to the user that the daemon becomes, so rights are given up first.
        sockets = try ListeningSockets(
            configuration, given: given, lent: try predecessor?.receiveListeners() ?? [])
        do {
            let state = try predecessor?.receiveState(
                limits: PoolLimits(of: configuration.pool), store: configuration.pool.store,
                now: Moment(nanoseconds: EventLoop.monotonicNanoseconds()))
            adopted = state?.connections ?? []
            opened = try OpenedPool(
                configuration.pool, handed: state?.pool, now: Moment(nanoseconds: EventLoop.monotonicNanoseconds()),
                salvage: salvage, log: log)
            hub = try Hub(
                pool: opened.takePool(), epoch: opened.epoch, store: opened.queue, workers: configuration.workers)
            upstream = UpstreamGroup(configuration.upstream, hub: hub, log: log)
        } catch {
            sockets.giveUp()
            throw StartError(description: "\(error)")
        }
        watchdog = Watchdog(workers: configuration.workers)
        reloads = ReloadLedger(workers: configuration.workers)
    }

    /// Serves until a signal ends it.
    ///
    /// - Returns: the process' exit status.
    package func run() throws(StartError) -> Int32 {
        do {
            try begin()
        } catch {
            sockets.giveUp()
            writer.end()
            throw error as? StartError ?? StartError(description: "\(error)")
        }
        let inbox = LoopInboxSource(loop: loop, inbox: door.inbox) { [unowned self] notices in
            for notice in notices { take(notice) }
        }
        var expiry: LoopTimer?
        expiry = LoopTimer(loop: loop) { [unowned self] in
            expirePool()
            askWorkers()
            lookAfterSocketFiles()
            endRetired()
            supervisor.tellWaiting()
            upstream.tick(now: Moment(nanoseconds: loop.now))
            expiry?.set(loop.now + 1_000_000_000)
        }
        expiry?.set(loop.now + 1_000_000_000)
        memoryTimer = LoopTimer(loop: loop) { [unowned self] in lookAtMemory() }
        lookAtMemory()
        // Behind its workers it passes on what the process before this one hands over.
        while runningWorkers > 0 || hasLeft && adoption != nil { loop.runTurn() }
        expiry = nil
        memoryTimer = nil
        signTimer = nil
        watch = nil
        endAdoption()
        signals = []
        // It has ended by itself, and that is not to look like something else.
        SignalSource.ignore([SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2])
        withExtendedLifetime(inbox) {}
        for thread in threads { thread.join() }
        opened.end()
        sockets.removeFiles()
        log.info("ended")
        for writer in retired { writer.end() }
        accessWriter?.end()
        writer.end()
        return failure == nil ? 0 : 1
    }

    private func signal(_ number: Int32, _ handle: @escaping (Server) -> Void) -> SignalSource {
        SignalSource(loop: loop, signal: number) { [unowned self] in handle(self) }
    }

    // MARK: Start

    /// All that can fail before it serves.
    private func begin() throws {
        warnOfOldLibrary()
        let service = makeService(configuration, upstream)
        watch = try UpstreamWatch(loop: loop, group: upstream)
        try opened.startThread(hub: hub, log: log)
        try startWorkers(service)
        // Who hears that it serves may send a signal at once.
        signals = [
            signal(SIGTERM) { $0.askedToEnd() }, signal(SIGINT) { $0.askedToEnd() },
            signal(SIGHUP) { $0.reload(for: nil) }, signal(SIGUSR1) { $0.reopenLogs() },
            signal(SIGUSR2) { $0.upgrade(for: nil) },
        ]
        if let predecessor { try takeOver(from: predecessor, adopted) }
        adopted = []
        sockets.settle(log: log)
        tellStart()
        tellReady()
    }

    private func startWorkers(_ service: Service) throws(StartError) {
        for index in 0..<configuration.workers {
            let (number, hub, door, log) = (WorkerNumber(index), hub, door, log)
            // Taken out by the worker: what is replaced later must not live on in the thread's closure.
            let sockets = Guarded<ListeningSockets.Share?>(
                predecessor == nil ? sockets.share(of: index) : nil)
            do throws(SystemError) {
                let thread = try LoopThread(name: "worker \(index)") {
                    Worker.serve(number: number, hub: hub, service: service, door: door, log: log, sockets: sockets)
                }
                threads.append(thread)
                runningWorkers += 1
            } catch {
                throw StartError(description: "no thread can be started: \(error)")
            }
        }
        waitForStart()
        if let failure {
            throw StartError(description: "a worker could not start: \(failure)")
        }
    }

    private func tellStart() {
        for description in sockets.descriptions { log.info("\(description)") }
        sockets.warnOfRights(log: log)
        log.info("ready", metadata: ["workers": "\(configuration.workers)", "descriptors": "\(descriptorsLimit)"])
    }

    /// Blocks until each worker has said that it serves or why it can't.
    private func waitForStart() {
        var waiting = runningWorkers
        let inbox = LoopInboxSource(loop: loop, inbox: door.inbox) { [unowned self] notices in
            for notice in notices {
                take(notice)
                switch notice {
                case .started, .failed: waiting -= 1
                default: break
                }
            }
        }
        while waiting > 0 { loop.runTurn() }
        withExtendedLifetime(inbox) {}
    }

    /// Fixes to evbuffer and to the parsing that we don't use came after 2.1.12; what is used here is sound in it,
    /// but an operator should know what runs.
    private func warnOfOldLibrary() {
        let version = EventLoop.libraryVersion
        if version.hasPrefix("2.0") || version.hasPrefix("1.") {
            log.warning("libevent \(version) is too old; 2.1.12 with its distribution's fixes is the least")
        } else {
            log.debug("libevent \(version)")
        }
    }

    func makeService(_ configuration: Configuration, _ upstream: UpstreamGroup) -> Service {
        Service(
            configuration, upstream: upstream, path: path, epoch: hub.epoch, descriptorsLimit: descriptorsLimit,
            accessWriter: accessWriter,
            startedAt: startedAt)
    }

    // MARK: Notices and signals

    private func take(_ notice: ServerNotice) {
        switch notice {
        case .started: break
        case .failed(let error):
            failure = error
            runningWorkers -= 1
        case .ended: runningWorkers -= 1
        case .here(let worker):
            if let finding = watchdog.answered(worker.index) { tell(finding) }
        case .reload(let asker): reload(for: asker)
        case .serves(let worker, let generation): serves(worker, generation)
        case .upgrade(let asker): upgrade(for: asker)
        case .quiet(let worker): isQuiet(worker)
        case .handed(let worker, let handed): self.handed(worker, handed)
        case .late(let event): tellLate(event)
        }
    }

    private func askWorkers() {
        guard runningWorkers == threads.count else { return }  // the first ones have ended; the drain has a clock
        for finding in watchdog.tick() { tell(finding) }
        hub.tellAll(.areYouThere)
    }

    private func tell(_ finding: Watchdog.Finding) {
        switch finding {
        case .stuck(let worker):
            door.changeHealth { $0.stuckWorkers += 1 }
            log.error("worker \(worker) makes no progress", metadata: ["seconds": "\(Watchdog.patience)"])
        case .recovered(let worker):
            door.changeHealth { $0.stuckWorkers -= 1 }
            log.warning("worker \(worker) goes on")
        case .lost(let worker):
            log.critical("worker \(worker) is lost; the process ends so that it can be started anew")
            writer.end()
            abort()
        }
    }

    var drainPlan = DrainPlan()
    var drainTimer: LoopTimer?
    var memoryTimer: LoopTimer?
    var signTimer: LoopTimer?

    private func reopenLogs() {
        accessWriter?.reopen()
        log.info("log files opened anew")
    }

    private func lookAfterSocketFiles() {
        guard !drainPlan.isLeaving, successor == nil, sockets.mendFiles(log: log) else { return }
        for worker in threads.indices { hub.door(of: WorkerNumber(worker)).post(.listen(sockets.share(of: worker))) }
    }

    private func expirePool() {
        let now = Moment(nanoseconds: loop.now)
        hub.rechecks.expire(now: now)
        // Slices, so that a worker never waits long for the lock.
        while hub.withPool({ $0.expire(now: now, limit: 1000) }) == 1000 {}
        hub.store?.tick()
    }
}
