/// What the pool tells about itself.
import DequeModule

extension MessagePool {
    /// Names of channels in the table that begin with `prefix`, in no order. O(channels).
    package func channelNames(prefix: [UInt8]) -> [ChannelName] {
        var found: [ChannelName] = []
        for entry in entries {
            if let entry, entry.isInUse, entry.name.bytes.starts(with: prefix) { found.append(entry.name) }
        }
        return found
    }

    /// A channel's figures; nil for one that is not in the table.
    package func describe(_ name: ChannelName) -> ChannelFigures? {
        guard let index = names[name], let entry = entries[Int(index)], entry.isInUse else { return nil }
        return ChannelFigures(
            depth: entry.slots.count, lastID: entry.slots.last.map { slab[$0].id }, bytes: entry.bytes,
            waiting: Self.waiting(entry))
    }

    /// A hold that a publish has released waits no more, though its worker may still have to say that it has answered
    /// it. The poll of a recheck waits on until the app has been asked.
    private static func waiting(_ entry: ChannelEntry) -> Int { entry.holds.unclaimed + entry.watches.count }

    /// The channels on which most polls wait, those first, and among equals by name. O(channels) under the lock, and so
    /// for an operator alone.
    package func busiestChannels(prefix: [UInt8], limit: Int) -> [(name: ChannelName, figures: ChannelFigures)] {
        let waiting = entries.compactMap { entry -> (name: ChannelName, waiting: Int)? in
            guard let entry, entry.isInUse, entry.name.bytes.starts(with: prefix) else { return nil }
            return (entry.name, Self.waiting(entry))
        }
        let first = waiting.sorted { one, other in
            if one.waiting != other.waiting { return one.waiting > other.waiting }
            return one.name.bytes.lexicographicallyPrecedes(other.name.bytes)
        }
        return first.prefix(limit).compactMap { name, _ in describe(name).map { (name, $0) } }
    }

    /// Names behind ids, for whoever holds on them.
    package func channelNames(of channels: [ChannelID]) -> [ChannelName] {
        channels.compactMap { entries[Int($0.index)]?.name }
    }

    package var figures: PoolFigures {
        PoolFigures(
            channels: names.count - idleCount, messages: slab.count, bytes: bytes, waiting: waitingCount,
            lastID: lastNumber,
            counters: counters)
    }
}

package struct ChannelFigures: Equatable, Sendable {
    /// Messages in the pool.
    package let depth: Int
    package let lastID: UInt64?
    package let bytes: Int
    /// Polls held on it that no publish has released.
    package let waiting: Int
}

/// What happened to the pool since its beginning.
package struct PoolCounters: Equatable, Sendable {
    package var published: UInt64 = 0
    package var signalled: UInt64 = 0
    package var evictedByCount: UInt64 = 0
    package var evictedByAge: UInt64 = 0
    package var evictedByMemory: UInt64 = 0
    /// Look-ups that were told a gap.
    package var gaps: UInt64 = 0
}

package struct PoolFigures: Equatable, Sendable {
    package let channels: Int
    package let messages: Int
    package let bytes: Int
    package let waiting: Int
    package let lastID: UInt64
    package let counters: PoolCounters
}
