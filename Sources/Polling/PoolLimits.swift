/// The bounds of a pool. Everything in it is bounded by one of these.
package struct PoolLimits: Hashable, Sendable {
    package var messagesPerChannel: Int
    package var age: Duration
    /// Memory of all messages, by `Message.footprint`.
    package var memoryBytes: Int
    /// Channels in the table that have neither a hold nor a message: they only remember what was lost.
    package var channels: Int
    package var idempotencyKeys: Int

    package init(
        messagesPerChannel: Int = 100, age: Duration = .seconds(600), memoryBytes: Int = 256 << 20,
        channels: Int = 100_000,
        idempotencyKeys: Int = 10_000
    ) {
        self.messagesPerChannel = messagesPerChannel
        self.age = age
        self.memoryBytes = memoryBytes
        self.channels = channels
        self.idempotencyKeys = idempotencyKeys
    }
}

/// Why the pool refuses a publish.
package enum PoolError: Error, Hashable, CustomStringConvertible {
    /// One message alone is larger than the pool's memory.
    case messageTooLarge(bytes: Int, limit: Int)

    package var description: String {
        switch self {
        case .messageTooLarge(let bytes, let limit):
            "the message takes \(bytes) bytes in the pool, whose memory is \(limit) bytes"
        }
    }
}

/// How much one answer may carry.
package struct BatchLimit: Hashable, Sendable {
    package var messages: Int
    /// Of payloads; one message is handed out however large.
    package var bytes: Int

    package init(messages: Int, bytes: Int) {
        self.messages = messages
        self.bytes = bytes
    }
}
