/// Deadlines of numbered things, of several kinds of clock.
///
/// Deadlines that last equally long are due in the order in which they were set. So there is a queue for each pair of
/// a kind and a duration, and setting, moving and clearing a deadline need no C timer and no heap. A number has at most
/// one deadline at a time: a thing is in one phase. The table is as long as the highest number used and keeps nothing
/// of numbers that were cleared.
package struct DeadlineTable: ~Copyable {
    /// A kind of clock; the owner gives it its number.
    package struct Kind: Equatable, Sendable {
        package let index: Int
        package init(index: Int) { self.index = index }
    }

    private struct Entry {
        var deadline: Int64 = 0
        var previous: Int32 = none
        var next: Int32 = none
        /// Index of the queue, or -1 while there is no deadline.
        var queue: Int16 = -1
    }

    private struct Queue {
        var kind: Kind
        var duration: Int64
        var first: Int32 = none
        var last: Int32 = none
    }

    private static let none: Int32 = -1

    private var entries: [Entry] = []
    /// As many as pairs of kind and duration were in use at one time: a handful.
    private var queues: [Queue] = []
    /// Deadlines that are set.
    package private(set) var count = 0

    package init() {}

    /// Lets `number` be due `duration` nanoseconds behind `now`, instead of when it was due before. O(queues).
    package mutating func set(_ number: Int, _ kind: Kind, lasting duration: Int64, now: Int64) {
        clear(number)
        while entries.count <= number { entries.append(Entry()) }
        let index = queueIndex(kind, duration)
        let last = queues[index].last
        entries[number] = Entry(deadline: now + duration, previous: last, next: Self.none, queue: Int16(index))
        if last == Self.none {
            queues[index].first = Int32(number)
        } else {
            entries[Int(last)].next = Int32(number)
        }
        queues[index].last = Int32(number)
        count += 1
    }

    /// The queue of this pair, or an empty one that becomes it.
    private mutating func queueIndex(_ kind: Kind, _ duration: Int64) -> Int {
        var empty: Int?
        for index in queues.indices {
            if queues[index].kind == kind, queues[index].duration == duration { return index }
            if queues[index].first == Self.none { empty = index }
        }
        let fresh = Queue(kind: kind, duration: duration)
        guard let empty else {
            precondition(queues.count < Int(Int16.max), "durations come from a configuration, which is bounded")
            queues.append(fresh)
            return queues.count - 1
        }
        queues[empty] = fresh
        return empty
    }

    /// `number` is never due. O(1).
    package mutating func clear(_ number: Int) {
        guard number < entries.count, entries[number].queue >= 0 else { return }
        let entry = entries[number]
        let queue = Int(entry.queue)
        if entry.previous == Self.none {
            queues[queue].first = entry.next
        } else {
            entries[Int(entry.previous)].next = entry.next
        }
        if entry.next == Self.none {
            queues[queue].last = entry.previous
        } else {
            entries[Int(entry.next)].previous = entry.previous
        }
        entries[number] = Entry()
        count -= 1
    }

    /// The kind of clock that runs for `number`, if one does.
    package func kind(of number: Int) -> Kind? {
        guard number < entries.count, entries[number].queue >= 0 else { return nil }
        return queues[Int(entries[number].queue)].kind
    }

    /// When the deadline of `number` was set, if it has one.
    package func start(of number: Int) -> Int64? {
        guard number < entries.count, entries[number].queue >= 0 else { return nil }
        return entries[number].deadline - queues[Int(entries[number].queue)].duration
    }

    /// Numbers for which this kind of clock has run for some time, the longest first, up to a limit.
    package func longest(_ kind: Kind, atLeast elapsed: Int64, now: Int64, limit: Int) -> [Int] {
        var found: [Int] = []
        for queue in queues where queue.kind == kind {
            var number = queue.first
            while number != Self.none, found.count < limit {
                let entry = entries[Int(number)]
                guard now - (entry.deadline - queue.duration) >= elapsed else { break }
                found.append(Int(number))
                number = entry.next
            }
        }
        return found
    }

    /// The earliest moment at which something is due. O(queues).
    package var next: Int64? { earliestQueue.map { entries[Int($0.first)].deadline } }

    private var earliestQueue: Queue? {
        var earliest: Queue?
        for queue in queues where queue.first != Self.none {
            guard let other = earliest, entries[Int(other.first)].deadline <= entries[Int(queue.first)].deadline else {
                earliest = queue
                continue
            }
        }
        return earliest
    }

    /// Takes out the number that is due first, if it is due at `now`, with the kind of clock that ran out. O(queues).
    package mutating func popDue(now: Int64) -> (number: Int, kind: Kind)? {
        guard let queue = earliestQueue, entries[Int(queue.first)].deadline <= now else { return nil }
        clear(Int(queue.first))
        return (Int(queue.first), queue.kind)
    }
}
