import Foundation
import Testing

/// What a service manager hears of a process.
struct SystemdTests {
    @Test(arguments: [false, true]) func `it tells the start, reloads and the end`(isAbstract: Bool) throws {
        let manager = try NotifySocket(isAbstract: isAbstract)
        let pollhold = try PollholdProcess(
            PollTests.configuration(), launcher: ["/usr/bin/env", "NOTIFY_SOCKET=\(manager.name)"])
        #expect(!pollhold.errors.text.contains("service manager"), "\(pollhold.errors.text)")
        #expect(try manager.next() == ["READY=1", "STATUS=serving"])
        pollhold.signal(SIGHUP)
        let reloading = try manager.next()
        #expect(reloading.first == "RELOADING=1")
        let told = try #require(Int64(reloading[1].trimmingPrefix("MONOTONIC_USEC=")))
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        #expect(abs(Int64(now.tv_sec) * 1_000_000 - told) < 60_000_000)
        #expect(try manager.next() == ["READY=1", "STATUS=serving"])
        try pollhold.write("listen: nonsense\nupstream: http://127.0.0.1:9\n")
        pollhold.signal(SIGHUP)
        #expect(try manager.next().first == "RELOADING=1")
        let refused = try manager.next()
        #expect(refused.first == "READY=1")
        #expect(refused.last?.contains("a reload was refused: ") == true)
        #expect(refused.last?.contains("pollhold.yaml:1:9") == true)
        pollhold.signal(SIGTERM)
        #expect(try manager.next() == ["STOPPING=1", "EXTEND_TIMEOUT_USEC=31000000", "STATUS=draining"])
        #expect(pollhold.waitForExit() == 0)
    }

    @Test func `it tells each step of the end, with the time that it may take`() throws {
        let manager = try NotifySocket(isAbstract: false)
        let pollhold = try PollholdProcess(
            PollTests.configuration(more: "timeouts: { drain: 20s, drain_notice: 600s }"),
            launcher: ["/usr/bin/env", "NOTIFY_SOCKET=\(manager.name)"])
        #expect(try manager.next().first == "READY=1")
        pollhold.signal(SIGTERM)
        #expect(
            try manager.next() == ["STOPPING=1", "EXTEND_TIMEOUT_USEC=621000000", "STATUS=leaving, and serving on"])
        // A reload that is refused because of that does not make it ready again.
        pollhold.signal(SIGHUP)
        #expect(pollhold.errors.wait { $0.contains("this process is ending; nothing is reloaded") })
        pollhold.signal(SIGTERM)
        #expect(try manager.next() == ["STOPPING=1", "EXTEND_TIMEOUT_USEC=21000000", "STATUS=draining"])
        #expect(pollhold.waitForExit() == 0)
    }

    @Test func `a watchdog hears of it as long as all workers answer`() throws {
        let manager = try NotifySocket(isAbstract: false)
        // The shell's own number is the program's, which it becomes.
        let script = "WATCHDOG_PID=$$ exec \"$@\""
        let pollhold = try PollholdProcess(
            PollTests.configuration(),
            launcher: [
                "/usr/bin/env", "NOTIFY_SOCKET=\(manager.name)", "WATCHDOG_USEC=100000", "/bin/sh", "-c", script, "sh",
            ])
        #expect(try manager.next().first == "READY=1")
        for _ in 0..<3 { #expect(try manager.next() == ["WATCHDOG=1"]) }
        pollhold.signal(SIGTERM)
        #expect(pollhold.waitForExit() == 0)
    }

    @Test func `a manager that does not listen is told of in the log, and it serves`() throws {
        let pollhold = try PollholdProcess(
            PollTests.configuration(), launcher: ["/usr/bin/env", "NOTIFY_SOCKET=/nowhere/notify"])
        #expect(pollhold.errors.wait { $0.contains("the service manager does not hear: sendto") })
        #expect(try pollhold.control("GET", "/status").status == 200)
    }

    @Test func `a manager that is busy hears it later`() throws {
        let manager = try NotifySocket(isAbstract: false)
        let others = try manager.fill()
        let pollhold = try PollholdProcess(
            PollTests.configuration(), launcher: ["/usr/bin/env", "NOTIFY_SOCKET=\(manager.name)"])
        pollhold.signal(SIGHUP)
        #expect(pollhold.errors.wait { $0.contains("configuration reloaded") })
        for _ in 0..<others { #expect(try manager.next() == ["other"]) }
        #expect(try manager.next() == ["READY=1", "STATUS=serving"])
        #expect(try manager.next().first == "RELOADING=1")
        #expect(try manager.next().first == "READY=1")
        #expect(!pollhold.errors.text.contains("does not hear"))
    }
}

/// The socket on which a service manager listens.
final class NotifySocket {
    private let directory: TemporaryDirectory
    private let descriptor: Int32
    /// As it stands in the environment.
    let name: String
    private var form = sockaddr_un()
    private let length: socklen_t

    init(isAbstract: Bool) throws {
        directory = try TemporaryDirectory()
        let path = directory.path + "/notify"
        name = isAbstract ? "@" + path : path
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw TestFailure("no socket") }
        form.sun_family = sa_family_t(AF_UNIX)
        let bytes = (isAbstract ? [0] : []) + Array(path.utf8)
        withUnsafeMutableBytes(of: &form.sun_path) { $0.copyBytes(from: bytes) }
        length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
        guard withForm({ bind(descriptor, $0, length) }) == 0 else { throw TestFailure("bind: \(errno)") }
    }

    deinit { close(descriptor) }

    private func withForm(_ body: (UnsafePointer<sockaddr>) -> Int32) -> Int32 {
        withUnsafePointer(to: &form) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0) } }
    }

    /// The next message's lines.
    func next(within seconds: Double = 20) throws -> [String] {
        let end = Date().addingTimeInterval(seconds)
        while true {
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            if count > 0 {
                return String(decoding: buffer[..<count], as: UTF8.self).split(separator: "\n").map(String.init)
            }
            guard count < 0, errno == EAGAIN || errno == EINTR else { throw TestFailure("recv: \(count), \(errno)") }
            let left = end.timeIntervalSinceNow
            guard left > 0 else { throw TestFailure("no message in \(seconds) s") }
            var events = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            poll(&events, 1, Int32(left * 1000) + 1)
        }
    }

    /// Sends messages of others until there is no room for one.
    ///
    /// - Returns: how many that were.
    func fill() throws -> Int {
        let sender = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { close(sender) }
        guard sender >= 0 else { throw TestFailure("no socket") }
        var count = 0
        while withForm({ Int32(sendto(sender, "other", 5, Int32(MSG_DONTWAIT), $0, length)) }) == 5 { count += 1 }
        guard errno == EAGAIN, count > 0 else { throw TestFailure("sendto: \(errno)") }
        return count
    }
}
