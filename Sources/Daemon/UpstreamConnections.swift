/// A worker's connections to the app that wait for their next exchange. The one used last goes first: it is the least
/// likely to have been closed by the app meanwhile.
import Reactor

struct UpstreamConnections {
    private var idle: [UpstreamStream] = []

    var idleCount: Int { idle.count }

    /// A connection that may be used again, if one waits.
    mutating func take() -> UpstreamStream? { idle.popLast() }

    /// Keeps a connection, unless as many wait already.
    ///
    /// - Returns: false if it is not kept.
    mutating func keep(_ stream: UpstreamStream, limit: Int) -> Bool {
        guard idle.count < limit else { return false }
        idle.append(stream)
        return true
    }

    /// The connection has closed. O(idle).
    mutating func forget(_ stream: UpstreamStream) {
        if let index = idle.lastIndex(where: { $0 === stream }) { idle.remove(at: index) }
    }

    /// Takes all out, for a drain or a changed upstream.
    mutating func takeAll() -> [UpstreamStream] {
        let all = idle
        idle = []
        return all
    }
}
