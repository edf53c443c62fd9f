/// A worker's way to change the pool: at once if it is in memory, through the store's thread if it is written down.
import Gateway
import Polling
import Reactor

extension Worker {
    /// Makes changes on a publisher's behalf. The stream is told what has come of them by `settled`, inside this call
    /// or later.
    func change(_ changes: [PoolChange], for stream: ControlStream) {
        if handover.stage.isParting {
            // It took longer than publishers are waited for.
            return stream.settled(changes.map { _ in .notStored("another process takes the place of this one") })
        }
        guard let store = hub.store else {
            let now = now
            return stream.settled(
                publish { pool -> ([PoolOutcome], [WakeUpCall]) in
                    var calls: [WakeUpCall] = []
                    let outcomes = changes.map { change in
                        let (outcome, own) = pool.make(change, now: now)
                        calls += own
                        return outcome
                    }
                    return (outcomes, calls)
                })
        }
        let address = StoreQueue.Address(worker: number, stream: stream.number, serial: stream.serial)
        if !store.submit(changes, for: address) {
            stream.settled(changes.map { _ in .notStored("too many publishes wait to be written") })
        }
    }

    /// The same for nobody who waits for it.
    ///
    /// - Returns: false: it has not been made and will not be.
    func change(_ change: PoolChange) -> Bool {
        switch handover.stage {
        case .serving, .quiet: break
        case .frozen, .left:
            pass(.change(change))
            return true
        }
        if let store = hub.store { return store.submit([change], for: nil) }
        let now = now
        let outcome = publish { $0.make(change, now: now) }
        return if case .refused = outcome { false } else { true }
    }

    func settled(_ replies: [StoreReply]) {
        for reply in replies {
            guard let stream = streams[reply.stream] as? ControlStream, stream.serial == reply.serial else { continue }
            stream.settled(reply.outcomes)
        }
    }
}
