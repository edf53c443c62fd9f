/// What the pool says to a look-up.
package enum LookUp {
    case found(Found)
    /// Nothing newer than the position. If a hold was asked for it is registered on these channels, and its position is
    /// from now on `number`.
    case nothing(number: UInt64, channels: [ChannelID])
    /// Nothing newer, and no hold: as many wait on one of the channels as may.
    case full
}

/// Messages, a gap, or both.
package struct Found {
    /// In the order of their ids.
    package let messages: [Message]
    /// Messages behind the position are gone.
    package let gap: Bool
    /// The position behind this answer: the pool's newest number, or the last message's if there are more.
    package let number: UInt64
    /// The positions for which this very answer is right on these channels.
    package let sameFor: ClosedRange<UInt64>
    /// Where the channels stood before these messages were taken from them; empty unless they were.
    package let taken: [TakenPosition]

    package init(
        messages: [Message], gap: Bool, number: UInt64, sameFor: ClosedRange<UInt64>, taken: [TakenPosition] = []
    ) {
        self.messages = messages
        self.gap = gap
        self.number = number
        self.sameFor = sameFor
        self.taken = taken
    }
}

/// How far a channel's messages had been handed out before some were taken.
package struct TakenPosition: Hashable, Sendable {
    package let channel: ChannelName
    /// nil: nobody had taken from it.
    package let before: UInt64?

    package init(channel: ChannelName, before: UInt64?) {
        self.channel = channel
        self.before = before
    }
}

/// Holds that have ended in one turn of a worker.
package struct Withdrawals: Sendable {
    /// One per hold and channel, with the hold's position.
    package var ended: [(channel: ChannelID, after: UInt64)] = []
    /// Channels on which the worker has no hold any more.
    package var emptied: [ChannelID] = []

    package init() {}
    package var isEmpty: Bool { ended.isEmpty && emptied.isEmpty }
}

/// What a poll of a recheck is told when it begins to watch its channels.
package struct Watch {
    /// Nothing has happened on them since.
    package let isQuiet: Bool
    /// The pool's newest number: what comes later is noticed.
    package let number: UInt64
    package let channels: [ChannelID]

    package init(isQuiet: Bool, number: UInt64, channels: [ChannelID]) {
        self.isQuiet = isQuiet
        self.number = number
        self.channels = channels
    }
}
