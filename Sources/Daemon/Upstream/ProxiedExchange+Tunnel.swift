/// After 101: bytes in, bytes out, both ways, until either side ends.
import Gateway
import Reactor

extension ProxiedExchange {
    /// The client's bytes behind its request, once the app has agreed.
    func tunnelFromDownstream(_ bytes: Span<UInt8>) {
        guard let upstream else { return }
        record.requestBytes += bytes.count
        upstream.send(bytes)
        if upstream.queuedBytes > Self.waitingBytesLimit { downstream?.pauseReading() }
        setTunnelClocks()
    }

    func tunnelFromUpstream(_ bytes: Span<UInt8>) {
        guard let downstream else { return }
        record.contentBytes += bytes.count
        downstream.send(bytes)
        if downstream.queuedBytes > Self.waitingBytesLimit { upstream?.pauseReading() }
        setTunnelClocks()
    }

    /// A tunnel is idle when neither side speaks.
    private func setTunnelClocks() {
        upstream?.setClock(.tunnel)
        downstream?.setClock(.tunnel)
    }

    /// The client sends no more: the app is told, and the tunnel ends when the app has ended too.
    func downstreamTunnelEnded() {
        downstreamTunnelHasEnded = true
        upstream?.finishSending()
        endTunnelIfBothEnded()
    }

    func upstreamTunnelEnded() {
        upstreamTunnelHasEnded = true
        downstream?.finishSending()
        endTunnelIfBothEnded()
    }

    private func endTunnelIfBothEnded() {
        guard downstreamTunnelHasEnded, upstreamTunnelHasEnded else { return }
        let (down, up) = (downstream, upstream)
        upstream = nil
        up?.release()
        up?.endBehindOutput()
        downstreamGone()
        record.end = .complete
        down?.proxiedExchangeEnded(self, keepsAlive: false)
    }
}
