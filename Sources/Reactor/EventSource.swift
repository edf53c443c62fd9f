/// Something that a loop can find ready: a descriptor, a timer or a signal. Subclasses say what then happens.
///
/// The class itself is what C calls back, so a source costs one object and one libevent event and no closure. The two
/// rules of the border: libevent gets an unretained address, so the owner of a source must keep it while it is
/// registered; and `deinit` frees the event first, so no call can reach a dead object. A source keeps its loop, since
/// freeing an event after its base reads freed memory.
///
/// `open`, because Swift lets no `package` class be subclassed from another module.
import CLibevent

@safe open class EventSource {
    /// What a source was found to be.
    public struct Readiness: OptionSet, Sendable {
        public let rawValue: Int16
        public init(rawValue: Int16) { self.rawValue = rawValue }

        package static let timeout = Readiness(rawValue: Int16(EV_TIMEOUT))
        package static let read = Readiness(rawValue: Int16(EV_READ))
        package static let write = Readiness(rawValue: Int16(EV_WRITE))
        package static let signal = Readiness(rawValue: Int16(EV_SIGNAL))
        /// The peer has ended its side (EPOLLRDHUP); bytes that it sent before may still wait to be read.
        package static let closed = Readiness(rawValue: Int16(EV_CLOSED))
        /// Report changes instead of states.
        static let edge = Readiness(rawValue: Int16(EV_ET))
        static let persistent = Readiness(rawValue: Int16(EV_PERSIST))
    }

    package let loop: EventLoop
    private var event: OpaquePointer?
    fileprivate(set) var isRegistered = false
    var isQueuedAgain = false

    /// A source that isn't registered yet.
    ///
    /// - Parameters:
    ///   - descriptor: the descriptor or signal number, -1 for a timer.
    init(loop: EventLoop, descriptor: Int32, interests: Readiness) {
        self.loop = loop
        unsafe event = event_new(
            loop.base, descriptor, interests.rawValue,
            { _, what, context in
                guard let context = unsafe context else { return }
                let source = unsafe Unmanaged<EventSource>.fromOpaque(context).takeUnretainedValue()
                source.becameReady(Readiness(rawValue: what))
            }, Unmanaged.passUnretained(self).toOpaque())
        precondition(unsafe event != nil, "out of memory for an event, or a signal number that is none")
    }

    deinit {
        if let event = unsafe event { unsafe event_free(event) }
    }

    /// Called by the loop. Empty readiness: the source asked to be called again.
    open func becameReady(_ readiness: Readiness) {
        preconditionFailure("a subclass says what happens when it is ready")
    }

    /// Begins to be called. With `delay`, once after that many nanoseconds.
    final func register(delay: Int64? = nil) {
        guard let event = unsafe event else { return }
        if let delay {
            let microseconds = (max(0, delay) + 999) / 1000
            var interval = timeval(tv_sec: Int(microseconds / 1_000_000), tv_usec: Int(microseconds % 1_000_000))
            unsafe event_add(event, &interval)
        } else {
            unsafe event_add(event, nil)
        }
        isRegistered = true
    }

    /// Stops being called. To be done before the descriptor is closed.
    final func unregister() {
        guard isRegistered, let event = unsafe event else { return }
        unsafe event_del(event)
        isRegistered = false
    }
}
