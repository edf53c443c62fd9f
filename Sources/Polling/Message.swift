/// A published item: the bytes that a publisher gave, its channel, and the number that the pool gave.
package final class Message: Sendable {
    /// What the payload is.
    package enum Kind: Sendable {
        /// A JSON value, valid.
        case json
        /// UTF-8 text.
        case text
        case binary
    }

    package let id: UInt64
    package let channel: ChannelName
    package let payload: [UInt8]
    package let kind: Kind
    /// As the publisher said it; nil: what follows from the kind.
    package let contentType: [UInt8]?
    package let publishedAt: Moment

    init(id: UInt64, item: PublishItem, channel: ChannelName, publishedAt: Moment) {
        self.id = id
        self.channel = channel
        payload = item.payload
        kind = item.kind
        contentType = item.contentType
        self.publishedAt = publishedAt
    }

    /// What a message costs the pool beyond its bytes, as a sum.
    static let fixedBytes =
        80  // this object
        + 32  // the payload array's header
        + 48  // its slot in the pool, at the slab's worst growth
        + 8  // its place in the channel's queue, likewise

    /// Memory that this message keeps, in bytes.
    package var footprint: Int { Self.footprint(payload: payload.count, contentType: contentType?.count) }

    static func footprint(payload: Int, contentType: Int?) -> Int {
        fixedBytes + payload + (contentType.map { $0 + 32 } ?? 0)
    }
}

/// What is to be published.
package struct PublishItem: Sendable {
    package var channel: ChannelName
    package var payload: [UInt8]
    package var kind: Message.Kind
    package var contentType: [UInt8]?
    /// A publish with a key that was seen lately returns the first one's id and adds nothing.
    package var key: [UInt8]?

    package init(
        channel: ChannelName, payload: [UInt8], kind: Message.Kind, contentType: [UInt8]? = nil, key: [UInt8]? = nil
    ) {
        self.channel = channel
        self.payload = payload
        self.kind = kind
        self.contentType = contentType
        self.key = key
    }
}

/// What a publisher is told.
package struct PublishReceipt: Hashable, Sendable {
    package let id: UInt64
    /// Polls that this publish released.
    package let waiting: Int
}
