/// What a core dump of this process may show: nothing of its memory, since messages, cookies and credentials of users
/// pass through it. Threads and registers are still told, which is what a backtrace begins with.
import Glibc

enum CoreDump {
    /// core(5): of all mappings only ELF headers are written, which name the build. Unlike a limit on the dump's size
    /// this also holds where dumps are piped to a collector. It does nothing where the system has no such file.
    static func leaveOutMemory() {
        let file = unsafe open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { return }
        unsafe _ = write(file, "0x10", 4)
        close(file)
    }
}
