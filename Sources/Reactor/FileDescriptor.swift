/// A descriptor that has exactly one owner and is closed when that owner lets go of it.
import CLibevent
import Glibc

package struct FileDescriptor: ~Copyable, Sendable {
    /// The number, for calls that borrow it. It is dead as soon as this value is.
    package let number: Int32

    /// Takes ownership of `number`, an open descriptor.
    package init(owning number: Int32) {
        precondition(number >= 0, "a failed call's result is no descriptor")
        self.number = number
    }

    deinit {
        // Linux releases the number whatever close() answers; asking again would close somebody else's.
        _ = Glibc.close(number)
    }

    /// The number, which is from then on the caller's to close.
    consuming func intoNumber() -> Int32 {
        let number = number
        discard self
        return number
    }

    /// Calls `body` again as long as it is interrupted by a signal.
    ///
    /// - Returns: the call's result, -1 for an error that stands in `errno`.
    static func retryingInterrupts(_ body: () -> Int) -> Int {
        while true {
            let result = body()
            if result != -1 || errno != EINTR { return result }
        }
    }
}
