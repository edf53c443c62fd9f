import Polling
import Testing

/// The pool against its slow twin, over random histories.
struct MessagePoolTwinTests {
    static let runs = 400

    @Test func `the pool and its slow twin agree on every random history`() throws {
        let first = UInt64.random(in: 0..<1 << 40)
        for seed in first..<first + UInt64(Self.runs) {
            var history = try History(seed: seed)
            try history.run()
        }
    }
}

private struct History {
    let seed: UInt64
    var random: Seeded
    var pool: MessagePool
    var twin: NaivePool
    var table = HoldTable()
    var holds: [(number: HoldNumber, id: Int)] = []
    var nextHold = 0
    var now: Int64 = 0
    let names: [ChannelName]
    let worker = WorkerNumber(3)

    init(seed: UInt64) throws {
        self.seed = seed
        random = Seeded(state: seed)
        let limits = PoolLimits(
            messagesPerChannel: .random(in: 1...6, using: &random),
            age: .nanoseconds(Int64.random(in: 20...200, using: &random)),
            memoryBytes: .random(in: 2000...6000, using: &random), channels: .random(in: 1...4, using: &random),
            idempotencyKeys: .random(in: 1...3, using: &random))
        pool = MessagePool(limits: limits)
        twin = NaivePool(limits: limits)
        names = try (0..<6).map { try ChannelName(Array("c\($0)".utf8).span) }
    }

    mutating func run() throws {
        for _ in 0..<150 {
            now += .random(in: 0...10, using: &random)
            switch Int.random(in: 0..<12, using: &random) {
            case 0...3: try publish()
            case 4...5: lookUp()
            case 6...7: hold()
            case 8: endHold()
            case 9: delete()
            case 10: expire()
            default: lookUpHeld()
            }
            pool.checkInvariants()
        }
    }

    func check(_ condition: Bool, _ what: String) {
        #expect(condition, "seed \(seed): \(what)")
    }

    mutating func pick() -> [ChannelName] {
        Array(names.shuffled(using: &random).prefix(.random(in: 1...3, using: &random)))
    }

    mutating func publish() throws {
        var items: [PublishItem] = []
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            let payload = [UInt8](repeating: 0x78, count: .random(in: 0...400, using: &random))
            let key: [UInt8]? =
                Int.random(in: 0..<4, using: &random) == 0 ? [UInt8.random(in: 0...3, using: &random)] : nil
            items.append(
                PublishItem(
                    channel: names.randomElement(using: &random) ?? names[0], payload: payload, kind: .text, key: key))
        }
        let (receipts, calls) = try pool.publish(items, now: Moment(nanoseconds: now))
        var woken: Set<ChannelName> = []
        for (item, receipt) in zip(items, receipts) {
            let expected = twin.publish(item, footprint: 168 + item.payload.count, now: now)
            check(receipt.id == expected.id, "id \(receipt.id) instead of \(expected.id)")
            check(receipt.waiting == expected.waiting, "waiting \(receipt.waiting) instead of \(expected.waiting)")
            if expected.waiting > 0 { woken.insert(item.channel) }
        }
        check(Set(pool.channelNames(of: calls.map(\.channel))) == woken, "the wrong channels are woken")
        check(calls.allSatisfy { $0.workers.contains(worker) }, "the holding worker is told")
        check(pool.figures.bytes == twin.bytes, "bytes \(pool.figures.bytes) instead of \(twin.bytes)")
    }

    mutating func position() -> Position {
        switch Int.random(in: 0..<6, using: &random) {
        case 0: .oldest
        case 1: .now
        case 2: .foreign
        default: .after(.random(in: 0...twin.last + 2, using: &random))
        }
    }

    mutating func lookUp() {
        let channels = pick()
        let position = position()
        let limit = Int.random(in: 1...4, using: &random)
        let result = pool.lookUp(
            channels: channels, from: position, limit: BatchLimit(messages: limit, bytes: .max), holdFor: nil)
        judge(result, channels, position, limit)
    }

    /// What the pool said against what the twin knows.
    func judge(_ result: LookUp, _ channels: [ChannelName], _ position: Position, _ limit: Int) {
        let isForeign: Bool
        let after: UInt64
        switch position {
        case .oldest: (after, isForeign) = (0, false)
        case .now: (after, isForeign) = (twin.last, false)
        case .after(let number): (after, isForeign) = number > twin.last ? (0, true) : (number, false)
        case .foreign: (after, isForeign) = (0, true)
        }
        let ids = twin.found(channels, after: after, limit: limit)
        let lost = position != .oldest && (isForeign || twin.hasLost(channels, after: after))
        switch result {
        case .full: check(false, "there is no limit")
        case .nothing(let number, _):
            check(ids.isEmpty && !lost, "nothing was said, though there is something")
            check(number == twin.last, "the position behind nothing is the newest")
        case .found(let found):
            check(found.messages.map(\.id) == ids, "\(found.messages.map(\.id)) instead of \(ids)")
            check(!lost || found.gap, "a loss is never silent")
            check(!found.gap || isForeign || twin.mayHaveLost(after: after), "a gap needs a possible loss")
            let isCut = twin.found(channels, after: after, limit: .max).count > limit
            check(found.number == (isCut ? ids.last : twin.last), "the cursor behind the answer")
            if !isForeign, position != .oldest { judgeSameness(found, channels, limit) }
        }
    }

    /// Every position of `sameFor` must get the same answer.
    func judgeSameness(_ found: Found, _ channels: [ChannelName], _ limit: Int) {
        let range = found.sameFor
        for after in Set([
            range.lowerBound, range.upperBound, range.lowerBound + (range.upperBound - range.lowerBound) / 2,
        ]) {
            guard after <= twin.last else { continue }
            check(twin.found(channels, after: after, limit: limit) == found.messages.map(\.id), "sameFor at \(after)")
            check(found.gap || !twin.hasLost(channels, after: after), "sameFor hides a loss at \(after)")
        }
    }

    mutating func hold() {
        let channels = pick()
        let position = position()
        let result = pool.lookUp(
            channels: channels, from: position, limit: BatchLimit(messages: 3, bytes: .max), holdFor: worker)
        judge(result, channels, position, 3)
        guard case .nothing(let number, let ids) = result else { return }
        let hold = table.hold(
            exchange: UInt32(nextHold), channels: ids, after: number, lasting: .nanoseconds(50),
            now: Moment(nanoseconds: now))
        holds.append((hold, nextHold))
        twin.holds[nextHold] = NaivePool.Hold(channels: channels, after: number)
        nextHold += 1
    }

    mutating func lookUpHeld() {
        guard let (number, id) = holds.randomElement(using: &random), let hold = twin.holds[id],
            let position = table.position(of: number)
        else { return }
        let result = pool.lookUp(
            held: position.channels, after: position.after, limit: BatchLimit(messages: 3, bytes: .max))
        check(pool.channelNames(of: position.channels) == hold.channels, "a held channel keeps its place")
        judge(result, hold.channels, .after(hold.after), 3)
        if !hold.claimedOn.isEmpty, case .nothing = result { check(false, "a woken hold finds what woke it") }
        if case .found = result { end(number, id) }
    }

    mutating func endHold() {
        if let (number, id) = holds.randomElement(using: &random) { end(number, id) }
    }

    mutating func end(_ number: HoldNumber, _ id: Int) {
        table.end(number)
        holds.removeAll { $0.id == id }
        twin.holds[id] = nil
        if let withdrawals = table.takeWithdrawals() { pool.withdraw(withdrawals, by: worker) }
        check(table.count == twin.holds.count, "the table counts its holds")
    }

    mutating func delete() {
        guard let name = names.randomElement(using: &random),
            let (number, _) = pool.delete(name, now: Moment(nanoseconds: now))
        else { return }
        check(number == twin.delete(name), "a deletion takes the next number")
    }

    mutating func expire() {
        _ = pool.expire(now: Moment(nanoseconds: now), limit: .max)
        twin.expire(now: now)
        check(pool.figures.messages == twin.items.filter(\.isPresent).count, "the same messages are left")
    }
}
