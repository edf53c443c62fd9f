/// System calls on a socket's number that take pointers.
import CLibevent
import Glibc

enum SocketCalls {
    /// The error that the socket keeps for its owner, or 0; asking takes it away.
    static func pendingError(_ number: Int32) -> Int32 { option(number, SO_ERROR) }

    /// What an option of SOL_SOCKET is; 0 if the system doesn't say.
    static func option(_ number: Int32, _ name: Int32) -> Int32 {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        unsafe _ = getsockopt(number, SOL_SOCKET, name, &value, &length)
        return value
    }

    /// Sends two pieces by one call.
    ///
    /// - Parameter joined: where both are put together if they fit: one piece is taken in faster than a list.
    /// - Returns: how many bytes the system took, or -1 with `errno`.
    static func send(
        _ number: Int32, _ first: UnsafeBufferPointer<UInt8>, _ second: UnsafeBufferPointer<UInt8>,
        joined: UnsafeMutableRawBufferPointer
    ) -> Int {
        if second.isEmpty { return unsafe Glibc.send(number, first.baseAddress, first.count, Int32(MSG_NOSIGNAL)) }
        let count = first.count + second.count
        if count <= joined.count {
            unsafe joined.copyMemory(from: UnsafeRawBufferPointer(first))
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: joined[first.count...])
            unsafe rest.copyMemory(from: UnsafeRawBufferPointer(second))
            return unsafe Glibc.send(number, joined.baseAddress, count, Int32(MSG_NOSIGNAL))
        }
        var parts = unsafe (
            iovec(iov_base: UnsafeMutableRawPointer(mutating: first.baseAddress), iov_len: first.count),
            iovec(iov_base: UnsafeMutableRawPointer(mutating: second.baseAddress), iov_len: second.count)
        )
        return unsafe withUnsafeMutableBytes(of: &parts) { parts in
            var message = unsafe msghdr()
            unsafe message.msg_iov = parts.baseAddress?.assumingMemoryBound(to: iovec.self)
            unsafe message.msg_iovlen = 2
            return unsafe sendmsg(number, &message, Int32(MSG_NOSIGNAL))
        }
    }
}
