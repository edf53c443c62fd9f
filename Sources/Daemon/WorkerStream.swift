/// A stream that a worker keeps under a number: the connections of clients, of publishers and to the app.
import Reactor

class WorkerStream: ByteStream {
    /// The worker outlives its streams: it drops them all before it ends.
    unowned let worker: Worker
    /// Index in the worker's table; free for another stream once this one has ended.
    let number: Int
    /// Output that waited when the write clock was set, to tell a slow reader from one that has stopped.
    private var queuedAtMark = 0

    init(worker: Worker, socket: consuming StreamSocket) {
        self.worker = worker
        number = worker.nextStreamNumber()
        super.init(loop: worker.loop, socket: socket)
        worker.keep(self)
    }

    /// A clock of this stream has run out.
    func deadlinePassed(_ clock: Clock) { end() }

    /// The daemon is to end: finish what is under way, begin nothing new.
    func drain() {}

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
        worker.setClock(clock, lasting: duration, of: number)
    }

    /// Starts the write clock if output waits.
    final func watchOutput() {
        guard queuedBytes > 0 else { return }
        queuedAtMark = queuedBytes
        setClock(.write)
    }

    /// Whether output has moved since the clock was set; if it has, the clock is set again.
    final func outputMoves() -> Bool {
        guard queuedBytes < queuedAtMark else { return false }
        watchOutput()
        return true
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
