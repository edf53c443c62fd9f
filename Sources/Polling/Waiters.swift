/// Who waits on a channel: how many of all workers, and how many of these a publish has counted and woken already. One
/// that is woken is not woken again, so a burst of publishes costs one notice.
struct Waiters {
    private(set) var count = 0
    /// Those that a publish has counted and woken already.
    private(set) var claimed = 0
    /// The number of that publish: whoever waits from a position below it is claimed.
    private(set) var claimedBy: UInt64 = 0
    private(set) var workers = WorkerSet()
    /// Those that no publish has counted.
    var unclaimed: Int { count - claimed }

    mutating func add(of worker: WorkerNumber) {
        count += 1
        workers.insert(worker)
    }

    /// One that waited from this position waits no longer.
    mutating func remove(from position: UInt64) {
        precondition(count > 0, "a hold ends once")
        count -= 1
        if position < claimedBy { claimed -= 1 }
    }

    /// One that was claimed found nothing and goes on waiting from a later position.
    mutating func unclaim(from position: UInt64) {
        if position < claimedBy { claimed -= 1 }
    }

    /// None of this worker's waits any longer.
    mutating func remove(allOf worker: WorkerNumber) { workers.remove(worker) }

    /// Counts those that no earlier publish has counted.
    mutating func claim(by number: UInt64) -> Int {
        let released = unclaimed
        guard released > 0 else { return 0 }
        claimed = count
        claimedBy = number
        return released
    }
}
