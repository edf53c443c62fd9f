/// The keys of publishes of late, with the ids that they got: bounded by count and by age, the oldest go first.
import DequeModule

struct IdempotencyKeys {
    private struct Known {
        let id: UInt64
        let at: Moment
    }

    private var known: [[UInt8]: Known] = [:]
    private var order: Deque<[UInt8]> = []
    /// Keys of messages up to this id are no longer here: they leave in the order in which they came.
    private(set) var goneThrough: UInt64 = 0

    var count: Int { known.count }

    func id(of key: [UInt8]) -> UInt64? { known[key]?.id }

    /// The oldest first.
    var all: [(key: [UInt8], id: UInt64, at: Moment)] {
        order.compactMap { key in known[key].map { (key, $0.id, $0.at) } }
    }

    /// - Parameter key: one that isn't known.
    mutating func remember(_ key: [UInt8], id: UInt64, at moment: Moment, limit: Int) {
        guard limit > 0 else {
            goneThrough = id
            return
        }
        trim(to: limit - 1)
        known[key] = Known(id: id, at: moment)
        order.append(key)
    }

    mutating func expire(before now: Moment, age: Duration) {
        while let key = order.first, let oldest = known[key], now >= oldest.at + age { dropOldest() }
    }

    mutating func trim(to limit: Int) {
        while order.count > limit { dropOldest() }
    }

    private mutating func dropOldest() {
        guard let key = order.popFirst() else { return }
        goneThrough = known.removeValue(forKey: key)?.id ?? goneThrough
    }
}
