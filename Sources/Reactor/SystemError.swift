/// What the operating system answered when a call failed: the call's name and its errno.
import CLibevent
import Glibc

package struct SystemError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Name of the system call, e.g. `bind`.
    package let call: String
    /// The errno value.
    package let code: Int32

    package init(_ call: String, code: Int32 = errno) {
        // These two can only be our own fault, a descriptor used after its close or a wild pointer. Going on would
        // touch somebody else's connection.
        precondition(code != EBADF && code != EFAULT, "\(call) was called with a dead descriptor or address")
        self.call = call
        self.code = code
    }

    package var description: String { "\(call): \(reason)" }

    /// The system's sentence for the code, without the call's name.
    package var reason: String { unsafe String(cString: strerror(code)) }
}
