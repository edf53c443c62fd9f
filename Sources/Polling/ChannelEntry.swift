/// A channel in the pool's table: its messages, what it has lost, and who waits on it.
import DequeModule

struct ChannelEntry {
    let name: ChannelName
    /// Slots of its messages, oldest first.
    var slots: Deque<Int32> = []
    /// The highest number up to which messages of this channel are gone.
    var lostThrough: UInt64
    /// How far its messages have been handed out to polls that take; nil: nobody has taken from it.
    var takenThrough: UInt64?
    /// The loss is this channel's own, and whoever writes the pool down has been told of it.
    var isLossNoted = false
    /// The newest number given on this channel, to a message, a signal or a deletion, as far as it is known: what is
    /// not known any more is at most this.
    var lastNumber: UInt64
    /// Polls held on it until there is a message.
    var holds = Waiters()
    /// Polls of rechecks, which want to know that something happened and not what.
    var watches = Waiters()
    /// Bytes of its messages, by `Message.footprint`.
    var bytes = 0
    /// Since when it has neither messages nor holds and only remembers a loss; nil while it is in use.
    var idleSince: Moment?
    /// Neighbours in the list of idle entries.
    var idlePrevious: Int32 = -1
    var idleNext: Int32 = -1

    init(name: ChannelName, lostThrough: UInt64, lastNumber: UInt64) {
        self.name = name
        self.lostThrough = lostThrough
        self.lastNumber = lastNumber
    }

    mutating func changed<Result>(by body: (inout ChannelEntry) -> Result) -> Result { body(&self) }

    var isInUse: Bool { !slots.isEmpty || holds.count > 0 || watches.count > 0 }

    /// What an entry costs beyond its messages, as a sum.
    static let fixedBytes =
        216  // this struct, at the table's worst growth
        + 64  // the name's place in the dictionary, likewise
        + 32 + 32  // headers of the name's and the queue's arrays
}
