/// What clients may have of this process: counted over all workers, refused with an answer, and told in the log once in
/// a while.
import Gateway
import HTTP1
import Logging
import Reactor

extension Worker {
    /// Whether a poll may be held.
    enum Admission {
        /// `key` is to be given back when the poll is over.
        case admitted(key: ClientKey)
        case refused(PlainAnswer)
    }

    /// Counts a connection for its client.
    ///
    /// - Returns: what to give back when it ends; nil: the client has as many as it may have.
    func admitConnection(of peer: Peer) -> ClientKey? {
        guard let limit = service.clientLimits.connections else { return .nobody }
        let key = service.clientLimits.connection(of: peer, service.forwarding)
        if key == .nobody || server.takeConnection(key, limit: limit) { return key }
        figures.connectionsRefused += 1
        if let count = clientNotice.happened(now: loop.now) {
            log.warning(
                "a client has more connections than limits.connections_per_client",
                metadata: ["client": "\(peer.address)", "count": "\(count)"])
        }
        return nil
    }

    /// Counts a connection for its client, however many it has.
    func countConnection(of peer: Peer) -> Bool {
        guard service.clientLimits.connections != nil else { return false }
        let key = service.clientLimits.connection(of: peer, service.forwarding)
        return key != .nobody && server.takeConnection(key, limit: .max)
    }

    func giveBackConnection(_ key: ClientKey) {
        if key != .nobody { server.giveBackConnection(key) }
    }

    /// Counts a poll for its client, before anything is kept of it.
    func admitPoll(_ head: borrowing RequestHead, of client: ClientAddress) -> Admission {
        if refusesPolls {
            figures.pollsRefusedInAll += 1
            return .refused(.pollsExceeded)
        }
        let (key, limit) = service.clientLimits.poll(head, of: client, service.forwarding)
        if key == .nobody || server.takePoll(key, limit: limit) { return .admitted(key: key) }
        figures.pollsRefusedOfClient += 1
        if let count = clientNotice.happened(now: loop.now) {
            log.warning(
                "a client has more polls than limits.polls_per_client; a proxy that asks for many belongs into trusted",
                metadata: ["client": "\(client)", "count": "\(count)"])
        }
        return .refused(.clientPollsExceeded)
    }

    func giveBackPoll(_ key: ClientKey) {
        if key != .nobody { server.giveBackPoll(key) }
    }
}
