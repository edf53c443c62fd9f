/// The file by which a Unix socket is found. Others can take it away or put another one in its place, and the socket
/// goes on listening for nobody.
import CLibevent
import Glibc

package struct SocketFile: Sendable {
    package enum State: Sendable {
        case ours
        /// There is no file.
        case gone
        /// There is one, but not the one that was bound.
        case foreign
    }

    private let path: String
    private let identity: Identity?

    /// A number of a file is given again once the file has gone, so the time is compared too; a change of owner or mode
    /// leaves it.
    private struct Identity: Equatable {
        let device: dev_t
        let number: ino_t
        let seconds: Int
        let nanoseconds: Int

        init?(_ path: String) {
            var status = stat()
            guard unsafe lstat(path, &status) == 0 else { return nil }
            device = status.st_dev
            number = status.st_ino
            seconds = status.st_mtim.tv_sec
            nanoseconds = status.st_mtim.tv_nsec
        }
    }

    /// The file that a socket has just been bound to.
    init(at path: String) {
        self.path = path
        identity = Identity(path)
    }

    var state: State {
        guard let now = Identity(path) else { return .gone }
        return now == identity ? .ours : .foreign
    }
}
