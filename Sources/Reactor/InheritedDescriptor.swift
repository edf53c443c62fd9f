/// What a descriptor is that this process was started with.
import CLibevent
import Glibc

package enum InheritedDescriptor: Equatable, Sendable {
    /// A socket of TCP or a Unix socket for streams, and its address.
    case listening(SocketAddress)
    case notOpen
    case noSocket
    /// Neither IPv4 nor IPv6 nor Unix.
    case foreignFamily
    case noStream
    case notListening

    /// Lets no process that this one starts have what it has inherited but the standard three, whatever numbers they
    /// have. To be called before anything is opened that is to be handed to one.
    package static func closeAllOnExec() {
        guard let directory = unsafe opendir("/proc/self/fd") else { return }
        defer { unsafe _ = closedir(directory) }
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            // Links to itself and to its parent are none.
            guard let number = Int32(name), number > 2 else { continue }
            let flags = fcntl(number, F_GETFD)
            if flags >= 0 { _ = fcntl(number, F_SETFD, flags | FD_CLOEXEC) }
        }
    }

    package init(_ number: Int32) {
        var status = stat()
        if unsafe fstat(number, &status) != 0 {
            self = .notOpen
        } else if status.st_mode & S_IFMT != S_IFSOCK {
            self = .noSocket
        } else if ![AF_INET, AF_INET6, AF_UNIX].contains(SocketCalls.option(number, SO_DOMAIN)) {
            self = .foreignFamily
        } else if SocketCalls.option(number, SO_TYPE) != Int32(SOCK_STREAM.rawValue) {
            self = .noStream
        } else if SocketCalls.option(number, SO_ACCEPTCONN) != 1 {
            self = .notListening
        } else {
            self = .listening(ListeningSocket.localAddress(number))
        }
    }
}
