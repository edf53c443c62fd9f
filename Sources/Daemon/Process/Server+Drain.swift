/// How the process leaves: health turns first, then held polls are answered and running requests finish, then what is
/// left is cut off. `DrainPlan` says what comes next.
import ConfigFile
import Gateway
import Logging
import Polling
import Reactor

extension Server {
    /// A signal asks the process to end.
    func askedToEnd() {
        giveUpUpgrade("this process is asked to end")
        if goOnLeaving() { log.notice("asked to end once more: what is left is cut off") }
    }

    /// Goes one step on.
    ///
    /// - Returns: whether what is left is being cut off.
    @discardableResult
    func goOnLeaving() -> Bool {
        let timeouts = configuration.timeouts
        // Behind an upgrade nobody new comes, and few are left.
        let notice = hasLeft ? .zero : timeouts.drainNotice
        let next = drainPlan.next(notice: notice, spread: timeouts.drainSpread, limit: timeouts.drain)
        guard let (step, lasting) = next else { return true }
        drainTimer = nil
        door.changeHealth { $0.isLeaving = true }
        switch step {
        case .announce:
            log.info("leaving: health says so, and requests are served on for \(timeouts.drainNotice)")
            supervisor.tell(.stopping(within: timeouts.drainNotice + timeouts.drain, status: "leaving, and serving on"))
        case .release(let spread):
            log.info("draining: held polls are answered, running requests may finish")
            supervisor.tell(.stopping(within: timeouts.drain, status: "draining"))
            // Workers that end take nothing any more.
            endReloads(Array(pendingReloads.keys))
            // What has come from the process before this one is in front of that; that process ends by itself.
            hear()
            endAdoption()
            hub.tellAll(.drain(over: spread))
            sockets.close()
        case .cut:
            hub.tellAll(.endNow)
            return true
        }
        if let lasting {
            drainTimer = LoopTimer(loop: loop) { [unowned self] in
                if goOnLeaving() { log.warning("the time for draining is up: what is left is cut off") }
            }
            drainTimer?.set(loop.now + lasting.wholeNanoseconds)
        }
        return false
    }
}
