import Polling
import Testing

@testable import Gateway

/// Whether a poll may be measured by the answer that its connection had.
struct AnsweredPagesTests {
    private let old = RequestIdentity.digest(of: [1])
    private let new = RequestIdentity.digest(of: [2])
    private let age = Duration.seconds(90)

    private func moment(_ seconds: Int64) -> Moment { Moment(nanoseconds: seconds * 1_000_000_000) }

    private func polled(_ pages: inout AnsweredPages, _ digest: RequestIdentity.BodyDigest?, at seconds: Int64) -> Bool
    {
        pages.polled(having: digest, now: moment(seconds), age: age)
    }

    @Test func `a page that was answered has the answer, once`() {
        var pages = AnsweredPages()
        #expect(!polled(&pages, old, at: 0), "nobody was given it")
        pages.answered(old, now: moment(0))
        #expect(polled(&pages, old, at: 1))
        #expect(!polled(&pages, old, at: 2), "another page polls")
    }

    @Test func `as long as a page has an older answer, no poll is measured by the newer one`() {
        var pages = AnsweredPages()
        pages.answered(old, now: moment(0))
        pages.answered(new, now: moment(10))
        for second in [20, 89] {
            #expect(!polled(&pages, new, at: Int64(second)))
            pages.answered(new, now: moment(Int64(second)))
        }
        // Who had the older one has not polled for so long that it is gone.
        #expect(polled(&pages, new, at: 90))
    }

    @Test func `what a connection was told before is not what its page has`() {
        var pages = AnsweredPages()
        pages.answered(new, now: moment(0))
        #expect(!polled(&pages, old, at: 1))
        #expect(!polled(&pages, nil, at: 1))
        #expect(polled(&pages, new, at: 1), "it was not theirs")
    }

    @Test func `a crowd of tabs hides no difference`() {
        var pages = AnsweredPages()
        for second in 0..<20 { pages.answered(old, now: moment(Int64(second))) }
        pages.answered(new, now: moment(20))
        #expect(!polled(&pages, old, at: 21), "there is a newer one")
        #expect(!polled(&pages, new, at: 21), "there are older ones")
    }
}
