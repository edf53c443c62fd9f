/// A connection on which HTTP requests come in: reads them one after the other, keeps pipelined bytes until their turn,
/// and ends politely. What a request means is the subclasses' business.
///
/// The phases and what is legal in them:
///  - `preamble`: what a proxy in front says of the connection is still to come, before the first head.
///  - `head`: between requests, or inside a head. Bytes are read.
///  - `exchange`: a request is being answered. Its body is read; bytes behind it wait, a bounded number of them.
///  - `discarding`: the answer has left before the request's end; the rest of the body is read and dropped, bounded.
///  - `lingering`: our side has ended. What still comes is dropped until the peer closes, so that it can read the
///    answer (RFC 9112 §9.6).
///  - `tunnel`: the bytes are no longer HTTP.
///  - `lines`: they never were; the first byte said so.
import ByteText
import Gateway
import HTTP1
import Reactor

class ServerStream: WorkerStream {
    enum Phase {
        case preamble
        case head
        case exchange
        case discarding
        case lingering
        case tunnel
        /// Lines instead of HTTP, from the first byte on.
        case lines
    }

    /// Pipelined bytes that are read ahead while a request is being answered; beyond it the peer has to wait.
    private static let readAheadBytesLimit = 16384
    /// Body bytes read for nothing, after which closing is cheaper.
    private static let discardedBytesLimit = 262_144
    /// Answers that may wait for a client that pipelines and does not read, before its next request is looked at.
    private static let waitingAnswersLimit = 65536
    /// Nanoseconds that a connection on which nothing has come yet has for its request when the process ends.
    private static let lastRequestTime: Int64 = 1_000_000_000

    // Every held poll has one of these, so small things stand beside one another.
    private(set) var phase: Phase
    /// No request has been read.
    private var isNew = true
    /// The client has ended its side.
    private var inputHasEnded = false
    /// The end of the request under way has been read.
    private var requestHasEnded = true
    private var discardedBytes: UInt32 = 0
    /// Of the request under way, or the last one.
    private(set) var manner = RequestManner()
    private var reader = RequestReader()

    init(worker: Worker, socket: consuming StreamSocket, hasPreamble: Bool = false) {
        phase = hasPreamble ? .preamble : .head
        super.init(worker: worker, socket: socket)
        setClock(.head)
    }

    // MARK: What a subclass says

    /// What comes in front of the first request.
    ///
    /// - Returns: how many of the bytes it takes up; nil if more are needed.
    func preambleReceived(_ bytes: Span<UInt8>) -> Int? { preconditionFailure("a subclass reads its preamble") }
    /// A request's head, lent for this call.
    func headReceived(_ head: borrowing RequestHead) { preconditionFailure("a subclass answers requests") }
    /// A piece of its body, lent for this call.
    func contentReceived(_ bytes: Span<UInt8>) {}
    /// The request is complete.
    ///
    /// - Parameter trailers: what came behind its content.
    func requestReceived(trailers: borrowing FieldLines) {}
    /// The client has gone while its request was being answered.
    func abandon() {}
    /// The exchange under way is given up for want of time.
    func giveUp(_ end: ExchangeRecord.End) { abandon() }
    /// Bytes of a tunnel.
    func tunnelReceived(_ bytes: Span<UInt8>) {}
    func tunnelInputEnded() {}
    /// The request can't be read; whatever is under way for it is given up, and the connection ends with this.
    func refuse(_ error: HTTPError) { preconditionFailure("a subclass says how it refuses") }

    /// What the Switchboard decided for this connection's poll.
    func perform(_ action: Switchboard.Action) { preconditionFailure("only a stream that polls has polls") }
    /// The client may end its own side and is answered all the same: what it asked for can't be taken back.
    var answersAfterInputEnd: Bool { false }
    /// Whether a first byte of `{` means lines.
    var speaksLines: Bool { false }
    /// Whether the next request may be looked at; else its bytes wait, since another process may be the one to answer.
    var mayBeginRequest: Bool { !worker.handover.stage.isParting }
    /// Bytes of lines.
    ///
    /// - Returns: how many of them are done with.
    func linesReceived(_ bytes: Span<UInt8>) -> Int { bytes.count }

    // MARK: The course of requests

    /// The request has been answered in full.
    final func exchangeEnded(keepsAlive: Bool) {
        guard isOpen, phase == .exchange || phase == .tunnel else { return }
        if !keepsAlive || worker.isDraining || inputHasEnded && unreadBytes == 0 { return linger() }
        if requestHasEnded {
            beginNextRequest()
        } else {
            phase = .discarding
            discardedBytes = 0
            resumeReading()
            setClock(.body)
        }
    }

    /// The request under way is the last one of this connection.
    final func endAfterExchange() { manner.keepsAlive = false }

    /// From now on the connection carries bytes, not requests.
    final func becomeTunnel() {
        phase = .tunnel
        setClock(.tunnel)
        resumeReading()
        lendAgain()
    }

    /// Sends what waits, ends our side and waits a little for the peer to end its own.
    final func linger() {
        guard isOpen, phase != .lingering else { return }
        phase = .lingering
        if inputHasEnded, queuedBytes == 0 { return end() }
        finishSending()
        resumeReading()
        setClock(.linger)
    }

    private func beginNextRequest() {
        phase = .head
        worker.becameFree(number)
        setClock(unreadBytes > 0 ? .head : .keepAlive)
        watchOutput()
        if queuedBytes > Self.waitingAnswersLimit { pauseReading() } else { goOn() }
    }

    /// All answers have left: a client that was made to wait for that may go on.
    final func answersTaken() {
        if phase == .head { goOn() }
        guard worker.clock(of: number) == .write else { return }
        switch phase {
        case .lingering: setClock(.linger)
        // What is held has no clock of its client's.
        case .exchange: setClock(nil)
        case .preamble, .head, .discarding, .tunnel, .lines: setClock(.keepAlive)
        }
    }

    private func goOn() {
        resumeReading()
        lendAgain()
    }

    /// Requests may be begun again.
    final func goOnReading() {
        if phase == .head || phase == .lines, queuedBytes <= Self.waitingAnswersLimit { goOn() }
    }

    // MARK: The stream's calls

    final override func received(_ bytes: Span<UInt8>) -> Int {
        var position = 0
        // The scratch is taken out for the call: what is lent from here on is not copied, as what a class keeps is.
        var head = RequestHead()
        swap(&head, &worker.requestHead)
        defer { swap(&head, &worker.requestHead) }
        while isOpen {
            switch phase {
            case .preamble:
                guard let count = preambleReceived(bytes) else { return position }
                position += count
                if phase == .preamble { phase = .head }
                continue
            case .lingering: return bytes.count
            case .tunnel:
                tunnelReceived(bytes.extracting(position...))
                return bytes.count
            case .exchange where requestHasEnded:
                // Pipelined bytes wait for their turn.
                if bytes.count - position > Self.readAheadBytesLimit { pauseReading() }
                return position
            case .head where !mayBeginRequest, .lines where !mayBeginRequest:
                if bytes.count - position > Self.readAheadBytesLimit { pauseReading() }
                return position
            case .lines: return linesReceived(bytes)
            case .head where isNew && speaksLines && bytes.count > 0 && bytes[0] == UInt8(ascii: "{"):
                phase = .lines
                continue
            case .head, .exchange, .discarding: break
            }
            // No byte would come behind a pause for an end that needs none.
            if isPaused && !reader.isAtEnd || !readNext(bytes, &position, &head) { return position }
        }
        return bytes.count
    }

    /// Reads one element of a request.
    ///
    /// - Returns: false when more bytes are needed.
    private func readNext(_ bytes: Span<UInt8>, _ position: inout Int, _ head: inout RequestHead) -> Bool {
        do throws(HTTPError) {
            switch try reader.next(bytes, &position, head: &head, limits: worker.service.headLimits) {
            case .needsMore:
                if phase == .head, bytes.count > position { headHasBegun() }
                return false
            case .head:
                phase = .exchange
                isNew = false
                requestHasEnded = false
                manner = RequestManner(head)
                if worker.isDraining { manner.keepsAlive = false }
                worker.headBegunAt = headBegunAt
                setClock(nil)
                headReceived(head)
            case .content(let range):
                take(bytes.extracting(range))
            case .end:
                requestHasEnded = true
                if phase == .discarding {
                    beginNextRequest()
                } else if phase == .exchange {
                    requestReceived(trailers: head.trailers)
                }
            }
        } catch {
            switch phase {
            case .discarding:
                // Its request has been answered, and whatever follows is none.
                linger()
            case .head:
                manner = RequestManner()
                // No other answer than one to HEAD has no body, and a client takes none for one.
                let begun = bytes.extracting(position...)
                manner.isHeadOnly = begun.count >= 5 && begun.extracting(0..<5).equals("HEAD ")
                refuse(error)
            default:
                manner.keepsAlive = false
                refuse(error)
            }
            position = bytes.count
        }
        return true
    }

    /// When the head under way began to come: with the connection, or with the first byte behind an earlier request.
    final var headBegunAt: Int64 {
        let now = worker.loop.now
        return worker.clock(of: number) == .head ? worker.clocks.start(of: number) ?? now : now
    }

    /// The head clock is absolute: it starts with the first byte, and more bytes don't extend it.
    private func headHasBegun() {
        if worker.clock(of: number) != .head { setClock(.head) }
    }

    private func take(_ content: Span<UInt8>) {
        let isTooSlow = isTooSlow(content.count)
        if phase == .discarding {
            if isTooSlow { linger() } else { discard(content.count) }
        } else if isTooSlow {
            manner.keepsAlive = false
            refuse(.contentTooSlow)
        } else {
            contentReceived(content)
        }
    }

    private func discard(_ count: Int) {
        discardedBytes += UInt32(count)
        if discardedBytes > Self.discardedBytesLimit { linger() } else { setClock(.body) }
    }

    final override func inputEnded(_ end: End) {
        switch phase {
        case .tunnel:
            if case .finished = end { tunnelInputEnded() } else { self.end() }
        case .exchange:
            if answersAfterInputEnd, case .finished = end {
                inputHasEnded = true
                return
            }
            abandon()
            self.end()
        case .head where queuedBytes > 0: linger()
        case .preamble, .head, .discarding, .lingering, .lines: self.end()
        }
    }

    final override func peerClosedWhilePaused() {
        guard phase == .exchange, !answersAfterInputEnd else { return }
        abandon()
        end()
    }

    override func deadlinePassed(_ clock: Clock) {
        switch clock {
        case .write where outputMoves(atLeast: worker.service.leastDelivered): break
        case .write, .tunnel:
            giveUp(clock == .write ? .clientTimeout : .tunnelTimeout)
            end()
        // A connection that was opened in advance and never used needs no answer that it would take for one.
        case .head where phase == .head && unreadBytes > 0:
            manner = RequestManner()
            refuse(.headTooSlow)
        case .body where phase == .exchange:
            manner.keepsAlive = false
            refuse(.contentTooSlow)
        // What stands in the socket has come in time.
        case .keepAlive where (phase == .head || phase == .preamble) && !isQuiet: setClock(.head)
        default: end()
        }
    }

    override func drain() {
        // Who has just connected has a request to send, or else did so in advance. A first byte starts the head's time.
        if isNew, unreadBytes == 0, phase == .head || phase == .preamble {
            if isQuiet { setClock(.keepAlive, lasting: Self.lastRequestTime) }
        } else {
            endIdle()
        }
    }

    /// Closes the connection between two requests, unless one has come that is not read yet: its client would be told
    /// of nothing but a broken connection.
    ///
    /// - Returns: whether it is closed.
    @discardableResult
    final func endIdle() -> Bool {
        guard isIdle, isQuiet else { return false }
        end()
        return true
    }

    // MARK: Changing hands

    /// What another process has to know of the connection itself; nil while a request or its answer is under way that
    /// is no held poll.
    final func handed(_ kind: HandedConnection.Kind, holding poll: HandedConnection.State?) -> HandedConnection? {
        guard isOpen, !inputHasEnded, !hasSendFailed else { return nil }
        let state: HandedConnection.State
        switch phase {
        case .exchange where requestHasEnded:
            guard let poll else { return nil }
            state = poll
        case .preamble, .head, .lines:
            state = .idle(isNew: isNew, hasPreamble: phase == .preamble, speaksLines: phase == .lines)
        case .exchange, .discarding, .lingering, .tunnel: return nil
        }
        var connection = HandedConnection(kind, state)
        (connection.input, connection.output) = waitingBytes
        return connection
    }

    /// Goes on where another process has stopped; a poll is taken up behind this.
    final func begin(as connection: HandedConnection) {
        switch connection.state {
        case .idle(let isNew, let hasPreamble, let speaksLines):
            self.isNew = isNew
            phase = hasPreamble ? .preamble : speaksLines ? .lines : .head
            if speaksLines {
                setClock(connection.input.isEmpty ? .tunnel : .body)
            } else if !isNew, connection.input.isEmpty {
                setClock(.keepAlive)
            }
        case .hold(let hold): beginExchange(hold.poll.manner)
        case .recheck(let recheck): beginExchange(recheck.poll.manner)
        }
        goOn(input: connection.input, output: connection.output)
        if phase != .exchange { watchOutput() }
        if queuedBytes > Self.waitingAnswersLimit { pauseReading() }
    }

    private func beginExchange(_ manner: RequestManner) {
        isNew = false
        phase = .exchange
        self.manner = manner
        setClock(nil)
    }

    /// Between two requests, with nothing under way in either direction.
    final var isIdle: Bool { phase == .head && reader.isIdle && unreadBytes == 0 && queuedBytes == 0 }
}
