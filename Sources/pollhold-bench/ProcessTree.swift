/// A server's processes as the system sees them: their processor time and their memory.
import Foundation

struct ProcessTree {
    /// The process that was started, and all that descend from it.
    let members: [Int32]

    /// The processes that live now under these.
    init(roots: [Int32]) {
        var parents: [Int32: Int32] = [:]
        let numbers = SystemText.names(in: "/proc").compactMap { Int32($0) }
        for number in numbers { parents[number] = Self.parent(of: number) }
        var members = roots
        var next = 0
        while next < members.count {
            members += numbers.filter { parents[$0] == members[next] && !members.contains($0) }
            next += 1
        }
        self.members = members
    }

    private static func parent(of process: Int32) -> Int32? {
        let text = SystemText.file("/proc/\(process)/stat")
        guard let fields = text.split(separator: ")").last?.split(separator: " "), fields.count > 1
        else { return nil }
        return Int32(fields[1])
    }

    /// User and system time of all so far, in nanoseconds. Read from each process' own clock: what /proc/PID/stat says
    /// is the same sum in steps of ten milliseconds, too coarse for one wave of answers.
    var processorTime: Int64 { members.reduce(0) { $0 + Self.processorTime(of: $1) } }

    static func processorTime(of process: Int32) -> Int64 {
        var clock = clockid_t()
        var time = timespec()
        guard unsafe clock_getcpuclockid(process, &clock) == 0, unsafe clock_gettime(clock, &time) == 0 else {
            return 0
        }
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// Whether every thread of them waits for something: none runs, and none would if it got a processor.
    var isWaiting: Bool {
        for process in members {
            for thread in SystemText.names(in: "/proc/\(process)/task") {
                let fields = SystemText.file("/proc/\(process)/task/\(thread)/stat").split(separator: ")").last
                if fields?.split(separator: " ").first == "R" { return false }
            }
        }
        return true
    }

    /// Memory of all in bytes, pages that are shared counted in parts (PSS).
    var memoryBytes: Int { members.reduce(0) { $0 + Self.sum(of: "Pss:", in: "/proc/\($1)/smaps_rollup") } }

    /// Resident memory of all in bytes.
    var residentBytes: Int { members.reduce(0) { $0 + Self.sum(of: "VmRSS:", in: "/proc/\($1)/status") } }

    /// Memory that the kernel has in use for TCP sockets, in bytes; of the whole machine.
    static var tcpBufferBytes: Int {
        let text = SystemText.file("/proc/net/sockstat")
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("TCP:") }),
            let pages = line.split(separator: " ").last.flatMap({ Int($0) })
        else { return 0 }
        return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
    }

    /// Memory that the kernel has in its slabs, in bytes: sockets, files, epoll items; of the whole machine.
    static var slabBytes: Int { sum(of: "Slab:", in: "/proc/meminfo") }

    /// A line of a file in /proc that gives KiB.
    private static func sum(of name: String, in path: String) -> Int {
        SystemText.file(path).split(separator: "\n").reduce(0) { sum, line in
            guard line.hasPrefix(name) else { return sum }
            return sum + (line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 1024
        }
    }
}

/// Descriptors that this process may have, once the soft limit is raised to the hard one.
func raiseDescriptorLimit() -> Int {
    var limit = rlimit()
    let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    guard unsafe getrlimit(resource, &limit) == 0 else { return 1024 }
    limit.rlim_cur = limit.rlim_max
    _ = unsafe setrlimit(resource, &limit)
    return Int(clamping: limit.rlim_cur)
}
