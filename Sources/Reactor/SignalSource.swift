/// Delivers a POSIX signal as an ordinary call on a loop. One loop of a process may have such sources.
import CLibevent
import Glibc

public final class SignalSource: EventSource {
    private let received: () -> Void

    /// - Parameters:
    ///   - signal: e.g. `SIGTERM`.
    ///   - received: called on the loop, never inside a signal handler.
    package init(loop: EventLoop, signal: Int32, received: @escaping () -> Void) {
        self.received = received
        // Whoever started us may have blocked it, and a blocked signal stays blocked across exec.
        var set = sigset_t()
        unsafe sigemptyset(&set)
        unsafe sigaddset(&set, signal)
        unsafe sigprocmask(SIG_UNBLOCK, &set, nil)
        super.init(loop: loop, descriptor: signal, interests: [.signal, .persistent])
        register()
    }

    public override func becameReady(_ readiness: Readiness) { received() }

    /// Lets a signal come to nothing while no source takes it.
    package static func ignore(_ signals: [Int32]) { for number in signals { _ = Glibc.signal(number, SIG_IGN) } }

    /// Lets writes to a closed peer fail with EPIPE instead of ending the process.
    package static func ignoreBrokenPipes() { _ = Glibc.signal(SIGPIPE, SIG_IGN) }

    /// Lets writes behind a limit of a file's size fail with EFBIG instead of ending the process.
    package static func ignoreFileSizeLimit() { _ = Glibc.signal(SIGXFSZ, SIG_IGN) }
}
