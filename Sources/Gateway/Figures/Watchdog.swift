/// Notices a worker that makes no progress. The main thread asks each worker once a second, and a worker answers in its
/// next turn, however busy it is; so one that leaves several questions unanswered is stuck inside a turn.
///
/// Questions are counted and not seconds: a process that was stopped as a whole (SIGSTOP, a suspended machine) finds
/// one question late when it goes on, and no worker stuck.
package struct Watchdog {
    package enum Finding: Equatable {
        /// It has left `Watchdog.patience` questions unanswered.
        case stuck(worker: Int)
        /// It has answered again.
        case recovered(worker: Int)
        /// It won't come back: held polls and requests of this worker can only be freed by a new process.
        case lost(worker: Int)
    }

    /// Questions, which is seconds, until a worker is called stuck.
    package static let patience = 5
    /// Until it is given up.
    package static let endurance = 60

    private var unanswered: [Int]

    package init(workers: Int) { unanswered = Array(repeating: 0, count: workers) }

    /// No worker is stuck.
    package var allAnswer: Bool { unanswered.allSatisfy { $0 <= Self.patience } }

    /// A second is over and each worker is asked.
    package mutating func tick() -> [Finding] {
        var findings: [Finding] = []
        for worker in unanswered.indices {
            unanswered[worker] += 1
            // The question of this tick has had no time yet.
            switch unanswered[worker] - 1 {
            case Self.patience: findings.append(.stuck(worker: worker))
            case Self.endurance: findings.append(.lost(worker: worker))
            default: break
            }
        }
        return findings
    }

    /// A worker has answered.
    package mutating func answered(_ worker: Int) -> Finding? {
        let wasStuck = unanswered[worker] > Self.patience
        unanswered[worker] = 0
        return wasStuck ? .recovered(worker: worker) : nil
    }
}
