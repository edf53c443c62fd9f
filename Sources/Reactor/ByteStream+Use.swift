/// What a stream is for those who use it beside its bytes: how it ends, whether it is quiet, and how it changes hands.
import CLibevent
import Glibc

extension ByteStream {
    /// How a stream's input ended.
    public enum End {
        /// The peer said that it sends no more (FIN).
        case finished
        /// The connection broke (RST, a timeout of the system, a failed connect).
        case failed(SystemFailure)
    }

    /// A `SystemError` in a form that an open class may name.
    public struct SystemFailure {
        package let error: SystemError
    }

    /// Whether the socket has neither bytes nor an end to tell of. One system call, for a stream that has been idle and
    /// is about to carry something that must not be sent twice.
    package final var isQuiet: Bool {
        let number = descriptorNumber
        guard number >= 0 else { return false }
        var byte: UInt8 = 0
        let flags = Int32(MSG_PEEK) | Int32(MSG_DONTWAIT)
        let count = FileDescriptor.retryingInterrupts { unsafe recv(number, &byte, 1, flags) }
        return count < 0 && errno == EAGAIN
    }

    package final func send(_ bytes: Span<UInt8>) { send(bytes, Span()) }

    /// The same with a head that stands in an array.
    package final func send(head: [UInt8], _ content: Span<UInt8>) { send(head.span, content) }

    /// Sends bytes of an array that the caller goes on using, a scratch.
    package final func send(copying bytes: [UInt8]) { send(bytes.span, Span()) }

    // MARK: Changing hands

    /// Neither reads nor sends nor learns of an end, until `wake` or `takeDescriptor`.
    package final func sleep() { unregister() }

    package final func wake() {
        guard isOpen, !isRegistered else { return }
        // Registering anew tells of all that has happened meanwhile.
        register()
        lendAgain()
    }

    /// The descriptor's number, to be lent; nil if it has been closed.
    package final var lentNumber: Int32? { isOpen ? descriptorNumber : nil }
}
