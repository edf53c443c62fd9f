/// Makes a pool again of what was written down of an earlier one.
///
/// What is read need not be exactly what the earlier pool held: messages that had just left it may still be written,
/// and come back if the limits let them. A position gets each of them once all the same, since it only moves forward;
/// and a loss that was told once and is none any more is told to nobody else. The other way round there is nothing:
/// what is not written is covered by a loss that is. Signals are not written: a channel that had nothing else may be
/// told what channels that are not in the table lost, once there were more of these than the pool remembers.
///
/// The order of calls: losses, then messages by their ids, then keys by theirs and what was taken, then `finish`.
package struct PoolRestoring {
    private var pool: MessagePool
    private var losses: [ChannelName: UInt64] = [:]
    private let now: Moment
    private let channelsLimit: Int
    private var taken: [(name: ChannelName, through: UInt64)] = []
    private var lastID: UInt64 = 0
    /// Messages that were taken into the pool.
    package private(set) var messagesCount = 0

    /// - Parameter lastNumber: no number above it was given by the earlier pool; the next one is above it.
    package init(limits: PoolLimits, lastNumber: UInt64, now: Moment) {
        // No channel leaves the table before all are known: what it lost would count for those that are still to come.
        channelsLimit = limits.channels
        var wide = limits
        wide.channels = .max
        pool = MessagePool(limits: wide)
        pool.departures = Departures()
        pool.lastNumber = lastNumber
        // What was signalled is written nowhere, so anything may have happened up to here.
        pool.forgottenChange = lastNumber
        self.now = now
    }

    package mutating func restoreLoss(of name: ChannelName, through number: UInt64) {
        losses[name] = min(number, pool.lastNumber)
    }

    /// - Parameters:
    ///   - lostBefore: as it was planned.
    ///   - publishedAt: nothing later than now.
    package mutating func restore(_ item: PublishItem, id: UInt64, lostBefore: UInt64, publishedAt: Moment) {
        precondition(id > lastID && id <= pool.lastNumber, "messages are restored in the order of their ids")
        lastID = id
        if let lost = losses[item.channel], id <= lost {
            pool.departures?.noteGone(id)
            return
        }
        messagesCount += 1
        pool.newestMoment = max(pool.newestMoment, min(publishedAt, now))
        pool.restore(item, id: id, lostBefore: lostBefore, knownLoss: losses.removeValue(forKey: item.channel))
    }

    /// - Parameter through: as far as its messages have been handed out to polls that take.
    package mutating func restore(taken through: UInt64, of name: ChannelName) {
        taken.append((name, min(through, pool.lastNumber)))
    }

    package mutating func restore(key: [UInt8], id: UInt64, at moment: Moment) {
        guard pool.keys.id(of: key) == nil else { return }
        pool.keys.remember(key, id: id, at: min(moment, now), limit: pool.limits.idempotencyKeys)
    }

    /// - Parameter forgottenThrough: what channels lost of which nothing is known.
    package mutating func finish(forgottenThrough: UInt64) -> MessagePool {
        pool.newestMoment = max(pool.newestMoment, now)
        pool.forgottenThrough = max(pool.forgottenThrough, min(forgottenThrough, pool.lastNumber))
        for (name, lost) in losses { pool.restoreLoss(of: name, through: lost) }
        for (name, through) in taken { pool.restore(taken: through, of: name) }
        pool.forgetIdle(downTo: channelsLimit)
        var limits = pool.limits
        limits.channels = channelsLimit
        pool.setLimits(limits, now: now)
        return pool
    }
}

extension MessagePool {
    fileprivate mutating func restore(_ item: PublishItem, id: UInt64, lostBefore: UInt64, knownLoss: UInt64?) {
        let isNew = names[item.channel] == nil
        let index = entry(named: item.channel)
        let entryName = modify(index) { entry in
            if isNew { entry.lostThrough = lostBefore }
            if let knownLoss {
                entry.lostThrough = max(entry.lostThrough, knownLoss)
                entry.isLossNoted = true
            }
            return entry.name
        }
        put(Message(id: id, item: item, channel: entryName, publishedAt: newestMoment), in: index)
        evictByCount(index)
        // Limits may be narrower than they were: what doesn't fit alone leaves too.
        evictByMemory(keeping: nil)
    }

    fileprivate mutating func restoreLoss(of name: ChannelName, through number: UInt64) {
        let isNew = names[name] == nil
        let index = entry(named: name)
        modify(index) { entry in
            entry.lostThrough = isNew ? number : max(entry.lostThrough, number)
            entry.isLossNoted = true
        }
        settle(index)
    }

    /// A channel that is not in the table has nothing to be taken.
    fileprivate mutating func restore(taken through: UInt64, of name: ChannelName) {
        if let index = names[name] {
            modify(index) { $0.takenThrough = through > 0 ? through : nil }
        } else {
            departures?.note(.forgotten, of: name)
        }
    }

    /// Lets go of idle entries that are too many: of those that lost least, so that the others are told least.
    fileprivate mutating func forgetIdle(downTo limit: Int) {
        guard idleCount > limit else { return }
        var idle: [(lost: UInt64, index: Int32)] = []
        for (index, entry) in entries.enumerated() {
            if let entry, entry.idleSince != nil { idle.append((entry.lostThrough, Int32(index))) }
        }
        idle.sort { $0.lost < $1.lost }
        for (_, index) in idle.prefix(idleCount - limit) { drop(index) }
    }
}
