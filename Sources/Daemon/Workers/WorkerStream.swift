/// A stream that a worker keeps under a number: the connections of clients, of publishers and to the app.
import Gateway
import Reactor

class WorkerStream: ByteStream {
    /// A circle while the stream is in the worker's table, which it leaves when it closes; the worker ends with its
    /// table empty. An unowned reference would be asked at each use whether the worker is still there: some seventy
    /// times a request.
    let worker: Worker
    private let index: Int32
    /// Since when the peer's body is measured, in milliseconds of the loop's clock; 0: it is not.
    private var measuredSince: UInt32 = 0
    /// While the peer's body is measured, what has come of it; while the write clock runs, what the peer had of our
    /// output when it was set. There is one clock at a time.
    private var mark: UInt64 = 0
    /// Index in the worker's table; free for another stream once this one has ended.
    final var number: Int { Int(index) }

    init(worker: Worker, socket: consuming StreamSocket) {
        self.worker = worker
        index = Int32(worker.nextStreamNumber())
        super.init(loop: worker.loop, socket: socket)
        worker.keep(self)
    }

    /// A clock of this stream has run out.
    func deadlinePassed(_ clock: Clock) { end() }

    /// The daemon is to end: finish what is under way, begin nothing new.
    func drain() {}

    /// The time for that is up: a poll that is held gets its answer, before everything is cut off.
    func answerNow() { drain() }

    /// What another process needs to go on with this connection; nil: something is under way that it can't go on with.
    ///
    /// - Parameter grants: by their serials.
    func handed(_ grants: [UInt64: HandedGrant]) -> HandedConnection? { nil }

    /// Lets go of the poll that is held, for another process that goes on with it.
    func forgetPoll() {}

    /// Lets go of the connection, for another process that goes on with it, and leaves the worker's table.
    ///
    /// - Returns: nil if it has been closed.
    final func handOver() -> FileDescriptor? {
        forgetPoll()
        guard let descriptor = takeDescriptor() else { return nil }
        ended()
        worker.drop(self)
        return descriptor
    }

    /// Closes and leaves the worker's table at the end of the turn.
    final func end(reset: Bool = false) {
        guard isOpen else { return }
        close(reset: reset)
        ended()
        worker.drop(self)
    }

    /// The stream has been closed; its exchange, if any, is to be let go of.
    func ended() {}

    /// - Parameter duration: in nanoseconds; nil: the configuration's for this clock.
    final func setClock(_ clock: Clock?, lasting duration: Int64? = nil) {
        // Time in which the peer is not the one to go on says nothing about its speed.
        if clock != .body { measuredSince = 0 }
        worker.setClock(clock, lasting: duration, of: number)
    }

    /// Starts the write clock if output waits. More output does not put it off.
    final func watchOutput() {
        guard queuedBytes > 0, worker.clock(of: number) != .write else { return }
        setClock(.write)
        mark = deliveredBytes
    }

    /// Whether the peer has taken that much of our output since the clock was set; if it has, the clock is set again.
    final func outputMoves(atLeast least: UInt64 = 1) -> Bool {
        let delivered = deliveredBytes
        guard delivered - mark >= least else { return false }
        mark = delivered
        setClock(.write)
        return true
    }

    /// Counts a piece of the peer's body.
    ///
    /// - Returns: whether the body has come more slowly than the configuration lets it, over the time that it says.
    final func isTooSlow(_ count: Int) -> Bool {
        guard let rate = worker.service.leastRate else { return false }
        let now = UInt32(truncatingIfNeeded: worker.loop.now / 1_000_000)
        guard measuredSince != 0 else {
            measuredSince = max(1, now)
            mark = 0
            return false
        }
        let elapsed = UInt64(now &- measuredSince)
        mark += UInt64(count)
        guard elapsed >= rate.milliseconds else { return false }
        let isSlow = mark * 1000 < rate.bytesPerSecond * elapsed
        measuredSince = max(1, now)
        mark = 0
        return isSlow
    }
}

/// The clocks that run for a stream, one at a time, each with its own duration (`timeouts` of the configuration).
enum Clock: Int, CaseIterable {
    /// A whole request head must come.
    case head
    /// More of a request's body must come.
    case body
    /// The peer must read.
    case write
    /// The next request may come.
    case keepAlive
    /// Something must pass through a tunnel.
    case tunnel
    /// The peer of a finished connection must close.
    case linger
    /// A server of the app must become free.
    case queue
    /// The app must accept the connection.
    case connect
    /// The app must begin its response.
    case response
    /// The app must go on with its response.
    case gap
    /// An idle connection to the app is kept.
    case idleUpstream
}
