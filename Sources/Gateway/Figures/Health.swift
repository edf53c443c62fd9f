/// Whether the daemon does its work, as load balancers and supervisors ask for it.
import ByteText

package enum HealthQuestion: Equatable, Sendable {
    /// Does it answer at all, with every worker? If not, only a restart helps.
    case live
    /// Should clients be sent here?
    case ready

    /// `/health/live`, `/health/ready`, and `/health`, which asks the same as the latter.
    package init?(_ path: Span<UInt8>) {
        if path.equals("/health/live") {
            self = .live
        } else if path.equals("/health/ready") || path.equals("/health") {
            self = .ready
        } else {
            return nil
        }
    }
}

package struct Health: Equatable, Sendable {
    /// No new clients are wanted.
    package var isLeaving: Bool
    /// Workers that make no progress.
    package var stuckWorkers: Int

    package init(isLeaving: Bool, stuckWorkers: Int) {
        self.isLeaving = isLeaving
        self.stuckWorkers = stuckWorkers
    }

    /// Why the answer is no; nil: it is yes.
    package func reason(against question: HealthQuestion) -> String? {
        if stuckWorkers > 0 { return "\(stuckWorkers) of the workers make no progress" }
        return question == .ready && isLeaving ? "draining" : nil
    }
}
