/// A listening socket on a loop: it accepts what comes, a bounded number a turn, and hands each connection on.
import CLibevent
import Glibc

public final class Listener: EventSource {
    /// Connections taken in one readiness; the rest wait for the next turn.
    private static let acceptsPerTurn = 64

    /// What accepting led to.
    package enum Outcome: ~Copyable {
        case connection(StreamSocket, peer: SocketAddress)
        /// No descriptor or memory is left (EMFILE, ENFILE, ENOBUFS, ENOMEM). The listener has paused itself.
        case exhausted(SystemError)
    }

    private let socket: ListeningSocket
    private let accepted: (consuming Outcome) -> Void
    package private(set) var isPaused = false

    /// - Parameters:
    ///   - socket: what to accept from. It may be shared by the loops of several threads.
    ///   - accepted: called on the loop for each connection.
    package init(loop: EventLoop, socket: ListeningSocket, accepted: @escaping (consuming Outcome) -> Void) {
        self.socket = socket
        self.accepted = accepted
        super.init(loop: loop, descriptor: socket.number, interests: [.read, .persistent])
        register()
    }

    package var address: SocketAddress { socket.address }

    /// Stops accepting; the system's backlog holds who comes meanwhile.
    package func pause() {
        isPaused = true
        unregister()
    }

    package func resume() {
        guard isPaused else { return }
        isPaused = false
        register()
    }

    public override func becameReady(_ readiness: Readiness) {
        for _ in 0..<Self.acceptsPerTurn {
            guard !isPaused else { return }
            var storage = sockaddr_storage()
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let number = unsafe withUnsafeMutablePointer(to: &storage) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                    unsafe accept4(
                        socket.number, address, &length, Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue))
                }
            }
            if number >= 0 {
                let peer = SocketAddress(systemForm: storage, length: length)
                if !peer.isUnix { StreamSocket.disableDelay(number) }
                accepted(.connection(StreamSocket(accepted: FileDescriptor(owning: number)), peer: peer))
                continue
            }
            switch errno {
            case EAGAIN: return
            case EMFILE, ENFILE, ENOBUFS, ENOMEM:
                pause()
                accepted(.exhausted(SystemError("accept4")))
                return
            default: continue  // the peer has gone before we took it
            }
        }
    }
}
