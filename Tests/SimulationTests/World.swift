import ConfigFile
import Gateway
import HTTP1
import Polling

/// A whole Pollhold without an operating system: Switchboards, the pool, and the notices on their way between them, driven
/// by one seed. Clients poll, leave and come back with their cursors; publishers publish; time, limits and deletions do
/// what they do. What was broken is collected in `violations`.
struct World {
    /// An order of events that loses wake-ups, to prove that losing them is noticed.
    enum Fault {
        case none
        /// A publisher notifies before it appends.
        case notifyFirst
        /// A hold that ends by time is answered without a last look-up.
        case emptyWithoutLookUp
        /// A hold is registered in a step after the one that found nothing.
        case holdLater
        /// A poll is handed over as if it had everything, without a look.
        case handedUnseen
    }

    struct Published {
        let id: UInt64
        let channel: ChannelName
    }

    let seed: UInt64
    let fault: Fault
    var random: Seeded
    var pool: MessagePool
    let switchboards: PerWorker<Switchboard>
    /// Notices that were posted and not handled yet, per worker.
    var inboxes: [[ChannelID]]
    var clients: [SimulatedClient]
    var published: [Published] = []
    var now: Int64 = 0
    let names: [ChannelName]
    let epoch = Epoch(random: 42)
    let route: HoldRoute
    var violations: [String] = []
    var answers = 0
    var gaps = 0
    var upgrades = 0
    /// Under `notifyFirst`: items whose workers were told and that are not in the pool yet.
    var late: [PublishItem] = []
    /// Under `holdLater`: polls that found nothing and aren't registered yet.
    var unregistered: [(client: Int, after: UInt64)] = []

    init(seed: UInt64, fault: Fault = .none) throws {
        self.seed = seed
        self.fault = fault
        random = Seeded(state: seed)
        let workers = Int.random(in: 1...3, using: &random)
        let isTight = Int.random(in: 0..<3, using: &random) == 0
        pool = MessagePool(
            limits: PoolLimits(
                messagesPerChannel: isTight ? 3 : 1000, age: .nanoseconds(isTight ? 300 : 1_000_000),
                memoryBytes: isTight ? 4000 : 1 << 20, channels: isTight ? 2 : 1000))
        let epoch = epoch
        switchboards = PerWorker(workers) { _ in Switchboard(epoch: epoch) }
        inboxes = Array(repeating: [], count: workers)
        names = try (0..<5).map { try ChannelName(Array("c\($0)".utf8).span) }
        let batch = Int.random(in: 1...5, using: &random)
        route = HoldRoute(
            path: "/poll", channels: [], allow: nil, timeout: .nanoseconds(100), startsNow: false,
            limit: BatchLimit(messages: batch, bytes: 1 << 20), format: .json, empty: nil, crossOrigin: .none,
            channelsLimit: 10, afterParameter: [])
        clients = []
        for number in 0..<Int.random(in: 2...8, using: &random) {
            let channels = Array(names.shuffled(using: &random).prefix(.random(in: 1...3, using: &random)))
            clients.append(SimulatedClient(connection: number, channels: channels))
        }
    }

    // MARK: A run

    mutating func run(steps: Int = 120) throws {
        for _ in 0..<steps {
            now += .random(in: 0...8, using: &random)
            try step()
            check()
            if !violations.isEmpty { return }
        }
        try quiesce()
    }

    private mutating func step() throws {
        switch Int.random(in: 0..<20, using: &random) {
        case 0...5: poll(Int.random(in: clients.indices, using: &random))
        case 6...9: try publish()
        case 10...14: turn(Int.random(in: switchboards.indices, using: &random))
        case 15: leave(Int.random(in: clients.indices, using: &random))
        case 16: _ = pool.expire(now: Moment(nanoseconds: now), limit: 3)
        case 17 where Int.random(in: 0..<4, using: &random) == 0: delete()
        case 17 where Int.random(in: 0..<3, using: &random) == 0: try upgrade()
        case 18: appendLate()
        case 19: registerLate()
        default: finishOne()
        }
    }

    /// Lets everything that is under way arrive, and then looks for holds that sleep through a message.
    private mutating func quiesce() throws {
        appendLate()
        registerLate()
        for worker in switchboards.indices { turn(worker, isCut: false) }
        for client in clients where client.isHeld {
            let missed = published.filter { $0.id > client.after && client.channels.contains($0.channel) }
            if !missed.isEmpty { violations.append("seed \(seed): a hold sleeps through \(missed.map(\.id))") }
        }
        now += 1000
        for worker in switchboards.indices { turn(worker, isCut: false) }
        for client in clients where client.isHeld {
            violations.append("seed \(seed): client \(client.connection) was never answered")
        }
        if pool.figures.waiting != 0 {
            violations.append("seed \(seed): \(pool.figures.waiting) holds are left in the pool")
        }
    }

    /// P5, after every step.
    private mutating func check() {
        // A worker that registers late leaves the pool with a count that is wrong.
        if fault != .holdLater { pool.checkInvariants() }
        let held = clients.count { $0.isHeld }
        let known = switchboards.indices.reduce(0) { $0 + switchboards[$1].heldCount }
        if held != known + unregistered.count {
            violations.append("seed \(seed): \(known) holds for \(held) waiting clients")
        }
    }

    // MARK: Clients

    private mutating func poll(_ number: Int) {
        guard !clients[number].isHeld else { return }
        let worker = Int.random(in: switchboards.indices, using: &random)
        clients[number].worker = worker
        let position: Position = clients[number].cursor.map { .after($0) } ?? .oldest
        clients[number].isHeld = true
        clients[number].after = clients[number].cursor ?? 0
        let style = AnswerStyle(route: route, manner: RequestManner(), origin: .none)
        let request = PollRequest(channels: clients[number].channels, position: position, style: style, mayHold: true)
        let action = switchboards[worker].received(request, on: number, now: Moment(nanoseconds: now))
        perform(action, worker, number)
        // What was lost before a client without a cursor came is nothing that it waits for.
        if clients[number].isHeld { clients[number].after = pool.lastNumber }
    }

    private mutating func leave(_ number: Int) {
        guard clients[number].isHeld, let worker = clients[number].worker,
            !unregistered.contains(where: { $0.client == number })
        else { return }
        switchboards[worker].peerClosed(number)
        clients[number].isHeld = false
    }

    private mutating func finishOne() {
        guard let client = clients.filter(\.isHeld).randomElement(using: &random), let worker = client.worker,
            !unregistered.contains(where: { $0.client == client.connection })
        else { return }
        perform(switchboards[worker].finish(client.connection, .reload), worker, client.connection)
    }

    // MARK: What a worker does

    mutating func perform(_ first: Switchboard.Action, _ worker: Int, _ number: Int, isTimeout: Bool = false) {
        var action = first
        while true {
            switch action {
            case .hold: return
            case .answer(let answer): return received(answer, number)
            case .lookUp(let channels, let position, let limit, _):
                let held = fault == .holdLater ? nil : WorkerNumber(worker)
                let result = pool.lookUp(channels: channels, from: position, limit: limit, holdFor: held)
                if held == nil, case .nothing(let after, _) = result {
                    unregistered.append((number, after))
                    return
                }
                action = switchboards[worker].found(result, on: number, now: Moment(nanoseconds: now))
            case .lookUpHeld(let channels, let after, let limit):
                let result =
                    fault == .emptyWithoutLookUp && isTimeout
                    ? LookUp.nothing(number: pool.lastNumber, channels: channels)
                    : pool.lookUp(held: channels, after: after, limit: limit)
                action = switchboards[worker].found(result, on: number, now: Moment(nanoseconds: now))
            case .take, .takeHeld: preconditionFailure("no route of this world takes")
            }
        }
    }

    /// - Parameter isCut: the turn's time is up before all are answered; nil for now and then.
    private mutating func turn(_ worker: Int, isCut: Bool? = nil) {
        let notices = inboxes[worker]
        inboxes[worker] = []
        for channel in notices { switchboards[worker].noticed(channel) }
        var room = isCut ?? (Int.random(in: 0..<4, using: &random) == 0) ? 1 : Int.max
        while room > 0, let (number, action) = switchboards[worker].nextWoken() {
            perform(action, worker, number)
            room -= 1
        }
        while let (number, action) = switchboards[worker].nextExpired(now: Moment(nanoseconds: now)) {
            perform(action, worker, number, isTimeout: true)
        }
        if let withdrawals = switchboards[worker].takeWithdrawals() {
            pool.withdraw(withdrawals, by: WorkerNumber(worker))
        }
    }

    private mutating func tell(_ calls: [WakeUpCall]) {
        for call in calls {
            for worker in switchboards.indices where call.workers.contains(WorkerNumber(worker)) {
                inboxes[worker].append(call.channel)
            }
        }
    }

    // MARK: Publishers

    private mutating func publish() throws {
        let count = Int.random(in: 1...3, using: &random)
        let items = (0..<count).map { _ in
            let size = Int.random(in: 1...300, using: &random)
            return PublishItem(
                channel: names.randomElement(using: &random) ?? names[0],
                payload: Array("\(String(repeating: "7", count: size))".utf8),
                kind: .json)
        }
        if fault == .notifyFirst {
            for item in items {
                for client in clients where client.isHeld && client.channels.contains(item.channel) {
                    guard let worker = client.worker, let held = switchboards[worker].held(on: client.connection) else {
                        continue
                    }
                    inboxes[worker].append(contentsOf: held.channels)
                }
            }
            late += items
            return
        }
        try append(items)
    }

    private mutating func append(_ items: [PublishItem]) throws {
        let (receipts, calls) = try pool.publish(items, now: Moment(nanoseconds: now))
        for (item, receipt) in zip(items, receipts) {
            if let last = published.last, receipt.id <= last.id {
                violations.append("seed \(seed): id \(receipt.id) after \(last.id)")
            }
            published.append(Published(id: receipt.id, channel: item.channel))
        }
        if fault != .notifyFirst { tell(calls) }
    }

    private mutating func appendLate() {
        let items = late
        late = []
        guard !items.isEmpty else { return }
        do { try append(items) } catch { violations.append("seed \(seed): \(error)") }
    }

    private mutating func registerLate() {
        let waiting = unregistered
        unregistered = []
        for (number, after) in waiting {
            guard let worker = clients[number].worker else { continue }
            // Behind the newest: exactly what a worker would do that looks first and registers in a second step.
            let result = pool.lookUp(
                channels: clients[number].channels, from: .now, limit: BatchLimit(messages: 1, bytes: 1),
                holdFor: WorkerNumber(worker))
            guard case .nothing(_, let channels) = result else { continue }
            perform(
                switchboards[worker].found(
                    .nothing(number: after, channels: channels), on: number, now: Moment(nanoseconds: now)),
                worker, number)
        }
    }

    private mutating func delete() {
        guard let name = names.randomElement(using: &random),
            let (_, calls) = pool.delete(name, now: Moment(nanoseconds: now))
        else {
            return
        }
        tell(calls)
    }

    // MARK: Answers

    /// P2 and P3: nothing is skipped without a gap, nothing comes twice, all is in order.
    private mutating func received(_ answer: PollAnswer, _ number: Int) {
        answers += 1
        let client = clients[number]
        guard client.isHeld else {
            violations.append("seed \(seed): an answer for a client that waits for none")
            return
        }
        guard let told = ToldAnswer(answer.bytes) else {
            violations.append(
                "seed \(seed): an answer that can't be read: \(String(decoding: answer.bytes, as: UTF8.self))")
            return
        }
        clients[number].isHeld = false
        clients[number].cursor = told.cursor
        if told.gap { gaps += 1 }
        let before = client.cursor ?? 0
        if told.ids != told.ids.sorted() || Set(told.ids).count != told.ids.count {
            violations.append("seed \(seed): ids out of order: \(told.ids)")
        }
        if told.cursor < before {
            violations.append("seed \(seed): the cursor went back from \(before) to \(told.cursor)")
        }
        let due = published.filter { $0.id > before && $0.id <= told.cursor && client.channels.contains($0.channel) }
            .map(\.id)
        let missing = Set(due).subtracting(told.ids)
        let missesSilently = !missing.isEmpty && !told.gap && client.cursor != nil
        if missesSilently { violations.append("seed \(seed): \(missing.sorted()) skipped without a gap") }
        let phantom = Set(told.ids).subtracting(due)
        if !phantom.isEmpty { violations.append("seed \(seed): \(phantom.sorted()) were not due") }
        let repeated = client.seen.intersection(told.ids)
        if !repeated.isEmpty { violations.append("seed \(seed): \(repeated.sorted()) came twice") }
        clients[number].seen.formUnion(told.ids)
    }
}

struct SimulatedClient {
    let connection: Int
    let channels: [ChannelName]
    var worker: Int?
    var cursor: UInt64?
    var after: UInt64 = 0
    var isHeld = false
    var seen: Set<UInt64> = []

    init(connection: Int, channels: [ChannelName]) {
        self.connection = connection
        self.channels = channels
    }
}

/// An answer as a client reads it, with a reader of the test's own.
struct ToldAnswer {
    let cursor: UInt64
    let ids: [UInt64]
    let gap: Bool

    init?(_ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let start = text.firstRange(of: "{\"cursor\":\"") else { return nil }
        let body = text[start.upperBound...]
        guard let end = body.firstIndex(of: "\""),
            let number = body[..<end].split(separator: "-").last.flatMap({ UInt64($0) })
        else { return nil }
        cursor = number
        gap = body.contains("\"gap\":true")
        ids = body.split(separator: "{\"id\":\"").dropFirst().compactMap { UInt64($0.prefix { $0 != "\"" }) }
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
