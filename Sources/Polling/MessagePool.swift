/// The pool: every published message until its channel has newer ones enough, its age is reached or memory is needed.
///
/// Laws:
///  1. *One number grows over the whole pool.* A message's id is the next number, whatever its channel; a deletion
///     takes one too. So a cursor, which is a number, is right for any set of channels.
///  2. *Nothing is skipped silently.* A channel remembers the highest number that it has lost (`lostThrough`), and a
///     position below it is told a gap. An entry that leaves the table raises `forgottenThrough`, which stands for all
///     channels that are not in the table.
///  3. *A hold is registered in the same step in which nothing was found for it.* A publish that comes later finds the
///     hold; one that came earlier was found. The pool lives behind one lock, so there is no third case.
///  4. *An empty answer is given only after one more look-up.* A publish may be in the pool while the notice of it is
///     still on its way to the worker; a cursor taken from the pool's newest number without looking would skip that
///     message.
///  5. *Memory is bounded by the limits*: messages by `memoryBytes`, idle entries by `channels`, keys by
///     `idempotencyKeys`; entries with holds by the holds.
import DequeModule

package struct MessagePool {
    package private(set) var limits: PoolLimits
    /// The newest number given.
    package internal(set) var lastNumber: UInt64 = 0
    /// The newest message's that has ever been in it; 0: none has.
    var lastMessage: UInt64 = 0
    var slab = MessageSlab()
    var entries: [ChannelEntry?] = []
    var freeEntries: [Int32] = []
    var names: [ChannelName: Int32] = [:]
    /// Losses of channels that are no longer in the table.
    package internal(set) var forgottenThrough: UInt64 = 0
    /// Numbers on channels that are no longer in the table.
    var forgottenChange: UInt64 = 0
    /// Idle entries, the one that has been idle longest first.
    var firstIdle: Int32 = -1
    var lastIdle: Int32 = -1
    var idleCount = 0
    var keys = IdempotencyKeys()
    /// Memory of messages and of the channels that have some.
    var bytes = 0
    var waitingCount = 0
    var counters = PoolCounters()
    var newestMoment = Moment(nanoseconds: .min)
    /// What has left since the store was told; nil for a pool that is nowhere written down.
    var departures: Departures?

    package init(limits: PoolLimits) { self.limits = limits }

    // MARK: Publishing

    /// Puts the items in, in order, all or none.
    ///
    /// - Returns: a receipt for each, and the channels whose holds are to be woken. The caller tells the workers
    ///   after it has let go of the pool's lock, never before (`Hub`).
    /// - Throws: `PoolError` if an item alone is larger than the pool.
    package mutating func publish(
        _ items: [PublishItem], now: Moment
    ) throws(PoolError) -> (receipts: [PublishReceipt], calls: [WakeUpCall]) {
        if let error = refusal(of: items) { throw error }
        // Workers read the clock once a turn, so one may bring a moment that another has passed. Ids and moments grow
        // together all the same: expiry goes through messages in the order of their ids.
        newestMoment = max(newestMoment, now)
        keys.expire(before: newestMoment, age: limits.age)
        var receipts: [PublishReceipt] = []
        receipts.reserveCapacity(items.count)
        var calls: [WakeUpCall] = []
        for item in items {
            if let key = item.key, let id = keys.id(of: key) {
                receipts.append(PublishReceipt(id: id, waiting: 0))
                continue
            }
            receipts.append(append(item, &calls))
        }
        return (receipts, calls)
    }

    /// Why these items can't be published.
    func refusal(of items: [PublishItem]) -> PoolError? {
        for item in items {
            let size = Self.cost(of: item)
            if size > limits.memoryBytes { return .messageTooLarge(bytes: size, limit: limits.memoryBytes) }
        }
        return nil
    }

    /// Gives the next number to an item and puts it in.
    mutating func append(_ item: PublishItem, _ calls: inout [WakeUpCall]) -> PublishReceipt {
        lastNumber += 1
        let index = entry(named: item.channel)
        let entryName = entries[Int(index)]?.name ?? item.channel
        let message = Message(id: lastNumber, item: item, channel: entryName, publishedAt: newestMoment)
        put(message, in: index)
        modify(index) { $0.lastNumber = message.id }
        counters.published += 1
        if let key = item.key { keys.remember(key, id: message.id, at: newestMoment, limit: limits.idempotencyKeys) }
        evict(from: index)
        return PublishReceipt(id: message.id, waiting: claimHolds(on: index, by: message.id, &calls))
    }

    /// Puts a message, the newest so far, in its channel.
    mutating func put(_ message: Message, in index: Int32) {
        let slot = slab.append(message, channel: index)
        lastMessage = message.id
        let footprint = message.footprint
        let isFirst = modify(index) { entry in
            entry.slots.append(slot)
            entry.bytes += footprint
            return entry.slots.count == 1
        }
        bytes += footprint + (isFirst ? Self.cost(ofChannel: message.channel) : 0)
    }

    /// Tells the polls of rechecks that something happened on a channel, and nobody what: nothing is kept but the
    /// number that it takes. Holds are not woken, for there is nothing that they could be told.
    package mutating func signal(_ name: ChannelName, now: Moment) -> (receipt: PublishReceipt, calls: [WakeUpCall]) {
        newestMoment = max(newestMoment, now)
        lastNumber += 1
        let number = lastNumber
        let index = entry(named: name)
        var calls: [WakeUpCall] = []
        let waiting = modify(index) { entry in
            entry.lastNumber = number
            return entry.watches.claim(by: number)
        }
        counters.signalled += 1
        if waiting > 0 { calls.append(call(index, holds: false, watches: true)) }
        settle(index)
        return (PublishReceipt(id: number, waiting: waiting), calls)
    }

    /// Counts the polls on a channel that no earlier publish has counted, and asks for them to be woken.
    mutating func claimHolds(on index: Int32, by number: UInt64, _ calls: inout [WakeUpCall]) -> Int {
        let (holds, watches) = modify(index) { entry in
            (entry.holds.claim(by: number), entry.watches.claim(by: number))
        }
        if holds + watches > 0 { calls.append(call(index, holds: holds > 0, watches: watches > 0)) }
        return holds + watches
    }

    private func call(_ index: Int32, holds: Bool, watches: Bool) -> WakeUpCall {
        guard let entry = entries[Int(index)] else { preconditionFailure("a channel that is woken is in the table") }
        return WakeUpCall(
            channel: ChannelID(index: index), workers: holds ? entry.holds.workers : WorkerSet(),
            watchers: watches ? entry.watches.workers : WorkerSet())
    }

    /// Forgets a channel's messages; every position on it so far becomes a gap.
    ///
    /// - Returns: the number that the deletion took and whom to wake; nil for a channel that is not in the table.
    package mutating func delete(_ name: ChannelName, now: Moment) -> (number: UInt64, calls: [WakeUpCall])? {
        guard let index = names[name] else { return nil }
        newestMoment = max(newestMoment, now)
        let calls = empty(index)
        return (lastNumber, calls)
    }

    /// Takes a channel's messages out and the next number for that.
    mutating func empty(_ index: Int32) -> [WakeUpCall] {
        while let slot = entries[Int(index)]?.slots.first { remove(slot, from: index) }
        lastNumber += 1
        let number = lastNumber
        let name = modify(index) { entry in
            entry.lostThrough = number
            entry.lastNumber = number
            entry.isLossNoted = true
            return entry.name
        }
        departures?.note(.through(number), of: name)
        var calls: [WakeUpCall] = []
        _ = claimHolds(on: index, by: number, &calls)
        settle(index)
        return calls
    }

    // MARK: Leaving

    /// Takes out messages whose age is reached, and idle entries that have been remembered long enough.
    ///
    /// - Parameter limit: messages and entries taken out at most, so that the lock is not held for long.
    /// - Returns: how many were.
    package mutating func expire(now: Moment, limit: Int) -> Int {
        newestMoment = max(newestMoment, now)
        keys.expire(before: newestMoment, age: limits.age)
        var removed = 0
        while removed < limit, slab.first >= 0, newestMoment >= slab[slab.first].publishedAt + limits.age {
            let channel = slab.channel(of: slab.first)
            remove(slab.first, from: channel)
            counters.evictedByAge += 1
            settle(channel)
            removed += 1
        }
        while removed < limit, firstIdle >= 0, let since = entries[Int(firstIdle)]?.idleSince,
            newestMoment >= since + limits.age
        {
            drop(firstIdle)
            removed += 1
        }
        return removed
    }

    /// Changes the bounds; what is over them leaves at once.
    package mutating func setLimits(_ limits: PoolLimits, now: Moment) {
        newestMoment = max(newestMoment, now)
        self.limits = limits
        for index in entries.indices where entries[index] != nil { evictByCount(Int32(index)) }
        evictByMemory(keeping: nil)
        while idleCount > limits.channels { drop(firstIdle) }
        keys.trim(to: limits.idempotencyKeys)
    }

    private mutating func evict(from index: Int32) {
        evictByCount(index)
        // The message just put in stays: it fits alone.
        evictByMemory(keeping: lastNumber)
    }

    mutating func evictByCount(_ index: Int32) {
        while let entry = entries[Int(index)], entry.slots.count > limits.messagesPerChannel,
            let slot = entry.slots.first
        {
            remove(slot, from: index)
            counters.evictedByCount += 1
        }
    }

    mutating func evictByMemory(keeping newest: UInt64?) {
        while bytes > limits.memoryBytes, slab.first >= 0, slab[slab.first].id != newest {
            let channel = slab.channel(of: slab.first)
            remove(slab.first, from: channel)
            counters.evictedByMemory += 1
            settle(channel)
        }
    }

    /// Takes a channel's oldest message out and marks the loss.
    private mutating func remove(_ slot: Int32, from index: Int32) {
        let message = slab[slot]
        slab.remove(slot)
        let footprint = message.footprint
        bytes -= footprint
        let isEmpty = modify(index) { entry in
            precondition(entry.slots.first == slot, "messages leave a channel oldest first")
            entry.slots.removeFirst()
            entry.bytes -= footprint
            entry.lostThrough = max(entry.lostThrough, message.id)
            entry.isLossNoted = true
            if entry.slots.isEmpty { entry.slots = [] }
            return entry.slots.isEmpty
        }
        if isEmpty { bytes -= Self.cost(ofChannel: message.channel) }
        departures?.noteGone(message.id)
        departures?.note(.through(message.id), of: message.channel)
    }

    // MARK: Sizes

    private static func cost(of item: PublishItem) -> Int {
        Message.footprint(payload: item.payload.count, contentType: item.contentType?.count)
            + cost(ofChannel: item.channel)
    }

    private static func cost(ofChannel name: ChannelName) -> Int { ChannelEntry.fixedBytes + name.bytes.count }
}
