/// What the service manager hears of this process: that it is ready, reloads, ends, and is alive.
import Gateway
import Reactor

extension Server {
    /// Says that it serves, and from then on that it is alive.
    func tellReady() {
        supervisor.tell(.ready(status: "serving"))
        giveSignsOfLife()
    }

    /// Says at the manager's pace that all is well, as long as all workers answer.
    private func giveSignsOfLife() {
        guard let interval = supervisor.signInterval else { return }
        signTimer = LoopTimer(loop: loop) { [unowned self] in
            if watchdog.allAnswer { supervisor.tell(.alive) }
            signTimer?.set(loop.now + interval)
        }
        signTimer?.set(loop.now + interval)
    }
}
