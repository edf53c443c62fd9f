import Polling

/// The slow twin of MessagePool: keeps everything for ever and says by plain search what is there and what was lost.
struct NaivePool {
    struct Item {
        let id: UInt64
        let channel: ChannelName
        let footprint: Int
        let at: Int64
        var isPresent = true
    }

    struct Hold {
        let channels: [ChannelName]
        var after: UInt64
        var claimedOn: Set<ChannelName> = []
    }

    var limits: PoolLimits
    var items: [Item] = []
    var deletions: [(channel: ChannelName, number: UInt64)] = []
    var last: UInt64 = 0
    var holds: [Int: Hold] = [:]
    var keys: [(key: [UInt8], id: UInt64, at: Int64)] = []

    init(limits: PoolLimits) { self.limits = limits }

    mutating func publish(_ item: PublishItem, footprint: Int, now: Int64) -> (id: UInt64, waiting: Int) {
        keys.removeAll { now >= $0.at + limits.age.wholeNanoseconds }
        if let key = item.key, let known = keys.first(where: { $0.key == key }) { return (known.id, 0) }
        last += 1
        items.append(Item(id: last, channel: item.channel, footprint: footprint, at: now))
        if let key = item.key {
            keys.append((key, last, now))
            if keys.count > limits.idempotencyKeys { keys.removeFirst() }
        }
        while present(item.channel).count > limits.messagesPerChannel { lose(present(item.channel)[0]) }
        while bytes > limits.memoryBytes, let oldest = items.firstIndex(where: { $0.isPresent && $0.id != last }) {
            lose(oldest)
        }
        return (last, claim(item.channel))
    }

    mutating func delete(_ channel: ChannelName) -> UInt64 {
        for index in present(channel) { lose(index) }
        last += 1
        deletions.append((channel, last))
        _ = claim(channel)
        return last
    }

    mutating func expire(now: Int64) {
        for index in items.indices where items[index].isPresent && now >= items[index].at + limits.age.wholeNanoseconds
        {
            lose(index)
        }
    }

    /// Ids behind a position, cut to a count.
    func found(_ channels: [ChannelName], after: UInt64, limit: Int) -> [UInt64] {
        Array(items.filter { $0.isPresent && $0.id > after && channels.contains($0.channel) }.map(\.id).prefix(limit))
    }

    /// Something behind the position is gone.
    func hasLost(_ channels: [ChannelName], after: UInt64) -> Bool {
        items.contains { !$0.isPresent && $0.id > after && channels.contains($0.channel) }
            || deletions.contains { $0.number > after && channels.contains($0.channel) }
    }

    /// Something of any channel behind the position is gone, so a loss can't be ruled out.
    func mayHaveLost(after: UInt64) -> Bool {
        items.contains { !$0.isPresent && $0.id > after } || deletions.contains { $0.number > after }
    }

    var bytes: Int {
        let present = items.filter(\.isPresent)
        let channels = Set(present.map(\.channel))
        return present.reduce(0) { $0 + $1.footprint } + channels.reduce(0) { $0 + Self.channelBytes($1) }
    }

    /// What a channel with messages costs; as the pool's sum has it.
    static func channelBytes(_ name: ChannelName) -> Int { 344 + name.bytes.count }

    func present(_ channel: ChannelName) -> [Int] {
        items.indices.filter { items[$0].isPresent && items[$0].channel == channel }
    }

    private mutating func lose(_ index: Int) { items[index].isPresent = false }

    private mutating func claim(_ channel: ChannelName) -> Int {
        var released = 0
        for (number, hold) in holds where hold.channels.contains(channel) && !hold.claimedOn.contains(channel) {
            holds[number]?.claimedOn.insert(channel)
            released += 1
        }
        return released
    }
}

/// SplitMix64: one seed gives one run.
struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
