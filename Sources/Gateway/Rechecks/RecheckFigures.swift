/// What a recheck route counts. Numbers that only grow, but for the first two.
import Polling

package struct RecheckFigures: Equatable, Sendable {
    /// Polls under way.
    package var open = 0
    /// Of these, held with nothing to ask.
    package var held = 0
    package var polls: UInt64 = 0
    /// Polls that were held without asking, because nothing had happened since the app was asked last.
    package var spared: UInt64 = 0
    /// Questions to the app, and what came of them.
    package var questions: UInt64 = 0
    package var nothingNew: UInt64 = 0
    package var failed: UInt64 = 0
    /// Answers that were new though nothing had been published for them.
    package var unsignalled: UInt64 = 0
    /// Answers that were given to another poll too.
    package var shared: UInt64 = 0
    /// Polls that were passed on because the queue was full.
    package var passed: UInt64 = 0
    package var abandoned: UInt64 = 0
    /// The app's load by this route: time from a question to its answer, in microseconds.
    package var questionTime: UInt64 = 0
    /// The load as it was: polls that were passed on because the route observes, and the app's time for them. Of these
    /// polls `questions` counts those that would have been asked.
    package var observed: UInt64 = 0
    package var observedTime: UInt64 = 0
    /// By `RecheckExchange.Release`, in the order of its cases.
    package var released = [UInt64](repeating: 0, count: RecheckExchange.Release.allCases.count)

    package init() {}

    package mutating func count(_ release: RecheckExchange.Release) {
        if let index = RecheckExchange.Release.allCases.firstIndex(of: release) { released[index] += 1 }
    }

    /// Counts the answer to a question.
    mutating func countAnswer(_ duration: Duration) { questionTime += UInt64(max(0, duration.wholeNanoseconds)) / 1000 }

    /// Counts the answer to a poll that is only observed.
    package mutating func count(_ observed: PollOutcome.Observed, lasting duration: Duration) {
        self.observed += 1
        observedTime += UInt64(max(0, duration.wholeNanoseconds)) / 1000
        // Where it would have been asked all the same, its time would have been the same.
        if observed != .spared, observed != .unsignalled { countAnswer(duration) }
        switch observed {
        case .held, .spared: nothingNew += 1
        case .answered: count(.first)
        case .woken: count(.signal)
        case .unsignalled: unsignalled += 1
        }
    }

    package mutating func add(_ other: RecheckFigures) {
        open += other.open
        held += other.held
        polls += other.polls
        spared += other.spared
        questions += other.questions
        nothingNew += other.nothingNew
        failed += other.failed
        unsignalled += other.unsignalled
        shared += other.shared
        passed += other.passed
        abandoned += other.abandoned
        questionTime += other.questionTime
        observed += other.observed
        observedTime += other.observedTime
        for index in released.indices { released[index] += other.released[index] }
    }
}
