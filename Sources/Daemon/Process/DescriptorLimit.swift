/// How many descriptors the process may have, raised to the hard limit at the start.
import Glibc

enum DescriptorLimit {
    /// Descriptors kept free of clients: the loops' own, logs, the control socket, and room to open connections to
    /// the app while every client's place is taken.
    static let reserve = 64

    /// Raises the soft limit to the hard one.
    ///
    /// - Returns: the limit that now holds.
    static func raise() -> Int {
        var limit = rlimit()
        guard unsafe getrlimit(Int32(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
        let before = limit.rlim_cur
        limit.rlim_cur = limit.rlim_max
        if unsafe setrlimit(Int32(RLIMIT_NOFILE.rawValue), &limit) != 0 { limit.rlim_cur = before }
        return Int(clamping: limit.rlim_cur)
    }
}
