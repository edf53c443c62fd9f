/// A poll of a recheck route that only observes: it goes to the app as if there were no such route, and what would have
/// become of it is counted, and told in the access log and once in a while in the operational log.
import ByteText
import Gateway
import HTTP1
import Polling
import Reactor

final class Observation {
    let request: RecheckRequest
    /// The pool's newest number before the app was asked, and when that was.
    private let number: UInt64
    let askedAt: Moment
    /// Nothing had happened since the app said "nothing new" to the same request, so it would not have been asked.
    private let isSpared: Bool
    /// Something has happened since, which would have woken it.
    private let isWoken: Bool
    private var head: ResponseHead?
    private var content: [UInt8] = []
    private var isTooLong = false

    /// - Parameter isQuiet: whether nothing has happened since the app said "nothing new"; nil: it has not said so.
    init(request: RecheckRequest, number: UInt64, askedAt: Moment, isQuiet: Bool?) {
        self.request = request
        self.number = number
        self.askedAt = askedAt
        isSpared = isQuiet == true
        isWoken = isQuiet == false
    }

    func response(_ head: borrowing ResponseHead) { self.head = copy head }

    func responseContent(_ bytes: Span<UInt8>) {
        guard !isTooLong, content.count + bytes.count <= request.route.answerBytesLimit else {
            isTooLong = true
            content = []
            return
        }
        content.append(bytes)
    }

    /// What the answer shows; nil: nothing of use.
    var outcome: (observed: PollOutcome.Observed, knowledge: Knowledge?)? {
        guard let head else { return nil }
        let body = content
        let looksEmpty = request.route.nothingNew.isMet(status: head.status, body: body.span, isSame: false)
        let isNothing = looksEmpty && !isTooLong && !request.hasNewCookies(in: head)
        // What it would not have been asked for stays known from the time when it was.
        let knowledge = isNothing && !isSpared ? Knowledge(number: number, askedAt: askedAt, kept: nil) : nil
        if isNothing { return (isSpared ? .spared : .held, knowledge) }
        return (isSpared ? .unsignalled : isWoken ? .woken : .answered, knowledge)
    }
}

extension DownstreamStream {
    /// Counts what would become of a poll.
    func observation(of request: RecheckRequest) -> Observation {
        let (now, known) = (worker.now, worker.hub.rechecks.knowledge(of: request.identity))
        let number = worker.hub.withPool { $0.lastNumber }
        let (channels, since) = (request.channels, known?.number ?? 0)
        let wasQuiet = worker.hub.withPool { $0.isQuiet(channels, since: since) }
        let isFresh = known.map { now < $0.askedAt + request.route.knowledgeLifetime } ?? false
        worker.rechecks.observed(request.route) { figures in
            figures.polls += 1
            if wasQuiet, isFresh { figures.spared += 1 } else { figures.questions += 1 }
        }
        return Observation(request: request, number: number, askedAt: now, isQuiet: isFresh ? wasQuiet : nil)
    }
}

extension ProxiedExchange {
    /// The app's answer to an observed poll is complete.
    func endObservation(_ observation: Observation) {
        guard let (observed, knowledge) = observation.outcome else { return }
        pollOutcome = PollOutcome(.observed(observed), releasedAt: worker.loop.now)
        let request = observation.request
        worker.rechecks.observed(request.route) { figures in
            figures.count(observed, lasting: worker.now - observation.askedAt)
        }
        worker.noteObserved(observed, on: request.route)
        if let knowledge {
            worker.hub.rechecks.remember(knowledge, of: request.identity)
        } else if observed != .spared {
            worker.hub.rechecks.forget(request.identity)
        }
    }
}
