/// The thread that writes the pool down, the only one that gives numbers while there is a store.
///
/// It takes all that waits, plans it, writes it in one transaction, and only then carries it out in the pool, wakes
/// who holds, and tells the publishers, in this order. So nobody is shown a message that a crash could take back, no
/// loop waits for the disk, and many publishers share one commit.
import Gateway
import Logging
import Polling
import Reactor
import Storage

final class StoreThread {
    /// Steps of one transaction at most, so that the first of many is not answered after the last.
    private static let batchStepsLimit = 2048
    /// Steps that are carried out under one lock, so that workers look up in between.
    private static let slice = 256

    private let store: MessageStore
    private let hub: Hub
    private let queue: StoreQueue
    private let log: Logger
    /// What has left the pool and is still in the file.
    private var left = Departures()
    private var notice = RareNotice()
    private var isFailing = false
    /// The store is to be marked as this process' own, under this name of the system's run.
    private var unmarked: String?

    /// The thread's whole life.
    ///
    /// - Parameter store: open and loaded; nothing else uses it any more.
    static func serve(_ store: Guarded<MessageStore?>, hub: Hub, queue: StoreQueue, log: Logger) {
        guard let store = store.withLock({ $0.take() }) else { return }
        let thread = StoreThread(store, hub: hub, queue: queue, log: log)
        while let jobs = queue.take() { thread.perform(jobs) }
        thread.finish()
    }

    /// Tries to open the store again, with each look that is taken, and refuses changes until that succeeds.
    ///
    /// - Returns: nil if the queue ends before.
    static func reopen(
        hub: Hub, queue: StoreQueue, log: Logger, _ attempt: () throws(StoreError) -> MessageStore
    ) -> MessageStore? {
        var hasFailed = false
        while true {
            let reason: String
            do throws(StoreError) {
                let store = try attempt()
                queue.count { $0.isFailing = false }
                if hasFailed { log.warning("the pool can be written again", metadata: ["file": "\(store.file.path)"]) }
                return store
            } catch {
                reason = "\(error)"
            }
            if !hasFailed { log.error("the pool can't be opened again, and publishes are refused: \(reason)") }
            hasFailed = true
            queue.count { figures in
                figures.failures += 1
                figures.isFailing = true
                figures.lastError = reason
            }
            guard let jobs = queue.take() else { return nil }
            for job in jobs { refuse(job, reason, hub, queue) }
        }
    }

    private static func refuse(_ job: StoreQueue.Job, _ reason: String, _ hub: Hub, _ queue: StoreQueue) {
        switch job {
        case .limits(let limits):
            let now = Moment(nanoseconds: EventLoop.monotonicNanoseconds())
            hub.withPool { $0.setLimits(limits, now: now) }
        // Who opens its own store again has filled none.
        case .own: break
        case .changes(let changes, let address):
            let now = Moment(nanoseconds: EventLoop.monotonicNanoseconds())
            let outcomes = changes.map { change in
                // A signal would take a number that is reserved nowhere, and a crash would give it again.
                guard case .giveBack = change else { return PoolOutcome.notStored(reason) }
                return hub.publish(from: nil) { $0.make(change, now: now) }.result
            }
            queue.release(changes)
            guard let address else {
                let refused = outcomes.count { if case .notStored = $0 { true } else { false } }
                return queue.count { $0.unwritten += UInt64(refused) }
            }
            hub.door(of: address.worker).post(
                .settled([StoreReply(stream: address.stream, serial: address.serial, outcomes: outcomes)]))
        }
    }

    private init(_ store: MessageStore, hub: Hub, queue: StoreQueue, log: Logger) {
        self.store = store
        self.hub = hub
        self.queue = queue
        self.log = log
    }

    private func perform(_ jobs: [StoreQueue.Job]) {
        var batch = Batch()
        for job in jobs {
            switch job {
            case .changes(let changes, let address):
                batch.add(changes, address)
                if batch.stepsCount >= Self.batchStepsLimit { perform(&batch) }
            case .limits(let limits):
                perform(&batch)
                let now = now
                hub.withPool { $0.setLimits(limits, now: now) }
            case .own(let boot):
                unmarked = boot
                own()
            }
        }
        perform(&batch)
        if jobs.isEmpty { removeDeparted() }
    }

    // MARK: One transaction

    /// Changes that share a transaction, and who is told of which of them.
    private struct Batch {
        var changes: [PoolChange] = []
        var addressees: [(changes: Range<Int>, address: StoreQueue.Address?)] = []
        var stepsCount = 0

        mutating func add(_ more: [PoolChange], _ address: StoreQueue.Address?) {
            addressees.append((changes.count..<changes.count + more.count, address))
            changes += more
            for change in more {
                if case .publish(let items) = change { stepsCount += items.count } else { stepsCount += 1 }
            }
        }
    }

    private func perform(_ batch: inout Batch) {
        guard !batch.changes.isEmpty else { return }
        let changes = batch.changes
        let plan = plan(changes)
        let outcomes: [PoolOutcome]
        if let reason = store.needsWriting(plan) ? write(plan) : nil {
            outcomes = zip(changes, plan.verdicts).map { change, verdict in
                verdict.outcome { _ in change.isUnwritten ? makeUnwritten(change, reason) : .notStored(reason) }
            }
        } else {
            outcomes = carryOut(plan, changes)
        }
        queue.release(changes)
        tell(batch.addressees, outcomes)
        batch = Batch()
    }

    private func plan(_ changes: [PoolChange]) -> PoolPlan {
        let (plan, gone) = hub.withPool { pool in
            var plan = PoolPlan(lastNumber: pool.lastNumber)
            for change in changes { pool.add(change, to: &plan) }
            return (plan, pool.takeDepartures())
        }
        left.append(gone)
        return plan
    }

    private func carryOut(_ plan: PoolPlan, _ changes: [PoolChange]) -> [PoolOutcome] {
        let receipts = carryOut(plan.steps)
        return zip(changes, plan.verdicts).map { change, verdict in
            verdict.outcome { steps in
                if case .delete = change { return .deleted(receipts[steps.lowerBound].id) }
                return .published(Array(receipts[steps]))
            }
        }
    }

    /// What shared a transaction that failed, and can do without one as long as numbers are reserved.
    private func makeUnwritten(_ change: PoolChange, _ reason: String) -> PoolOutcome {
        let plan = plan([change])
        if store.needsWriting(plan) { return .notStored(reason) }
        return carryOut(plan, [change]).first ?? .notStored(reason)
    }

    /// - Returns: why it could not be written; nil: it was.
    private func write(_ plan: PoolPlan) -> String? {
        do {
            let rows = try store.write(plan, left, wall: WallTime.now.nanoseconds)
            left = Departures()
            let bytes = store.file.bytes
            queue.count { figures in
                figures.commits += 1
                figures.rows += UInt64(rows)
                figures.bytes = bytes
                figures.isFailing = false
            }
            if isFailing { log.warning("the pool can be written again", metadata: ["file": "\(store.file.path)"]) }
            isFailing = false
            own()
            return nil
        } catch {
            noteFailure("\(error)")
            return "\(error)"
        }
    }

    private func noteFailure(_ reason: String) {
        isFailing = true
        queue.count { figures in
            figures.failures += 1
            figures.isFailing = true
            figures.lastError = reason
        }
        if let count = notice.happened(now: EventLoop.monotonicNanoseconds()) {
            log.error(
                "the pool can't be written, and publishes are refused: \(reason)",
                metadata: ["file": "\(store.file.path)", "failures": "\(count)"])
        }
        // The log may be all that has no room: once it is copied over, its room is used again.
        do { try store.makeRoom() } catch { log.debug("the log can't be copied over: \(error)") }
    }

    private func carryOut(_ steps: [PoolPlan.Step]) -> [PublishReceipt] {
        var receipts: [PublishReceipt] = []
        receipts.reserveCapacity(steps.count)
        let now = now
        for start in stride(from: 0, to: steps.count, by: Self.slice) {
            let part = steps[start..<min(start + Self.slice, steps.count)]
            receipts +=
                hub.publish(from: nil) { pool in
                    var calls: [WakeUpCall] = []
                    return (part.map { pool.carryOut($0, now: now, calls: &calls) }, calls)
                }.result
        }
        return receipts
    }

    private func tell(
        _ addressees: [(changes: Range<Int>, address: StoreQueue.Address?)], _ outcomes: [PoolOutcome]
    ) {
        var replies: [WorkerNumber: [StoreReply]] = [:]
        var unwritten = 0
        for (changes, address) in addressees {
            if let address {
                replies[address.worker, default: []].append(
                    StoreReply(stream: address.stream, serial: address.serial, outcomes: Array(outcomes[changes])))
            } else {
                for case .notStored in outcomes[changes] { unwritten += 1 }
            }
        }
        if unwritten > 0 { queue.count { $0.unwritten += UInt64(unwritten) } }
        for (worker, replies) in replies { hub.door(of: worker).post(.settled(replies)) }
    }

    // MARK: Without changes

    private func own() {
        guard let boot = unmarked else { return }
        do {
            try store.own(boot: boot)
            unmarked = nil
        } catch {
            // Tried again behind the next commit.
            noteFailure("\(error)")
        }
    }

    /// Takes out of the file what has left the pool since the last transaction.
    private func removeDeparted() {
        left.append(hub.withPool { $0.takeDepartures() })
        guard !left.isEmpty else { return }
        _ = write(PoolPlan(lastNumber: hub.withPool { $0.lastNumber }))
    }

    private func finish() {
        removeDeparted()
        let (last, forgotten) = hub.withPool { ($0.lastNumber, $0.forgottenThrough) }
        do {
            try store.finish(lastNumber: last, forgottenThrough: forgotten, isLeft: queue.isLeft)
            queue.isFinished = true
        } catch {
            log.error("the pool's file was not closed as it should be; it is read like after a crash: \(error)")
        }
    }

    private var now: Moment { Moment(nanoseconds: EventLoop.monotonicNanoseconds()) }
}

extension PoolPlan.Verdict {
    /// - Parameter performed: what became of steps.
    fileprivate func outcome(_ performed: (Range<Int>) -> PoolOutcome) -> PoolOutcome {
        switch self {
        case .steps(let steps): performed(steps)
        case .unknownChannel: .unknownChannel
        case .refused(let error): .refused(error)
        }
    }
}
