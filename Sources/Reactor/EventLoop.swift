/// One thread's event loop over libevent's raw events: it waits, and tells event sources that they are ready.
///
/// The law of a turn: `runTurn` waits once, calls the sources that became ready, calls those that asked to be called
/// again, settles what streams are in doubt about, and returns; the caller then does its own end-of-turn work
/// (`afterTurn`). libevent 2.1 has no hooks of its own around the wait, so the turn is a function rather than a
/// callback.
///
/// Not `Sendable`: a loop, its sources and all that hangs on them are made on one thread and never leave it.
import CLibevent
import Glibc

@safe public final class EventLoop {
    /// The libevent base. It lives as long as this object, and every source keeps this object.
    let base: OpaquePointer

    /// Bytes read by one readiness; larger reads cost memory per loop, not per stream.
    package static let readBytesLimit = 98304

    private static let joinedBytesLimit = 4096

    /// What a stream reads into before it lends the bytes. One for all streams of the loop, so that an idle stream
    /// owns no buffer.
    let readBuffer: UnsafeMutableRawBufferPointer

    /// Where a stream puts two small pieces together for one send.
    let joinBuffer: UnsafeMutableRawBufferPointer

    private var again: [EventSource] = []
    private var doubtful = DoubtfulStreams()
    private var turnTime: Int64?
    private var wantsToEnd = false

    /// - Throws: `SystemError` when the system gives no epoll instance.
    package init() throws(SystemError) {
        guard let configuration = unsafe event_config_new() else { throw SystemError("event_config_new", code: ENOMEM) }
        defer { unsafe event_config_free(configuration) }
        // No locks: a loop is used by its own thread alone; other threads come in through a LoopInbox.
        _ = unsafe event_config_set_flag(configuration, Int32(EVENT_BASE_FLAG_NOLOCK.rawValue))
        // Edge-triggered readiness and EV_CLOSED are what the streams are built on; only epoll has both.
        _ = unsafe event_config_require_features(
            configuration, Int32(EV_FEATURE_ET.rawValue | EV_FEATURE_EARLY_CLOSE.rawValue))
        guard let base = unsafe event_base_new_with_config(configuration) else {
            throw SystemError("epoll_create", code: errno == 0 ? ENOMEM : errno)
        }
        unsafe self.base = base
        unsafe readBuffer = .allocate(byteCount: Self.readBytesLimit, alignment: 64)
        // Taken from the system now, once, and not while the first large body passes.
        unsafe readBuffer.initializeMemory(as: UInt8.self, repeating: 0)
        unsafe joinBuffer = .allocate(byteCount: Self.joinedBytesLimit, alignment: 64)
    }

    deinit {
        unsafe event_base_free(base)
        unsafe readBuffer.deallocate()
        unsafe joinBuffer.deallocate()
    }

    /// The version of libevent that is running, e.g. `2.1.12-stable`.
    package static var libraryVersion: String { unsafe String(cString: event_get_version()) }

    /// Monotonic time in nanoseconds, read once a turn and then the same for all that happens in it.
    package var now: Int64 {
        if let turnTime { return turnTime }
        let time = Self.monotonicNanoseconds()
        turnTime = time
        return time
    }

    /// The monotonic clock in nanoseconds, read at this moment.
    package static func monotonicNanoseconds() -> Int64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// Waits until something is ready (not at all if a source has asked to be called again), and calls it.
    ///
    /// - Parameter waiting: false only looks and never waits.
    package func runTurn(waiting: Bool = true) {
        turnTime = nil
        let flags = waiting && again.isEmpty && doubtful.isEmpty ? EVLOOP_ONCE : EVLOOP_ONCE | EVLOOP_NONBLOCK
        let result = unsafe event_base_loop(base, flags)
        precondition(result != -1, "epoll_wait failed on a live loop")
        callThoseAgain()
        settleDoubts()
    }

    private func callThoseAgain() {
        guard !again.isEmpty else { return }
        let sources = again
        again.removeAll(keepingCapacity: true)
        for source in sources {
            source.isQueuedAgain = false
            source.becameReady([])
        }
    }

    /// What comes to light is read in this turn; a stream that is in doubt again waits for the next.
    private func settleDoubts() {
        guard !doubtful.isEmpty else { return }
        for (stream, events) in doubtful.ask() { stream.settled(events) }
    }

    /// Runs turns until `end()`, with `afterTurn` behind each.
    package func run(afterTurn: () -> Void) {
        wantsToEnd = false
        while !wantsToEnd {
            runTurn()
            afterTurn()
        }
    }

    /// Lets `run` return after the present turn.
    package func end() { wantsToEnd = true }

    /// Asks the system at the end of this turn whether `stream` has more to read, or an end.
    func settle(_ stream: ByteStream) {
        guard !stream.isInDoubt else { return }
        stream.isInDoubt = true
        doubtful.append(stream)
    }

    /// Calls `source` once more in the next turn, which then does not wait. For work that was cut to keep turns short.
    func callAgain(_ source: EventSource) {
        guard !source.isQueuedAgain else { return }
        source.isQueuedAgain = true
        again.append(source)
    }
}
