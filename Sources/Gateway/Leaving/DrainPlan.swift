/// How the process leaves, step by step. A signal and the end of a step's time both lead to the next one.
package import Polling

package struct DrainPlan: Sendable {
    package enum Step: Equatable, Sendable {
        /// Say that no new clients are wanted, and serve on: a load balancer takes a while to look away.
        case announce
        /// Close the listeners, answer held polls over this time, let running requests finish.
        case release(over: Duration)
        /// Answer what is still held, and cut off the rest.
        case cut
    }

    private enum Phase {
        case serving
        case announced
        case releasing
        case cutting
    }

    private var phase = Phase.serving

    package init() {}

    /// Nothing new is begun that takes longer, such as a reload.
    package var isLeaving: Bool { phase != .serving }

    /// - Parameters:
    ///   - notice: how long to serve on after saying so.
    ///   - spread: how long to take over the answers to held polls; at most half of `limit`, so that there is time for
    ///     what they lead to.
    ///   - limit: how long running requests may take.
    /// - Returns: what is to be done, and how long that may take; nil: all has been done.
    package mutating func next(
        notice: Duration, spread: Duration, limit: Duration
    ) -> (step: Step, lasting: Duration?)? {
        switch phase {
        case .serving where notice > .zero:
            phase = .announced
            return (.announce, notice)
        case .serving, .announced:
            phase = .releasing
            return (.release(over: min(spread, limit / 2)), limit)
        case .releasing:
            phase = .cutting
            return (.cut, nil)
        case .cutting: return nil
        }
    }
}

/// The connections whose held polls a drain answers, one after the other, so that their clients do not come back all at
/// once.
package struct Departure: Sendable {
    /// A few polls do not make a crowd: between two of them there never is more.
    private static let longestInterval = Duration.milliseconds(10)

    private let numbers: [Int]
    private var answered = 0
    private let interval: Duration
    private var due: Moment

    package init(_ numbers: [Int], over spread: Duration, now: Moment) {
        self.numbers = numbers
        interval = numbers.isEmpty ? .zero : min(spread / numbers.count, Self.longestInterval)
        due = now
    }

    /// When the next one's turn is; nil: all have had theirs.
    package var nextMoment: Moment? { answered < numbers.count ? due : nil }

    /// The next connection whose turn has come.
    package mutating func next(now: Moment) -> Int? {
        guard answered < numbers.count, due <= now else { return nil }
        defer { answered += 1 }
        due = due + interval
        return numbers[answered]
    }
}
