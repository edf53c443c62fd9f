/// A worker's connections to the app's servers that wait for their next exchange. The one used last goes first: it is
/// the least likely to have been closed by the server meanwhile.
import Reactor

struct UpstreamConnections {
    /// By server.
    private var idle: [[UpstreamStream]] = []
    private(set) var idleCount = 0

    /// A connection that may be used again, if one waits for this server.
    mutating func take(for server: Int) -> UpstreamStream? {
        guard server < idle.count, let stream = idle[server].popLast() else { return nil }
        idleCount -= 1
        return stream
    }

    /// Keeps a connection, unless as many wait already.
    ///
    /// - Returns: false if it is not kept.
    mutating func keep(_ stream: UpstreamStream, limit: Int) -> Bool {
        while idle.count <= stream.lease.server { idle.append([]) }
        guard idle[stream.lease.server].count < limit else { return false }
        idle[stream.lease.server].append(stream)
        idleCount += 1
        return true
    }

    /// The connection has closed. O(idle).
    mutating func forget(_ stream: UpstreamStream) {
        let server = stream.lease.server
        guard server < idle.count, let index = idle[server].lastIndex(where: { $0 === stream }) else { return }
        idle[server].remove(at: index)
        idleCount -= 1
    }

    /// Takes all out, for a drain or another group of servers.
    mutating func takeAll() -> [UpstreamStream] {
        defer { self = UpstreamConnections() }
        return idle.flatMap { $0 }
    }
}
