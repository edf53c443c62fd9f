/// A value that several threads use, behind a lock of the system.
///
/// Why not the standard library's `Mutex`: the thread sanitizer knows `pthread_mutex` and not that one, and would
/// report every use of a guarded value. A lock that can be checked is worth the allocation.
import CLibevent
import Glibc

// Unchecked: that the value is used under the lock alone is what this class is for, and the compiler can't see it.
@safe package final class Guarded<Value>: @unchecked Sendable {
    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let value = UnsafeMutablePointer<Value>.allocate(capacity: 1)

    package init(_ initial: sending Value) {
        let code = unsafe pthread_mutex_init(lock, nil)
        precondition(code == 0, "a lock of the default kind needs nothing that could be missing")
        unsafe value.initialize(to: initial)
    }

    deinit {
        unsafe value.deinitialize(count: 1)
        unsafe value.deallocate()
        unsafe pthread_mutex_destroy(lock)
        unsafe lock.deallocate()
    }

    /// Runs `body` alone on the value. It must not use this same lock again.
    package func withLock<Result, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        unsafe pthread_mutex_lock(lock)
        defer { unsafe pthread_mutex_unlock(lock) }
        return try unsafe body(&value.pointee)
    }
}
