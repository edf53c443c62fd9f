import Polling
import Testing

struct HoldTableTests {
    func moment(_ nanoseconds: Int64) -> Moment { Moment(nanoseconds: nanoseconds) }
    let a = ChannelIDs.make(0)
    let b = ChannelIDs.make(1)

    func exchanges(_ table: borrowing HoldTable, on channel: ChannelID) -> [UInt32] {
        var found: [UInt32] = []
        table.forEachHold(on: channel) { found.append($1) }
        return found
    }

    @Test func `holds of a channel are found in the order in which they came`() {
        var table = HoldTable()
        _ = table.hold(exchange: 1, channels: [a], after: 0, lasting: .seconds(90), now: moment(0))
        let second = table.hold(exchange: 2, channels: [b, a], after: 0, lasting: .seconds(90), now: moment(1))
        _ = table.hold(exchange: 3, channels: [a], after: 0, lasting: .seconds(90), now: moment(2))
        #expect(exchanges(table, on: a) == [1, 2, 3])
        #expect(exchanges(table, on: b) == [2])
        table.end(second)
        #expect(exchanges(table, on: a) == [1, 3])
        #expect(exchanges(table, on: b) == [])
        #expect(table.count == 2)
    }

    @Test func `a hold's number means nothing once it has ended, also when its slot is used again`() {
        var table = HoldTable()
        _ = table.hold(exchange: 9, channels: [b], after: 0, lasting: .seconds(1), now: moment(0))
        let first = table.hold(exchange: 1, channels: [a], after: 0, lasting: .seconds(1), now: moment(0))
        table.end(first)
        _ = table.hold(exchange: 2, channels: [a], after: 0, lasting: .seconds(1), now: moment(0))
        table.end(first)
        #expect(table.exchange(of: first) == nil)
        #expect(exchanges(table, on: a) == [2])
    }

    @Test func `holds of each duration end in order and the earliest end is known`() {
        var table = HoldTable()
        let long = table.hold(exchange: 1, channels: [a], after: 0, lasting: .nanoseconds(100), now: moment(0))
        let short = table.hold(exchange: 2, channels: [a], after: 0, lasting: .nanoseconds(10), now: moment(5))
        #expect(table.nextDeadline == moment(15))
        #expect(table.firstExpired(now: moment(14)) == nil)
        #expect(table.firstExpired(now: moment(15)) == short)
        table.end(short)
        #expect(table.nextDeadline == moment(100))
        #expect(table.firstExpired(now: moment(100)) == long)
    }

    @Test func `a hold that began earlier, in another process, ends in its turn`() {
        var table = HoldTable()
        var numbers: [HoldNumber] = []
        for (exchange, start) in [(0, 50), (1, 20), (2, 70), (3, 10), (4, 50)] {
            numbers.append(
                table.hold(
                    exchange: UInt32(exchange), channels: [a], after: 0, lasting: .nanoseconds(100),
                    now: moment(Int64(start))))
        }
        #expect(table.nextDeadline == moment(110))
        table.end(numbers[0])
        var ended: [UInt32] = []
        while let next = table.firstExpired(now: moment(170)) {
            ended.append(table.exchange(of: next) ?? 99)
            table.end(next)
        }
        #expect(ended == [3, 1, 4, 2])
        #expect(table.nextDeadline == nil)
    }

    @Test func `ended holds are withdrawn once, and a channel is empty only if no hold came back`() {
        var table = HoldTable()
        let first = table.hold(exchange: 1, channels: [a, b], after: 7, lasting: .seconds(1), now: moment(0))
        table.end(first)
        _ = table.hold(exchange: 2, channels: [a], after: 8, lasting: .seconds(1), now: moment(0))
        let withdrawals = table.takeWithdrawals()
        #expect(withdrawals?.ended.map(\.channel) == [a, b])
        #expect(withdrawals?.ended.map(\.after) == [7, 7])
        #expect(withdrawals?.emptied == [b])
        let again = table.takeWithdrawals() == nil
        #expect(again)
    }

    @Test func `whether a hold waits on these very channels is told by set and range`() {
        var table = HoldTable()
        let hold = table.hold(exchange: 1, channels: [a, b], after: 7, lasting: .seconds(1), now: moment(0))
        #expect(table.isWaiting(hold, on: [a, b], within: 7...9))
        #expect(!table.isWaiting(hold, on: [a, b], within: 8...9))
        #expect(!table.isWaiting(hold, on: [a], within: 7...9))
        #expect(!table.isWaiting(hold, on: [b, a], within: 7...9))
        table.advance(hold, after: 9)
        #expect(table.isWaiting(hold, on: [a, b], within: 8...9))
    }

    @Test func `a crowd that came and went leaves its places to the next`() {
        var table = HoldTable()
        for wave in 0..<3 {
            let numbers = (0..<10_000).map {
                table.hold(
                    exchange: UInt32($0), channels: [$0 % 2 == 0 ? a : b], after: 0, lasting: .seconds(90),
                    now: moment(Int64(wave)))
            }
            for number in numbers.shuffled() { table.end(number) }
            #expect(table.count == 0)
            #expect(table.nextDeadline == nil)
            #expect(table.takeWithdrawals()?.ended.count == 10_000)
        }
    }
}

/// Ids as a pool gives them: by registering holds on fresh channels.
enum ChannelIDs {
    static func make(_ index: Int) -> ChannelID {
        var pool = MessagePool(limits: PoolLimits())
        var last: ChannelID?
        for number in 0...index {
            guard let name = try? ChannelName(Array("c\(number)".utf8).span),
                case .nothing(_, let channels) = pool.lookUp(
                    channels: [name], from: .oldest, limit: BatchLimit(messages: 1, bytes: 1), holdFor: WorkerNumber(0))
            else { continue }
            last = channels.first
        }
        guard let last else { preconditionFailure("a fresh channel is held on") }
        return last
    }
}
