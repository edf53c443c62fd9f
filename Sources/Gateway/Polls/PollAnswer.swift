/// A whole HTTP response to a poll, encoded once and shared by all who get the same: an object, to be handed on for the
/// price of one reference.
package import Polling

package final class PollAnswer: Sendable {
    /// Head and body as they go out.
    package let bytes: [UInt8]
    package let status: Int
    package let bodyBytes: Int
    /// Messages in it.
    package let messages: Int
    package let release: PollExchange.Release
    /// When the first of its messages was; nil if it has none.
    package let publishedAt: Moment?
    /// To be given back to the pool if the answer can't be written.
    package let taken: [TakenPosition]
    /// The connection may carry the next poll.
    package let keepsAlive: Bool

    init(
        bytes: [UInt8], status: Int, bodyBytes: Int, messages: Int, release: PollExchange.Release, publishedAt: Moment?,
        taken: [TakenPosition], keepsAlive: Bool
    ) {
        self.bytes = bytes
        self.status = status
        self.bodyBytes = bodyBytes
        self.messages = messages
        self.release = release
        self.publishedAt = publishedAt
        self.taken = taken
        self.keepsAlive = keepsAlive
    }
}
