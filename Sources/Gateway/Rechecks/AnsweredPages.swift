/// The answers that pages of one and the same request were given and have not polled since, for routes where the last
/// body once more is nothing new.
///
/// Tabs of one browser send equal requests and share its connections, so what was answered last on a connection may be
/// another tab's. A poll is held on account of an answer only if every page that may have sent it has just that one;
/// else it is answered at once, which costs an answer and never hides one.
package import Polling

package struct AnsweredPages: Sendable {
    /// Tabs that poll for the same at a time. With more, a page may be answered once more than it needs.
    private static let limit = 8

    private var given: [(digest: RequestIdentity.BodyDigest, at: Moment)] = []

    package init() {}

    /// A page polls.
    ///
    /// - Parameters:
    ///   - digest: of the last answer on its connection; nil: there was none, or it is another request's.
    ///   - age: how long a page may take until it polls again; a tab that was closed is not waited for.
    /// - Returns: whether the page has this answer for sure.
    package mutating func polled(
        having digest: RequestIdentity.BodyDigest?, now: Moment, age: Duration
    ) -> Bool {
        given.removeAll { $0.at + age <= now }
        guard let digest, let index = given.firstIndex(where: { $0.digest == digest }) else { return false }
        given.remove(at: index)
        return given.allSatisfy { $0.digest == digest }
    }

    /// A page was given an answer.
    package mutating func answered(_ digest: RequestIdentity.BodyDigest, now: Moment) {
        if given.count < Self.limit {
            given.append((digest, now))
        } else if given.allSatisfy({ $0.digest != digest }) {
            // That there are different ones counts more than how many have each.
            given[Self.limit - 1] = (digest, now)
        }
    }
}
