import Polling
import Testing

struct MessagePoolTests {
    let epoch = Epoch(random: 123_456_789)
    let everything = BatchLimit(messages: 1000, bytes: .max)

    func name(_ text: String) throws -> ChannelName { try ChannelName(Array(text.utf8).span) }

    func item(_ channel: String, _ text: String = "x", key: String? = nil) throws -> PublishItem {
        PublishItem(channel: try name(channel), payload: Array(text.utf8), kind: .text, key: key.map { Array($0.utf8) })
    }

    func ids(_ result: LookUp) -> [UInt64]? {
        if case .found(let found) = result { found.messages.map(\.id) } else { nil }
    }

    func gap(_ result: LookUp) -> Bool {
        if case .found(let found) = result { found.gap } else { false }
    }

    func position(_ text: String) -> Position? {
        let bytes = Array(text.utf8)
        return Position(cursor: bytes.span, epoch: epoch)
    }

    func moment(_ seconds: Int64) -> Moment { Moment(nanoseconds: seconds * 1_000_000_000) }

    @Test func `a message that comes between two polls is there for the next one`() throws {
        var pool = MessagePool(limits: PoolLimits())
        _ = try pool.publish([item("a")], now: moment(0))
        let result = pool.lookUp(channels: [try name("a")], from: .after(0), limit: everything, holdFor: nil)
        #expect(ids(result) == [1])
    }

    @Test func `numbers grow over all channels and one cursor serves any set of them`() throws {
        var pool = MessagePool(limits: PoolLimits())
        let receipts = try pool.publish([item("a"), item("b"), item("a"), item("c")], now: moment(0)).receipts
        #expect(receipts.map(\.id) == [1, 2, 3, 4])
        let both = [try name("b"), try name("a")]
        #expect(ids(pool.lookUp(channels: both, from: .oldest, limit: everything, holdFor: nil)) == [1, 2, 3])
        #expect(ids(pool.lookUp(channels: both, from: .after(1), limit: everything, holdFor: nil)) == [2, 3])
        #expect(ids(pool.lookUp(channels: both, from: .after(3), limit: everything, holdFor: nil)) == nil)
    }

    @Test func `a full batch is cut and its cursor leads on to the rest`() throws {
        var pool = MessagePool(limits: PoolLimits())
        _ = try pool.publish([item("a", "12345"), item("a", "12345"), item("a", "12345")], now: moment(0))
        let names = [try name("a")]
        for limit in [BatchLimit(messages: 2, bytes: .max), BatchLimit(messages: 9, bytes: 10)] {
            guard case .found(let first) = pool.lookUp(channels: names, from: .oldest, limit: limit, holdFor: nil)
            else {
                Issue.record("nothing found")
                return
            }
            #expect(first.messages.map(\.id) == [1, 2])
            #expect(first.number == 2)
            let rest = pool.lookUp(channels: names, from: .after(first.number), limit: limit, holdFor: nil)
            #expect(ids(rest) == [3])
        }
        let tiny = pool.lookUp(channels: names, from: .oldest, limit: BatchLimit(messages: 9, bytes: 1), holdFor: nil)
        #expect(ids(tiny) == [1], "one message goes however large")
    }

    @Test func `what goes over the count of a channel is a gap for who has not seen it`() throws {
        var pool = MessagePool(limits: PoolLimits(messagesPerChannel: 2))
        _ = try pool.publish([item("a"), item("a"), item("a")], now: moment(0))
        let names = [try name("a")]
        let late = pool.lookUp(channels: names, from: .after(0), limit: everything, holdFor: nil)
        #expect(ids(late) == [2, 3])
        #expect(gap(late))
        let current = pool.lookUp(channels: names, from: .after(1), limit: everything, holdFor: nil)
        #expect(!gap(current))
        let fresh = pool.lookUp(channels: names, from: .oldest, limit: everything, holdFor: nil)
        #expect(!gap(fresh), "who has no position has missed nothing")
    }

    @Test func `over the memory ceiling the oldest of all channels goes first`() throws {
        var pool = MessagePool(limits: PoolLimits(memoryBytes: 4000))
        let text = String(repeating: "x", count: 1000)
        _ = try pool.publish([item("old", text)], now: moment(0))
        _ = try pool.publish([item("a", text), item("b", text)], now: moment(1))
        #expect(pool.figures.bytes <= 4000)
        let old = pool.lookUp(channels: [try name("old")], from: .after(0), limit: everything, holdFor: nil)
        #expect(ids(old) == [])
        #expect(gap(old))
        let kept = pool.lookUp(channels: [try name("b")], from: .after(0), limit: everything, holdFor: nil)
        #expect(ids(kept) == [3])
        #expect(!gap(kept), "a channel that lost nothing is told no gap")
    }

    @Test func `a message larger than the pool is refused and nothing of its batch is published`() throws {
        var pool = MessagePool(limits: PoolLimits(memoryBytes: 2000))
        let items = [try item("a"), try item("a", String(repeating: "x", count: 2000))]
        #expect(throws: PoolError.messageTooLarge(bytes: 2513, limit: 2000)) { try pool.publish(items, now: moment(0)) }
        #expect(pool.figures.messages == 0)
        #expect(pool.lastNumber == 0)
    }

    @Test func `age takes messages away and leaves a gap`() throws {
        var pool = MessagePool(limits: PoolLimits(age: .seconds(10)))
        _ = try pool.publish([item("a")], now: moment(0))
        #expect(pool.expire(now: moment(9), limit: 100) == 0)
        #expect(pool.expire(now: moment(10), limit: 100) == 1)
        let result = pool.lookUp(channels: [try name("a")], from: .after(0), limit: everything, holdFor: nil)
        #expect(ids(result) == [])
        #expect(gap(result))
        // The memory of the loss goes too, but never silently: an old position stays a gap.
        #expect(pool.expire(now: moment(20), limit: 100) == 1)
        #expect(gap(pool.lookUp(channels: [try name("a")], from: .after(0), limit: everything, holdFor: nil)))
        #expect(!gap(pool.lookUp(channels: [try name("a")], from: .after(1), limit: everything, holdFor: nil)))
    }

    @Test func `positions of another epoch or from the future are a gap, at once and with all that is there`() throws {
        var pool = MessagePool(limits: PoolLimits())
        _ = try pool.publish([item("a")], now: moment(0))
        for text in ["zzzzzzzz-1", "\(epoch)-2", "\(epoch)-99999999999999999999999999"] {
            guard let position = position(text) else {
                Issue.record("\(text) has a cursor's form")
                continue
            }
            let result = pool.lookUp(
                channels: [try name("a")], from: position, limit: everything, holdFor: WorkerNumber(0))
            #expect(ids(result) == [1], "\(text)")
            #expect(gap(result), "\(text)")
        }
        #expect(pool.figures.waiting == 0)
    }

    @Test(arguments: [
        "", "-", "1", "abc", "abc-", "-1", "abc-1x", "ABC-1", "abc--1", "a b-1", "abc-1 ",
        String(repeating: "a", count: 33) + "-1", "a-" + String(repeating: "1", count: 40),
    ])
    func `what has no cursor's form is no cursor`(text: String) {
        #expect(position(text) == nil)
    }

    @Test func `a cursor reads back as itself`() {
        var text: [UInt8] = []
        Cursor(epoch: epoch, number: 42).append(to: &text)
        let position = Position(cursor: text.span, epoch: epoch)
        #expect(position == .after(42))
    }

    @Test func `a deleted channel is a gap for every position so far and wakes its holds`() throws {
        var pool = MessagePool(limits: PoolLimits())
        _ = try pool.publish([item("a")], now: moment(0))
        guard
            case .nothing(let after, let held) = pool.lookUp(
                channels: [try name("a")], from: .now, limit: everything, holdFor: WorkerNumber(1))
        else {
            Issue.record("a poll with nothing newer is held")
            return
        }
        let deletion = try #require(pool.delete(try name("a"), now: moment(1)))
        #expect(deletion.number == 2)
        #expect(deletion.calls.map(\.channel) == held)
        let woken = pool.lookUp(held: held, after: after, limit: everything)
        #expect(gap(woken))
        #expect(ids(woken) == [])
        #expect(!gap(pool.lookUp(channels: [try name("a")], from: .after(2), limit: everything, holdFor: nil)))
        #expect(pool.delete(try name("unknown"), now: moment(1)) == nil)
    }

    @Test func `a repeated key returns the first id, in one batch too, until its age is reached`() throws {
        var pool = MessagePool(limits: PoolLimits(age: .seconds(10)))
        let batch = try pool.publish([item("a", key: "k"), item("a", key: "k"), item("a")], now: moment(0)).receipts
        #expect(batch.map(\.id) == [1, 1, 2])
        #expect(try pool.publish([item("b", key: "k")], now: moment(9)).receipts[0].id == 1)
        #expect(try pool.publish([item("b", key: "k")], now: moment(10)).receipts[0].id == 3)
    }

    @Test func `a publish counts each poll that it releases once`() throws {
        var pool = MessagePool(limits: PoolLimits())
        var held: [Withdrawals] = []
        for _ in 0..<3 {
            guard
                case .nothing(let after, let channels) = pool.lookUp(
                    channels: [try name("a")], from: .oldest, limit: everything, holdFor: WorkerNumber(0))
            else { return }
            var withdrawal = Withdrawals()
            withdrawal.ended = channels.map { ($0, after) }
            held.append(withdrawal)
        }
        #expect(pool.describe(try name("a"))?.waiting == 3)
        #expect(try pool.publish([item("a"), item("a")], now: moment(0)).receipts.map(\.waiting) == [3, 0])
        #expect(pool.describe(try name("a"))?.waiting == 0, "their answers may be on their way")
        #expect(pool.figures.waiting == 3)
        for withdrawal in held { pool.withdraw(withdrawal, by: WorkerNumber(0)) }
        #expect(pool.figures.waiting == 0)
        #expect(try pool.publish([item("a")], now: moment(0)).receipts[0].waiting == 0)
        pool.checkInvariants()
    }

    @Test func `holds that end together on a channel with nothing else leave the table empty`() throws {
        var pool = MessagePool(limits: PoolLimits())
        var withdrawals = Withdrawals()
        for _ in 0..<2 {
            guard
                case .nothing(let after, let channels) = pool.lookUp(
                    channels: [try name("a")], from: .oldest, limit: everything, holdFor: WorkerNumber(0))
            else { return }
            withdrawals.ended += channels.map { ($0, after) }
            withdrawals.emptied = channels
        }
        pool.withdraw(withdrawals, by: WorkerNumber(0))
        #expect(pool.figures.channels == 0)
        pool.checkInvariants()
    }

    @Test func `far more than the ceiling leaves no more than the ceiling, in bytes and in slots`() throws {
        var pool = MessagePool(limits: PoolLimits(memoryBytes: 100_000, channels: 10))
        for number in 0..<20_000 {
            _ = try pool.publish(
                [item("c\(number % 500)", String(repeating: "x", count: number % 300))], now: moment(Int64(number)))
        }
        #expect(pool.figures.bytes <= 100_000)
        #expect(pool.figures.channels < 500)
        pool.checkInvariants()
        pool.setLimits(PoolLimits(memoryBytes: 65536), now: moment(20_000))
        #expect(pool.figures.bytes <= 65536)
        pool.checkInvariants()
    }

    @Test(arguments: [
        ("", "it is empty"), (String(repeating: "a", count: 201), "it has 201 bytes, 200 are allowed"),
        ("a b", "the byte 32 at offset 1 is none of the letters, digits and ._-:@/ that are allowed"),
        ("a\n", "the byte 10 at offset 1 is none of the letters, digits and ._-:@/ that are allowed"),
        ("é", "the byte 195 at offset 0 is none of the letters, digits and ._-:@/ that are allowed"),
        ("a*", "the byte 42 at offset 1 is none of the letters, digits and ._-:@/ that are allowed"),
    ])
    func `a bad channel name is refused with what is wrong`(text: String, reason: String) {
        do {
            _ = try name(text)
            Issue.record("\(text) was accepted")
        } catch let error as ChannelNameError {
            #expect(error.description == reason)
        } catch {
            Issue.record("\(error)")
        }
    }

    @Test func `a channel name of 200 bytes and every allowed letter is accepted`() throws {
        #expect(try name("azAZ09._-:@/" + String(repeating: "x", count: 188)).bytes.count == 200)
    }
}
