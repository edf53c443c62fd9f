/// An upgrade: another process of this program takes the place of this one, with its listeners, its pool and the
/// connections that wait (`HandoverRecord` has the course of it). Whatever goes wrong before that process serves, this
/// one goes on.
import ConfigFile
import Gateway
import Glibc
import Logging
import Polling
import Reactor
import Storage

extension Server {
    /// Nanoseconds that the other process has until it can be given what this one has, a large configuration and slow
    /// names among it; and until it serves, with a large pool to be read and checked.
    private static let startTime: Int64 = 60_000_000_000
    /// Nanoseconds that publishers have to bring their requests to an end.
    private static let quietTime: Int64 = 5_000_000_000
    /// Seconds for which a process that has left waits for the other one, which may be giving away all that it has.
    private static let latePatience = 150
    /// Nanoseconds between two signs of life while the main thread gives away what there is and does nothing else.
    private static let signTime: Int64 = 1_000_000_000

    /// Another process serves, and this one ends with what it has begun.
    var hasLeft: Bool { successor?.stage == .serving }

    // MARK: Start

    func upgrade(for asker: Asker?) {
        if let reason = reasonAgainstUpgrade {
            log.error("not upgraded: \(reason)")
            return answer(asker, .refused(reason))
        }
        log.notice("upgrade: another process is started")
        do throws(SystemError) {
            let started = try Successor(launch, asker: asker)
            successor = started
            started.source = RecordSource(loop: loop, socket: started.socket) { [unowned self] in hearSuccessor() }
            limit(Self.startTime, "it was not ready in time")
            lendListeners(to: started)
        } catch {
            failed("\(launch.path) could not be started: \(error)", asker)
        }
    }

    private var reasonAgainstUpgrade: String? {
        if drainPlan.isLeaving { return "this process is ending" }
        if hasLeft { return "another process has taken the place of this one" }
        if successor != nil { return "an upgrade is under way" }
        if !pendingReloads.isEmpty { return "a reload is under way" }
        return nil
    }

    private func lendListeners(to successor: Successor) {
        send(to: successor) { (socket) throws(RecordSocket.Fault) in
            try socket.send(HandoverRecord.format(HandoverRecord.format).bytes)
            for lent in sockets.lendable {
                let record = HandoverRecord.listener(address: lent.address, isAdopted: lent.socket.isAdopted)
                try socket.send(record.bytes, lending: lent.socket.lentNumber)
            }
            try socket.send(HandoverRecord.listenersEnd.bytes)
        }
    }

    /// Sends records; who can't be told anything is given up.
    ///
    /// - Returns: whether they were sent.
    @discardableResult
    private func send(
        to successor: Successor, _ body: (RecordSocket) throws(RecordSocket.Fault) -> Void
    ) -> Bool {
        do throws(RecordSocket.Fault) {
            try body(successor.socket)
            return true
        } catch {
            if successor.stage != .serving, error == .ended {
                // What it has said before its end says why.
                hearSuccessor()
            } else {
                refuse(successor, "\(error)")
            }
            return false
        }
    }

    /// Gives the present stage a time.
    private func limit(_ nanoseconds: Int64, _ reason: String) {
        let timer = LoopTimer(loop: loop) { [unowned self] in giveUpUpgrade(reason) }
        timer.set(loop.now + nanoseconds)
        successor?.timer = timer
    }

    // MARK: What the other process says

    private func hearSuccessor() {
        while let successor {
            do {
                guard let record = try successor.socket.receive(waiting: false) else { return }
                take(try HandoverRecord(record.bytes), from: successor)
            } catch RecordSocket.Fault.ended {
                return ended(successor)
            } catch {
                return refuse(successor, "\(error)")
            }
        }
    }

    /// It can't be what it should be.
    private func refuse(_ successor: Successor, _ reason: String) {
        if successor.stage == .serving { lost(successor, reason) } else { giveUpUpgrade(reason) }
    }

    private func take(_ record: HandoverRecord, from successor: Successor) {
        switch (record, successor.stage) {
        case (.prepared(let store), .preparing):
            successor.store = store
            successor.stage = .quieting
            let timer = LoopTimer(loop: loop) { [unowned self] in freezeWorkers() }
            timer.set(loop.now + Self.quietTime)
            successor.timer = timer
            hub.tellAll(.becomeQuiet)
        case (.taken, .taking): leave(to: successor)
        case (.failed(let reason), _) where successor.stage != .serving: giveUpUpgrade(reason)
        default: refuse(successor, "it says what it should not")
        }
    }

    private func ended(_ successor: Successor) {
        if successor.stage != .serving {
            let exit = successor.child.exit(within: 500)
            let reason = exit.map { "it ended, with \($0); its log may say why" }
            return giveUpUpgrade(reason ?? "it has closed its connection to this process")
        }
        lost(successor, "it has ended")
    }

    /// Nobody is there to take over what is still under way here.
    private func lost(_ successor: Successor, _ reason: String) {
        guard successor.source != nil else { return }
        successor.source = nil
        successor.socket.end()
        _ = successor.child.exit(within: 1)
        log.warning("the process that took the place of this one takes nothing more: \(reason)")
        endAdoption()
        if !drainPlan.isLeaving { goOnLeaving() }
    }

    // MARK: Handing over

    func isQuiet(_ worker: WorkerNumber) {
        guard let successor, successor.stage == .quieting else { return }
        successor.done.insert(worker.index)
        if successor.done.count == configuration.workers { freezeWorkers() }
    }

    private func freezeWorkers() {
        guard let successor, successor.stage == .quieting else { return }
        successor.stage = .freezing
        successor.done = []
        limit(Self.startTime, "a worker does not answer")
        hub.tellAll(.freeze)
    }

    func handed(_ worker: WorkerNumber, _ handed: [Handed]) {
        guard let successor else { return }
        guard successor.stage == .freezing else {
            if successor.stage == .serving { sendLate(handed, to: successor) }
            return
        }
        successor.handed += handed
        successor.done.insert(worker.index)
        guard successor.done.count == configuration.workers else { return }
        successor.stage = .taking
        // All that has been asked for is written and answered, and the file is the other process'.
        let isShared = sharesStore(with: successor)
        opened.end(isLeft: !isShared)
        limit(Self.startTime, "it did not serve in time")
        handOver(to: successor, withPool: !isShared)
    }

    /// Whether both processes are to have the pool in the same file.
    private func sharesStore(with successor: Successor) -> Bool {
        guard let own = configuration.pool.store, let other = successor.store else { return false }
        return StoreFile.isSame(own, other)
    }

    /// - Parameter hasPool: else the other process has it from the file.
    private func handOver(to successor: Successor, withPool hasPool: Bool) {
        let (parts, mark) = hub.withPool { (hasPool ? $0.parts(of: hub.epoch) : [], $0.mark(of: hub.epoch)) }
        let handed = successor.handed
        successor.handed = []
        let start = EventLoop.monotonicNanoseconds()
        var nextSign = start + Self.signTime
        func lookAtClock() throws(RecordSocket.Fault) {
            let now = EventLoop.monotonicNanoseconds()
            if now > start + Self.startTime { throw .stuck }
            guard signTimer != nil, now >= nextSign else { return }
            supervisor.tell(.alive)
            nextSign = now + Self.signTime
        }
        send(to: successor) { (socket) throws(RecordSocket.Fault) in
            if !hasPool { try socket.send(HandoverRecord.stored(mark).bytes) }
            for part in parts {
                try lookAtClock()
                try socket.send(HandoverRecord.pool(part).bytes)
            }
            for one in handed {
                try lookAtClock()
                try socket.send(one.record, lending: one.number)
            }
            try socket.send(HandoverRecord.complete.bytes)
        }
    }

    private func leave(to successor: Successor) {
        // So that the manager believes it when it says that it serves.
        supervisor.tell(.mainProcess(successor.child.id))
        let hasBeenTold = send(to: successor) { (socket) throws(RecordSocket.Fault) in
            try socket.send(HandoverRecord.left.bytes)
        }
        // Without this record it touches nothing.
        guard hasBeenTold else { return supervisor.tell(.mainProcess(getpid())) }
        successor.stage = .serving
        successor.timer = nil
        supervisor.retire()
        signTimer = nil
        sockets.letGo()
        successor.socket.setPatience(seconds: Self.latePatience)
        hub.tellAll(.leave)
        takePutAside()
        answer(successor.asker, .serves(process: successor.child.id))
        if let store = configuration.pool.store { opened.leave(store, log: log) }
        log.notice(
            "another process serves; this one ends with what it has begun",
            metadata: ["process": "\(successor.child.id)"])
        let timer = LoopTimer(loop: loop) { [unowned self] in
            log.warning("timeouts.upgrade is up: what is left is cut off")
            hub.tellAll(.endNow)
        }
        timer.set(loop.now + configuration.timeouts.upgrade.wholeNanoseconds)
        successor.timer = timer
    }

    // MARK: Behind that

    /// The process before this one hands over what this one has no use for any more.
    func relay(_ record: RecordSocket.Record) {
        guard let successor, successor.source != nil else { return endAdoption() }
        send(to: successor) { (socket) throws(RecordSocket.Fault) in
            try socket.send(record.bytes, lending: record.descriptor?.number)
        }
    }

    private func sendLate(_ handed: [Handed], to successor: Successor) {
        guard successor.source != nil else { return }
        send(to: successor) { (socket) throws(RecordSocket.Fault) in
            for one in handed { try socket.send(one.record, lending: one.number) }
        }
    }

    func tellLate(_ event: LateEvent) {
        guard let successor, successor.source != nil else { return }
        send(to: successor) { (socket) throws(RecordSocket.Fault) in
            try socket.send(HandoverRecord.late(event).bytes)
        }
    }

    // MARK: Nothing comes of it

    /// Ends the other process, if it does not serve yet, and goes on as before.
    func giveUpUpgrade(_ reason: String) {
        guard let successor, successor.stage != .serving else { return }
        self.successor = nil
        successor.end()
        defer { takePutAside() }
        switch successor.stage {
        case .preparing, .serving: break
        case .quieting, .freezing: hub.tellAll(.goOnServing)
        case .taking:
            do throws(SystemError) {
                try opened.reopen(configuration.pool, hub: hub, log: log)
            } catch {
                // There was one a moment ago. Without it publishers would wait for ever.
                log.critical("no thread can be started for the pool; the process ends: \(error)")
                writer.end()
                abort()
            }
            hub.tellAll(.goOnServing)
        }
        failed(reason, successor.asker)
    }

    private func failed(_ reason: String, _ asker: Asker?) {
        door.reloads.upgradesFailed += 1
        log.error("the upgrade has failed, and this process goes on: \(reason)")
        answer(asker, .failed(reason))
    }

    private func answer(_ asker: Asker?, _ result: UpgradeResult) {
        guard let asker else { return }
        hub.door(of: asker.worker).post(.upgraded(asker, result))
    }
}
