/// A connection to one of the app's servers: carries one exchange at a time and waits in the worker's pool between two.
import ByteText
import Gateway
import HTTP1
import Reactor

final class UpstreamStream: WorkerStream {
    private var reader = ResponseReader()
    /// The exchange under way; nil while the connection is idle.
    private(set) var exchange: ProxiedExchange?
    /// It has carried an exchange before, so it may have died while idle.
    private var isReused = false
    private(set) var isConnected = false
    /// Some of the response that is awaited has come, so the app has taken the request.
    private var hasBegunToAnswer = false
    private var endsBehindOutput = false
    let group: UpstreamGroup
    /// Of the exchange for which it was opened: the server and where that was.
    let lease: UpstreamGroup.Lease

    init(worker: Worker, socket: consuming StreamSocket, group: UpstreamGroup, lease: UpstreamGroup.Lease) {
        isConnected = !socket.isConnecting
        self.group = group
        self.lease = lease
        super.init(worker: worker, socket: socket)
    }

    /// Gives the connection to an exchange.
    func begin(_ exchange: ProxiedExchange, method: Method) {
        self.exchange = exchange
        reader.awaitResponse(to: method, upgrade: exchange.asksForUpgrade)
    }

    /// Whether it may have died while it waited, before it took the request under way.
    var mayHaveDiedIdle: Bool { isReused && !hasBegunToAnswer }

    /// Takes the connection from its exchange, complete or not.
    func release() {
        exchange = nil
        isReused = true
    }

    /// Ends as soon as the app has taken what waits.
    func endBehindOutput() {
        if queuedBytes == 0 { return end() }
        endsBehindOutput = true
        watchOutput()
    }

    // MARK: The stream's calls

    override func connected() {
        isConnected = true
        exchange?.upstreamConnected()
    }

    override func received(_ bytes: Span<UInt8>) -> Int {
        guard exchange != nil else {
            if endsBehindOutput { return bytes.count }
            // Whatever an idle connection says belongs to nobody: a late end, a 408, a response that nobody asked for.
            end()
            return bytes.count
        }
        var position = 0
        // Taken out for the call, as in ServerStream.
        var head = ResponseHead()
        swap(&head, &worker.responseHead)
        defer { swap(&head, &worker.responseHead) }
        worker.output.reset()
        // No byte would come behind a pause for an end that needs none.
        while isOpen, !isPaused || reader.isAtEnd, let exchange {
            if exchange.isTunnel {
                exchange.tunnelFromUpstream(bytes.extracting(position...))
                return bytes.count
            }
            do throws(ResponseError) {
                let event = try reader.next(
                    bytes, &position, head: &head, limits: worker.service.responseLimits)
                if case .needsMore = event { break }
                take(event, bytes, head, exchange, hasExcess: position < bytes.count)
            } catch {
                // What came before the fault is passed on; nothing else may stand in the scratch.
                exchange.flushToDownstream()
                end()
                exchange.upstreamFailed(.malformedResponse)
            }
        }
        exchange?.flushToDownstream()
        exchange?.setUpstreamClock()
        return position
    }

    private func take(
        _ event: ResponseEvent, _ bytes: Span<UInt8>, _ head: borrowing ResponseHead, _ exchange: ProxiedExchange,
        hasExcess: Bool
    ) {
        switch event {
        case .needsMore: break
        case .interimHead, .switchingProtocols, .head: exchange.responseHead(head)
        case .content(let range): exchange.responseContent(bytes.extracting(range))
        case .end: exchange.responseEnded(trailers: head.trailers, excess: hasExcess)
        }
    }

    override func outputDrained() {
        if endsBehindOutput { end() } else { exchange?.upstreamDrained() }
    }

    override func inputEnded(_ end: End) {
        guard let exchange else {
            if endsBehindOutput, case .finished = end { return }
            return self.end()
        }
        if exchange.isTunnel {
            if case .finished = end { return exchange.upstreamTunnelEnded() }
            self.end()
            return exchange.upstreamFailed(.disconnected)
        }
        if !isConnected {
            self.end()
            return exchange.upstreamFailed(.unreachable)
        }
        hasBegunToAnswer = !reader.isUntouched
        var isComplete = false
        if case .finished = end {
            do throws(ResponseError) { isComplete = try reader.endOfInput() } catch {}
        }
        if isComplete {
            worker.output.reset()
            exchange.responseEnded(trailers: FieldLines(), excess: true)
        } else {
            self.end()
            exchange.upstreamFailed(.disconnected)
        }
    }

    override func deadlinePassed(_ clock: Clock) {
        if clock == .write, outputMoves() { return }
        let exchange = exchange
        end()
        switch clock {
        case .connect: exchange?.upstreamFailed(.connectTimeout)
        case .response, .gap, .write, .tunnel: exchange?.upstreamFailed(.responseTimeout)
        default: break
        }
    }

    override func ended() { worker.upstream.forget(self) }

    override func drain() {
        if exchange == nil { end() }
    }
}
