/// Answers to a client that are our own.
import Gateway
import HTTP1
import Reactor

extension DownstreamStream {
    /// Answers in the app's place what a publish rule takes.
    func answer(_ answered: RuleTable.Answered) {
        switch answered {
        case .publish(let publication, let status):
            worker.publish(publication)
            answer(PlainAnswer(status: status, reason: publication.items.isEmpty ? "Nothing to do." : "Done."))
        case .refused: answer(PlainAnswer(status: 403, reason: "This may not be asked for from here."))
        }
    }

    /// Sends an answer that is complete in itself and ends the request.
    ///
    /// - Parameter proxied: what the answer takes the place of.
    func answer(
        _ plain: PlainAnswer, of proxied: ProxiedExchange? = nil, end: ExchangeRecord.End? = nil,
        poll: PollOutcome.Course? = nil
    ) {
        exchange = .none
        var manner = manner
        if plain.closes || worker.isDraining { manner.keepsAlive = false }
        worker.output.reset()
        let sent = plain.write(for: manner, date: worker.switchboard.date, into: &worker.output)
        send(shared: worker.output.bytes)
        finishAccessEntry(status: plain.status, bytes: sent, of: proxied, end: end, poll: poll)
        if phase == .exchange { exchangeEnded(keepsAlive: manner.keepsAlive) } else { linger() }
        watchOutput()
    }
}
