/// What must hold of the pool after every step. Tests ask for it; the product does not.
import DequeModule

extension MessagePool {
    package func checkInvariants() {
        var bytesSum = 0
        var messagesCount = 0
        var waitingSum = 0
        var idle = 0
        for (index, entry) in entries.enumerated() {
            guard let entry else { continue }
            precondition(names[entry.name] == Int32(index), "an entry is found under its name")
            for waiters in [entry.holds, entry.watches] {
                precondition(waiters.claimed >= 0 && waiters.claimed <= waiters.count, "claimed holds wait")
                precondition(
                    waiters.count > 0 || waiters.workers.isEmpty || entry.isInUse, "workers are named for holds")
            }
            precondition((entry.idleSince != nil) == !entry.isInUse, "an entry that is not in use is idle")
            var previous = entry.lostThrough
            var bytes = 0
            for slot in entry.slots {
                let message = slab[slot]
                precondition(message.id > previous, "a channel's messages are in order and behind what it lost")
                precondition(message.channel == entry.name, "a message stands in its own channel")
                previous = message.id
                bytes += message.footprint
            }
            precondition(bytes == entry.bytes, "an entry's bytes are its messages'")
            precondition(entry.slots.count <= limits.messagesPerChannel, "the limit by count holds")
            if !entry.slots.isEmpty { bytesSum += bytes + ChannelEntry.fixedBytes + entry.name.bytes.count }
            messagesCount += entry.slots.count
            waitingSum += entry.holds.count + entry.watches.count
            if entry.idleSince != nil { idle += 1 }
        }
        precondition(bytesSum == bytes, "the pool's bytes are the sum of its parts")
        precondition(bytes <= limits.memoryBytes, "the memory limit holds")
        precondition(messagesCount == slab.count, "every message stands in a channel")
        precondition(waitingSum == waitingCount, "holds are counted once")
        precondition(idle == idleCount && idle <= limits.channels, "idle entries are counted and bounded")
        precondition(names.count + freeEntries.count == entries.count, "the table has no lost places")
        var previous: UInt64 = 0
        var slot = slab.first
        while slot >= 0 {
            precondition(slab[slot].id > previous, "the slab is in the order of ids")
            previous = slab[slot].id
            slot = slab.next(after: slot)
        }
        precondition(
            previous <= lastNumber && forgottenThrough <= lastNumber && forgottenChange <= lastNumber,
            "no number is ahead of the newest")
    }
}
