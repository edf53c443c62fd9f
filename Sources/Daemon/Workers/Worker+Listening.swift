/// Where a worker's connections come in, and when none are taken for a while.
import ConfigFile
import Gateway
import Logging
import Reactor

extension Worker {
    /// Nanoseconds between two looks for room while accepting is paused.
    private static let acceptPause: Int64 = 50_000_000

    func listen(on sockets: ListeningSockets.Share) {
        for (socket, listen) in sockets.clients {
            listeners.append(
                Listener(loop: loop, socket: socket) { [unowned self] outcome in
                    accept(outcome) {
                        let stream = DownstreamStream(
                            worker: self, socket: $0, peer: Peer(ClientAddress($1), isSecure: listen.isSecure),
                            hasProxyHeader: listen.proxyProtocol)
                        if !listen.proxyProtocol { stream.admit() }
                    }
                    if server.connectionCount >= service.connectionsLimit {
                        pauseAccepting("the connection limit is reached")
                    }
                })
        }
        // Publishers and operators come in also when clients have taken all places; the reserve is theirs.
        controlListener = sockets.control.map { socket in
            Listener(loop: loop, socket: socket) { [unowned self] outcome in
                accept(outcome) { socket, _ in _ = ControlStream(worker: self, socket: socket) }
            }
        }
        // So do those who ask whether clients are to be sent here; they are few by a limit of their own.
        adminListener = sockets.admin.map { socket in
            Listener(loop: loop, socket: socket) { [unowned self] outcome in
                accept(outcome) { socket, _ in AdminStream(worker: self, socket: socket).admit() }
            }
        }
    }

    /// Who already waits on a socket that is replaced is served first.
    func listenAnew(on sockets: ListeningSockets.Share) {
        guard !isDraining else { return }
        let previous = listeners + [controlListener, adminListener].compactMap { $0 }
        for listener in previous { listener.becameReady([]) }
        for listener in previous { listener.pause() }
        listeners = []
        listen(on: sockets)
        if acceptPausedUntil != nil { for listener in listeners { listener.pause() } }
    }

    private func accept(
        _ outcome: consuming Listener.Outcome, _ makeStream: (consuming StreamSocket, SocketAddress) -> Void
    ) {
        switch consume outcome {
        case .connection(let socket, let peer):
            figures.accepted += 1
            makeStream(socket, peer)
        case .exhausted(let error):
            pauseAccepting("\(error)")
        }
    }

    /// Who comes now waits in the system's backlog until a connection has ended.
    private func pauseAccepting(_ reason: String) {
        guard acceptPausedUntil == nil else { return }
        figures.acceptPauses += 1
        log.warning("accepting is paused: \(reason)", metadata: ["connections": "\(server.connectionCount)"])
        for listener in listeners { listener.pause() }
        acceptPausedUntil = loop.now + Self.acceptPause
    }

    /// The limit is the process', so another worker's connections may have made room: it is looked at now and then.
    func resumeAccepting() {
        guard let until = acceptPausedUntil, loop.now >= until else { return }
        // These are not under the limit, but they have paused themselves if no descriptor was left.
        adminListener?.resume()
        if !isDraining { controlListener?.resume() }
        guard server.connectionCount < service.connectionsLimit, !isDraining else {
            acceptPausedUntil = loop.now + Self.acceptPause
            return
        }
        acceptPausedUntil = nil
        for listener in listeners { listener.resume() }
    }

    /// A connection was to begin with a PROXY header and didn't.
    func notePreambleRefused(_ reason: String) {
        figures.preamblesRefused += 1
        guard let count = preambleNotice.happened(now: loop.now) else { return }
        log.warning("connections without a valid PROXY header were closed: \(reason)", metadata: ["count": "\(count)"])
    }
}
