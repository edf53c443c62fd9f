/// A channel in the pool's table: its messages, what it has lost, and who waits on it.
import DequeModule

struct ChannelEntry {
    let name: ChannelName
    /// Slots of its messages, oldest first.
    var slots: Deque<Int32> = []
    /// The highest number up to which messages of this channel are gone.
    var lostThrough: UInt64
    /// The newest number given on this channel, to a message or a deletion; 0 for none in this entry's life.
    var lastNumber: UInt64 = 0
    /// Holds on it, of all workers.
    var waiting = 0
    /// Those of them that a publish has counted and woken already.
    var claimed = 0
    /// The number of that publish: a hold whose position is below it is claimed.
    var claimedBy: UInt64 = 0
    var workers = WorkerSet()
    /// Bytes of its messages, by `Message.footprint`.
    var bytes = 0
    /// Since when it has neither messages nor holds and only remembers a loss; nil while it is in use.
    var idleSince: Moment?
    /// Neighbours in the list of idle entries.
    var idlePrevious: Int32 = -1
    var idleNext: Int32 = -1

    init(name: ChannelName, lostThrough: UInt64) {
        self.name = name
        self.lostThrough = lostThrough
    }

    var isInUse: Bool { !slots.isEmpty || waiting > 0 }

    /// What an entry costs beyond its messages, as a sum.
    static let fixedBytes =
        160  // this struct, at the table's worst growth
        + 64  // the name's place in the dictionary, likewise
        + 32 + 32  // headers of the name's and the queue's arrays
}
