/// Calls a closure once at a moment. A loop needs few of these: deadlines stand in queues, and one timer serves the
/// earliest.
public final class LoopTimer: EventSource {
    private let fired: () -> Void
    /// The moment for which the timer is set, in the loop's monotonic nanoseconds; nil while it rests.
    package private(set) var deadline: Int64?

    /// - Parameter fired: called on the loop. It must not keep the timer's owner alive (capture it `unowned`).
    package init(loop: EventLoop, fired: @escaping () -> Void) {
        self.fired = fired
        super.init(loop: loop, descriptor: -1, interests: [])
    }

    /// Sets the timer for `deadline`, or lets it rest. Setting it to what it is costs nothing.
    package func set(_ deadline: Int64?) {
        guard deadline != self.deadline else { return }
        self.deadline = deadline
        if let deadline {
            register(delay: deadline - loop.now)
        } else {
            unregister()
        }
    }

    public override func becameReady(_ readiness: Readiness) {
        deadline = nil
        fired()
    }
}
