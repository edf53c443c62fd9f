/// Which workers serve by which configuration: a reload is over when all of them have taken it, and only then is who
/// asked for it answered, and what the old one used let go of.
import Polling

package struct ReloadLedger {
    /// What workers have taken last.
    private var taken: [UInt64]
    package private(set) var generation: UInt64 = 0
    private var announced: UInt64 = 0

    package init(workers: Int) { taken = Array(repeating: 0, count: workers) }

    /// A file is in order and goes to the workers.
    ///
    /// - Returns: its number.
    package mutating func began() -> UInt64 {
        generation += 1
        return generation
    }

    /// - Returns: generations that all workers have taken now, or nil; each is told once.
    package mutating func took(_ generation: UInt64, worker: Int) -> ClosedRange<UInt64>? {
        precondition(generation <= self.generation, "a worker takes what was sent")
        taken[worker] = max(taken[worker], generation)
        guard let least = taken.min(), least > announced else { return nil }
        defer { announced = least }
        return (announced + 1)...least
    }
}
