/// One worker's decisions on polls: which are held, which a notice wakes, which answer each gets. Pure: time comes in,
/// and looking into the pool is an action whose answer comes back as an event.
///
/// Why a fan-out is cheap: all holds of a channel are woken by one notice; the first of them asks the pool and has its
/// answer encoded, and every other hold of equal style for which the pool would say the same (`Found.sameFor`) gets the
/// very same bytes. So a delivery costs a comparison and one send.
///
/// Why no wake-up is lost: see `MessagePool`. This type's part of that law: a hold enters the table in the same call
/// that takes in the pool's "nothing", and a notice wakes every hold that is in the table when it is handled.
package import Polling

package struct Switchboard: ~Copyable {
    /// The number under which the worker keeps a connection. A connection has one exchange at a time.
    package typealias ConnectionNumber = Int

    package enum Action {
        /// Ask the pool by name and hold in the same step; the answer is for `found`.
        case lookUp(channels: [ChannelName], from: Position, limit: BatchLimit, hold: Bool)
        /// Ask the pool for a hold that is registered; the answer is for `found`.
        case lookUpHeld(channels: [ChannelID], after: UInt64, limit: BatchLimit)
        /// The same two for a poll that takes each message from its channel.
        case take(channels: [ChannelName], limit: BatchLimit, hold: Bool)
        case takeHeld(channels: [ChannelID], after: UInt64, staysHeld: Bool, limit: BatchLimit)
        /// Send this; the poll is over.
        case answer(PollAnswer)
        /// Nothing to do now: the poll waits.
        case hold
    }

    private var exchanges: [PollExchange] = []
    private var holds = HoldTable()
    private var woken: [HoldNumber] = []
    private var wokenStart = 0
    private var recentAnswers: [RecentAnswer] = []
    var encoder: PollAnswerEncoder
    /// Polls that wait now.
    package var heldCount: Int { holds.count }

    /// An answer that was encoded in this wave of wakes, with the polls that it is right for. An object, so that
    /// looking at it for each of them counts one reference and not five.
    private final class RecentAnswer {
        let style: AnswerStyle
        let channels: [ChannelID]
        let sameFor: ClosedRange<UInt64>
        let answer: PollAnswer

        init(_ answer: PollAnswer, style: AnswerStyle, channels: [ChannelID], sameFor: ClosedRange<UInt64>) {
            self.style = style
            self.channels = channels
            self.sameFor = sameFor
            self.answer = answer
        }
    }

    /// Answers kept for one wave: as many differing styles and channel sets as are likely to wait for one message.
    private static let recentAnswersLimit = 16

    package init(epoch: Epoch, date: DateField = DateField(seconds: 0)) {
        encoder = PollAnswerEncoder(epoch: epoch, date: date)
    }

    /// The Date of answers from now on.
    package var date: DateField {
        get { encoder.date }
        set { encoder.date = newValue }
    }

    // MARK: Events of one connection, in order

    /// A poll has come. The connection has none under way.
    ///
    /// - Parameter now: earlier for a poll that has been held by another process.
    package mutating func received(
        _ request: consuming PollRequest, on number: ConnectionNumber, now: Moment
    ) -> Action {
        while exchanges.count <= number { exchanges.append(PollExchange()) }
        guard case .idle = exchanges[number].state else { preconditionFailure("a connection has one poll at a time") }
        exchanges[number].state = .looking
        exchanges[number].style = request.style
        exchanges[number].startedAt = now
        exchanges[number].isWoken = false
        exchanges[number].mayHold = request.mayHold
        // HEAD takes nothing from anybody.
        if request.style.route.takes, request.mayHold {
            return .take(channels: request.channels, limit: request.style.route.limit, hold: true)
        }
        return .lookUp(
            channels: request.channels, from: request.position, limit: request.style.route.limit, hold: request.mayHold)
    }

    /// The pool has answered a look-up for this connection's poll.
    package mutating func found(_ result: LookUp, on number: ConnectionNumber, now: Moment) -> Action {
        guard let style = exchanges[number].style else { preconditionFailure("a look-up belongs to a poll") }
        switch (exchanges[number].state, result) {
        case (.looking, .found(let found)):
            let answer = encoder.answer(found, style: style, release: found.gap ? .gap : .found)
            return end(number, with: answer)
        case (.looking, .nothing(let after, let channels)):
            guard exchanges[number].mayHold else {
                return end(number, with: encoder.emptyAnswer(at: after, style: style, release: .timeout))
            }
            let hold = holds.hold(
                exchange: UInt32(number), channels: channels, after: after, lasting: style.route.timeout,
                now: exchanges[number].startedAt)
            exchanges[number].state = .held(hold)
            return .hold
        case (.looking, .full):
            return end(number, with: encoder.refusal(style: style))
        case (.held(let hold), .found(let found)):
            let answer = encoder.answer(found, style: style, release: found.gap ? .gap : .message)
            remember(answer, style: style, hold: hold, sameFor: found.sameFor)
            return end(number, with: answer)
        case (.held(let hold), .nothing(let after, _)):
            // A notice without a message for this hold: it goes on waiting from here.
            holds.advance(hold, after: after)
            return .hold
        case (.finishing, .found(let found)):
            return end(number, with: encoder.answer(found, style: style, release: found.gap ? .gap : .message))
        case (.finishing(_, let release), .nothing(let after, _)):
            return end(number, with: encoder.emptyAnswer(at: after, style: style, release: release))
        case (.held, .full), (.finishing, .full):
            preconditionFailure("a poll that waits has its place")
        case (.idle, _):
            preconditionFailure("a look-up belongs to a poll that is under way")
        }
    }

    /// The client has gone; nothing of its poll stays.
    package mutating func peerClosed(_ number: ConnectionNumber) {
        guard number < exchanges.count else { return }
        forget(number)
    }

    // MARK: Wakes

    /// A publish or a deletion touched this channel: every hold on it is to be asked for.
    package mutating func noticed(_ channel: ChannelID) {
        holds.forEachHold(on: channel) { hold, number in
            guard !exchanges[Int(number)].isWoken else { return }
            exchanges[Int(number)].isWoken = true
            woken.append(hold)
        }
    }

    /// Every hold is to be asked for once more, so that its position is the pool's newest.
    package mutating func noticedAll() {
        for number in exchanges.indices where !exchanges[number].isWoken {
            guard case .held(let hold) = exchanges[number].state else { continue }
            exchanges[number].isWoken = true
            woken.append(hold)
        }
    }

    package var hasWoken: Bool { wokenStart < woken.count }

    /// The next woken poll and what to do for it. To be called until it is nil, or until the turn has lasted long
    /// enough: what is left waits for the next turn.
    package mutating func nextWoken() -> (number: ConnectionNumber, action: Action)? {
        while wokenStart < woken.count {
            let hold = woken[wokenStart]
            wokenStart += 1
            guard let number = holds.exchange(of: hold).map(Int.init), case .held(hold) = exchanges[number].state else {
                continue  // it ended in the meantime
            }
            exchanges[number].isWoken = false
            if let answer = recentAnswer(for: number, hold) { return (number, end(number, with: answer)) }
            return (number, lookUpHeld(number, hold))
        }
        woken.removeAll(keepingCapacity: woken.capacity <= 4096)
        wokenStart = 0
        recentAnswers.removeAll(keepingCapacity: true)
        return nil
    }

    /// The earliest end of a hold.
    package var nextDeadline: Moment? { holds.nextDeadline }

    /// A poll whose time is up, and the last question for it.
    package mutating func nextExpired(now: Moment) -> (number: ConnectionNumber, action: Action)? {
        guard let hold = holds.firstExpired(now: now), let number = holds.exchange(of: hold).map(Int.init) else {
            return nil
        }
        return (number, finish(number, .timeout))
    }

    /// Ends a held poll with an answer: what is there, or the empty one. Nil if the connection has no held poll.
    package mutating func finish(_ number: ConnectionNumber, _ release: PollExchange.Release) -> Action {
        guard number < exchanges.count, case .held(let hold) = exchanges[number].state else { return .hold }
        exchanges[number].state = .finishing(hold, release)
        return lookUpHeld(number, hold)
    }

    /// The process is to end: each poll that is under way is the last one of its connection, and is told so.
    package mutating func closeWithAnswers() {
        for number in exchanges.indices { exchanges[number].style?.manner.keepsAlive = false }
    }

    /// The connections that hold a poll now, for a drain or a reload.
    package var heldConnections: [ConnectionNumber] {
        exchanges.indices.filter { if case .held = exchanges[$0].state { true } else { false } }
    }

    /// What a connection's held poll waits for, and by which route.
    package func held(on number: ConnectionNumber) -> (route: HoldRoute, channels: [ChannelID])? {
        guard case .held(let hold) = exchanges[number].state, let style = exchanges[number].style,
            let position = holds.position(of: hold)
        else { return nil }
        return (style.route, position.channels)
    }

    /// How a connection's held poll is to be answered, up to where it has had everything, and when it came.
    func waiting(on number: ConnectionNumber) -> (style: AnswerStyle, after: UInt64, startedAt: Moment)? {
        guard number < exchanges.count, case .held(let hold) = exchanges[number].state,
            let style = exchanges[number].style, let position = holds.position(of: hold)
        else { return nil }
        return (style, position.after, exchanges[number].startedAt)
    }

    /// Lets a held poll go on under a route that took its route's place.
    package mutating func adopt(_ route: HoldRoute, on number: ConnectionNumber) {
        guard let style = exchanges[number].style else { return }
        exchanges[number].style = AnswerStyle(
            route: route, manner: style.manner, origin: .none, callback: style.callback)
    }

    /// How long the connection's last poll was under way, in nanoseconds. It changes nothing; but asked without
    /// `mutating`, a worker would copy all of this for it.
    package mutating func nanosecondsOfPoll(on number: ConnectionNumber, now: Moment) -> Int64 {
        now.nanoseconds &- exchanges[number].startedAt.nanoseconds
    }

    /// What the pool is to be told at the end of the turn: holds that have ended, and channels that this worker no
    /// longer holds on.
    package mutating func takeWithdrawals() -> Withdrawals? { holds.takeWithdrawals() }

    // MARK: Inside

    private func lookUpHeld(_ number: Int, _ hold: HoldNumber) -> Action {
        guard let style = exchanges[number].style, let position = holds.position(of: hold) else {
            preconditionFailure("a held poll stands in the table")
        }
        if style.route.takes {
            let staysHeld = if case .held = exchanges[number].state { true } else { false }
            return .takeHeld(
                channels: position.channels, after: position.after, staysHeld: staysHeld, limit: style.route.limit)
        }
        return .lookUpHeld(channels: position.channels, after: position.after, limit: style.route.limit)
    }

    mutating func end(_ number: Int, with answer: PollAnswer) -> Action {
        forget(number)
        return .answer(answer)
    }

    private mutating func forget(_ number: Int) {
        switch exchanges[number].state {
        case .held(let hold), .finishing(let hold, _): holds.end(hold)
        case .idle, .looking: break
        }
        exchanges[number].state = .idle
        exchanges[number].style = nil
        exchanges[number].isWoken = false
    }

    private mutating func remember(
        _ answer: PollAnswer, style: AnswerStyle, hold: HoldNumber, sameFor: ClosedRange<UInt64>
    ) {
        guard !style.route.takes, recentAnswers.count < Self.recentAnswersLimit,
            let position = holds.position(of: hold)
        else { return }
        recentAnswers.append(RecentAnswer(answer, style: style, channels: position.channels, sameFor: sameFor))
    }

    private func recentAnswer(for number: Int, _ hold: HoldNumber) -> PollAnswer? {
        guard !recentAnswers.isEmpty, let style = exchanges[number].style else { return nil }
        for recent in recentAnswers
        where recent.style == style && holds.isWaiting(hold, on: recent.channels, within: recent.sameFor) {
            return recent.answer
        }
        return nil
    }
}
