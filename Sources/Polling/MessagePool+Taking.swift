/// Handing each message out once, to clients that can't say how far they have come (`cursor: take`). The position is
/// the channel's own: whoever takes moves it on, and what the pool keeps or loses is not changed by that, so polls with
/// cursors on the same channel see everything.
///
/// An answer that could not be written is given back; its messages are then handed out once more, together with those
/// that another poll took behind them, for order counts more than a message seen twice by chance.
extension MessagePool {
    /// What has not been handed out on these channels; with a worker, a hold is registered if there is nothing.
    ///
    /// - Parameters:
    ///   - channels: each once.
    ///   - waitingLimit: polls that may wait on one channel.
    package mutating func take(
        channels: [ChannelName], limit: BatchLimit, holdFor worker: WorkerNumber?, waitingLimit: Int? = nil
    ) -> LookUp {
        let indices = channels.compactMap { names[$0] }
        if let found = takeFound(indices, limit) { return .found(found) }
        guard let worker else { return .nothing(number: lastNumber, channels: []) }
        if isFull(indices, waitingLimit) { return .full }
        return .nothing(number: lastNumber, channels: channels.map { register(worker, on: entry(named: $0)) })
    }

    /// The same for a hold that is registered.
    ///
    /// - Parameters:
    ///   - after: its position.
    ///   - staysHeld: if there is nothing it goes on waiting, from the number that is returned. Another poll was
    ///     faster; the publish that claimed this hold has not released it, so the next one has to wake it again.
    package mutating func take(
        held channels: [ChannelID], after: UInt64, staysHeld: Bool, limit: BatchLimit
    ) -> LookUp {
        if let found = takeFound(channels.map(\.index), limit) { return .found(found) }
        if staysHeld { for channel in channels { modify(channel.index) { $0.holds.unclaim(from: after) } } }
        return .nothing(number: lastNumber, channels: channels)
    }

    /// Nobody got what was taken.
    ///
    /// - Returns: who is to be woken, since it is there for others now.
    package mutating func giveBack(_ taken: [TakenPosition]) -> [WakeUpCall] {
        var calls: [WakeUpCall] = []
        for position in taken {
            guard let index = names[position.channel] else { continue }  // its messages are gone as well
            modify(index) { entry in
                entry.takenThrough = position.before.map { min($0, entry.takenThrough ?? $0) }
            }
            departures?.note(taken: entries[Int(index)]?.takenThrough, of: position.channel)
            // A number of its own, so that holds which have found nothing so far are claimed.
            lastNumber += 1
            let number = lastNumber
            modify(index) { $0.lastNumber = number }
            _ = claimHolds(on: index, by: number, &calls)
        }
        return calls
    }

    private mutating func takeFound(_ indices: [Int32], _ limit: BatchLimit) -> Found? {
        var search = Search()
        var places: [(entry: Int, place: Int)] = []
        for index in indices {
            guard let entry = entries[Int(index)] else { continue }
            if let taken = entry.takenThrough, entry.lostThrough > taken { search.gap = true }
            let place = firstPlace(in: entry, after: entry.takenThrough ?? 0)
            if place < entry.slots.count { places.append((Int(index), place)) }
        }
        merge(&places, limit, into: &search)
        guard search.isWorthTelling else { return nil }
        if search.gap { counters.gaps += 1 }
        let taken = moveOn(indices, search.messages)
        return Found(
            messages: search.messages, gap: search.gap, number: lastNumber, sameFor: lastNumber...lastNumber,
            taken: taken)
    }

    /// - Returns: where the channels stood.
    private mutating func moveOn(_ indices: [Int32], _ messages: [Message]) -> [TakenPosition] {
        var before: [TakenPosition] = []
        for index in indices {
            guard let entry = entries[Int(index)] else { continue }
            let last = messages.last { $0.channel == entry.name }?.id ?? 0
            // A loss is told once.
            let through = max(last, entry.takenThrough ?? 0, entry.lostThrough)
            guard through != entry.takenThrough else { continue }
            before.append(TakenPosition(channel: entry.name, before: entry.takenThrough))
            modify(index) { $0.takenThrough = through }
            departures?.note(taken: through, of: entry.name)
        }
        return before
    }
}
