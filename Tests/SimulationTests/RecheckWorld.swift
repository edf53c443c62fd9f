import ByteText
import ConfigFile
import Gateway
import HTTP1
import Polling

/// Workers, an app with a state, writers and clients of a recheck route, driven by one seed. The app reads its state at
/// some moment of a question, and answers at a later one, in any order, or fails.
struct RecheckWorld {
    /// Deviations from the laws of the board and its owner, so that a run which ought to fail shows that the checks see
    /// something.
    enum Fault {
        case none
        /// What is noticed while a question is under way is forgotten.
        case deafWhileAsking
        /// A question was on its way already when its watch began.
        case watchLater
        /// The gate lets everybody in.
        case noGate
        /// What has been noticed is not told to the process that takes over.
        case deafWhileHanding
    }

    struct Question {
        let worker: Int
        let client: Int
        /// What the asking client had seen when it sent its poll.
        let seen: [Int: Int]
        /// The app's state at the moment at which it read it; nil: it hasn't.
        var read: [Int: Int]?
    }

    struct Client {
        let channels: [Int]
        /// Clients of one group send the very same request when they have seen the same.
        let group: Int
        var worker = 0
        var seen: [Int: Int]
        var isPolling = false
        var polledAt: Int64 = 0
        /// The app failed while this poll was under way.
        var metFailure = false
    }

    let seed: UInt64
    let fault: Fault
    var random: Seeded
    var pool: MessagePool
    var gate = QuestionGate()
    var memory = RecheckMemory()
    let boards: PerWorker<RecheckBoard>
    var inboxes: [[ChannelID]]
    var permits: [Int]
    var clients: [Client]
    var questions: [Question] = []
    /// Writes that are in the app's state and whose signal is still to come.
    var unsignalled: [Int] = []
    var state: [Int: Int] = [:]
    /// As it was some writes ago.
    var earlierState: [Int: Int] = [:]
    var now: Int64 = 0
    let route: RecheckRoute
    let names: [ChannelName]
    let isShared: Bool
    var violations: [String] = []
    var asked = 0
    var news = 0
    var spared = 0
    var upgrades = 0

    init(seed: UInt64, fault: Fault = .none) throws {
        self.seed = seed
        self.fault = fault
        random = Seeded(state: seed)
        let workers = Int.random(in: 1...3, using: &random)
        let concurrency = Int.random(in: 1...3, using: &random)
        isShared = Int.random(in: 0..<3, using: &random) == 0
        let debounce = [0, 20, 60].randomElement(using: &random) ?? 0
        let passEvery = Int.random(in: 0..<3, using: &random) == 0 ? ", pass_every: 1s" : ""
        let share = isShared ? ", share: [path, query]" : ""
        let text = """
            upstream: http://127.0.0.1:1
            routes:
              - path: /updates
                recheck: { channels: c, nothing_new: { body: "[]" }, timeout: 3s, concurrency: \(concurrency),
                  queue: \(Int.random(in: 2...20, using: &random)), debounce: \(debounce)ms,
                  debounce_polls: 4\(passEvery)\(share) }
            """
        let configuration = try Configuration.load(text: text, file: "simulated", environment: [:])
        guard case .recheck(let recheck) = configuration.routes.first?.kind else { preconditionFailure("one route") }
        route = RecheckRoute(recheck, path: "/updates", upstream: configuration.upstream)
        let isTight = Int.random(in: 0..<3, using: &random) == 0
        pool = MessagePool(
            limits: PoolLimits(age: .milliseconds(isTight ? 200 : 60_000), channels: isTight ? 1 : 100))
        boards = PerWorker(workers) { RecheckBoard(seed: seed &+ UInt64($0), workers: workers) }
        inboxes = Array(repeating: [], count: workers)
        permits = Array(repeating: 0, count: workers)
        names = try (0..<4).map { try ChannelName(Array("c\($0)".utf8).span) }
        clients = []
        for number in 0..<Int.random(in: 1...10, using: &random) {
            let channels = Array((0..<4).shuffled(using: &random).prefix(.random(in: 1...2, using: &random))).sorted()
            let group = isShared ? channels.reduce(0) { $0 * 8 + $1 + 1 } : number
            clients.append(
                Client(
                    channels: channels, group: group, seen: Dictionary(uniqueKeysWithValues: channels.map { ($0, 0) })))
        }
    }

    var moment: Moment { Moment(nanoseconds: now) }
    static let millisecond: Int64 = 1_000_000

    // MARK: A run

    mutating func run(steps: Int = 250) throws {
        for _ in 0..<steps {
            now += Int64.random(in: 0...60, using: &random) * Self.millisecond
            try step()
            check()
            if !violations.isEmpty { return }
        }
        quiesce()
    }

    private mutating func step() throws {
        switch Int.random(in: 0..<24, using: &random) {
        case 0...4: poll(Int.random(in: clients.indices, using: &random))
        case 5...6: write()
        case 7...8: signal()
        case 9...12: turn(Int.random(in: boards.indices, using: &random))
        case 13...16: appReads()
        case 17...19: appAnswers()
        case 20: if Int.random(in: 0..<3, using: &random) == 0 { appFails() }
        case 21: leave(Int.random(in: clients.indices, using: &random))
        case 22 where Bool.random(using: &random): _ = pool.expire(now: moment, limit: 5)
        case 22: try upgrade()
        default: supersede()
        }
    }

    func violation(_ text: String) -> String { "seed \(seed): \(text)" }

    private mutating func check() {
        pool.checkInvariants()
        if questions.count > route.concurrency {
            violations.append(violation("\(questions.count) questions under way, \(route.concurrency) are allowed"))
        }
        let askers = questions.map(\.client)
        if Set(askers).count != askers.count { violations.append(violation("two questions of one poll")) }
        let polling = clients.count { $0.isPolling }
        let known = boards.indices.reduce(0) { $0 + boards[$1].count }
        if polling != known { violations.append(violation("\(known) polls for \(polling) clients that wait")) }
        if fault != .noGate, gate.count != questions.count + permits.reduce(0, +) {
            violations.append(violation("\(gate.count) permits are out for \(questions.count) questions"))
        }
    }

    /// Lets all that is under way arrive. Then nobody may sleep through a write, and with time everybody is answered.
    private mutating func quiesce() {
        while !unsignalled.isEmpty { signal() }
        settle()
        // What is put off by the debounce, or after a failure, comes due.
        for _ in 0..<400 where clients.contains(where: \.isPolling) {
            now += 100 * Self.millisecond
            settle()
            for (number, client) in clients.enumerated()
            where client.isPolling && now - client.polledAt < 2900 * Self.millisecond && isQuiet(number) {
                let missed = client.channels.filter { state[$0, default: 0] > client.seen[$0, default: 0] }
                if !missed.isEmpty { violations.append(violation("client \(number) sleeps through \(missed)")) }
            }
            if !violations.isEmpty { return }
        }
        for (number, client) in clients.enumerated() where client.isPolling {
            violations.append(violation("client \(number) was never answered"))
        }
        // A permit that nobody wants any more goes round once.
        for _ in boards.indices { for worker in boards.indices { turn(worker) } }
        if gate.count != 0 { violations.append(violation("\(gate.count) permits are lost")) }
        if pool.figures.waiting != 0 { violations.append(violation("\(pool.figures.waiting) watches are left")) }
    }

    /// Held, and nothing of it is due.
    private func isQuiet(_ number: Int) -> Bool {
        boards[clients[number].worker].exchange(number)?.isIdle ?? false
    }

    private mutating func settle() {
        for _ in 0..<50 {
            for worker in boards.indices { turn(worker) }
            if questions.isEmpty { return }
            for index in questions.indices { questions[index].read = questions[index].read ?? state }
            while !questions.isEmpty { appAnswers() }
        }
    }

    // MARK: Clients

    private mutating func poll(_ number: Int) {
        guard !clients[number].isPolling else { return }
        let worker = Int.random(in: boards.indices, using: &random)
        clients[number].worker = worker
        clients[number].isPolling = true
        clients[number].polledAt = now
        clients[number].metFailure = false
        let text = "\(clients[number].group) \(clients[number].channels.map { clients[number].seen[$0] ?? 0 })"
        let identity = RequestIdentity(Array(text.utf8))
        let request = RecheckRequest(
            route: route, channels: clients[number].channels.map { names[$0] }, identity: identity,
            shareKey: isShared ? Array(text.utf8) : nil, supersedeKey: nil, manner: RequestManner(), cookies: [])
        let action = boards[worker].received(
            request, knowing: memory.knowledge(of: identity), on: number, now: moment)
        perform(action, worker, number)
    }

    private mutating func leave(_ number: Int) {
        guard clients[number].isPolling else { return }
        let worker = clients[number].worker
        if let under = questions.firstIndex(where: { $0.client == number }) {
            questions.remove(at: under)
            giveBack()
        }
        boards[worker].peerClosed(number)
        clients[number].isPolling = false
    }

    private mutating func supersede() {
        guard let number = clients.indices.filter({ clients[$0].isPolling }).randomElement(using: &random) else {
            return
        }
        perform(boards[clients[number].worker].superseded(number), clients[number].worker, number, mayKeep: true)
    }

    // MARK: What a worker does

    mutating func perform(
        _ first: RecheckBoard.Action, _ worker: Int, _ number: Int, answer: Question? = nil, mayKeep: Bool = false
    ) {
        var action = first
        while true {
            switch action {
            case .wait: return
            case .watch(let channels, let since):
                let watch = pool.watch(channels, since: since, for: WorkerNumber(worker))
                action = boards[worker].watched(watch, on: number, now: moment)
            case .watchAgain(let channels):
                let watch = pool.watch(again: channels, for: WorkerNumber(worker))
                action = boards[worker].watched(watch, on: number, now: moment)
            case .ask:
                asked += 1
                questions.append(
                    Question(
                        worker: worker, client: number, seen: clients[number].seen,
                        read: fault == .watchLater ? earlierState : nil))
                return
            case .relay, .share:
                guard let answer, let read = answer.read else {
                    violations.append(violation("client \(number) is given an answer that there is not"))
                    return
                }
                if clients[answer.client].group != clients[number].group || answer.seen != clients[number].seen {
                    violations.append(violation("client \(number) is given the answer of \(answer.client)"))
                }
                for channel in clients[number].channels {
                    clients[number].seen[channel] = read[channel, default: 0]
                }
                news += 1
                clients[number].isPolling = false
                return
            case .answer(let kept):
                let waited = now - clients[number].polledAt
                if !mayKeep, !clients[number].metFailure, waited < 13_000 * Self.millisecond {
                    violations.append(violation("client \(number) gets an old answer while the app is well"))
                }
                _ = kept
                clients[number].isPolling = false
                return
            case .fail, .pass:
                clients[number].isPolling = false
                return
            }
        }
    }

    private mutating func turn(_ worker: Int) {
        for channel in inboxes[worker] {
            if fault == .deafWhileAsking, questions.contains(where: { $0.worker == worker }) { continue }
            boards[worker].noticed(channel, now: moment)
        }
        inboxes[worker] = []
        for (number, action) in boards[worker].expired(now: moment) { perform(action, worker, number) }
        ask(worker)
        if let withdrawals = boards[worker].takeWithdrawals() {
            pool.withdraw(watches: withdrawals, by: WorkerNumber(worker))
        }
    }

    private mutating func ask(_ worker: Int) {
        while true {
            let wanted = boards[worker].wanted
            if permits[worker] > 0 {
                permits[worker] -= 1
            } else {
                guard let (_, limit) = wanted.first else { return }
                guard fault == .noGate || gate.take(WorkerNumber(worker), limit: limit) else { return }
            }
            let decisions = boards[worker].nextQuestion(route.path, now: moment)
            if decisions.isEmpty { giveBack() }
            for (number, action) in decisions { perform(action, worker, number) }
        }
    }

    private mutating func giveBack() {
        guard fault != .noGate else { return }
        if let worker = gate.giveBack(limit: route.concurrency) { permits[worker.index] += 1 }
    }

    // MARK: The app

    private mutating func write() {
        let channel = Int.random(in: 0..<4, using: &random)
        if Int.random(in: 0..<3, using: &random) == 0 { earlierState = state }
        state[channel, default: 0] += 1
        unsignalled.append(channel)
    }

    private mutating func signal() {
        guard let place = unsignalled.indices.randomElement(using: &random) else { return }
        let name = names[unsignalled.remove(at: place)]
        var calls: [WakeUpCall]
        if Bool.random(using: &random) {
            calls = pool.signal(name, now: moment).calls
        } else {
            let item = PublishItem(channel: name, payload: [0x31], kind: .json)
            do { calls = try pool.publish([item], now: moment).calls } catch { calls = [] }
        }
        for call in calls {
            for worker in boards.indices where call.watchers.contains(WorkerNumber(worker)) {
                inboxes[worker].append(call.channel)
            }
        }
    }

    private mutating func appReads() {
        guard let place = questions.indices.filter({ questions[$0].read == nil }).randomElement(using: &random) else {
            return
        }
        questions[place].read = state
    }

    private mutating func appAnswers() {
        guard let place = questions.indices.filter({ questions[$0].read != nil }).randomElement(using: &random) else {
            return
        }
        let question = questions.remove(at: place)
        let board = question.worker
        guard let read = question.read, let exchange = boards[board].exchange(question.client) else { return }
        let isNothing = question.seen.allSatisfy { read[$0.key, default: 0] <= $0.value }
        if isNothing {
            let knowledge = Knowledge(number: exchange.number, askedAt: exchange.sentAt, kept: nil)
            memory.remember(knowledge, of: exchange.request.identity)
        } else {
            memory.forget(exchange.request.identity)
        }
        let decisions = boards[board].answered(
            question.client, kept: nil, mayShare: isShared && Int.random(in: 0..<4, using: &random) > 0, now: moment
        ) { _ in isNothing }
        for (number, action) in decisions { perform(action, board, number, answer: question) }
        giveBack()
    }

    private mutating func appFails() {
        guard let place = questions.indices.randomElement(using: &random) else { return }
        let question = questions.remove(at: place)
        for number in clients.indices { clients[number].metFailure = true }
        for (number, action) in boards[question.worker].failed(question.client, .disconnected, now: moment) {
            perform(action, question.worker, number)
        }
        giveBack()
    }
}
