/// A worker's recheck polls: what the board decides is done here, and permits are taken for it.
import Gateway
import Polling
import Reactor

extension Worker {
    /// Questions that may begin in one turn.
    private static let questionsPerTurn = 64

    /// Follows a decision of the board until it is the stream's to perform.
    func resolve(_ action: RecheckBoard.Action, on stream: Int) -> RecheckBoard.Action {
        var action = action
        let (worker, now) = (number, now)
        while true {
            switch action {
            case .watch(let channels, let since):
                let watch = hub.withPool { $0.watch(channels, since: since, for: worker) }
                action = rechecks.watched(watch, on: stream, now: now)
            case .watchAgain(let channels):
                let watch = hub.withPool { $0.watch(again: channels, for: worker) }
                action = rechecks.watched(watch, on: stream, now: now)
            case .wait, .ask, .relay, .share, .answer, .fail, .pass: return action
            }
        }
    }

    func perform(_ action: RecheckBoard.Action, onRecheck number: Int) {
        guard let stream = streams[number] as? DownstreamStream else { return }
        stream.perform(resolve(action, on: number))
    }

    func perform(_ decisions: [RecheckBoard.Decision]) {
        for (number, action) in decisions { perform(action, onRecheck: number) }
    }

    /// Who of them gets this answer of the app has it from now on.
    func noteAnswers(
        _ decisions: [RecheckBoard.Decision], _ digest: RequestIdentity.BodyDigest, _ knowledge: Knowledge
    ) {
        for (number, action) in decisions {
            switch action {
            case .relay, .share: (streams[number] as? DownstreamStream)?.noteAnswer(digest, knowledge)
            case .watch, .watchAgain, .wait, .ask, .answer, .fail, .pass: break
            }
        }
    }

    /// At the end of a turn: what was noticed, what is due, and as many questions as there are permits for.
    func turnRechecks() {
        let now = now
        for channel in touchedWatches { rechecks.noticed(channel, now: now) }
        touchedWatches.removeAll(keepingCapacity: true)
        perform(rechecks.expired(now: now))
        askQuestions()
        if let withdrawals = rechecks.takeWithdrawals() {
            let number = number
            hub.withPool { $0.withdraw(watches: withdrawals, by: number) }
        }
    }

    private func askQuestions() {
        var left = Self.questionsPerTurn
        for (path, limit) in rechecks.wanted {
            while left > 0, takePermit(path, limit) {
                left -= 1
                let decisions = rechecks.nextQuestion(path, now: now)
                if decisions.isEmpty {
                    questionEnded(path, limit: limit)
                    break
                }
                perform(decisions)
            }
        }
        hasMoreQuestions = left == 0
        // A permit that was handed to this worker, and that nobody wants any more, is another's.
        for (path, count) in permits where count > 0 && !rechecks.wants(path) {
            permits[path] = nil
            for _ in 0..<count { questionEnded(path, limit: .max) }
        }
    }

    private func takePermit(_ path: String, _ limit: Int) -> Bool {
        if let count = permits[path], count > 0 {
            permits[path] = count - 1
            return true
        }
        return rechecks.wants(path) && hub.rechecks.take(path, limit: limit, for: number)
    }

    /// The question is over, whatever became of it.
    func questionEnded(_ path: String, limit: Int) {
        guard let next = hub.rechecks.giveBack(path, limit: limit) else { return }
        if next == number {
            permits[path, default: 0] += 1
        } else {
            hub.door(of: next).post(.permit(path))
        }
    }

    /// Whether there is something to do for rechecks now, so that the loop must not sleep.
    var hasRechecks: Bool { hasMoreQuestions || !touchedWatches.isEmpty || permits.contains { $0.value > 0 } }

    func supersede(_ place: SharedRechecks.Place) {
        guard place.worker == number else {
            hub.door(of: place.worker).post(.supersede(place))
            return
        }
        guard let stream = streams[place.stream] as? DownstreamStream, stream.place == place else { return }
        stream.superseded()
    }
}
