/// All messages of the pool in one array of slots, linked in the order of their ids, so that the oldest of all
/// channels is found and any of them taken out in O(1).
struct MessageSlab {
    private struct Slot {
        var message: Message?
        var channel: Int32 = -1
        /// Neighbours by id; in a free slot `next` links the free ones.
        var previous: Int32 = -1
        var next: Int32 = -1
    }

    private var slots: [Slot] = []
    private var firstFree: Int32 = -1
    private(set) var first: Int32 = -1
    private var last: Int32 = -1
    private(set) var count = 0

    /// Slots in use or free, for the test that they are bounded.
    var capacity: Int { slots.count }

    /// Puts the newest message in.
    mutating func append(_ message: Message, channel: Int32) -> Int32 {
        let index: Int32
        if firstFree >= 0 {
            index = firstFree
            firstFree = slots[Int(index)].next
            slots[Int(index)] = Slot(message: message, channel: channel, previous: last, next: -1)
        } else {
            index = Int32(slots.count)
            slots.append(Slot(message: message, channel: channel, previous: last, next: -1))
        }
        if last >= 0 { slots[Int(last)].next = index } else { first = index }
        last = index
        count += 1
        return index
    }

    mutating func remove(_ index: Int32) {
        let slot = slots[Int(index)]
        precondition(slot.message != nil, "a slot is emptied once")
        if slot.previous >= 0 { slots[Int(slot.previous)].next = slot.next } else { first = slot.next }
        if slot.next >= 0 { slots[Int(slot.next)].previous = slot.previous } else { last = slot.previous }
        slots[Int(index)] = Slot(message: nil, channel: -1, previous: -1, next: firstFree)
        firstFree = index
        count -= 1
        if count == 0 {
            // Nothing is linked any more: a burst that has gone leaves no table behind.
            slots = []
            firstFree = -1
        }
    }

    subscript(index: Int32) -> Message {
        guard let message = slots[Int(index)].message else { preconditionFailure("a channel's slot holds a message") }
        return message
    }

    func channel(of index: Int32) -> Int32 { slots[Int(index)].channel }
    func next(after index: Int32) -> Int32 { slots[Int(index)].next }
}
