/// Where a worker's connections come in, and when none are taken for a while.
import ConfigFile
import Gateway
import Logging
import Reactor

extension Worker {
    /// Nanoseconds between two looks for room while accepting is paused.
    private static let acceptPause: Int64 = 50_000_000
    /// Nanoseconds for which a client's connection must have been idle to be closed for the sake of others. Pages poll
    /// again within less, and find theirs.
    private static let idleAtLeast: Int64 = 5_000_000_000
    /// Idle connections that are closed at one look.
    private static let shedAtOnce = 16
    /// Nanoseconds between two times that other workers are asked for room.
    private static let askingPause: Int64 = 1_000_000_000

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
        if let count = pauseNotice.happened(now: loop.now) {
            log.warning(
                "accepting is paused: \(reason)",
                metadata: ["connections": "\(server.connectionCount)", "count": "\(count)"])
        }
        for listener in listeners { listener.pause() }
        makeRoom()
        acceptPausedUntil = loop.now + Self.acceptPause
    }

    /// At a limit, connections on which nothing happens are the first that go: each is closed between two requests,
    /// which its client expects at any time, and makes room for one that wants something.
    ///
    /// - Returns: whether there was one here.
    @discardableResult
    func shedIdle() -> Bool {
        // What is idle then is another process' to close.
        guard !handover.stage.isParting else { return false }
        var hasShed = false
        let kind = DeadlineTable.Kind(index: Clock.keepAlive.rawValue)
        let idle = clocks.longest(kind, atLeast: Self.idleAtLeast, now: loop.now, limit: Self.shedAtOnce)
        for number in idle {
            guard let stream = streams[number] as? DownstreamStream, stream.endIdle() else { continue }
            figures.shedConnections += 1
            hasShed = true
        }
        return hasShed
    }

    /// The limit is the process', and who waits here may have to have the place of one that is idle at another worker.
    private func makeRoom() {
        guard !shedIdle(), loop.now >= askedForRoomAt + Self.askingPause else { return }
        askedForRoomAt = loop.now
        hub.tellAll(.makeRoom)
    }

    /// The limit is the process', so another worker's connections may have made room: it is looked at now and then.
    func resumeAccepting() {
        guard let until = acceptPausedUntil, loop.now >= until, !handover.stage.isParting else { return }
        // These are not under the limit, but they have paused themselves if no descriptor was left.
        adminListener?.resume()
        if !isDraining, handover.stage == .serving { controlListener?.resume() }
        guard server.connectionCount < service.connectionsLimit, !isDraining else {
            makeRoom()
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
