/// A recheck poll on its way to another process, and one that comes from there.
import ConfigFile
import HTTP1
package import Polling

extension RecheckBoard {
    /// How far a connection's poll has come, for another process; nil if it has a question under way, or none is there.
    ///
    /// - Parameter present: the pool's newest number if nothing has happened on channels since another one.
    package func progress(
        of number: ConnectionNumber, present: ([ChannelName], UInt64) -> UInt64?
    ) -> RecheckProgress? {
        guard let exchange = exchanges[number], exchange.state == .held || exchange.state == .lined else { return nil }
        // What its client has is not known by a process that has only what was kept.
        if exchange.request.lastAnswer != nil, exchange.kept == nil { return nil }
        return RecheckProgress(
            number: exchange.isIdle ? present(exchange.request.channels, exchange.number) : nil,
            askedAt: exchange.askedAt, dueAt: exchange.dueAt,
            end: exchange.end, isFirst: exchange.isFirst, wasSignalled: exchange.wasSignalled,
            failures: exchange.failures, questions: exchange.questions, kept: exchange.kept)
    }

    /// Another process goes on with the poll.
    package mutating func handedOver(_ number: ConnectionNumber) {
        guard var exchange = exchanges[number] else { return }
        leave(&exchange)
        store(exchange, number)
    }

    /// A poll has come that another process has held.
    ///
    /// - Parameter startedAt: when it came there.
    package mutating func adopted(
        _ request: RecheckRequest, _ progress: RecheckProgress, startedAt: Moment, on number: ConnectionNumber
    ) -> Action {
        precondition(exchanges[number] == nil, "a connection has one poll at a time")
        var exchange = begin(request, now: startedAt)
        exchange.end = min(exchange.end, progress.end)
        exchange.askedAt = progress.askedAt
        exchange.dueAt = progress.dueAt
        exchange.isFirst = progress.isFirst
        exchange.wasSignalled = progress.wasSignalled
        exchange.failures = progress.failures
        exchange.questions = progress.questions
        exchange.kept = progress.kept
        store(exchange, number)
        return .watch(request.channels, since: progress.number)
    }

    /// Something has happened for a poll that has been held already.
    mutating func goOnAsking(
        _ exchange: inout RecheckExchange, _ number: ConnectionNumber, now: Moment
    ) -> Action {
        guard exchange.dueAt != nil else {
            schedule(&exchange, number, now: now)
            return .wait
        }
        exchange.isDirty = true
        exchange.state = .held
        setTimer(&exchange, number)
        return .wait
    }
}

extension HandedRecheck {
    /// What a poll is to another process.
    ///
    /// - Parameters:
    ///   - epoch: of the pool whose numbers it has.
    ///   - server: that its client's cookie names.
    package init(
        _ request: RecheckRequest, _ progress: RecheckProgress, requestBytes: [UInt8], server: String?,
        requestID: RequestID?, epoch: Epoch, startedAt: Moment, date: DateField
    ) {
        let route = request.route
        let last = progress.kept ?? KeptAnswer(route.empty, date: date)
        var written = HTTPWriter()
        _ = last.write(for: request.manner, into: &written)
        let poll = HandedPoll(
            path: route.path, templates: route.channels.map(\.description), epoch: epoch, channels: request.channels,
            manner: request.manner, supersedeKey: request.supersedeKey, startedAt: startedAt,
            lastWord: written.bytes, lastStatus: last.status)
        self.init(
            poll: poll, requestBytes: requestBytes, shareKey: request.shareKey, cookies: request.cookies,
            server: server, requestID: requestID, comparesLast: route.nothingNew.comparesLast, progress: progress)
    }
}
