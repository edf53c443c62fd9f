/// How long something took, counted by fixed bounds: adding one costs some comparisons and no allocation.
///
/// It does not know its own bounds, so that it is plain numbers: whoever counts and whoever reads name the same scale.
package struct Histogram: Sendable {
    /// By the first bound that is not exceeded; the last place is for what exceeds all.
    private var counts = InlineArray<17, UInt64>(repeating: 0)
    /// In microseconds: as many polls as a machine can hold don't fill it in a lifetime.
    package private(set) var sum: UInt64 = 0

    /// Upper bounds in microseconds, rising.
    package enum Scale: Sendable {
        /// From a publish to its answer, or to a turn's end: what should take less than a millisecond.
        case delay
        /// A poll from its request to its answer: at once, or up to a hold's length.
        case poll
        /// The application's time for an answer.
        case upstream

        // Arrays, because reading an element of a static InlineArray copies all of it.
        private static let delays: [UInt64] = [
            100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
            5_000_000, 10_000_000,
        ]
        /// 100 s are behind the usual hold of 90 s.
        private static let polls: [UInt64] = [
            1000, 10_000, 100_000, 500_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000, 20_000_000, 30_000_000,
            45_000_000, 60_000_000, 80_000_000, 100_000_000, 300_000_000, 900_000_000,
        ]
        private static let upstreams: [UInt64] = [
            500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
            10_000_000, 30_000_000, 60_000_000,
        ]

        package var bounds: [UInt64] {
            switch self {
            case .delay: Self.delays
            case .poll: Self.polls
            case .upstream: Self.upstreams
            }
        }
    }

    package init() {}

    /// - Parameter nanoseconds: a clock that has gone back counts as nothing.
    package mutating func count(_ nanoseconds: Int64, on scale: Scale) {
        let microseconds = UInt64(max(0, nanoseconds)) / 1000
        sum &+= microseconds
        let bounds = scale.bounds
        var place = 0
        while place < bounds.count, microseconds > bounds[place] { place += 1 }
        counts[place] += 1
    }

    package mutating func add(_ other: Histogram) {
        for place in counts.indices { counts[place] += other.counts[place] }
        sum &+= other.sum
    }

    package var count: UInt64 {
        var total: UInt64 = 0
        for place in counts.indices { total += counts[place] }
        return total
    }

    /// How many were within each bound, and how many there are in all: 17 numbers that don't fall.
    package var cumulative: [UInt64] {
        var total: UInt64 = 0
        return counts.indices.map { place in
            total += counts[place]
            return total
        }
    }

    /// The bound, in microseconds, within which such a part was; the largest one if it was not, 0 if there is nothing.
    package func quantile(_ part: Double, on scale: Scale) -> UInt64 {
        let cumulative = cumulative
        guard let total = cumulative.last, total > 0 else { return 0 }
        let wanted = max(1, UInt64((part * Double(total)).rounded(.up)))
        let bounds = scale.bounds
        for place in bounds.indices where cumulative[place] >= wanted { return bounds[place] }
        return bounds[15]
    }
}

extension Histogram: Equatable {
    package static func == (one: Histogram, other: Histogram) -> Bool {
        for place in one.counts.indices where one.counts[place] != other.counts[place] { return false }
        return one.sum == other.sum
    }
}
