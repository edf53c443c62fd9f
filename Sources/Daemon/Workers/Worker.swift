/// One thread, one loop, its connections and its Switchboard. Nothing of it leaves the thread; what others have to say
/// comes through its door.
///
/// A turn: the loop waits and calls streams; then `afterTurn` answers woken polls for a bounded time, ends holds and
/// connections whose time is up, tells the pool which holds have ended, and drops closed streams. A stream is never
/// freed inside its own callback.
import ConfigFile
import Gateway
import Glibc
import HTTP1
import Logging
import Polling
import Reactor

final class Worker {
    /// Nanoseconds that one turn may spend on answering woken polls, so that timers, accepts and publishes go on
    /// during a wave of releases (SECURITY M10).
    private static let releaseSlice: Int64 = 1_000_000

    let loop: EventLoop
    let hub: Hub
    let number: WorkerNumber
    let log: Logger
    let server: ServerDoor
    var service: Service

    var switchboard: Switchboard
    var upstream = UpstreamConnections()
    /// By ticket.
    var waitingExchanges: [UInt64: ProxiedExchange] = [:]
    var accessLog: AccessLog?
    var figures = WorkerFigures()
    var preambleNotice = RareNotice()
    var clientNotice = RareNotice()
    var pauseNotice = RareNotice()
    /// By the paths of routes that observe.
    var observedPolls: [String: ObservedPolls] = [:]
    var requestIDs = RequestIDs()
    var isDraining = false
    /// The held polls that a drain answers.
    var departure: Departure?
    /// What is still under way is being cut off.
    var isEnding = false
    /// How far another process has taken the place of this one.
    var handover = HandoverState()

    /// Reused by every stream of this worker for the call under way.
    var requestHead = RequestHead()
    /// When the head that stands there began to come.
    var headBegunAt: Int64 = 0
    var responseHead = ResponseHead()
    var output = HTTPWriter()

    var streams: [WorkerStream?] = []
    private var freeNumbers: [Int] = []
    private var closed: [WorkerStream] = []
    var clocks = DeadlineTable()
    private var timer: LoopTimer?
    var listeners: [Listener] = []
    var controlListener: Listener?
    var adminListener: Listener?
    /// Of the connections; a drain doesn't wait for them.
    var adminConnections = 0
    /// When to look whether there is room again; nil while accepting.
    var acceptPausedUntil: Int64?
    /// When other workers were last asked to close what is idle.
    var askedForRoomAt: Int64 = 0
    private var inbox: LoopInboxSource<WorkerNotice>?
    /// Channels whose holds here a publisher of this worker has touched in this turn.
    private var touched: [ChannelID] = []
    /// The same for watches.
    var touchedWatches: [ChannelID] = []
    var rechecks: RecheckBoard
    /// Permits for questions that were handed to this worker, by the routes' paths.
    var permits: [String: Int] = [:]
    /// A turn has asked as many questions as it may.
    var hasMoreQuestions = false
    private var lastSerial: UInt64 = 0
    /// The clock as it was last read while woken polls were answered.
    private var answeringAt: Int64 = 0

    /// A worker's whole life, on its own thread.
    static func serve(
        number: WorkerNumber, hub: Hub, service: Service, door: ServerDoor, log: Logger,
        sockets: Guarded<ListeningSockets.Share?>
    ) {
        do throws(SystemError) {
            let worker = try Worker(number: number, hub: hub, service: service, server: door, log: log)
            if let share = sockets.withLock({ $0.take() }) { worker.listen(on: share) }
            door.inbox.post(.started)
            worker.run()
            door.inbox.post(.ended)
        } catch {
            door.inbox.post(.failed(error))
        }
    }

    /// To be called on the worker's own thread.
    init(
        number: WorkerNumber, hub: Hub, service: Service, server: ServerDoor, log: Logger
    ) throws(SystemError) {
        loop = try EventLoop()
        self.number = number
        self.hub = hub
        self.service = service
        self.server = server
        self.log = log
        switchboard = Switchboard(epoch: hub.epoch, date: DateField(seconds: Int64(WallTime.now.seconds)))
        rechecks = RecheckBoard(seed: UInt64.random(in: 0 ... .max), workers: service.workers)
        accessLog = service.makeAccessLog()
        timer = LoopTimer(loop: loop) {}
        inbox = LoopInboxSource(loop: loop, inbox: hub.door(of: number)) { [unowned self] notices in
            for notice in notices { take(notice) }
        }
    }

    var now: Moment { Moment(nanoseconds: loop.now) }

    // MARK: Streams

    func nextSerial() -> UInt64 {
        lastSerial += 1
        return lastSerial
    }

    func nextStreamNumber() -> Int {
        if let number = freeNumbers.popLast() { return number }
        streams.append(nil)
        return streams.count - 1
    }

    func keep(_ stream: WorkerStream) {
        streams[stream.number] = stream
        figures.connections += 1
        server.connectionsChanged(by: 1)
    }

    /// The stream has closed; it is let go of at the end of the turn.
    func drop(_ stream: WorkerStream) {
        clocks.clear(stream.number)
        closed.append(stream)
    }

    /// - Parameter duration: in nanoseconds; nil: the configuration's for this clock.
    func setClock(_ clock: Clock?, lasting duration: Int64? = nil, of number: Int) {
        if let clock {
            clocks.set(
                number, DeadlineTable.Kind(index: clock.rawValue),
                lasting: duration ?? service.clockDurations[clock.rawValue], now: loop.now)
        } else {
            clocks.clear(number)
        }
    }

    func clock(of number: Int) -> Clock? { clocks.kind(of: number).flatMap { Clock(rawValue: $0.index) } }

    // MARK: Polls

    /// Polls that wait here, of holds and of rechecks.
    private var heldCount: Int { switchboard.heldCount + rechecks.count }

    /// More polls than the configuration lets be held.
    var refusesPolls: Bool {
        if isDraining { return true }
        guard let limit = service.heldPollsLimit else { return false }
        return server.heldCount + heldCount - figures.held >= limit
    }

    /// Follows a decision of the Switchboard until it is an answer or the poll waits.
    func resolve(_ action: consuming Switchboard.Action, on stream: Int) -> PollAnswer? {
        while true {
            switch action {
            case .answer(let answer): return answer
            case .hold: return nil
            case .lookUp(let channels, let position, let limit, let hold):
                let now = now
                let worker = hold ? number : nil
                let waitingLimit = service.pollsPerChannel
                let result = hub.withPool {
                    $0.lookUp(
                        channels: channels, from: position, limit: limit, holdFor: worker, waitingLimit: waitingLimit)
                }
                action = switchboard.found(result, on: stream, now: now)
            case .take(let channels, let limit, let hold):
                let worker = hold ? number : nil
                let waitingLimit = service.pollsPerChannel
                let result = hub.withPool {
                    $0.take(channels: channels, limit: limit, holdFor: worker, waitingLimit: waitingLimit)
                }
                action = switchboard.found(result, on: stream, now: now)
            case .takeHeld(let channels, let after, _, _) where handover.stage == .left:
                // The other process hands out what is there.
                action = switchboard.found(.nothing(number: after, channels: channels), on: stream, now: now)
            case .takeHeld(let channels, let after, let staysHeld, let limit):
                let result = hub.withPool {
                    $0.take(held: channels, after: after, staysHeld: staysHeld, limit: limit)
                }
                action = switchboard.found(result, on: stream, now: now)
            case .lookUpHeld(let channels, let after, let limit):
                let now = now
                let result = hub.withPool { $0.lookUp(held: channels, after: after, limit: limit) }
                action = switchboard.found(result, on: stream, now: now)
            }
        }
    }

    /// Publishes, and wakes this worker's own polls at the end of the turn.
    func publish<Result: Sendable, Failure: Error>(
        _ body: (inout MessagePool) throws(Failure) -> (Result, [WakeUpCall])
    ) throws(Failure) -> Result {
        let (result, own) = try hub.publish(from: number, body)
        touched.append(contentsOf: own.holds)
        touchedWatches.append(contentsOf: own.watches)
        return result
    }

    /// A poll of this connection has been answered.
    func count(_ answer: PollAnswer, on number: Int) {
        let now = max(answeringAt, loop.now)
        let lasted = switchboard.nanosecondsOfPoll(on: number, now: Moment(nanoseconds: now))
        // One access to the figures: the check that it is the only one costs as much as the counting.
        figures.count(answer, lasting: lasted, now: now)
    }

    /// What was taken for a client that did not get it is there for others.
    func giveBack(_ taken: [TakenPosition]) {
        // Not even a full queue may keep it: it is nothing that was asked for.
        if let store = hub.store, !handover.stage.isParting {
            store.insist(.giveBack(taken))
        } else {
            _ = change(.giveBack(taken))
        }
    }

    func perform(_ action: Switchboard.Action, on number: Int) {
        (streams[number] as? ServerStream)?.perform(action)
    }

    // MARK: Figures and reloads

    /// The whole daemon's figures, as far as each worker has reported them.
    var statusFigures: ServiceFigures {
        let pool = hub.withPool { $0.figures }
        var figures = ServiceFigures(
            version: Version.text, processID: Int(getpid()), workers: service.workers,
            uptime: .nanoseconds(loop.now - service.startedAt), isDraining: server.health.isLeaving, epoch: hub.epoch,
            configurationPath: service.configurationPath, reloads: server.reloads,
            droppedLogLines: service.droppedLogLines, pool: pool, traffic: server.traffic,
            servers: service.upstream.figures, waitingRequests: service.upstream.waitingCount,
            store: hub.store?.figures)
        figures.memory = server.memory
        return figures
    }

    func reportPresence() { server.inbox.post(.here(number)) }

    func askForReload(for stream: ControlStream) { server.inbox.post(.reload(asker(stream))) }

    func askForUpgrade(for stream: ControlStream) { server.inbox.post(.upgrade(asker(stream))) }

    private func asker(_ stream: ControlStream) -> Asker {
        Asker(worker: number, stream: stream.number, serial: stream.serial)
    }

    /// The stream that asked; nil: it has gone.
    func stream(of asker: Asker) -> ControlStream? {
        guard let stream = streams[asker.stream] as? ControlStream, stream.serial == asker.serial else { return nil }
        return stream
    }

    // MARK: The turn

    /// Runs until a drain has let go of everything.
    func run() {
        while !((isDraining || handover.stage == .left) && figures.connections <= adminConnections) {
            loop.runTurn(waiting: handover.stage == .frozen || !hasWork)
            afterTurn()
        }
        for stream in streams { stream?.end() }
        dropClosed()
        listeners = []
        controlListener = nil
        adminListener = nil
        inbox = nil
        timer = nil
    }

    /// Something is to be done without an event.
    private var hasWork: Bool {
        switchboard.hasWoken || !touched.isEmpty || hasRechecks || !handover.free.isEmpty
    }

    private func afterTurn() {
        refreshDate()
        for channel in touched { switchboard.noticed(channel) }
        touched.removeAll(keepingCapacity: true)
        // What is asleep has no time that runs, and is not woken.
        if handover.stage != .frozen {
            answerWoken()
            endHolds()
            goOnDraining()
            endClocks()
            turnRechecks()
        }
        goOnHandingOver()
        if let withdrawals = switchboard.takeWithdrawals() {
            let number = number
            hub.withPool { $0.withdraw(withdrawals, by: number) }
        }
        dropClosed()
        resumeAccepting()
        if figures.held != heldCount {
            server.heldChanged(by: heldCount - figures.held)
            figures.held = heldCount
        }
        figures.rechecks = rechecks.figures
        figures.idleUpstream = upstream.idleCount
        figures.clocks = clocks.count
        server.publish(figures, of: number)
        setTimer()
    }

    private func answerWoken() {
        guard switchboard.hasWoken else { return }
        answeringAt = EventLoop.monotonicNanoseconds()
        let end = answeringAt + Self.releaseSlice
        var count = 0
        while let (number, action) = switchboard.nextWoken() {
            perform(action, on: number)
            count += 1
            // The clock is read now and then: reading it for each answer would cost as much as a comparison saves.
            guard count % 32 == 0 else { continue }
            answeringAt = EventLoop.monotonicNanoseconds()
            if answeringAt >= end { return }
        }
    }

    private func endHolds() {
        let now = now
        while let (number, action) = switchboard.nextExpired(now: now) { perform(action, on: number) }
    }

    private func endClocks() {
        while let (number, kind) = clocks.popDue(now: loop.now) {
            if let clock = Clock(rawValue: kind.index) { streams[number]?.deadlinePassed(clock) }
        }
    }

    private func dropClosed() {
        guard !closed.isEmpty else { return }
        for stream in closed {
            streams[stream.number] = nil
            freeNumbers.append(stream.number)
        }
        figures.connections -= closed.count
        server.connectionsChanged(by: -closed.count)
        closed.removeAll(keepingCapacity: closed.capacity <= 4096)
        if figures.connections == 0 {
            // A crowd that has left leaves no table behind.
            streams = []
            freeNumbers = []
        }
    }

    private func setTimer() {
        guard handover.stage != .frozen else {
            timer?.set(nil)
            return
        }
        var next = clocks.next
        if let acceptPausedUntil { next = min(next ?? .max, acceptPausedUntil) }
        if let hold = switchboard.nextDeadline { next = min(next ?? .max, hold.nanoseconds) }
        if let recheck = rechecks.nextDeadline { next = min(next ?? .max, recheck.nanoseconds) }
        if let departing = departure?.nextMoment { next = min(next ?? .max, departing.nanoseconds) }
        timer?.set(next)
    }

    private func refreshDate() {
        let seconds = Int64(WallTime.now.seconds)
        if seconds != switchboard.date.seconds { switchboard.date = DateField(seconds: seconds) }
    }
}
