/// Looking into the pool, and holds coming and going.
import DequeModule

extension MessagePool {
    /// What is newer than a position on these channels; with a worker, a hold is registered if there is nothing.
    ///
    /// - Parameters:
    ///   - channels: each once.
    ///   - waitingLimit: polls that may wait on one channel.
    /// - Complexity: O(log n) per channel, and the messages returned.
    package mutating func lookUp(
        channels: [ChannelName], from position: Position, limit: BatchLimit, holdFor worker: WorkerNumber?,
        waitingLimit: Int? = nil
    ) -> LookUp {
        // Most polls name one channel, which is there: it needs no list of places.
        if channels.count == 1, let index = names[channels[0]] {
            return lookUp(CollectionOfOne(index), channels, 0, from: position, limit, worker, waitingLimit)
        }
        var lost: UInt64 = 0
        var indices: [Int32] = []
        indices.reserveCapacity(channels.count)
        for name in channels {
            guard let index = names[name] else {
                lost = max(lost, forgottenThrough)
                continue
            }
            indices.append(index)
        }
        return lookUp(indices, channels, lost, from: position, limit, worker, waitingLimit)
    }

    /// - Parameters:
    ///   - indices: the places of those of the channels that are in the table.
    ///   - lost: what the others may have lost.
    private mutating func lookUp(
        _ indices: some RandomAccessCollection<Int32>, _ channels: [ChannelName], _ lost: UInt64,
        from position: Position, _ limit: BatchLimit, _ worker: WorkerNumber?, _ waitingLimit: Int?
    ) -> LookUp {
        let (after, knowsLosses, isForeign) = start(of: position)
        let search = search(indices, after: after, knownLoss: lost, limit: limit, tellsLosses: knowsLosses)
        if isForeign || search.isWorthTelling {
            return .found(found(search, after: after, isForeign: isForeign, isPosition: knowsLosses))
        }
        guard let worker else { return .nothing(number: lastNumber, channels: []) }
        if isFull(indices, waitingLimit) { return .full }
        // Names are hashed once where all channels are there already.
        let held =
            indices.count == channels.count
            ? indices.map { register(worker, on: entry(at: $0)) }
            : channels.map { register(worker, on: entry(named: $0)) }
        return .nothing(number: lastNumber, channels: held)
    }

    /// The same for a hold that is registered; to be asked when it was woken, and once more before it ends empty (law
    /// 4).
    package mutating func lookUp(held channels: [ChannelID], after: UInt64, limit: BatchLimit) -> LookUp {
        let search = search(channels.map(\.index), after: after, knownLoss: 0, limit: limit, tellsLosses: true)
        if search.isWorthTelling { return .found(found(search, after: after, isForeign: false, isPosition: true)) }
        return .nothing(number: lastNumber, channels: channels)
    }

    /// Whether something may have happened on these channels since a number was given, and a watch on them from now
    /// on: one step, so that nothing can fall between (law 3).
    ///
    /// - Parameters:
    ///   - channels: each once.
    ///   - since: nil: that is not known, so something may have happened.
    package mutating func watch(_ channels: [ChannelName], since: UInt64?, for worker: WorkerNumber) -> Watch {
        let isQuiet = since.map { self.isQuiet(channels, since: $0) } ?? false
        let watched = channels.map { name in
            let index = entry(named: name)
            modify(index) { $0.watches.add(of: worker) }
            return ChannelID(index: index)
        }
        waitingCount += watched.count
        return Watch(isQuiet: isQuiet, number: lastNumber, channels: watched)
    }

    /// Whether nothing has happened on these channels since a number was given.
    package func isQuiet(_ channels: [ChannelName], since: UInt64) -> Bool {
        channels.allSatisfy { name in
            (names[name].flatMap { entries[Int($0)]?.lastNumber } ?? forgottenChange) <= since
        }
    }

    /// A second watch on the channels of one that is still there, which makes that one fit to be ended.
    package mutating func watch(again channels: [ChannelID], for worker: WorkerNumber) -> Watch {
        for channel in channels { modify(channel.index) { $0.watches.add(of: worker) } }
        waitingCount += channels.count
        return Watch(isQuiet: false, number: lastNumber, channels: channels)
    }

    /// Holds of a worker have ended.
    package mutating func withdraw(_ withdrawals: Withdrawals, by worker: WorkerNumber) {
        withdraw(withdrawals, by: worker, \.holds)
    }

    /// Watches of a worker have ended.
    package mutating func withdraw(watches withdrawals: Withdrawals, by worker: WorkerNumber) {
        withdraw(withdrawals, by: worker, \.watches)
    }

    private mutating func withdraw(
        _ withdrawals: Withdrawals, by worker: WorkerNumber, _ waiters: WritableKeyPath<ChannelEntry, Waiters>
    ) {
        for (channel, after) in withdrawals.ended {
            entries[Int(channel.index)]?[keyPath: waiters].remove(from: after)
        }
        waitingCount -= withdrawals.ended.count
        for channel in withdrawals.emptied { modify(channel.index) { $0[keyPath: waiters].remove(allOf: worker) } }
        // A channel may stand here several times; after its first turn its entry, or the whole table, may be gone.
        for (channel, _) in withdrawals.ended where entries.indices.contains(Int(channel.index)) {
            settle(channel.index)
        }
    }

    // MARK: Inside

    /// Whether as many wait on one of these channels as may.
    func isFull(_ indices: some Sequence<Int32>, _ waitingLimit: Int?) -> Bool {
        guard let waitingLimit else { return false }
        for index in indices {
            guard let entry = entries[Int(index)] else { continue }
            if entry.holds.count + entry.watches.count >= waitingLimit { return true }
        }
        return false
    }

    private func start(of position: Position) -> (after: UInt64, knowsLosses: Bool, isForeign: Bool) {
        switch position {
        case .oldest: (0, false, false)
        case .now: (lastNumber, true, false)
        case .after(let number) where number <= lastNumber: (number, true, false)
        // A number that was never given out by this pool: its state is not the one that the client believes in.
        case .after, .foreign: (0, false, true)
        }
    }

    mutating func register(_ worker: WorkerNumber, on index: Int32) -> ChannelID {
        modify(index) { $0.holds.add(of: worker) }
        waitingCount += 1
        return ChannelID(index: index)
    }

    /// What lies behind a position on some channels.
    struct Search {
        var messages: [Message] = []
        var isCut = false
        var gap = false
        /// The highest loss of the channels.
        var lost: UInt64 = 0
        /// The newest message that is not behind the position.
        var newestBefore: UInt64 = 0
        var isWorthTelling: Bool { gap || !messages.isEmpty }
    }

    private func search(
        _ indices: some Sequence<Int32>, after: UInt64, knownLoss: UInt64, limit: BatchLimit, tellsLosses: Bool
    ) -> Search {
        var search = Search()
        search.lost = knownLoss
        var places: [(entry: Int, place: Int)] = []
        for index in indices {
            guard let lost = entries[Int(index)]?.lostThrough, let last = entries[Int(index)]?.lastNumber else {
                continue
            }
            search.lost = max(search.lost, lost)
            if last <= after {
                // Most polls have all there is; what they are asked for is read in place, without a copy of the entry.
                if let slot = entries[Int(index)]?.slots.last {
                    search.newestBefore = max(search.newestBefore, slab[slot].id)
                }
                continue
            }
            guard let entry = entries[Int(index)] else { continue }
            let place = firstPlace(in: entry, after: after)
            if place > 0 { search.newestBefore = max(search.newestBefore, slab[entry.slots[place - 1]].id) }
            if place < entry.slots.count { places.append((Int(index), place)) }
        }
        search.gap = tellsLosses && search.lost > after
        merge(&places, limit, into: &search)
        return search
    }

    /// Binary search for the first message behind `after`.
    func firstPlace(in entry: ChannelEntry, after: UInt64) -> Int {
        // Most look-ups are for what came last.
        if entry.lastNumber <= after { return entry.slots.count }
        var low = 0
        var high = entry.slots.count
        while low < high {
            let middle = (low + high) / 2
            if slab[entry.slots[middle]].id <= after { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Takes messages in the order of their ids until the batch is full. O(channels) per message.
    func merge(_ places: inout [(entry: Int, place: Int)], _ limit: BatchLimit, into search: inout Search) {
        var bytes = 0
        while !places.isEmpty {
            var oldest = 0
            var message = message(at: places[0])
            for candidate in places.indices.dropFirst() {
                let other = self.message(at: places[candidate])
                if other.id < message.id { (oldest, message) = (candidate, other) }
            }
            let isFull = search.messages.count >= limit.messages || bytes + message.payload.count > limit.bytes
            if isFull, !search.messages.isEmpty {
                search.isCut = true
                return
            }
            bytes += message.payload.count
            search.messages.append(message)
            places[oldest].place += 1
            if places[oldest].place == entries[places[oldest].entry]?.slots.count { places.swapRemove(at: oldest) }
        }
    }

    private func message(at place: (entry: Int, place: Int)) -> Message {
        guard let entry = entries[place.entry] else { preconditionFailure("a search looks at entries in the table") }
        return slab[entry.slots[place.place]]
    }

    /// - Parameter isPosition: `after` is a client's position and not just where the pool begins.
    private mutating func found(_ search: Search, after: UInt64, isForeign: Bool, isPosition: Bool) -> Found {
        let gap = search.gap || isForeign
        if gap { counters.gaps += 1 }
        let number = search.isCut ? search.messages.last?.id ?? lastNumber : lastNumber
        let beforeFirst = (search.messages.first?.id ?? UInt64.max) - 1
        let same: ClosedRange<UInt64>
        if !isPosition {
            same = after...after
        } else if search.gap {
            same = search.newestBefore...min(search.lost - 1, beforeFirst)
        } else {
            same = max(search.lost, search.newestBefore)...beforeFirst
        }
        return Found(messages: search.messages, gap: gap, number: number, sameFor: same)
    }
}

extension Array {
    /// Removes an element by putting the last in its place. O(1).
    fileprivate mutating func swapRemove(at index: Int) {
        swapAt(index, count - 1)
        removeLast()
    }
}
