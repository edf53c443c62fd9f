/// A publisher's connection on the control socket: HTTP, or JSON lines if its first byte is `{`.
import ByteText
import Gateway
import HTTP1
import JSONText
import Polling
import Reactor

final class ControlStream: ServerStream {
    private var command: ControlCommand?
    private var body: [UInt8] = []
    private var isPolling = false
    /// What a change of the pool that is under way is to be answered with.
    private var pending: Pending?
    /// Tells this stream from an earlier one of the same number.
    private(set) lazy var serial = worker.nextSerial()

    override func headReceived(_ head: borrowing RequestHead) {
        do throws(ControlError) {
            command = try ControlCommand(head)
        } catch {
            command = nil
            return answerError(status: error.status, reason: error.reason, allow: error.allow)
        }
        if case .length(let length) = head.framing, length > UInt64(worker.service.publishBodyLimit) {
            // Refused before it is read; what is left of it ends the connection.
            refuseBody()
        } else if case .poll = command {
            beginPoll(head)
        }
    }

    override func contentReceived(_ bytes: Span<UInt8>) {
        guard command != nil else { return }
        guard body.count + bytes.count <= worker.service.publishBodyLimit else { return refuseBody() }
        body.append(bytes)
        setClock(.body)
    }

    override func requestReceived(trailers: borrowing FieldLines) {
        guard let command else { return }
        self.command = nil
        let body = body
        self.body = []
        switch command {
        case .publish(let channel, let contentType, let key): publish(body, channel, contentType, key)
        case .listChannels(let prefix, let after, let limit):
            let names = worker.hub.withPool { $0.channelNames(prefix: prefix) }
            answer(ControlReply.channels(names, after: after, limit: limit))
        case .listBusiest(let prefix, let limit):
            answer(ControlReply.channels(worker.hub.withPool { $0.busiestChannels(prefix: prefix, limit: limit) }))
        case .describe(let name):
            guard let figures = worker.hub.withPool({ $0.describe(name) }) else { return answerUnknownChannel() }
            answer(ControlReply.channel(name, figures))
        case .delete(let name): change(.delete(name))
        case .status: answer(ControlReply.status(worker.statusFigures))
        case .metrics: answer(ControlReply.metrics(worker.statusFigures))
        case .health(let question): answer(ControlReply.health(question, worker.server.health))
        case .reload: reload()
        case .upgrade: worker.askForUpgrade(for: self)
        case .revoke(let credential): answer(ControlReply.revoked(worker.revoke(credential)))
        case .poll: break
        }
    }

    override func refuse(_ error: HTTPError) {
        abandon()
        answerError(status: error.status, reason: error.reason)
    }

    // MARK: Publishing

    private func publish(_ body: [UInt8], _ channel: [UInt8]?, _ contentType: [UInt8]?, _ key: [UInt8]?) {
        do throws(PublishError) {
            let (items, isList) = try PublishDecoder.items(
                body: body, channel: channel, contentType: contentType, key: key)
            change(.publish(items), isList: isList)
        } catch {
            answer(error)
        }
    }

    /// Asks for a change; no clock of the client's runs until it is answered.
    private func change(_ change: PoolChange, isList: Bool = false) {
        pending = .answer(isList: isList)
        setClock(nil)
        worker.change([change], for: self)
    }

    override var answersAfterInputEnd: Bool { pending != nil }

    /// What has come of the changes that this stream asked for.
    func settled(_ outcomes: [PoolOutcome]) {
        guard isOpen, let pending else { return }
        self.pending = nil
        switch pending {
        case .answer(let isList):
            guard let outcome = outcomes.first else { return }
            answer(outcome, isList: isList)
        case .lines(let lines): answer(lines, outcomes)
        }
    }

    private func answer(_ outcome: PoolOutcome, isList: Bool) {
        switch outcome {
        case .published(let receipts): answer(ControlReply.receipts(receipts, isList: isList))
        case .deleted(let number): answer(ControlReply.deleted(number))
        case .unknownChannel: answerUnknownChannel()
        case .refused(let error): answer(PublishError.pool(error))
        case .notStored(let reason): answer(PublishError.notStored(reason))
        }
    }

    private func answer(_ error: PublishError) {
        count(error)
        answerError(status: error.status, reason: error.reason)
    }

    private func count(_ error: PublishError) { worker.figures.publishesRefused[error.refusal.place] += 1 }

    /// A request is under way that may change the pool.
    var isChanging: Bool {
        switch command {
        case .publish, .delete: true
        default: pending != nil
        }
    }

    override var mayBeginRequest: Bool { worker.handover.stage == .serving }

    private func reload() {
        // The main thread reads the file; its verdict comes back through the worker's door.
        worker.askForReload(for: self)
    }

    /// The configuration has been loaded, or refused with these errors.
    func reloaded(errors: [String]) {
        guard isOpen, phase == .exchange else { return }
        if errors.isEmpty {
            answer(ControlReply.reloaded)
        } else {
            answerError(status: 422, reason: errors.joined(separator: "\n"))
        }
    }

    /// Another process serves, or why none does.
    func upgraded(_ result: UpgradeResult) {
        guard isOpen, phase == .exchange else { return }
        switch result {
        case .serves(let process): answer(ControlReply.upgraded(process: process))
        case .failed(let reason): answerError(status: 500, reason: reason)
        case .refused(let reason): answerError(status: 409, reason: reason)
        }
    }

    // MARK: Changing hands

    override func handed(_ grants: [UInt64: HandedGrant]) -> HandedConnection? {
        guard pending == nil else { return nil }
        let hold = isPolling ? worker.handedHold(on: number, supersedeKey: nil) : nil
        return handed(.control, holding: hold.map { .hold($0) })
    }

    override func forgetPoll() {
        if isPolling { worker.switchboard.peerClosed(number) }
        isPolling = false
    }

    func goOn(as connection: HandedConnection) {
        begin(as: connection)
        guard case .hold(let hold) = connection.state else { return }
        isPolling = true
        worker.figures.polls += 1
        perform(
            worker.switchboard.received(
                hold.request(on: .trusted, epoch: worker.hub.epoch), on: number, now: hold.poll.startedAt))
    }

    // MARK: A trusted poll

    private func beginPoll(_ head: borrowing RequestHead) {
        switch worker.service.routes.decideTrusted(head) {
        case .poll(let request):
            isPolling = true
            perform(worker.switchboard.received(request, on: number, now: worker.now))
        case .answer(let plain):
            command = nil
            answerError(status: plain.status, reason: plain.reason)
        case .content, .proxy, .recheck, .authorize: break
        }
    }

    // MARK: JSON lines

    override var speaksLines: Bool { true }

    override func linesReceived(_ bytes: Span<UInt8>) -> Int {
        var start = 0
        var lines = LineAnswers()
        var changes: [PoolChange] = []
        while let end = bytes.firstIndex(of: 0x0A, from: start) {
            let line = bytes.extracting(start..<end)
            start = end + 1
            if PublishDecoder.isBlank(line) { continue }
            do throws(PublishError) {
                changes.append(.publish([try item(line)]))
                lines.append(error: nil)
            } catch {
                count(error)
                lines.append(error: error.reason)
            }
        }
        if bytes.count - start > worker.service.publishLineLimit {
            let error = PublishError.lineTooLong(limit: worker.service.publishLineLimit)
            count(error)
            lines.append(error: error.reason)
            lines.isLast = true
            start = bytes.count
        }
        setClock(start < bytes.count ? .body : .tunnel)
        if lines.isEmpty { return start }
        pending = .lines(lines)
        if changes.isEmpty { settled([]) } else { worker.change(changes, for: self) }
        if pending != nil {
            // The lines behind these wait in the socket, so that a publisher can't have more under way than one piece.
            pauseReading()
            setClock(nil)
        }
        return start
    }

    private func item(_ line: Span<UInt8>) throws(PublishError) -> PublishItem {
        guard line.count <= worker.service.publishLineLimit else {
            throw .lineTooLong(limit: worker.service.publishLineLimit)
        }
        return try PublishDecoder.item(line: line)
    }

    private func answer(_ lines: LineAnswers, _ outcomes: [PoolOutcome]) {
        for outcome in outcomes {
            switch outcome {
            case .refused(let error): count(PublishError.pool(error))
            case .notStored(let reason): count(PublishError.notStored(reason))
            case .published, .deleted, .unknownChannel: break
            }
        }
        send(lines.text(outcomes).span)
        if lines.isLast { return linger() }
        if queuedBytes > 0 {
            // A publisher that doesn't read its answers has to wait with its lines.
            pauseReading()
            watchOutput()
        } else if isPaused {
            setClock(unreadBytes > 0 ? .body : .tunnel)
            resumeReading()
        }
    }

    override func outputDrained() {
        if isPaused, pending == nil { resumeReading() }
        answersTaken()
    }

    // MARK: Answers

    private func answer(_ reply: ControlReply) {
        command = nil
        body = []
        worker.output.reset()
        reply.write(for: manner, date: worker.switchboard.date, into: &worker.output)
        send(shared: worker.output.bytes)
        if phase == .exchange { exchangeEnded(keepsAlive: manner.keepsAlive) } else { linger() }
        watchOutput()
    }

    private func answerError(status: Int, reason: String, allow: StaticString? = nil) {
        answer(ControlReply.error(status: status, reason: reason, allow: allow))
    }

    private func answerUnknownChannel() { answerError(status: 404, reason: "there is no such channel") }

    private func refuseBody() {
        answer(PublishError.bodyTooLarge(limit: worker.service.publishBodyLimit))
    }

    // MARK: Polls

    override func perform(_ action: Switchboard.Action) {
        guard let answer = worker.resolve(action, on: number) else { return }
        isPolling = false
        command = nil
        send(shared: answer.bytes)
        worker.count(answer, on: number)
        exchangeEnded(keepsAlive: answer.keepsAlive)
        watchOutput()
    }

    override func abandon() {
        if isPolling { worker.switchboard.peerClosed(number) }
        isPolling = false
        command = nil
        pending = nil
    }
}

extension ControlStream {
    /// How a change of the pool is answered.
    private enum Pending {
        /// - Parameter isList: the publisher sent a list, and gets one.
        case answer(isList: Bool)
        case lines(LineAnswers)
    }
}
