/// What a publisher or an operator wants to be changed in the pool, and what has come of it.
package enum PoolChange: Sendable {
    /// All of them in order, or none.
    case publish([PublishItem])
    case signal(ChannelName)
    case delete(ChannelName)
    /// Nobody got what was taken.
    case giveBack([TakenPosition])

    /// Nothing of it stands in a store, so that it can be made while the store fails.
    package var isUnwritten: Bool {
        switch self {
        case .publish, .delete: false
        case .signal, .giveBack: true
        }
    }

    /// Memory that this waits with, roughly: what a queue of changes is bounded by.
    package var footprint: Int {
        switch self {
        case .publish(let items):
            items.reduce(0) {
                $0 + Message.footprint(payload: $1.payload.count, contentType: $1.contentType?.count)
                    + ChannelName.bytesLimit + ($1.key?.count ?? 0)
            }
        case .signal, .delete: ChannelName.bytesLimit
        case .giveBack(let taken): taken.count * ChannelName.bytesLimit
        }
    }
}

package enum PoolOutcome: Sendable {
    /// One receipt an item; one for a signal, and for what is given back.
    case published([PublishReceipt])
    /// The number that the deletion took.
    case deleted(UInt64)
    /// There was nothing to delete.
    case unknownChannel
    case refused(PoolError)
    /// It could not be written down, for this reason, and so has not happened.
    case notStored(String)
}

extension MessagePool {
    /// Makes a change at once, in a pool that is nowhere written down.
    ///
    /// - Returns: what has come of it, and the channels whose holds are to be woken, as of `publish`.
    package mutating func make(_ change: PoolChange, now: Moment) -> (outcome: PoolOutcome, calls: [WakeUpCall]) {
        switch change {
        case .publish(let items):
            do throws(PoolError) {
                let (receipts, calls) = try publish(items, now: now)
                return (.published(receipts), calls)
            } catch {
                return (.refused(error), [])
            }
        case .signal(let name):
            let (receipt, calls) = signal(name, now: now)
            return (.published([receipt]), calls)
        case .delete(let name):
            guard let (number, calls) = delete(name, now: now) else { return (.unknownChannel, []) }
            return (.deleted(number), calls)
        case .giveBack(let taken):
            let calls = giveBack(taken)
            return (.published([PublishReceipt(id: lastNumber, waiting: 0)]), calls)
        }
    }
}
