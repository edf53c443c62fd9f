/// One operating-system thread with a name, started with a closure and joined at the end.
import CLibevent
import Glibc

package final class LoopThread: Sendable {
    private let thread: pthread_t

    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// - Parameters:
    ///   - name: shown by `top -H`; Linux keeps 15 bytes.
    ///   - run: what the thread does; the thread ends with it.
    /// - Throws: `SystemError` when the system starts no thread.
    package init(name: String, run: @escaping @Sendable () -> Void) throws(SystemError) {
        var thread = pthread_t()
        let body = unsafe Unmanaged.passRetained(Body(run))
        let code = unsafe pthread_create(
            &thread, nil,
            { context in
                if let context = unsafe context {
                    unsafe Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run()
                }
                return nil
            }, body.toOpaque())
        guard code == 0 else {
            unsafe body.release()
            throw SystemError("pthread_create", code: code)
        }
        unsafe _ = pthread_setname_np(thread, String(name.prefix(15)))
        self.thread = thread
    }

    /// Waits until the thread has ended. To be called once.
    package func join() {
        _ = pthread_join(thread, nil)
    }
}
