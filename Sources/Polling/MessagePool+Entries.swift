/// The table of channels: entries come with a message or a hold, and leave when nothing of them is worth remembering.
import DequeModule

extension MessagePool {
    /// The entry of a channel; made if there is none.
    mutating func entry(named name: ChannelName) -> Int32 {
        if let index = names[name] { return entry(at: index) }
        // What this channel lost before is not known any more, so it may be anything up to here.
        let entry = ChannelEntry(name: name, lostThrough: forgottenThrough, lastNumber: forgottenChange)
        let index: Int32
        if let free = freeEntries.popLast() {
            index = free
            entries[Int(index)] = entry
        } else {
            index = Int32(entries.count)
            entries.append(entry)
        }
        names[name] = index
        return index
    }

    /// The entry at this place, which is to be used.
    mutating func entry(at index: Int32) -> Int32 {
        leaveIdle(index)
        return index
    }

    /// Changes an entry in place.
    @discardableResult
    mutating func modify<Result>(_ index: Int32, _ body: (inout ChannelEntry) -> Result) -> Result {
        // Through the optional chain the entry is changed where it stands; taken out and put back it is copied twice.
        guard let result = entries[Int(index)]?.changed(by: body) else {
            preconditionFailure("an entry in use stands in the table")
        }
        return result
    }

    /// Decides what becomes of an entry that may be no longer in use: one that remembers a loss or a change of its own
    /// stays for a while, so that channels that lost nothing are not told a gap on its account, and polls of others
    /// need not ask.
    mutating func settle(_ index: Int32) {
        guard let entry = entries[Int(index)], !entry.isInUse, entry.idleSince == nil else { return }
        if entry.lostThrough <= forgottenThrough, entry.lastNumber <= forgottenChange { return drop(index) }
        let (now, previous) = (newestMoment, lastIdle)
        modify(index) { entry in
            entry.idleSince = now
            entry.idlePrevious = previous
            entry.idleNext = -1
        }
        if lastIdle >= 0 { modify(lastIdle) { $0.idleNext = index } } else { firstIdle = index }
        lastIdle = index
        idleCount += 1
        while idleCount > limits.channels { drop(firstIdle) }
    }

    private mutating func leaveIdle(_ index: Int32) {
        // Most are in use already, and reading one field copies no entry.
        guard entries[Int(index)]?.idleSince != nil, let entry = entries[Int(index)] else { return }
        if entry.idlePrevious >= 0 {
            modify(entry.idlePrevious) { $0.idleNext = entry.idleNext }
        } else {
            firstIdle = entry.idleNext
        }
        if entry.idleNext >= 0 {
            modify(entry.idleNext) { $0.idlePrevious = entry.idlePrevious }
        } else {
            lastIdle = entry.idlePrevious
        }
        idleCount -= 1
        modify(index) { entry in
            entry.idleSince = nil
            entry.idlePrevious = -1
            entry.idleNext = -1
        }
    }

    /// Takes an entry out of the table; its loss becomes that of all channels not in it.
    mutating func drop(_ index: Int32) {
        leaveIdle(index)
        guard let entry = entries[Int(index)] else { return }
        precondition(!entry.isInUse, "an entry with messages or holds stays")
        forgottenThrough = max(forgottenThrough, entry.lostThrough)
        forgottenChange = max(forgottenChange, entry.lastNumber)
        if entry.isLossNoted || entry.takenThrough != nil { departures?.note(.forgotten, of: entry.name) }
        names[entry.name] = nil
        entries[Int(index)] = nil
        if names.isEmpty {
            entries = []
            freeEntries = []
            names = [:]
        } else {
            freeEntries.append(index)
        }
    }
}
