/// After 101: bytes in, bytes out, both ways, until either side ends.
import Reactor

extension ProxiedExchange {
    /// The client's bytes behind its request, once the app has agreed.
    func tunnelFromDownstream(_ bytes: Span<UInt8>) {
        guard let upstream else { return }
        upstream.send(bytes)
        if upstream.queuedBytes > Self.waitingBytesLimit { downstream?.pauseReading() }
        upstream.setClock(.tunnel)
    }

    func tunnelFromUpstream(_ bytes: Span<UInt8>) {
        guard let downstream else { return }
        downstream.send(bytes)
        if downstream.queuedBytes > Self.waitingBytesLimit { upstream?.pauseReading() }
        downstream.setClock(.tunnel)
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
        downstreamGone()
        up?.end()
        down?.proxiedExchangeEnded(self, keepsAlive: false)
    }
}
