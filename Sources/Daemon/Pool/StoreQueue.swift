/// The door to the thread that writes the pool down: changes wait in it until their transaction.
///
/// It is bounded: what goes over `bytesLimit` is refused at once, and the publisher is told so. A change that is larger
/// by itself comes in when nothing else waits, since the limits of the control socket let it.
import Gateway
import Polling
import Reactor

final class StoreQueue: Sendable {
    /// Of memory that waits: some seconds of publishes for a disk that has stalled.
    static let bytesLimit = 64 << 20

    /// Who is told what has come of it.
    struct Address: Sendable {
        let worker: WorkerNumber
        let stream: Int
        let serial: UInt64
    }

    enum Job: Sendable {
        /// - Parameter address: nil: nobody waits for it.
        case changes([PoolChange], Address?)
        case limits(PoolLimits)
        /// The pool is this process' now, and no other one's.
        case own(boot: String)
    }

    private struct Waiting {
        var jobs: [Job] = []
        var bytes = 0
        var hasEnded = false
        var isLeft = false
        var isFinished = false
    }

    private let waiting = Guarded(Waiting())
    private let kept = Guarded(StoreFigures())
    private let bell: WakeUp

    /// - Throws: `SystemError` when no descriptor is left.
    init() throws(SystemError) { bell = try WakeUp() }

    // MARK: Any thread

    /// - Returns: false: too much waits.
    func submit(_ changes: [PoolChange], for address: Address?) -> Bool {
        let footprint = changes.reduce(0) { $0 + $1.footprint }
        let (isTaken, wasEmpty) = waiting.withLock { waiting in
            guard waiting.bytes == 0 || waiting.bytes + footprint <= Self.bytesLimit else { return (false, false) }
            waiting.bytes += footprint
            waiting.jobs.append(.changes(changes, address))
            return (true, waiting.jobs.count == 1)
        }
        kept.withLock { figures in
            if isTaken { figures.waiting += changes.count } else { figures.refused += UInt64(changes.count) }
        }
        if wasEmpty { bell.ring() }
        return isTaken
    }

    /// The same for what can't be refused; it is little, and no more than there are polls.
    func insist(_ change: PoolChange) {
        waiting.withLock { waiting in
            waiting.bytes += change.footprint
            waiting.jobs.append(.changes([change], nil))
        }
        kept.withLock { $0.waiting += 1 }
        bell.ring()
    }

    /// Changes the pool's bounds behind all that waits.
    func setLimits(_ limits: PoolLimits) {
        waiting.withLock { $0.jobs.append(.limits(limits)) }
        bell.ring()
    }

    /// The pool is this process' now, and no other one's.
    func own(boot: String) {
        waiting.withLock { $0.jobs.append(.own(boot: boot)) }
        bell.ring()
    }

    /// Something may have left the pool that is still in the file.
    func tick() { bell.ring() }

    /// Nothing more comes.
    ///
    /// - Parameter isLeft: the pool goes on in another place.
    func end(isLeft: Bool) {
        waiting.withLock { ($0.hasEnded, $0.isLeft, $0.isFinished) = (true, isLeft, false) }
        bell.ring()
    }

    /// More comes after all.
    func reopen() { waiting.withLock { ($0.hasEnded, $0.isLeft) = (false, false) } }

    var figures: StoreFigures { kept.withLock { $0 } }

    // MARK: The store's thread

    /// Blocks until there is something to do.
    ///
    /// - Returns: nothing at a tick; nil at the end.
    func take() -> [Job]? {
        bell.wait()
        return waiting.withLock { waiting in
            if waiting.jobs.isEmpty, waiting.hasEnded { return nil }
            // Whoever submits from now on finds it empty and rings; an end that is not seen here has to ring again.
            if waiting.hasEnded { bell.ring() }
            let jobs = waiting.jobs
            waiting.jobs = []
            return jobs
        }
    }

    /// The pool goes on in another place.
    var isLeft: Bool { waiting.withLock { $0.isLeft } }

    /// What is to be said of the end stands in the file.
    var isFinished: Bool {
        get { waiting.withLock { $0.isFinished } }
        set { waiting.withLock { $0.isFinished = newValue } }
    }

    /// These changes wait no more.
    func release(_ changes: [PoolChange]) {
        let footprint = changes.reduce(0) { $0 + $1.footprint }
        waiting.withLock { $0.bytes -= footprint }
        kept.withLock { $0.waiting -= changes.count }
    }

    func count(_ change: (inout StoreFigures) -> Void) { kept.withLock { change(&$0) } }
}

/// What has come of the changes of one stream's job.
struct StoreReply: Sendable {
    let stream: Int
    let serial: UInt64
    let outcomes: [PoolOutcome]
}
