/// A worker whose process is replaced by another one: what it lets go of, and when.
///
/// The stages, and what is legal in them:
///  - `serving`: everything. Followed by quiet.
///  - `quiet`: publishers' requests that have begun are finished, and no other is. Clients are served.
///    Followed by frozen, or by serving if nothing comes of it.
///  - `frozen`: nothing changes in the pool. Connections that wait are asleep, since the other process may have them
///    already; exchanges with the app go on. Followed by left or serving.
///  - `left`: the other process serves. What has been going on here is finished, and each connection that becomes free
///    is handed over.
import Gateway
import Polling
import Reactor

enum HandoverStage {
    case serving
    case quiet
    case frozen
    case left

    /// No poll begins to wait here, and nothing is changed in the pool.
    var isParting: Bool { self == .frozen || self == .left }
}

/// A connection on its way to the other process.
struct Handed: Sendable {
    let record: [UInt8]
    let number: Int32
    /// nil: it stays open here until it is known that the other process has it.
    let owner: PassedDescriptor?
}

extension Worker {
    // MARK: Stages

    /// Nothing more is begun for publishers.
    func becomeQuiet() {
        guard handover.stage == .serving else { return }
        handover.stage = .quiet
        controlListener?.pause()
    }

    /// Nothing goes on but exchanges with the app. To be called at the end of a turn, when all that was noticed has
    /// been taken in: what comes of it is what the other process is told.
    private func freeze() {
        handover.isFreezeDue = false
        for listener in allListeners { listener.pause() }
        // Each held poll has all that is there, and its position is the pool's newest.
        switchboard.noticedAll()
        while let (number, action) = switchboard.nextWoken() { perform(action, on: number) }
        let grants = hub.rechecks.handedGrants
        endUngranted(grants)
        handover.stage = .frozen
        var handed: [Handed] = []
        for case let stream? in streams {
            guard let connection = stream.handed(grants), let number = stream.lentNumber else { continue }
            stream.sleep()
            handover.asleep.append(stream.number)
            handed.append(
                Handed(record: HandoverRecord.connection(connection).bytes, number: number, owner: nil))
        }
        server.inbox.post(.handed(number, handed))
    }

    /// Ends polls whose grant has been taken back; the notice of that may still be on its way.
    private func endUngranted(_ grants: [UInt64: HandedGrant]) {
        for number in switchboard.heldConnections {
            guard let stream = streams[number] as? DownstreamStream, stream.grantSerial != 0,
                grants[stream.grantSerial] == nil
            else { continue }
            perform(switchboard.finish(number, .revoked), on: number)
        }
    }

    /// The other process serves: what it has is let go of here.
    func leave() {
        guard handover.stage == .frozen else { return }
        handover.stage = .left
        // Before their descriptors are closed: the other process keeps the sockets alive, and the loop would be told of
        // them for ever.
        for listener in allListeners { listener.pause() }
        handover.postponed = []
        listeners = []
        controlListener = nil
        adminListener = nil
        acceptPausedUntil = nil
        for number in handover.asleep { _ = streams[number]?.handOver() }
        handover.asleep = []
        for stream in upstream.takeAll() { stream.end() }
        for event in handover.takeWithheld() { pass(event) }
        handover.free = streams.compactMap { $0?.number }
        handOverFree()
        endHeld()
    }

    /// What is held and can't be handed over gets a whole answer.
    private func endHeld() {
        guard switchboard.heldCount + rechecks.count > 0 else { return }
        for number in switchboard.heldConnections { streams[number]?.drain() }
        for (number, _) in rechecks.polls where rechecks.exchange(number)?.state == .held { streams[number]?.drain() }
    }

    /// Nothing has come of it: all is as before.
    func goOnServing() {
        handover.stage = .serving
        handover.isFreezeDue = false
        handover.isQuiet = false
        for number in handover.asleep {
            // Its time begins anew: nothing was read from it meanwhile.
            if let clock = clock(of: number) { streams[number]?.setClock(clock) }
            streams[number]?.wake()
        }
        handover.asleep = []
        for notice in handover.takePostponed() { take(notice) }
        // Bytes of requests have waited.
        for stream in streams { (stream as? ServerStream)?.goOnReading() }
        for event in handover.takeWithheld() { perform(event) }
        if acceptPausedUntil == nil { for listener in listeners { listener.resume() } }
        controlListener?.resume()
        adminListener?.resume()
    }

    private var allListeners: [Listener] { listeners + [controlListener, adminListener].compactMap { $0 } }

    // MARK: The turn

    /// At the end of each turn.
    func goOnHandingOver() {
        switch handover.stage {
        case .serving, .frozen: break
        case .quiet where handover.isFreezeDue: freeze()
        case .quiet where !handover.isQuiet:
            guard !streams.contains(where: { ($0 as? ControlStream)?.isChanging ?? false }) else { return }
            handover.isQuiet = true
            server.inbox.post(.quiet(number))
        case .quiet: break
        case .left where isDraining: break
        case .left:
            handOverFree()
            endHeld()
        }
    }

    /// Hands over what has become free since the last turn.
    private func handOverFree() {
        let free = handover.free + rechecks.polls.map(\.number)
        handover.free = []
        guard !free.isEmpty else { return }
        let grants = hub.rechecks.handedGrants
        var handed: [Handed] = []
        for number in free {
            guard let stream = streams[number], let connection = stream.handed(grants),
                let descriptor = stream.handOver()
            else { continue }
            let owner = PassedDescriptor(descriptor)
            handed.append(
                Handed(
                    record: HandoverRecord.connection(connection).bytes, number: owner.number, owner: owner))
        }
        if !handed.isEmpty { server.inbox.post(.handed(number, handed)) }
    }

    /// Lets the process do what comes of an exchange that serves: this one or the other.
    func pass(_ event: LateEvent) {
        switch handover.stage {
        case .serving, .quiet: perform(event)
        case .frozen: handover.withhold(event)
        case .left: server.inbox.post(.late(event))
        }
    }

    func perform(_ event: LateEvent) {
        switch event {
        case .change(let change): _ = self.change(change)
        case .revocation(let credential): revoke(credential)
        }
    }

    /// A connection may have become free.
    func becameFree(_ number: Int) {
        if handover.stage == .left { handover.free.append(number) }
    }

    // MARK: Coming in

    /// Goes on with connections of the process that this one replaces. They are counted among the open ones already.
    func adopt(_ connections: [AdoptedConnection]) {
        server.connectionsChanged(by: -connections.count)
        for (connection, descriptor) in connections {
            if isSurplus(connection) {
                figures.shedConnections += 1
                continue
            }
            let socket = StreamSocket(accepted: descriptor.take())
            figures.adopted += 1
            switch connection.kind {
            case .client: DownstreamStream(worker: self, socket: socket, adopting: connection).goOn(as: connection)
            case .control: ControlStream(worker: self, socket: socket).goOn(as: connection)
            case .admin:
                let stream = AdminStream(worker: self, socket: socket)
                stream.admit()
                stream.goOn(as: connection)
            }
        }
    }
}

extension Worker {
    /// At the limit connections on which nothing happens are the first that go, those among them that were another
    /// process' until now.
    private func isSurplus(_ connection: HandedConnection) -> Bool {
        guard connection.kind == .client, case .idle(isNew: false, _, _) = connection.state,
            connection.input.isEmpty, connection.output.isEmpty
        else { return false }
        return server.connectionCount >= service.connectionsLimit
    }
}

typealias AdoptedConnection = (connection: HandedConnection, descriptor: PassedDescriptor)

extension WorkerNotice {
    /// It ends polls that wait, or closes what is idle.
    var endsPolls: Bool {
        switch self {
        case .supersede, .revoked, .makeRoom: true
        default: false
        }
    }
}

/// What a worker keeps while its process is replaced.
struct HandoverState {
    var stage = HandoverStage.serving
    /// No publisher's request is under way any more.
    var isQuiet = false
    /// The turn under way is the last one of the quiet stage.
    var isFreezeDue = false
    /// What other workers asked of polls that are asleep.
    var postponed: [WorkerNotice] = []
    /// Streams whose connections the other process may have.
    var asleep: [Int] = []
    /// Streams that may be handed over now.
    var free: [Int] = []
    /// What came of exchanges while nothing could be changed.
    private var withheld: [LateEvent] = []

    mutating func takePostponed() -> [WorkerNotice] {
        defer { postponed = [] }
        return postponed
    }

    mutating func withhold(_ event: LateEvent) { withheld.append(event) }

    mutating func takeWithheld() -> [LateEvent] {
        defer { withheld = [] }
        return withheld
    }
}
