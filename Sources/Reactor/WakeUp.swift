/// A bell between threads without a loop: one waits, others ring; rings that nobody waited for yet are kept as one.
import CLibevent
import Glibc

package struct WakeUp: ~Copyable, Sendable {
    private let descriptor: FileDescriptor

    /// - Throws: `SystemError` when no descriptor is left.
    package init() throws(SystemError) {
        let number = eventfd(0, Int32(EFD_CLOEXEC))
        guard number >= 0 else { throw SystemError("eventfd") }
        descriptor = FileDescriptor(owning: number)
    }

    package func ring() { _ = eventfd_write(descriptor.number, 1) }

    /// Blocks the calling thread until the bell has rung since the last wait.
    package func wait() {
        var count: eventfd_t = 0
        while unsafe eventfd_read(descriptor.number, &count) == -1, errno == EINTR {}
    }
}
