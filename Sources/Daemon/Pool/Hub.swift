/// The one thing that all workers share: the message pool behind a lock, and a door into each worker.
///
/// Why no wake-up is lost: a publisher appends, *then* notifies; a worker looks up, *then* holds, both in one step
/// under the lock. So for any message and any hold, either the look-up came later than the append and found the
/// message, or the append came later than the look-up and finds the hold registered, and the notice that follows it
/// is handled when the hold is in the worker's table, because a worker puts it there before it returns to its loop.
/// With the order turned round (notify, then append) a look-up can fall between the two; the simulation has a run
/// with that order, which must fail.
import Polling
import Reactor

final class Hub: Sendable {
    let epoch: Epoch
    /// The door to the thread that writes the pool down; nil: the pool is in memory alone.
    let store: StoreQueue?
    private let pool: Guarded<MessagePool>
    private let doors: [LoopInbox<WorkerNotice>]
    let rechecks = SharedRechecks()

    /// - Parameter workers: how many there are; a worker's number is below it.
    /// - Throws: `SystemError` when no descriptor is left for the doors.
    init(pool: sending MessagePool, epoch: Epoch, store: StoreQueue?, workers: Int) throws(SystemError) {
        self.epoch = epoch
        self.store = store
        self.pool = Guarded(pool)
        var doors: [LoopInbox<WorkerNotice>] = []
        for _ in 0..<workers { doors.append(try LoopInbox()) }
        self.doors = doors
    }

    func door(of worker: WorkerNumber) -> LoopInbox<WorkerNotice> { doors[worker.index] }

    /// Tells every worker.
    func tellAll(_ notice: WorkerNotice) {
        for door in doors { door.post(notice) }
    }

    /// Channels with holds, and with watches, of the worker that published.
    struct Touched {
        var holds: [ChannelID] = []
        var watches: [ChannelID] = []
    }

    /// Runs `body` on the pool, then tells the workers whose holds it touched.
    ///
    /// - Parameter worker: nil: the caller is none.
    /// - Returns: what `body` returned, and the channels on which the calling worker itself has holds to wake: it does
    ///   that at the end of its turn, without a way through its own door.
    func publish<Result: Sendable, Failure: Error>(
        from worker: WorkerNumber?, _ body: (inout MessagePool) throws(Failure) -> (Result, [WakeUpCall])
    ) throws(Failure) -> (result: Result, own: Touched) {
        let (result, calls) = try pool.withLock { pool throws(Failure) in try body(&pool) }
        var own = Touched()
        for call in calls {
            for number in 0..<doors.count where call.workers.contains(WorkerNumber(number)) {
                if number == worker?.index {
                    own.holds.append(call.channel)
                } else {
                    doors[number].post(.wake(call.channel))
                }
            }
            for number in 0..<doors.count where call.watchers.contains(WorkerNumber(number)) {
                if number == worker?.index {
                    own.watches.append(call.channel)
                } else {
                    doors[number].post(.signal(call.channel))
                }
            }
        }
        return (result, own)
    }

    /// Runs `body` on the pool alone; nobody is to be told.
    func withPool<Result, Failure: Error>(
        _ body: (inout MessagePool) throws(Failure) -> sending Result
    ) throws(Failure) -> Result {
        try pool.withLock { pool throws(Failure) in try body(&pool) }
    }
}
