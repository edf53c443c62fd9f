import Polling
import Testing

/// Signals and watches: what a poll of a recheck is told, and what it costs the pool.
struct WatchTests {
    var pool = MessagePool(limits: PoolLimits(age: .seconds(60), channels: 2))
    let worker = WorkerNumber(1)
    let now = Moment(nanoseconds: 0)

    static func name(_ text: String) throws -> ChannelName { try ChannelName(Array(text.utf8).span) }

    @Test mutating func `a signal wakes watches and no hold, and is no message`() throws {
        let name = try Self.name("a")
        _ = pool.lookUp(
            channels: [name], from: .now, limit: BatchLimit(messages: 1, bytes: 1), holdFor: WorkerNumber(0))
        #expect(pool.signal(name, now: now).calls == [])
        _ = pool.watch([name], since: nil, for: worker)
        let (receipt, calls) = pool.signal(name, now: now)
        #expect(receipt.waiting == 1)
        #expect(calls.map { $0.watchers.contains(worker) } == [true])
        #expect(calls.map { $0.workers.isEmpty } == [true])
        #expect(pool.figures.messages == 0)
        pool.checkInvariants()
    }

    @Test mutating func `a watch is woken once, by whatever comes first`() throws {
        let name = try Self.name("a")
        let watch = pool.watch([name], since: nil, for: worker)
        let item = PublishItem(channel: name, payload: [0x31], kind: .json)
        #expect(try pool.publish([item], now: now).calls.count == 1)
        #expect(pool.signal(name, now: now).calls == [])
        // A second watch in the place of the first is woken again.
        var table = HoldTable()
        let first = table.hold(
            exchange: 0, channels: watch.channels, after: watch.number, lasting: .seconds(1), now: now)
        let again = pool.watch(again: watch.channels, for: worker)
        table.end(first)
        _ = table.hold(exchange: 0, channels: again.channels, after: again.number, lasting: .seconds(1), now: now)
        if let ended = table.takeWithdrawals() { pool.withdraw(watches: ended, by: worker) }
        pool.checkInvariants()
        #expect(pool.signal(name, now: now).calls.count == 1)
        pool.checkInvariants()
    }

    @Test mutating func `a number tells whether something happened since`() throws {
        let (a, b) = (try Self.name("a"), try Self.name("b"))
        let first = pool.watch([a, b], since: nil, for: worker)
        #expect(!first.isQuiet)
        #expect(pool.watch([a, b], since: first.number, for: worker).isQuiet)
        _ = pool.signal(b, now: now)
        #expect(pool.watch([a], since: first.number, for: worker).isQuiet)
        #expect(!pool.watch([a, b], since: first.number, for: worker).isQuiet)
        #expect(pool.watch([a, b], since: pool.lastNumber, for: worker).isQuiet)
    }

    @Test mutating func `what the pool has forgotten counts as something that happened`() throws {
        let names = try ["a", "b", "c", "d"].map(Self.name)
        for name in names { _ = pool.signal(name, now: now) }
        pool.checkInvariants()
        // Two channels are remembered, the others' numbers stand for all that is not in the table.
        #expect(!pool.watch([names[0]], since: 1, for: worker).isQuiet)
        #expect(pool.watch([names[3]], since: 4, for: worker).isQuiet)
        #expect(pool.watch([try Self.name("new")], since: 2, for: worker).isQuiet)
        #expect(!pool.watch([try Self.name("other")], since: 1, for: worker).isQuiet)
        pool.checkInvariants()
    }
}
