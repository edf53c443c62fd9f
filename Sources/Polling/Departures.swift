/// What has left the pool since its store was last told: the store takes it out of the file in its next transaction.
/// And how far polls that take have come, which goes the same way: what was taken since the last transaction before a
/// crash is handed out once more.
///
/// It is bounded by the pool: a message leaves once, and a channel stands here once however much it lost.
package struct Departures: Sendable {
    /// What is to be known of a channel's losses.
    package enum Loss: Equatable, Sendable {
        case through(UInt64)
        /// It has left the table, and `forgottenThrough` stands for it.
        case forgotten
    }

    /// Ids of messages.
    package private(set) var messages: [UInt64] = []
    package private(set) var losses: [ChannelName: Loss] = [:]
    /// How far channels have been handed out to polls that take; 0: no longer at all.
    package private(set) var taken: [ChannelName: UInt64] = [:]
    /// The pool's, when this was taken.
    package internal(set) var forgottenThrough: UInt64 = 0
    /// Keys of messages up to this id are forgotten.
    package internal(set) var keysThrough: UInt64 = 0

    package init() {}

    /// Whether nothing is to be written now. What became of keys alone can wait for one.
    package var isEmpty: Bool { messages.isEmpty && losses.isEmpty && taken.isEmpty }

    mutating func noteGone(_ id: UInt64) { messages.append(id) }
    mutating func note(_ loss: Loss, of name: ChannelName) {
        losses[name] = loss
        if loss == .forgotten { taken[name] = nil }
    }

    mutating func note(taken through: UInt64?, of name: ChannelName) { taken[name] = through ?? 0 }

    /// Puts what left later behind this.
    package mutating func append(_ later: Departures) {
        messages += later.messages
        for (name, loss) in later.losses { note(loss, of: name) }
        taken.merge(later.taken) { $1 }
        forgottenThrough = max(forgottenThrough, later.forgottenThrough)
        keysThrough = max(keysThrough, later.keysThrough)
    }
}

extension MessagePool {
    /// Hands over what has left since the last call, of a pool that notes it.
    package mutating func takeDepartures() -> Departures {
        guard var taken = departures else { return Departures() }
        departures = Departures()
        taken.forgottenThrough = forgottenThrough
        taken.keysThrough = keys.goneThrough
        return taken
    }
}
