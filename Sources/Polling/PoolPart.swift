/// A pool in pieces, for another process that goes on with it while nothing changes it: no number is given twice, every
/// cursor stays right, and what was lost stays lost.
package enum PoolPart: Sendable {
    /// The first one.
    case head(epoch: Epoch, lastNumber: UInt64, forgottenThrough: UInt64)
    case loss(ChannelName, through: UInt64)
    /// In the order of ids, behind all losses.
    case message(PublishItem, id: UInt64, lostBefore: UInt64, publishedAt: Moment)
    /// In the order of ids, behind all messages.
    case key([UInt8], id: UInt64, at: Moment)
    case taken(ChannelName, through: UInt64)
}

/// Which pool it is, and how far it has come: what another one, or an older copy of the same, does not have.
package struct PoolMark: Equatable, Sendable {
    package let epoch: Epoch
    /// The newest message's that has ever been in it; 0: none has. Numbers that signals took may be written nowhere.
    package let number: UInt64

    package init(epoch: Epoch, number: UInt64) {
        self.epoch = epoch
        self.number = number
    }
}

extension MessagePool {
    package func mark(of epoch: Epoch) -> PoolMark {
        PoolMark(epoch: epoch, number: lastMessage)
    }

    /// All of it, in the order in which it is restored. O(pool), and messages are shared, not copied.
    package func parts(of epoch: Epoch) -> [PoolPart] {
        var parts = [PoolPart.head(epoch: epoch, lastNumber: lastNumber, forgottenThrough: forgottenThrough)]
        for case .some(let entry) in entries where entry.isLossNoted {
            parts.append(.loss(entry.name, through: entry.lostThrough))
        }
        var slot = slab.first
        while slot >= 0 {
            let message = slab[slot]
            parts.append(
                .message(
                    PublishItem(
                        channel: message.channel, payload: message.payload, kind: message.kind,
                        contentType: message.contentType),
                    id: message.id, lostBefore: entries[Int(slab.channel(of: slot))]?.lostThrough ?? 0,
                    publishedAt: message.publishedAt))
            slot = slab.next(after: slot)
        }
        for known in keys.all { parts.append(.key(known.key, id: known.id, at: known.at)) }
        for case .some(let entry) in entries {
            if let through = entry.takenThrough { parts.append(.taken(entry.name, through: through)) }
        }
        return parts
    }
}

/// Puts a pool together of its parts, as they come.
package struct PoolAssembly {
    private let limits: PoolLimits
    private let now: Moment
    private var restoring: PoolRestoring?
    private var forgottenThrough: UInt64 = 0
    package private(set) var epoch: Epoch?

    package init(limits: PoolLimits, now: Moment) {
        self.limits = limits
        self.now = now
    }

    package mutating func add(_ part: PoolPart) {
        switch part {
        case .head(let epoch, let lastNumber, let forgottenThrough):
            self.epoch = epoch
            self.forgottenThrough = forgottenThrough
            restoring = PoolRestoring(limits: limits, lastNumber: lastNumber, now: now)
        case .loss(let name, let through): restoring?.restoreLoss(of: name, through: through)
        case .message(let item, let id, let lostBefore, let publishedAt):
            restoring?.restore(item, id: id, lostBefore: lostBefore, publishedAt: publishedAt)
        case .key(let key, let id, let at): restoring?.restore(key: key, id: id, at: at)
        case .taken(let name, let through): restoring?.restore(taken: through, of: name)
        }
    }

    /// - Returns: nil if there was no first part.
    package mutating func finish() -> MessagePool? {
        var pool = restoring?.finish(forgottenThrough: forgottenThrough)
        // It is nowhere written down, so nobody asks for what has left it.
        pool?.departures = nil
        return pool
    }
}

extension MessagePool {
    /// All of it is written down by now, and what leaves it from here on is to be written too.
    package mutating func beginDepartures() { departures = Departures() }
}
