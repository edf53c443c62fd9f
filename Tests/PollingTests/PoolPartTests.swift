import Polling
import Testing

/// A pool that goes from one process to another says the same there.
struct PoolPartTests {
    static let limits = PoolLimits(
        messagesPerChannel: 4, age: .seconds(60), memoryBytes: 4096, channels: 3, idempotencyKeys: 8)
    let limit = BatchLimit(messages: 100, bytes: 1 << 20)

    static func name(_ number: Int) throws -> ChannelName { try ChannelName(Array("c.\(number)".utf8).span) }

    /// What a poll without a hold is told.
    func told(_ pool: inout MessagePool, _ channel: ChannelName, after: UInt64) -> (ids: [UInt64], gap: Bool) {
        switch pool.lookUp(channels: [channel], from: .after(after), limit: limit, holdFor: nil) {
        case .found(let found): (found.messages.map(\.id), found.gap)
        case .nothing, .full: ([], false)
        }
    }

    /// A pool that has seen some of everything.
    static func pool(seed: UInt64) throws -> (pool: MessagePool, now: Moment) {
        var (random, now) = (Seeded(state: seed), Moment(nanoseconds: 1))
        var pool = MessagePool(limits: limits)
        for number in 0..<Int.random(in: 0..<120, using: &random) {
            let channel = try name(.random(in: 0..<8, using: &random))
            switch Int.random(in: 0..<12, using: &random) {
            case 0: _ = pool.delete(channel, now: now)
            case 1: _ = pool.signal(channel, now: now)
            case 2: _ = pool.take(channels: [channel], limit: BatchLimit(messages: 2, bytes: 1 << 20), holdFor: nil)
            case 3:
                now = now + .seconds(Int.random(in: 0..<40, using: &random))
                _ = pool.expire(now: now, limit: 100)
            default:
                let size = Int.random(in: 1..<300, using: &random)
                let key = number % 3 == 0 ? Array("key \(number % 20)".utf8) : nil
                let item = PublishItem(
                    channel: channel, payload: [UInt8](repeating: 0x31, count: size),
                    kind: [.json, .text, .binary][number % 3], contentType: number % 5 == 0 ? [0x61] : nil, key: key)
                _ = try pool.publish([item], now: now)
            }
        }
        return (pool, now)
    }

    @Test(arguments: 0..<200) func `each position gets what it got before, and no loss is left out`(seed: Int) throws {
        var (pool, now) = try Self.pool(seed: UInt64(seed))
        let epoch = Epoch(random: UInt64(seed))
        var assembly = PoolAssembly(limits: Self.limits, now: now)
        for part in pool.parts(of: epoch) { assembly.add(part) }
        let finished = assembly.finish()
        var other = try #require(finished)
        other.checkInvariants()
        #expect(assembly.epoch == epoch)
        #expect(other.lastNumber == pool.lastNumber)
        for channel in try (0..<8).map(Self.name) {
            for after in 0...pool.lastNumber {
                let (before, behind) = (told(&pool, channel, after: after), told(&other, channel, after: after))
                #expect(before.ids == behind.ids, "\(channel) behind \(after)")
                #expect(!before.gap || behind.gap, "\(channel) behind \(after)")
            }
            // Who has everything is told of no loss.
            #expect(!told(&other, channel, after: pool.lastNumber).gap)
            let (taken, takenThere) = (try take(&pool, channel), try take(&other, channel))
            #expect(taken == takenThere, "\(channel)")
        }
        for number in 0..<20 {
            let item = PublishItem(
                channel: try Self.name(0), payload: [0x31], kind: .json, key: Array("key \(number)".utf8))
            #expect(
                try other.publish([item], now: now).receipts[0].id == pool.publish([item], now: now).receipts[0].id)
        }
        other.checkInvariants()
    }

    private func take(_ pool: inout MessagePool, _ channel: ChannelName) throws -> [UInt64] {
        guard case .found(let found) = pool.take(channels: [channel], limit: limit, holdFor: nil) else { return [] }
        return found.messages.map(\.id)
    }

    @Test func `nothing has happened for a watch that knew everything, and something for one that did not`() throws {
        let (pool, now) = try Self.pool(seed: 7)
        var assembly = PoolAssembly(limits: Self.limits, now: now)
        for part in pool.parts(of: Epoch(random: 1)) { assembly.add(part) }
        let finished = assembly.finish()
        let other = try #require(finished)
        let name = try Self.name(1)
        #expect(other.isQuiet([name], since: pool.lastNumber))
        #expect(!other.isQuiet([name], since: pool.lastNumber - 1))
    }
}
