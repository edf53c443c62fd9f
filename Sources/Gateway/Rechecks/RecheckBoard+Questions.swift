/// The line in front of the app, and what becomes of questions and their answers.
import DequeModule
package import Polling

extension RecheckBoard {
    // MARK: The line

    /// Routes whose polls wait for a permit, with how many questions each allows at a time.
    package var wanted: [(path: String, limit: Int)] {
        lines.compactMap { path, line in firstInLine(line).map { (path, $0.route.concurrency) } }
    }

    /// Whether a poll of this route waits for a permit.
    package func wants(_ path: String) -> Bool {
        guard let line = lines[path] else { return false }
        return firstInLine(line) != nil
    }

    private func firstInLine(_ line: Line) -> RecheckExchange? {
        for (number, serial) in line.numbers {
            if let exchange = exchanges[number], exchange.serial == serial, exchange.state == .lined { return exchange }
        }
        return nil
    }

    /// Uses a permit of a route: the next in line asks, and whoever may share its answer goes along.
    ///
    /// - Returns: what is to be done, in this order; empty if nobody wants the permit any more.
    package mutating func nextQuestion(_ path: String, now: Moment) -> [Decision] {
        while let (number, serial) = lines[path]?.numbers.popFirst() {
            guard var leader = exchanges[number], leader.serial == serial, leader.state == .lined else { continue }
            var decisions = followers(of: leader, number, now: now)
            leaveLine(&leader)
            leader.sentAt = now
            leader.questions += 1
            count(leader) { $0.questions += 1 }
            decisions.append((number, renewed(&leader, leader: nil)))
            store(leader, number)
            return decisions
        }
        return []
    }

    /// Those in line whose question is the same.
    private mutating func followers(
        of leader: RecheckExchange, _ leaderNumber: ConnectionNumber, now: Moment
    ) -> [Decision] {
        guard let key = leader.request.shareKey else { return [] }
        var decisions: [Decision] = []
        for (number, serial) in lines[leader.route.path]?.numbers ?? [] {
            guard number != leaderNumber, var exchange = exchanges[number], exchange.serial == serial,
                exchange.state == .lined, exchange.request.shareKey == key,
                exchange.request.manner.isHeadOnly == leader.request.manner.isHeadOnly
            else { continue }
            leaveLine(&exchange)
            exchange.sentAt = now
            let action = renewed(&exchange, leader: leaderNumber)
            if action != .wait { decisions.append((number, action)) }
            store(exchange, number)
        }
        return decisions
    }

    /// A question is sent after the watch from which the next notice comes (law 1): one that was woken is renewed.
    private func renewed(_ exchange: inout RecheckExchange, leader: ConnectionNumber?) -> Action {
        if exchange.isDirty, let watch = exchange.watch, let position = watches.position(of: watch) {
            exchange.state = .renewing(leader: leader)
            return .watchAgain(position.channels)
        }
        exchange.state = leader.map { .following(leader: $0) } ?? .asking
        return leader == nil ? .ask : .wait
    }

    mutating func lineUp(_ exchange: inout RecheckExchange, _ number: ConnectionNumber, inFront: Bool = false) {
        exchange.state = .lined
        exchange.dueAt = nil
        var line = lines.removeValue(forKey: exchange.route.path) ?? Line()
        if line.numbers.count > 2 * line.polls + 64 {
            // Those who left are gone through once in a while.
            line.numbers.removeAll { exchanges[$0.number]?.serial != $0.serial }
        }
        if inFront {
            line.numbers.prepend((number, exchange.serial))
        } else {
            line.numbers.append((number, exchange.serial))
        }
        if exchange.isFirst { line.firsts += 1 }
        lines[exchange.route.path] = line
        setTimer(&exchange, number)
    }

    mutating func leaveLine(_ exchange: inout RecheckExchange) {
        guard exchange.state == .lined else { return }
        if exchange.isFirst { lines[exchange.route.path]?.firsts -= 1 }
    }

    // MARK: Answers

    /// The app has answered a poll's question.
    ///
    /// - Parameters:
    ///   - kept: the answer, for when the app can't give another.
    ///   - mayShare: the app lets it be given to all who share the question.
    ///   - isNothing: whether it is nothing new for a poll.
    /// - Returns: what becomes of the poll and of those who shared its question; the poll itself comes last.
    package mutating func answered(
        _ number: ConnectionNumber, kept: KeptAnswer?, mayShare: Bool, now: Moment,
        isNothing: (RecheckRequest) -> Bool
    ) -> [Decision] {
        guard var leader = exchanges[number], leader.state == .asking else { return [] }
        count(leader) { [sentAt = leader.sentAt] in $0.countAnswer(now - sentAt) }
        var decisions: [Decision] = []
        for follower in followers(of: number) {
            guard var exchange = exchanges[follower] else { continue }
            if !mayShare {
                lineUp(&exchange, follower, inFront: true)
            } else {
                count(exchange) { $0.shared += 1 }
                let ending =
                    isNothing(exchange.request)
                    ? hold(&exchange, follower, kept, now: now) : news(&exchange, now: now)
                if let ending { decisions.append((follower, .share(with: number, ending))) }
            }
            store(exchange, follower)
        }
        if isNothing(leader.request) {
            count(leader) { $0.nothingNew += 1 }
            if let ending = hold(&leader, number, kept, now: now) { decisions.append((number, .relay(ending))) }
        } else {
            decisions.append((number, .relay(news(&leader, now: now))))
        }
        store(leader, number)
        return decisions
    }

    /// Somebody shares this poll's question, so its answer is to be had whole.
    package func hasFollowers(_ number: ConnectionNumber) -> Bool { !followers(of: number).isEmpty }

    private func followers(of leader: ConnectionNumber) -> [ConnectionNumber] {
        guard exchanges[leader]?.request.shareKey != nil else { return [] }
        return exchanges.filter { $0.value.state == .following(leader: leader) }.map(\.key).sorted()
    }

    private mutating func news(_ exchange: inout RecheckExchange, now: Moment) -> RecheckExchange.Ending {
        if !exchange.isFirst, !exchange.wasSignalled { count(exchange) { $0.unsignalled += 1 } }
        return end(&exchange, exchange.isFirst ? .first : now >= exchange.end ? .timeout : .signal)
    }

    /// The app has nothing new: the poll waits on, asks once more if something happened meanwhile, or ends with just
    /// this answer.
    ///
    /// - Returns: how it ended, if it did.
    private mutating func hold(
        _ exchange: inout RecheckExchange, _ number: ConnectionNumber, _ kept: KeptAnswer?, now: Moment
    ) -> RecheckExchange.Ending? {
        exchange.isFirst = false
        exchange.failures = 0
        exchange.kept = kept
        exchange.askedAt = exchange.sentAt
        if exchange.isSuperseded || now >= exchange.end {
            return end(&exchange, exchange.isSuperseded ? .superseded : .timeout)
        }
        if exchange.isDirty {
            schedule(&exchange, number, now: now)
        } else {
            exchange.state = .held
            exchange.dueAt = nil
            setTimer(&exchange, number)
        }
        return nil
    }

    /// The app could not be asked, or did not answer. What was noticed stays noticed: it is asked again, later and
    /// later, until the hold ends.
    package mutating func failed(
        _ number: ConnectionNumber, _ failure: ProxyFailure, now: Moment
    ) -> [Decision] {
        guard let leader = exchanges[number], leader.state == .asking else { return [] }
        count(leader) { $0.countAnswer(now - leader.sentAt) }
        var decisions: [Decision] = []
        for one in followers(of: number) + [number] {
            guard var exchange = exchanges[one] else { continue }
            count(exchange) { $0.failed += 1 }
            if exchange.isFirst && exchange.kept == nil || exchange.isSuperseded || now >= exchange.end {
                decisions.append((one, endWithoutApp(&exchange, failure)))
            } else {
                exchange.failures = min(exchange.failures + 1, 4)
                exchange.isDirty = true
                exchange.state = .held
                exchange.isFirst = false
                exchange.dueAt = now + Duration.milliseconds((1 << exchange.failures) * spread)
                setTimer(&exchange, one)
            }
            store(exchange, one)
        }
        return decisions
    }

    // MARK: Other ends

    /// Another poll takes the place of this one.
    package mutating func superseded(_ number: ConnectionNumber) -> Action {
        guard var exchange = exchanges[number] else { return .wait }
        defer { store(exchange, number) }
        switch exchange.state {
        case .held, .lined:
            return .answer(exchange.kept, end(&exchange, .superseded))
        case .looking, .renewing, .asking, .following:
            exchange.isSuperseded = true
            return .wait
        }
    }

    /// The daemon drains: what is held gets the last "nothing new"; who waits for the app gets its answer, whatever it
    /// is.
    package mutating func finish(_ number: ConnectionNumber, now: Moment) -> Action {
        guard var exchange = exchanges[number] else { return .wait }
        defer { store(exchange, number) }
        exchange.end = min(exchange.end, now)
        guard exchange.state == .held else { return .wait }
        if exchange.kept != nil {
            return .answer(exchange.kept, end(&exchange, .drain))
        }
        lineUp(&exchange, number)
        return .wait
    }

    /// The time for that is up too: whoever waits is told what the app said last, or that it gave no answer in time.
    package mutating func cutShort(_ number: ConnectionNumber) -> Action {
        guard var exchange = exchanges[number] else { return .wait }
        defer { store(exchange, number) }
        return endWithoutApp(&exchange, .responseTimeout)
    }

    /// Its route has gone with a reload: what waits is told "nothing new", what is being asked gets the app's answer.
    package mutating func routeGone(_ number: ConnectionNumber, now: Moment) -> Action {
        guard var exchange = exchanges[number] else { return .wait }
        defer { store(exchange, number) }
        switch exchange.state {
        case .held, .lined:
            return .answer(exchange.kept, end(&exchange, .reload))
        case .looking, .renewing, .asking, .following:
            exchange.end = min(exchange.end, now)
            return .wait
        }
    }

    /// The client has gone; nothing of its poll stays, and those who shared its question ask themselves.
    package mutating func peerClosed(_ number: ConnectionNumber) {
        guard var exchange = exchanges[number] else { return }
        if exchange.state == .asking {
            for follower in followers(of: number) {
                guard var other = exchanges[follower] else { continue }
                lineUp(&other, follower, inFront: true)
                store(other, follower)
            }
        }
        count(exchange) { $0.abandoned += 1 }
        leave(&exchange)
        store(exchange, number)
    }
}
