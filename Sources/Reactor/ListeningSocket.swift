/// A bound and listening socket, and the calls that make one.
import CLibevent
import Glibc

package final class ListeningSocket: Sendable {
    /// Where it listens; a port 0 has been replaced by the one that the system chose.
    package let address: SocketAddress
    private let descriptor: FileDescriptor
    /// Of a Unix socket that was bound here.
    private let file: SocketFile?
    /// Somebody else has bound it and keeps it: its file, owner and mode are his, and it outlives this process.
    package let isAdopted: Bool

    var number: Int32 { descriptor.number }

    /// Binds and listens.
    ///
    /// - Parameters:
    ///   - sharesPort: several sockets may be bound to this address, and the system spreads connections over them.
    ///   - mode: permission bits of a Unix socket's file. They hold from the file's first moment on, because they are
    ///     set by the process' mask and not by a later chmod; so this is to be called before threads are started.
    /// - Throws: `SystemError`; for a Unix socket on whose path somebody listens, EADDRINUSE. A stale file is replaced.
    package init(address: SocketAddress, sharesPort: Bool, backlog: Int32 = 4096, mode: UInt32? = nil)
        throws(SystemError)
    {
        let descriptor = try Self.makeSocket(family: address.family)
        let number = descriptor.number
        switch address {
        case .unix(let path):
            try Self.removeStaleFile(at: path, address)
            let previous = mode.map { umask(~$0 & 0o777) }
            defer { if let previous { _ = umask(previous) } }
            try Self.bind(number, address)
        case .ipv6, .ipv4:
            Self.enable(number, SOL_SOCKET, SO_REUSEADDR)
            if sharesPort { Self.enable(number, SOL_SOCKET, SO_REUSEPORT) }
            try Self.bind(number, address)
        }
        guard Glibc.listen(number, backlog) == 0 else { throw SystemError("listen") }
        self.address = Self.localAddress(number)
        self.descriptor = consume descriptor
        file = if case .unix(let path) = address { SocketFile(at: path) } else { nil }
        isAdopted = false
    }

    /// Goes on with a listening socket that this process was started with, and which no process gets that it starts.
    package init(adopting descriptor: consuming FileDescriptor) throws(SystemError) {
        let number = descriptor.number
        let flags = fcntl(number, F_GETFL)
        guard flags >= 0, fcntl(number, F_SETFL, flags | O_NONBLOCK) == 0, fcntl(number, F_SETFD, FD_CLOEXEC) == 0
        else { throw SystemError("fcntl") }
        address = Self.localAddress(number)
        self.descriptor = descriptor
        file = nil
        isAdopted = true
    }

    /// Goes on with a listening socket of another process of this program, which lets go of it.
    ///
    /// - Parameter isAdopted: it is neither process', but somebody else's who keeps it.
    package init(lent descriptor: consuming FileDescriptor, isAdopted: Bool) {
        address = Self.localAddress(descriptor.number)
        self.descriptor = descriptor
        file = if case .unix(let path) = address, !isAdopted { SocketFile(at: path) } else { nil }
        self.isAdopted = isAdopted
    }

    /// The descriptor's number, to be lent to another process.
    package var lentNumber: Int32 { descriptor.number }

    /// What has become of a Unix socket's file; nil for an address that has none, or none of ours.
    package var fileState: SocketFile.State? { file?.state }

    /// Removes a Unix socket's file, unless another one stands in its place.
    package func removeFile() {
        if case .unix(let path) = address, file?.state == .ours { unsafe _ = unlink(path) }
    }

    /// Fails with EADDRINUSE if somebody listens on `address`. Sockets that share a port would not notice: a second
    /// process of the same user would silently take a part of the first one's connections.
    package static func requireFree(_ address: SocketAddress) throws(SystemError) {
        let probe = try makeSocket(family: address.family)
        enable(probe.number, SOL_SOCKET, SO_REUSEADDR)
        try bind(probe.number, address)
    }

    static func makeSocket(family: Int32) throws(SystemError) -> FileDescriptor {
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let number = socket(family, kind, 0)
        guard number >= 0 else { throw SystemError("socket") }
        return FileDescriptor(owning: number)
    }

    private static func bind(_ number: Int32, _ address: SocketAddress) throws(SystemError) {
        guard unsafe address.withSystemForm({ unsafe Glibc.bind(number, $0, $1) }) == 0 else {
            throw SystemError("bind")
        }
    }

    static func enable(_ number: Int32, _ level: Int32, _ option: Int32) {
        var on: Int32 = 1
        unsafe _ = setsockopt(number, level, option, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Removes a socket file that nobody listens on. Any other file stays, and bind then says that the path is taken.
    private static func removeStaleFile(at path: String, _ address: SocketAddress) throws(SystemError) {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else { throw SystemError("bind", code: EADDRINUSE) }
        let probe = try makeSocket(family: AF_UNIX)
        let number = probe.number
        let result = unsafe address.withSystemForm { unsafe Glibc.connect(number, $0, $1) }
        // A live listener takes the connect, or has a full backlog; only "refused" proves that nobody is there.
        guard result != 0, errno == ECONNREFUSED else { throw SystemError("bind", code: EADDRINUSE) }
        guard unsafe unlink(path) == 0 else { throw SystemError("unlink") }
    }

    static func localAddress(_ number: Int32) -> SocketAddress {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        unsafe _ = withUnsafeMutablePointer(to: &storage) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe getsockname(number, address, &length)
            }
        }
        return SocketAddress(systemForm: storage, length: length)
    }
}
