/// Names to addresses, by the system's resolver. It blocks, so it is for the start and for threads that may wait.
import CLibevent
import Glibc

extension SocketAddress {
    /// The first address that the system knows for `host`.
    ///
    /// - Throws: `SystemError` named `getaddrinfo`: ENOENT for a name that nobody knows, EAGAIN if no server answered.
    package static func resolve(host: String, port: UInt16) throws(SystemError) -> SocketAddress {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = unsafe getaddrinfo(host, String(port), &hints, &list)
        guard code == 0, let first = unsafe list, let address = unsafe first.pointee.ai_addr else {
            throw SystemError("getaddrinfo", code: code == EAI_AGAIN ? EAGAIN : ENOENT)
        }
        defer { unsafe freeaddrinfo(list) }
        var storage = sockaddr_storage()
        let length = unsafe min(Int(first.pointee.ai_addrlen), MemoryLayout<sockaddr_storage>.size)
        unsafe withUnsafeMutableBytes(of: &storage) { bytes in
            unsafe bytes.copyMemory(from: UnsafeRawBufferPointer(start: address, count: length))
        }
        return unsafe SocketAddress(systemForm: storage, length: first.pointee.ai_addrlen)
    }
}
