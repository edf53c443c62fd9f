/// What was lately found out for requests: that the app said "nothing new", and at which number of the pool. A client's
/// next poll, on whichever worker, need not ask again while nothing has happened since.
///
/// Forgetting costs a question and never data, so it is bounded without ceremony: the oldest goes.
import DequeModule
package import Polling

package struct RecheckMemory: Sendable {
    /// Clients that poll at a time, with room; an entry takes some 150 bytes and its kept answer.
    private static let entriesLimit = 200_000
    private static let bytesLimit = 64 << 20

    private struct Entry {
        let knowledge: Knowledge
        let serial: UInt64
        /// Of a route that compares answers.
        var pages = AnsweredPages()
    }

    private var entries: [RequestIdentity: Entry] = [:]
    private var order: Deque<(identity: RequestIdentity, serial: UInt64)> = []
    private var bytes = 0
    private var lastSerial: UInt64 = 0

    package init() {}

    package func knowledge(of identity: RequestIdentity) -> Knowledge? { entries[identity]?.knowledge }

    package mutating func remember(_ knowledge: Knowledge, of identity: RequestIdentity) {
        remember(knowledge, AnsweredPages(), of: identity)
    }

    /// A page was given this answer, by which its next poll will be measured.
    package mutating func answered(
        _ knowledge: Knowledge, _ digest: RequestIdentity.BodyDigest, to identity: RequestIdentity, now: Moment
    ) {
        var pages = entries[identity]?.pages ?? AnsweredPages()
        pages.answered(digest, now: now)
        remember(knowledge, pages, of: identity)
    }

    /// A page polls on a route that compares answers; see `AnsweredPages`.
    package mutating func polled(
        _ identity: RequestIdentity, having digest: RequestIdentity.BodyDigest?, now: Moment, age: Duration
    ) -> Bool {
        entries[identity]?.pages.polled(having: digest, now: now, age: age) ?? false
    }

    private mutating func remember(_ knowledge: Knowledge, _ pages: AnsweredPages, of identity: RequestIdentity) {
        forget(identity)
        lastSerial += 1
        entries[identity] = Entry(knowledge: knowledge, serial: lastSerial, pages: pages)
        order.append((identity, lastSerial))
        bytes += knowledge.bytes
        while entries.count > Self.entriesLimit || bytes > Self.bytesLimit || order.count > 2 * entries.count + 64,
            let oldest = order.popFirst()
        {
            if entries[oldest.identity]?.serial == oldest.serial { forget(oldest.identity) }
        }
    }

    package mutating func forget(_ identity: RequestIdentity) {
        if let known = entries.removeValue(forKey: identity) { bytes -= known.knowledge.bytes }
    }

    /// Takes out what is older than `age`, from the oldest on.
    package mutating func expire(now: Moment, age: Duration) {
        while let oldest = order.first {
            if let entry = entries[oldest.identity], entry.serial == oldest.serial {
                guard entry.knowledge.askedAt + age <= now else { return }
                forget(oldest.identity)
            }
            order.removeFirst()
        }
    }

    package var count: Int { entries.count }
}

/// That the app had nothing new for a request when it was asked.
package struct Knowledge: Sendable {
    /// The pool's newest number before the question was sent.
    package let number: UInt64
    package let askedAt: Moment
    package let kept: KeptAnswer?

    package init(number: UInt64, askedAt: Moment, kept: KeptAnswer?) {
        self.number = number
        self.askedAt = askedAt
        self.kept = kept
    }

    fileprivate var bytes: Int { 150 + (kept?.bytes ?? 0) }
}
