/// A stream socket without a loop: accepted, connected, or with a connect under way that the loop will report.
import CLibevent
import Glibc

package struct StreamSocket: ~Copyable {
    private let descriptor: FileDescriptor
    package let isConnecting: Bool

    var number: Int32 { descriptor.number }

    /// Takes over a connected, non-blocking socket.
    package init(accepted descriptor: consuming FileDescriptor) {
        self.descriptor = descriptor
        isConnecting = false
    }

    /// Begins a connect that does not block.
    ///
    /// - Throws: `SystemError` of `connect`, e.g. ECONNREFUSED or ENOENT for a Unix socket where nobody listens.
    package init(to address: SocketAddress) throws(SystemError) {
        let descriptor = try ListeningSocket.makeSocket(family: address.family)
        let number = descriptor.number
        if !address.isUnix { Self.disableDelay(number) }
        let result = unsafe address.withSystemForm { unsafe Glibc.connect(number, $0, $1) }
        guard result == 0 || errno == EINPROGRESS else { throw SystemError("connect") }
        self.descriptor = descriptor
        isConnecting = result != 0
    }

    consuming func takeDescriptor() -> FileDescriptor { descriptor }

    /// Small writes leave at once: each of ours is a whole answer or all that there is of one.
    static func disableDelay(_ number: Int32) { ListeningSocket.enable(number, Int32(IPPROTO_TCP), TCP_NODELAY) }
}
