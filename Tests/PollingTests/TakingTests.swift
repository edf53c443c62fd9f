import Polling
import Testing

/// Each message to one poll: the pool keeps a channel's position for those who can't.
struct TakingTests {
    var pool = MessagePool(
        limits: PoolLimits(messagesPerChannel: 3, age: .seconds(60), memoryBytes: 1 << 20, channels: 100))
    let worker = WorkerNumber(0)
    let limit = BatchLimit(messages: 10, bytes: 1 << 20)
    var now = Moment(nanoseconds: 0)

    static func name(_ text: String) throws -> ChannelName { try ChannelName(Array(text.utf8).span) }

    mutating func publish(_ channel: String) throws -> UInt64 {
        let item = PublishItem(channel: try Self.name(channel), payload: Array("1".utf8), kind: .json)
        return try pool.publish([item], now: now).receipts[0].id
    }

    mutating func take(_ channels: String..., limit: Int = 10) throws -> Found? {
        let names = try channels.map(Self.name)
        let result = pool.take(
            channels: names, limit: BatchLimit(messages: limit, bytes: 1 << 20), holdFor: nil)
        if case .found(let found) = result { return found }
        return nil
    }

    @Test mutating func `each message is handed out once, in order, whoever asks`() throws {
        let ids = [try publish("a"), try publish("b"), try publish("a")]
        #expect(try take("a", "b", limit: 2)?.messages.map(\.id) == Array(ids[..<2]))
        #expect(try take("a", "b")?.messages.map(\.id) == [ids[2]])
        #expect(try take("a", "b") == nil)
        let later = try publish("b")
        #expect(try take("b")?.messages.map(\.id) == [later])
        pool.checkInvariants()
    }

    @Test mutating func `a poll with a cursor sees what others took`() throws {
        let id = try publish("a")
        _ = try take("a")
        let names = [try Self.name("a")]
        guard case .found(let found) = pool.lookUp(channels: names, from: .oldest, limit: limit, holdFor: nil) else {
            Issue.record("nothing is there")
            return
        }
        #expect(found.messages.map(\.id) == [id])
    }

    @Test mutating func `what left before it was taken is a gap, told once; what left after is none`() throws {
        _ = try publish("a")
        _ = try take("a")
        for _ in 0..<3 { _ = try publish("a") }
        #expect(try take("a")?.gap == false)
        for _ in 0..<5 { _ = try publish("a") }
        let missed = try take("a")
        #expect(missed?.gap == true)
        #expect(missed?.messages.count == 3)
        _ = try publish("a")
        #expect(try take("a")?.gap == false)
    }

    @Test mutating func `what could not be written is handed out again`() throws {
        let ids = [try publish("a"), try publish("a")]
        let lost = try #require(try take("a", limit: 1))
        let behind = try #require(try take("a"))
        #expect(behind.messages.map(\.id) == [ids[1]])
        _ = pool.giveBack(lost.taken)
        #expect(try take("a")?.messages.map(\.id) == ids, "order counts more than a message seen twice")
        let first = try #require(try take("b", "a").map(\.taken) ?? [])
        #expect(first.isEmpty)
    }

    @Test mutating func `a hold is woken by a message and takes it`() throws {
        let names = [try Self.name("a")]
        guard case .nothing(_, let channels) = pool.take(channels: names, limit: limit, holdFor: worker) else {
            Issue.record("something is there")
            return
        }
        let item = PublishItem(channel: names[0], payload: Array("1".utf8), kind: .json)
        let (receipts, calls) = try pool.publish([item], now: now)
        #expect(receipts[0].waiting == 1)
        #expect(calls.map(\.channel) == channels)
        guard case .found(let found) = pool.take(held: channels, after: 0, staysHeld: true, limit: limit) else {
            Issue.record("nothing is there")
            return
        }
        #expect(found.messages.map(\.id) == [receipts[0].id])
        guard case .nothing = pool.take(held: channels, after: 0, staysHeld: true, limit: limit) else {
            Issue.record("it was handed out twice")
            return
        }
        let again = try pool.publish([item], now: now)
        #expect(again.receipts[0].waiting == 1, "who got nothing is woken by the next one")
        #expect(again.calls.map(\.channel) == channels)
        pool.checkInvariants()
    }
}
