/// The recheck polls of one worker: who is held, who waits in line to ask the app, and whose question is under way
/// (DESIGN §3). Pure: whoever owns it performs what it decides and brings the time along.
///
/// The laws, and the ways to keep them:
///  1. *No signal is lost.* A poll watches its channels before its question is sent. A notice makes it dirty, whatever
///     it is doing, and only renewing its watch makes it clean again; a poll that is dirty when its answer comes asks
///     once more. So every question is sent after the watch from which the next one is told.
///  2. *A poll has at most one question under way*, and what is noticed meanwhile makes exactly one more.
///  3. *The app is protected.* A question takes a permit of its route (`QuestionGate`); without one it waits in line.
///     Questions of held polls are bounded by the polls, first questions by the route's queue.
///  4. *An answer belongs to the one who asked.* It is given to others only where the route lets questions be shared,
///     to those who stood in line when it was sent, and if the app lets it (SECURITY M3).
///  5. *The app has the last word.* A hold ends with an answer of the app; only if it can't be had within the
///     patience, with the last "nothing new" that the app gave to this very request.
///  6. *Who has gone is not asked for*: it leaves the line with its connection.
import DequeModule
import HeapModule
package import Polling

package struct RecheckBoard: ~Copyable {
    /// The number under which the worker keeps a connection. A connection has one poll at a time.
    package typealias ConnectionNumber = Int

    package enum Action: Equatable {
        /// Let the pool watch; the answer is for `watched`.
        case watch([ChannelName], since: UInt64?)
        /// The same for channels that are watched already.
        case watchAgain([ChannelID])
        /// Nothing now.
        case wait
        /// Send the poll's request to the app.
        case ask
        /// The app's answer that is being withheld is the poll's. The poll is over.
        case relay(RecheckExchange.Ending)
        /// The answer to another's question is the poll's too. The poll is over.
        case share(with: ConnectionNumber, RecheckExchange.Ending)
        /// Send the last "nothing new"; nil: what the route says. The poll is over.
        case answer(KeptAnswer?, RecheckExchange.Ending)
        /// The app gave no answer. The poll is over.
        case fail(ProxyFailure, RecheckExchange.Ending)
        /// Pass the request on as if there were no such route. The poll is over.
        case pass
    }

    package typealias Decision = (number: ConnectionNumber, action: Action)

    /// How long a held poll waits in line beyond its time. Whoever waits for a hold of that length, a browser or a
    /// proxy in front, waits a little longer and not for ever.
    package static let patience = Duration.seconds(10)

    var exchanges: [ConnectionNumber: RecheckExchange] = [:]
    var watches = HoldTable()
    /// By the routes' paths: a route that a reload has put in another's place goes on with its line.
    var lines: [String: Line] = [:]
    private var timers = Heap<Timer>()
    private var nextSerial: UInt64 = 0
    private var random: UInt64
    private let workers: Int

    struct Line {
        /// Some of them may have left.
        var numbers: Deque<(number: ConnectionNumber, serial: UInt64)> = []
        /// Polls of the route, in line or not.
        var polls = 0
        /// Those of them that are held, with nothing to ask.
        var held = 0
        /// First questions in line.
        var firsts = 0
        var figures = RecheckFigures()
    }

    private struct Timer: Comparable {
        let moment: Moment
        let number: ConnectionNumber
        let serial: UInt64

        static func < (left: Timer, right: Timer) -> Bool { left.moment < right.moment }
    }

    /// - Parameters:
    ///   - seed: for spreading questions out.
    ///   - workers: how many share the routes' polls.
    package init(seed: UInt64, workers: Int = 1) {
        random = seed
        self.workers = workers
    }

    /// Polls under way.
    package var count: Int { exchanges.count }

    package func exchange(_ number: ConnectionNumber) -> RecheckExchange? { exchanges[number] }

    /// Polls under way with their routes, for a reload.
    package var polls: [(number: ConnectionNumber, route: RecheckRoute)] {
        exchanges.map { ($0.key, $0.value.route) }
    }

    /// By the routes' paths.
    package var figures: [String: RecheckFigures] {
        lines.mapValues { line in
            var figures = line.figures
            figures.open = line.polls
            figures.held = line.held
            return figures
        }
    }

    // MARK: A poll comes

    /// - Parameter known: that the app had nothing new for this very request.
    package mutating func received(
        _ request: RecheckRequest, knowing known: Knowledge?, on number: ConnectionNumber, now: Moment
    ) -> Action {
        precondition(exchanges[number] == nil, "a connection has one poll at a time")
        var exchange = begin(request, now: now)
        var since: UInt64?
        if let known, now < known.askedAt + request.route.knowledgeLifetime {
            since = known.number
            exchange.askedAt = known.askedAt
            exchange.kept = known.kept
        }
        exchanges[number] = exchange
        return .watch(request.channels, since: since)
    }

    mutating func begin(_ request: RecheckRequest, now: Moment) -> RecheckExchange {
        nextSerial += 1
        let exchange = RecheckExchange(request, serial: nextSerial, now: now)
        lines[request.route.path, default: Line()].polls += 1
        count(exchange) { $0.polls += 1 }
        return exchange
    }

    /// The pool watches for this poll.
    package mutating func watched(_ watch: Watch, on number: ConnectionNumber, now: Moment) -> Action {
        guard var exchange = exchanges[number] else { preconditionFailure("a watch belongs to a poll") }
        // The new watch stands before the old one goes.
        let fresh = watches.hold(
            exchange: UInt32(number), channels: watch.channels, after: watch.number, lasting: Self.endless, now: now)
        if let old = exchange.watch { watches.end(old) }
        exchange.watch = fresh
        exchange.isDirty = false
        defer { store(exchange, number) }
        switch exchange.state {
        case .looking:
            exchange.number = watch.number
            guard watch.isQuiet, let askedAt = exchange.askedAt else {
                guard exchange.isFirst else { return goOnAsking(&exchange, number, now: now) }
                return lineUpFirst(&exchange, number)
            }
            // What is known is known up to an earlier number; nothing has happened in between.
            if exchange.isFirst { count(exchange) { $0.spared += 1 } }
            exchange.isFirst = false
            exchange.end = min(exchange.end, askedAt + exchange.route.timeout)
            exchange.state = .held
            setTimer(&exchange, number)
            return .wait
        case .renewing(let leader):
            exchange.number = watch.number
            exchange.state = leader.map { .following(leader: $0) } ?? .asking
            return leader == nil ? .ask : .wait
        case .lined, .asking, .following, .held:
            preconditionFailure("a watch is asked for by a poll that looks or renews")
        }
    }

    private static let endless = Duration.seconds(1 << 30)

    /// A first question waits in the route's queue; with that full the request is passed on (DESIGN P9).
    private mutating func lineUpFirst(_ exchange: inout RecheckExchange, _ number: ConnectionNumber) -> Action {
        guard lines[exchange.route.path, default: Line()].firsts < exchange.route.queueLimit else {
            count(exchange) { $0.passed += 1 }
            leave(&exchange)
            return .pass
        }
        lineUp(&exchange, number)
        return .wait
    }

    // MARK: Wakes and deadlines

    /// Something has happened on a channel: every poll that watches it is to ask, some of them later.
    package mutating func noticed(_ channel: ChannelID, now: Moment) {
        var numbers: [ConnectionNumber] = []
        watches.forEachHold(on: channel) { _, number in numbers.append(Int(number)) }
        for number in numbers {
            guard var exchange = exchanges[number], !exchange.isDirty else { continue }
            exchange.isDirty = true
            exchange.wasSignalled = true
            if exchange.state == .held { schedule(&exchange, number, now: now) }
            store(exchange, number)
        }
    }

    /// The earliest moment at which something is to be done. It may turn out to be nothing.
    package var nextDeadline: Moment? { timers.min?.moment }

    /// What is to be done now that time has passed.
    package mutating func expired(now: Moment) -> [Decision] {
        var decisions: [Decision] = []
        while let timer = timers.min, timer.moment <= now {
            timers.removeMin()
            guard var exchange = exchanges[timer.number], exchange.serial == timer.serial,
                exchange.timerAt == timer.moment
            else { continue }
            exchange.timerAt = nil
            if let next = exchange.nextMoment(patience: Self.patience), next <= now {
                if exchange.state == .held {
                    lineUp(&exchange, timer.number)
                } else {
                    decisions.append((timer.number, endWithoutApp(&exchange, .responseTimeout)))
                }
            } else {
                setTimer(&exchange, timer.number)
            }
            store(exchange, timer.number)
        }
        return decisions
    }

    /// What ended in this turn, for the pool.
    package mutating func takeWithdrawals() -> Withdrawals? { watches.takeWithdrawals() }

    /// Counts for a route whose polls are only observed.
    package mutating func observed(_ route: RecheckRoute, _ body: (inout RecheckFigures) -> Void) {
        body(&lines[route.path, default: Line()].figures)
    }

    // MARK: What the parts share

    /// Puts an exchange back, unless it is over.
    mutating func store(_ exchange: RecheckExchange, _ number: ConnectionNumber) {
        let wasIdle = exchanges[number]?.isIdle ?? false
        let isIdle = !exchange.isOver && exchange.isIdle
        if wasIdle != isIdle { lines[exchange.route.path]?.held += isIdle ? 1 : -1 }
        exchanges[number] = exchange.isOver ? nil : exchange
    }

    mutating func count(_ exchange: RecheckExchange, _ body: (inout RecheckFigures) -> Void) {
        body(&lines[exchange.route.path, default: Line()].figures)
    }

    /// Lets a poll that is due ask: now, or as far behind its last question as the crowd demands.
    mutating func schedule(_ exchange: inout RecheckExchange, _ number: ConnectionNumber, now: Moment) {
        let earliest = exchange.askedAt.map { $0 + distance(exchange.route) } ?? now
        guard earliest > now else { return lineUp(&exchange, number) }
        exchange.state = .held
        exchange.dueAt = earliest
        setTimer(&exchange, number)
    }

    /// It grows with the number of polls and is spread out, so that a crowd does not ask in step.
    private mutating func distance(_ route: RecheckRoute) -> Duration {
        let polls = min(lines[route.path, default: Line()].polls * workers, route.debouncePolls)
        return route.debounce * polls / route.debouncePolls * spread / 1024
    }

    /// 512 to 1023.
    var spread: Int {
        mutating get {
            // SplitMix64
            random &+= 0x9E37_79B9_7F4A_7C15
            var mixed = random
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return 512 + Int((mixed ^ (mixed >> 31)) & 511)
        }
    }

    mutating func setTimer(_ exchange: inout RecheckExchange, _ number: ConnectionNumber) {
        guard let next = exchange.nextMoment(patience: Self.patience) else { return }
        // An earlier timer finds out by itself that there is more time.
        if let timerAt = exchange.timerAt, timerAt <= next { return }
        exchange.timerAt = next
        timers.insert(Timer(moment: next, number: number, serial: exchange.serial))
    }

    /// Ends a poll that the app can't answer in time.
    mutating func endWithoutApp(_ exchange: inout RecheckExchange, _ failure: ProxyFailure) -> Action {
        guard !exchange.isFirst || exchange.kept != nil else {
            return .fail(failure, end(&exchange, .failed))
        }
        return .answer(exchange.kept, end(&exchange, .kept))
    }

    mutating func end(
        _ exchange: inout RecheckExchange, _ release: RecheckExchange.Release
    ) -> RecheckExchange.Ending {
        count(exchange) { $0.count(release) }
        leave(&exchange)
        return RecheckExchange.Ending(release, questions: exchange.questions)
    }

    /// Takes a poll out of everything.
    mutating func leave(_ exchange: inout RecheckExchange) {
        leaveLine(&exchange)
        if let watch = exchange.watch { watches.end(watch) }
        exchange.watch = nil
        lines[exchange.route.path]?.polls -= 1
        exchange.isOver = true
    }
}
