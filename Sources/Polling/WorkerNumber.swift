/// Which of the workers, counted from 0, and sets of them.
package struct WorkerNumber: Hashable, Sendable {
    package static let limit = 64

    package let index: Int

    package init(_ index: Int) {
        precondition(index >= 0 && index < Self.limit, "a set of workers is one word of 64 bits")
        self.index = index
    }
}

/// A set of workers in one word.
package struct WorkerSet: Hashable, Sendable {
    private var bits: UInt64 = 0

    package var isEmpty: Bool { bits == 0 }
    package func contains(_ worker: WorkerNumber) -> Bool { bits & (1 << UInt64(worker.index)) != 0 }
    mutating func insert(_ worker: WorkerNumber) { bits |= 1 << UInt64(worker.index) }
    mutating func remove(_ worker: WorkerNumber) { bits &= ~(1 << UInt64(worker.index)) }
}

/// A channel on which these workers hold polls that a publish, a signal or a deletion has to wake.
package struct WakeUpCall: Hashable, Sendable {
    package let channel: ChannelID
    /// With holds, which are to be told what is new.
    package let workers: WorkerSet
    /// With watches, which are to be told that something is.
    package let watchers: WorkerSet
}

/// A channel's place in the pool's table. It is stable as long as the channel has messages or holds.
package struct ChannelID: Hashable, Sendable {
    package let index: Int32
}
