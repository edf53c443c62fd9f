/// Sends datagrams to a Unix socket that somebody else reads, and never waits for him.
import CLibevent
import Glibc

package final class DatagramSender: Sendable {
    /// Where a Unix socket is found.
    package enum Place: Equatable, Sendable {
        case path(String)
        /// A name without a file (unix(7)), without its leading NUL.
        case abstract(String)
    }

    private let descriptor: FileDescriptor
    private let place: Place

    /// - Precondition: a path is at most `SocketAddress.unixPathBytesLimit` bytes long, a name one less, since its NUL
    ///   counts, and the system needs none behind it.
    package init(to place: Place) throws(SystemError) {
        let kind = Int32(SOCK_DGRAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let number = socket(AF_UNIX, kind, 0)
        guard number >= 0 else { throw SystemError("socket") }
        descriptor = FileDescriptor(owning: number)
        self.place = place
    }

    /// Sends one datagram, whole or not at all.
    ///
    /// - Returns: false if the reader's queue is full.
    package func send(_ text: String) throws(SystemError) -> Bool {
        let (bytes, number) = (Array(text.utf8), descriptor.number)
        let sent = FileDescriptor.retryingInterrupts {
            unsafe withSystemForm { address, length in
                unsafe bytes.withUnsafeBytes { bytes in
                    unsafe sendto(number, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL), address, length)
                }
            }
        }
        if sent < 0, errno == EAGAIN { return false }
        guard sent == bytes.count else { throw SystemError("sendto") }
        return true
    }

    private func withSystemForm(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Int) -> Int {
        switch place {
        case .path(let path): return unsafe SocketAddress.unix(path: path).withSystemForm { unsafe body($0, $1) }
        case .abstract(let name):
            // The same form with a NUL in front; the length ends the name, and a NUL behind it would be a part of it.
            return unsafe SocketAddress.unix(path: "\0" + name).withSystemForm { unsafe body($0, $1 - 1) }
        }
    }
}
