/// What the access log tells of a poll: how long it waited, what let it go, and on a route that only observes what
/// would have become of it.
package struct PollOutcome: Equatable, Sendable {
    /// What would have become of a poll on a recheck route that only observes.
    package enum Observed: String, CaseIterable, Sendable {
        /// The app would have been asked, and the poll held.
        case held
        /// It would have been held without asking, because nothing had happened since the app was asked last.
        case spared
        /// The app's answer was new, as it would have been.
        case answered
        /// The same behind a message or signal, which would have woken it.
        case woken
        /// The answer was new though nothing had been published for it: a hold would have delayed it.
        case unsignalled
    }

    package enum Course: Equatable, Sendable {
        case hold(PollExchange.Release, messages: Int)
        case recheck(RecheckExchange.Ending)
        /// A recheck route passed it on, since it may not be held or too many wait.
        case passed
        case observed(Observed)
    }

    package let course: Course
    /// When it was let go, in nanoseconds of the loop's clock.
    package let releasedAt: Int64

    package init(_ course: Course, releasedAt: Int64) {
        self.course = course
        self.releasedAt = releasedAt
    }

    /// The word for it in the log; nil: it was not held here.
    var released: String? {
        switch course {
        case .hold(let release, _): release.rawValue
        case .recheck(let ending): ending.release.rawValue
        case .passed: "passed"
        case .observed: nil
        }
    }
}
