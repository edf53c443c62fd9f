/// The two connections of one proxied exchange and what flows between them. What a message means and what a failure
/// leads to is `ProxyExchange`'s decision; this class moves bytes and keeps each side from running ahead of the
/// other.
///
/// Back-pressure: as soon as more than `waitingBytesLimit` wait to go out on one side, the other is not read until
/// they have left. So a direction holds at most that and one read.
import ByteText
import Gateway
import HTTP1
import Reactor

final class ProxiedExchange {
    /// Bytes that may wait on one side before the other is paused.
    static let waitingBytesLimit = 65536

    private unowned let worker: Worker
    let route: ProxyRoute
    weak var downstream: DownstreamStream?
    weak var upstream: UpstreamStream?
    private var machine: ProxyExchange
    private let method: Method
    /// The request's head as it went to the app, kept until a response begins, for a retry.
    private var requestHead: [UInt8] = []
    /// What publish rules see of it; nil: none is for it.
    private var watcher: PublishWatcher?
    var upstreamTunnelHasEnded = false
    var downstreamTunnelHasEnded = false
    /// For the access log.
    private(set) var status = 0
    private(set) var contentBytes = 0

    var asksForUpgrade: Bool { machine.asksForUpgrade }
    var isTunnel: Bool { machine.progress == .tunnel }

    init(downstream: DownstreamStream, route: ProxyRoute) {
        worker = downstream.worker
        self.route = route
        self.downstream = downstream
        machine = ProxyExchange(worker.requestHead)
        method = worker.requestHead.method
    }

    // MARK: The request

    /// Sends the head that stands in `worker.requestHead`.
    func begin() {
        guard let downstream else { return }
        watcher = worker.service.rules.watcher(worker.requestHead, client: downstream.peerText)
        worker.output.reset()
        RequestForwarding.write(
            worker.requestHead, client: RequestForwarding.Client(address: downstream.peerText),
            host: worker.service.upstreamHost, upgrading: machine.asksForUpgrade,
            uncompressed: watcher?.readsResponseContent ?? false, into: &worker.output)
        requestHead = worker.output.bytes
        // What follows an upgrade belongs to the other protocol, if there will be one (RFC 9931).
        if machine.asksForUpgrade { downstream.pauseReading() }
        connect(fresh: false)
    }

    private func connect(fresh: Bool) {
        do throws(SystemError) {
            let stream = try worker.upstreamStream(fresh: fresh)
            upstream = stream
            stream.begin(self, method: method)
            stream.send(shared: requestHead)
        } catch {
            worker.noteUpstreamError(error)
            fail(.unreachable)
        }
    }

    func requestContent(_ bytes: Span<UInt8>) {
        watcher?.requestContent(bytes)
        guard let upstream else { return }
        worker.output.reset()
        if machine.passesRequestContentBare(bytes, into: &worker.output) {
            upstream.send(bytes)
        } else {
            upstream.send(shared: worker.output.bytes)
        }
        if upstream.queuedBytes > Self.waitingBytesLimit {
            downstream?.pauseReading()
            downstream?.setClock(nil)
            upstream.watchOutput()
        } else {
            downstream?.setClock(.body)
        }
    }

    func requestEnded() {
        watcher?.requestEnded()
        worker.output.reset()
        machine.requestEnded(trailers: worker.requestHead.trailers, into: &worker.output)
        if !worker.output.bytes.isEmpty { upstream?.send(shared: worker.output.bytes) }
        downstream?.setClock(nil)
    }

    /// The app has taken what waited.
    func upstreamDrained() {
        guard let upstream else { return }
        if isTunnel || !machine.asksForUpgrade { downstream?.resumeReading() }
        if isTunnel { upstream.setClock(.tunnel) } else { upstream.setClock(.response, lasting: route.responseTimeout) }
    }

    // MARK: The response

    /// A response head stands in `worker.responseHead`.
    func responseHead() {
        switch machine.response(worker.responseHead, into: &worker.output) {
        case .interim: break
        case .final:
            status = worker.responseHead.status
            requestHead = []
            if watcher == nil {
                watcher = PublishWatcher(worker.responseHead)
            } else {
                watcher?.response(worker.responseHead)
            }
        case .tunnel:
            status = 101
            requestHead = []
            flushToDownstream()
            upstream?.setClock(.tunnel)
            downstream?.becomeTunnel()
        }
    }

    func responseContent(_ bytes: Span<UInt8>) {
        contentBytes += bytes.count
        watcher?.responseContent(bytes)
        if machine.passesResponseContentBare(bytes, into: &worker.output) {
            downstream?.send(head: worker.output.bytes, bytes)
            worker.output.reset()
        }
        slowUpstream()
    }

    /// Sends what has been written for the client in this call of the stream.
    func flushToDownstream() {
        guard !worker.output.bytes.isEmpty else { return }
        downstream?.send(shared: worker.output.bytes)
        worker.output.reset()
        slowUpstream()
    }

    /// - Parameter excess: more came than the response; the connection can't be trusted with another.
    func responseEnded(excess: Bool) {
        machine.responseEnded(trailers: worker.responseHead.trailers, into: &worker.output)
        flushToDownstream()
        let stream = upstream
        upstream = nil
        stream?.release()
        if let stream, stream.isOpen {
            if machine.keepsUpstream, !excess { worker.keepUpstream(stream) } else { stream.end() }
        }
        downstream?.proxiedExchangeEnded(self, keepsAlive: machine.keepsDownstream)
        downstream = nil
        if let publication = watcher?.responseEnded() { worker.publish(publication) }
    }

    private func slowUpstream() {
        guard let downstream, downstream.queuedBytes > Self.waitingBytesLimit else { return }
        upstream?.pauseReading()
        upstream?.setClock(nil)
        downstream.watchOutput()
    }

    /// The client has taken what waited.
    func downstreamDrained() {
        downstream?.setClock(isTunnel ? .tunnel : nil)
        guard let upstream, upstream.isPaused else { return }
        upstream.resumeReading()
        if isTunnel { upstream.setClock(.tunnel) } else { upstream.setClock(.gap, lasting: route.idleTimeout) }
    }

    // MARK: Failures

    /// The app's connection has ended before the response was complete; it is closed already.
    func upstreamFailed(_ failure: ProxyFailure) { fail(failure) }

    private func fail(_ failure: ProxyFailure) {
        let reused = upstream?.isReused ?? false
        upstream = nil
        switch machine.upstreamFailed(failure, reused: reused) {
        case .retry:
            worker.figures.retried += 1
            connect(fresh: true)
        case .answer(let failure):
            worker.figures.upstreamFailures += 1
            status = failure.status
            let downstream = downstream
            self.downstream = nil
            downstream?.answer(PlainAnswer(failure))
        case .cut:
            let downstream = downstream
            self.downstream = nil
            downstream?.cut(self)
        }
    }

    /// The client has gone: the app's work is for nobody, and its connection is closed so that it may notice. Where a
    /// publish rule watches, the work is for all who wait: once the app has the whole request its answer is waited for.
    func downstreamGone() {
        downstream = nil
        if let watcher, watcher.hasRequest, !isTunnel, let upstream {
            if upstream.isPaused { downstreamDrained() }
            return
        }
        let stream = upstream
        upstream = nil
        stream?.release()
        stream?.end()
    }
}
