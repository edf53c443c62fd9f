/// The held polls of one worker: found by channel when a message comes, by time when their hold is over, and ended in
/// O(channels of the hold) when the client leaves.
///
/// A hold costs one slot of 48 bytes and one link of 24 bytes per channel, in arrays; no object, no timer. All holds of
/// one duration stand in one queue, because they end in the order in which they began.
package struct HoldNumber: Hashable, Sendable {
    fileprivate let index: Int32
    /// Tells a hold from an earlier one in the same slot.
    fileprivate let serial: UInt32
}

package struct HoldTable {
    private struct Hold {
        var after: UInt64 = 0
        var deadline = Moment(nanoseconds: 0)
        var exchange: UInt32 = 0
        var serial: UInt32 = 0
        /// Links to its channels; -1 in a free slot, whose `next` is the next free one.
        var firstLink: Int32 = -1
        var queue: Int32 = -1
        var previous: Int32 = -1
        var next: Int32 = -1
    }

    /// A hold's place in a channel's list.
    private struct Link {
        var hold: Int32 = -1
        var channel = ChannelID(index: -1)
        var previous: Int32 = -1
        var next: Int32 = -1
        /// The hold's next channel; in a free link the next free one.
        var nextOfHold: Int32 = -1
    }

    /// A channel's holds, in the order in which they came.
    private struct List {
        var first: Int32 = -1
        var last: Int32 = -1
        var count: Int32 = 0
    }

    private struct Queue {
        let duration: Duration
        var first: Int32 = -1
        var last: Int32 = -1
    }

    private var holds: [Hold] = []
    private var links: [Link] = []
    private var firstFreeHold: Int32 = -1
    private var firstFreeLink: Int32 = -1
    /// By the channel's index, which the pool gives again when a channel has gone: so this is as long as the pool's
    /// table of channels at most. It took a fifth off a delivery's instructions against a dictionary.
    private var lists: [List] = []
    private var queues: [Queue] = []
    private var withdrawals = Withdrawals()
    private var emptiedMaybe: [ChannelID] = []
    private var nextSerial: UInt32 = 0

    /// Holds in the table.
    package private(set) var count = 0

    package init() {}

    // MARK: Coming and going

    /// Puts a hold in.
    ///
    /// - Parameters:
    ///   - exchange: the caller's number for it.
    ///   - channels: at least one, each once, as the pool registered them.
    ///   - after: the position up to which nothing was found.
    ///   - lasting: after this time it is expired.
    ///   - now: when it began. O(holds that began later) for one that began elsewhere.
    package mutating func hold(
        exchange: UInt32, channels: [ChannelID], after: UInt64, lasting duration: Duration, now: Moment
    ) -> HoldNumber {
        precondition(!channels.isEmpty, "a hold waits on something")
        let index = takeHold()
        nextSerial &+= 1
        holds[Int(index)].after = after
        holds[Int(index)].exchange = exchange
        holds[Int(index)].serial = nextSerial
        for channel in channels { link(index, to: channel) }
        enqueue(index, queue(lasting: duration), now + duration)
        count += 1
        return HoldNumber(index: index, serial: nextSerial)
    }

    /// Takes a hold out. A number that is no longer in the table means nothing.
    package mutating func end(_ number: HoldNumber) {
        guard let index = place(of: number) else { return }
        dequeue(Int32(index))
        var link = holds[index].firstLink
        while link >= 0 {
            let next = links[Int(link)].nextOfHold
            withdrawals.ended.append((links[Int(link)].channel, holds[index].after))
            unlink(link)
            link = next
        }
        holds[index] = Hold()
        holds[index].next = firstFreeHold
        firstFreeHold = Int32(index)
        count -= 1
        if count == 0 { releaseTables() }
    }

    /// Lets a hold wait on from a later position.
    package mutating func advance(_ number: HoldNumber, after: UInt64) {
        guard let index = place(of: number) else { return }
        precondition(after >= holds[index].after, "a position never goes back")
        holds[index].after = after
    }

    /// What ended since the last call, and the channels on which no hold is left; nil if nothing did.
    package mutating func takeWithdrawals() -> Withdrawals? {
        guard !withdrawals.isEmpty else { return nil }
        // A channel that got a new hold later in the turn is not empty.
        withdrawals.emptied = emptiedMaybe.filter { count(on: $0) == 0 }
        let taken = withdrawals
        withdrawals = Withdrawals()
        emptiedMaybe = []
        return taken
    }

    // MARK: Questions

    /// The caller's number of a hold; nil if it has ended.
    package func exchange(of number: HoldNumber) -> UInt32? {
        place(of: number).map { holds[$0].exchange }
    }

    /// What a hold waits for.
    package func position(of number: HoldNumber) -> (channels: [ChannelID], after: UInt64)? {
        guard let index = place(of: number) else { return nil }
        var channels: [ChannelID] = []
        var link = holds[index].firstLink
        while link >= 0 {
            channels.append(links[Int(link)].channel)
            link = links[Int(link)].nextOfHold
        }
        return (channels, holds[index].after)
    }

    /// Whether a hold waits on exactly these channels, in this order, from a position within `range`. No allocation.
    package func isWaiting(_ number: HoldNumber, on channels: [ChannelID], within range: ClosedRange<UInt64>) -> Bool {
        guard let index = place(of: number), range.contains(holds[index].after) else { return false }
        var link = holds[index].firstLink
        for channel in channels {
            guard link >= 0, links[Int(link)].channel == channel else { return false }
            link = links[Int(link)].nextOfHold
        }
        return link < 0
    }

    /// Calls `body` with each hold on a channel and its exchange, in the order in which they came.
    package func forEachHold(on channel: ChannelID, _ body: (HoldNumber, UInt32) -> Void) {
        var link = Int(channel.index) < lists.count ? lists[Int(channel.index)].first : -1
        while link >= 0 {
            let hold = links[Int(link)].hold
            body(HoldNumber(index: hold, serial: holds[Int(hold)].serial), holds[Int(hold)].exchange)
            link = links[Int(link)].next
        }
    }

    /// Holds on a channel.
    package func count(on channel: ChannelID) -> Int {
        Int(channel.index) < lists.count ? Int(lists[Int(channel.index)].count) : 0
    }

    /// The earliest end of a hold. O(durations).
    package var nextDeadline: Moment? {
        queues.compactMap { $0.first < 0 ? nil : holds[Int($0.first)].deadline }.min()
    }

    /// A hold whose time is up; it stays in the table until `end`.
    package func firstExpired(now: Moment) -> HoldNumber? {
        for queue in queues where queue.first >= 0 && holds[Int(queue.first)].deadline <= now {
            return HoldNumber(index: queue.first, serial: holds[Int(queue.first)].serial)
        }
        return nil
    }

    // MARK: Inside

    private func place(of number: HoldNumber) -> Int? {
        let index = Int(number.index)
        guard index < holds.count, holds[index].serial == number.serial, holds[index].firstLink >= 0 else { return nil }
        return index
    }

    private mutating func takeHold() -> Int32 {
        guard firstFreeHold >= 0 else {
            holds.append(Hold())
            return Int32(holds.count - 1)
        }
        let index = firstFreeHold
        firstFreeHold = holds[Int(index)].next
        holds[Int(index)] = Hold()
        return index
    }

    /// Hangs a hold into a channel's list, behind its other channels.
    private mutating func link(_ hold: Int32, to channel: ChannelID) {
        let index: Int32
        if firstFreeLink >= 0 {
            index = firstFreeLink
            firstFreeLink = links[Int(index)].nextOfHold
        } else {
            index = Int32(links.count)
            links.append(Link())
        }
        let place = Int(channel.index)
        if place >= lists.count { lists.append(contentsOf: repeatElement(List(), count: place + 1 - lists.count)) }
        let last = lists[place].last
        links[Int(index)] = Link(hold: hold, channel: channel, previous: last, next: -1, nextOfHold: -1)
        if last >= 0 { links[Int(last)].next = index } else { lists[place].first = index }
        lists[place].last = index
        lists[place].count += 1
        var tail = holds[Int(hold)].firstLink
        guard tail >= 0 else {
            holds[Int(hold)].firstLink = index
            return
        }
        while links[Int(tail)].nextOfHold >= 0 { tail = links[Int(tail)].nextOfHold }
        links[Int(tail)].nextOfHold = index
    }

    private mutating func unlink(_ index: Int32) {
        let link = links[Int(index)]
        let place = Int(link.channel.index)
        precondition(lists[place].count > 0, "a link stands in its channel's list")
        if link.previous >= 0 { links[Int(link.previous)].next = link.next } else { lists[place].first = link.next }
        if link.next >= 0 { links[Int(link.next)].previous = link.previous } else { lists[place].last = link.previous }
        lists[place].count -= 1
        if lists[place].count == 0 { emptiedMaybe.append(link.channel) }
        links[Int(index)] = Link()
        links[Int(index)].nextOfHold = firstFreeLink
        firstFreeLink = index
    }

    private mutating func queue(lasting duration: Duration) -> Int32 {
        if let index = queues.firstIndex(where: { $0.duration == duration }) { return Int32(index) }
        // The queue of a route that a reload has changed is taken over once it is empty.
        if let index = queues.firstIndex(where: { $0.first < 0 }) {
            queues[index] = Queue(duration: duration)
            return Int32(index)
        }
        queues.append(Queue(duration: duration))
        return Int32(queues.count - 1)
    }

    private mutating func enqueue(_ index: Int32, _ queue: Int32, _ deadline: Moment) {
        // One that another process has held for a while stands in front of those that came since. Clocks are read once
        // a turn, so two that come here are never in the wrong order.
        var previous = queues[Int(queue)].last
        while previous >= 0, holds[Int(previous)].deadline > deadline { previous = holds[Int(previous)].previous }
        let next = previous >= 0 ? holds[Int(previous)].next : queues[Int(queue)].first
        holds[Int(index)].queue = queue
        holds[Int(index)].deadline = deadline
        holds[Int(index)].previous = previous
        holds[Int(index)].next = next
        if previous >= 0 { holds[Int(previous)].next = index } else { queues[Int(queue)].first = index }
        if next >= 0 { holds[Int(next)].previous = index } else { queues[Int(queue)].last = index }
    }

    private mutating func dequeue(_ index: Int32) {
        let hold = holds[Int(index)]
        if hold.previous >= 0 {
            holds[Int(hold.previous)].next = hold.next
        } else {
            queues[Int(hold.queue)].first = hold.next
        }
        if hold.next >= 0 {
            holds[Int(hold.next)].previous = hold.previous
        } else {
            queues[Int(hold.queue)].last = hold.previous
        }
    }

    /// A crowd that has left leaves no tables behind.
    private mutating func releaseTables() {
        holds = []
        links = []
        lists = []
        firstFreeHold = -1
        firstFreeLink = -1
    }
}
