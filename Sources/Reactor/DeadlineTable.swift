/// Deadlines of numbered things, several kinds of clock, each kind lasting equally long for all.
///
/// Since all deadlines of one kind last equally long, the one set last is due last: each kind is a queue, and setting,
/// moving and clearing a deadline are O(1) with no C timer and no heap. A number has at most one deadline at a time: a
/// thing is in one phase. The table is as long as the highest number used and keeps nothing of numbers that were
/// cleared.
package struct DeadlineTable {
    /// A kind of clock: an index into the durations given at the start.
    package struct Kind: Equatable, Sendable {
        package let index: Int
        package init(index: Int) { self.index = index }
    }

    private struct Entry {
        var deadline: Int64 = 0
        var previous: Int32 = none
        var next: Int32 = none
        /// Index of the kind, or -1 while there is no deadline.
        var kind: Int8 = -1
    }

    private struct Queue {
        var duration: Int64
        var first: Int32 = none
        var last: Int32 = none
    }

    private static let none: Int32 = -1

    private var entries: [Entry] = []
    private var queues: [Queue]

    /// - Parameter durations: nanoseconds per kind.
    package init(durations: [Int64]) {
        precondition(durations.count <= Int(Int8.max), "a kind is kept in one byte")
        queues = durations.map { Queue(duration: $0) }
    }

    /// Lets `number` be due `kind`'s duration behind `now`, instead of when it was due before. O(1).
    package mutating func set(_ number: Int, _ kind: Kind, now: Int64) {
        clear(number)
        while entries.count <= number { entries.append(Entry()) }
        let last = queues[kind.index].last
        // A duration that was shortened by a reload must not break the queue's order.
        let previousDeadline = last == Self.none ? Int64.min : entries[Int(last)].deadline
        entries[number].deadline = max(now + queues[kind.index].duration, previousDeadline)
        entries[number].kind = Int8(kind.index)
        entries[number].previous = last
        entries[number].next = Self.none
        if last == Self.none {
            queues[kind.index].first = Int32(number)
        } else {
            entries[Int(last)].next = Int32(number)
        }
        queues[kind.index].last = Int32(number)
    }

    /// `number` is never due. O(1).
    package mutating func clear(_ number: Int) {
        guard number < entries.count, entries[number].kind >= 0 else { return }
        let entry = entries[number]
        let kind = Int(entry.kind)
        if entry.previous == Self.none {
            queues[kind].first = entry.next
        } else {
            entries[Int(entry.previous)].next = entry.next
        }
        if entry.next == Self.none {
            queues[kind].last = entry.previous
        } else {
            entries[Int(entry.next)].previous = entry.previous
        }
        entries[number] = Entry()
    }

    /// The kind of clock that runs for `number`, if one does.
    package func kind(of number: Int) -> Kind? {
        guard number < entries.count, entries[number].kind >= 0 else { return nil }
        return Kind(index: Int(entries[number].kind))
    }

    /// The earliest moment at which something is due. O(kinds).
    package var next: Int64? {
        queues.compactMap { $0.first == Self.none ? nil : entries[Int($0.first)].deadline }.min()
    }

    /// Takes out one number that is due at `now`, with the kind of clock that ran out. O(kinds).
    package mutating func popDue(now: Int64) -> (number: Int, kind: Kind)? {
        for index in queues.indices {
            let first = queues[index].first
            guard first != Self.none, entries[Int(first)].deadline <= now else { continue }
            clear(Int(first))
            return (Int(first), Kind(index: index))
        }
        return nil
    }

    /// Changes how long deadlines last that are set from now on.
    package mutating func setDurations(_ durations: [Int64]) {
        precondition(durations.count == queues.count, "kinds don't change")
        for index in queues.indices { queues[index].duration = durations[index] }
    }
}
