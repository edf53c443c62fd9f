import Foundation

/// The real program, started for one test in a directory of its own and ended with it.
final class PollholdProcess {
    let directory: TemporaryDirectory
    let process: Process
    let errors: LineCollector
    private(set) var port: UInt16 = 0

    var socketPath: String { directory.path + "/control.sock" }
    var configurationPath: String { directory.path + "/pollhold.yaml" }
    /// Of the process that serves.
    var pid: Int32 { lock.withLock { successors.last } ?? process.processIdentifier }
    private let lock = NSLock()
    /// Processes that have taken its place, one after the other.
    private var successors: [Int32] = []

    /// How large the heavy tests are; below 1 under sanitizers.
    static let scale = ProcessInfo.processInfo.environment["POLLHOLD_TEST_SCALE"].flatMap(Double.init) ?? 1

    /// The program that was built with this test.
    static let binary: String = {
        if let path = ProcessInfo.processInfo.environment["POLLHOLD_BINARY"] { return path }
        let own =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
        return URL(filePath: own).deletingLastPathComponent().appending(path: "pollhold").path
    }()

    /// Starts it and waits until it says that it is ready.
    ///
    /// - Parameters:
    ///   - configuration: YAML; `SOCKET` and `DIRECTORY` in it stand for the test's own.
    ///   - launcher: words before the program, e.g. a shell that lowers a limit.
    ///   - arguments: words behind the program's own.
    ///   - given: what it is given as a service manager gives it, two at most.
    init(
        _ configuration: String, launcher: [String] = [], in directory: TemporaryDirectory? = nil,
        arguments: [String] = [], given: [BoundSocket] = []
    ) throws {
        self.directory = try directory ?? TemporaryDirectory()
        process = Process()
        let command =
            launcher + Self.activation(given.count)
            + [Self.binary, "serve", "--config", self.directory.path + "/pollhold.yaml"] + arguments
        process.executableURL = URL(filePath: command[0])
        process.arguments = Array(command.dropFirst())
        process.standardInput = FileHandle.nullDevice
        if given.count > 0 { process.standardInput = FileHandle(fileDescriptor: given[0].descriptor) }
        if given.count > 1 { process.standardOutput = FileHandle(fileDescriptor: given[1].descriptor) }
        let pipe = Pipe()
        process.standardError = pipe
        errors = LineCollector(pipe.fileHandleForReading)
        try write(configuration)
        try withExtendedLifetime(given) { try process.run() }
        try? pipe.fileHandleForWriting.close()
        guard errors.wait(for: { $0.contains(" ready") || $0.contains("\"ready\"") }) else {
            throw TestFailure("it is not ready: \(errors.text)")
        }
        port =
            errors.lines.compactMap { line in
                line.firstRange(of: "listening on 127.0.0.1:").flatMap {
                    UInt16(line[$0.upperBound...].prefix { $0.isNumber })
                }
            }.first ?? 0
    }

    /// A shell that puts its input and its output where the manager's descriptors stand, and becomes the program, so
    /// that its own number is the program's. Variables that are set already stay.
    private static func activation(_ count: Int) -> [String] {
        guard count > 0 else { return [] }
        let script =
            "export LISTEN_PID=${LISTEN_PID:-$$} LISTEN_FDS=${LISTEN_FDS:-\(count)}; exec \"$@\" 3<&0 "
            + (count > 1 ? "4<&1 1>/dev/null " : "") + "0</dev/null"
        return ["/bin/sh", "-c", script, "sh"]
    }

    deinit {
        for successor in successors.reversed() { kill(successor, SIGKILL) }
        if process.isRunning {
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
        // Nobody here is told of their ends but by the pipe that they share.
        if !successors.isEmpty { errors.waitForEnd() }
    }

    /// Lets another process take its place.
    @discardableResult
    func upgrade() throws -> TestResponse {
        let reply = try control("POST", "/upgrade")
        if let successor = reply.json["process"] as? Int { note(successor: Int32(successor)) }
        return reply
    }

    /// Another process serves, and is to be ended with the test.
    func note(successor: Int32) { lock.withLock { successors.append(successor) } }

    func write(_ configuration: String) throws {
        let text = configuration.replacing("SOCKET", with: socketPath).replacing("DIRECTORY", with: directory.path)
        try text.write(toFile: configurationPath, atomically: true, encoding: .utf8)
    }

    func signal(_ number: Int32) { kill(pid, number) }

    /// Stops it, until it is told to go on.
    func stop() throws {
        signal(SIGSTOP)
        try waitUntil("it stands still") {
            let text = try String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
            return text.split(separator: ")").last?.hasPrefix(" T") ?? false
        }
    }

    /// Of the process that was started first.
    func waitForExit() -> Int32 {
        process.waitUntilExit()
        return process.terminationStatus
    }

    /// Resident memory that is this process' own and comes from no file, in bytes. Pages of the program itself are left
    /// out: they count as private or shared depending on what other tests run.
    var privateBytes: Int {
        let text = (try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("RssAnon:") }
        return (line?.split { !$0.isNumber }.first.flatMap { Int($0) } ?? 0) * 1024
    }

    /// User and system time so far, in seconds.
    var processorSeconds: Double {
        let text = (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)) ?? ""
        let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return 0 }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    var descriptors: Int { (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").count) ?? 0 }

    /// Asks the control socket until `condition` holds of a channel's `waiting`.
    func waitForWaiting(_ channel: String, _ condition: (Int) -> Bool) throws {
        try waitUntil("polls wait on \(channel)") {
            let reply = try control("GET", "/channels/\(channel)")
            return condition(reply.status == 404 ? 0 : reply.json["waiting"] as? Int ?? 0)
        }
    }

    /// One request on a fresh connection to the control socket.
    func control(_ method: String, _ target: String, body: String? = nil, fields: [String: String] = [:]) throws
        -> TestResponse
    {
        let client = try TestClient(unix: socketPath)
        return try client.request(method, target, body: body.map { Array($0.utf8) }, fields: fields)
    }

    /// Publishes text that is JSON.
    @discardableResult
    func publish(_ channel: String, _ data: String) throws -> TestResponse {
        try control("POST", "/publish?channel=\(channel)", body: data, fields: ["Content-Type": "application/json"])
    }
}

/// Asks for a state until it holds; a product that never gets there fails the test.
func waitUntil(_ what: String, seconds: Double = 20, _ condition: () throws -> Bool) throws {
    let end = Date().addingTimeInterval(seconds)
    while try !condition() {
        guard Date() < end else { throw TestFailure("never: \(what)") }
        sched_yield()
        poll(nil, 0, 2)
    }
}

struct TestFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// A directory that goes with the test.
final class TemporaryDirectory {
    let path: String

    init() throws {
        var template = Array("/tmp/pollhold-e2e-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw TestFailure("no temporary directory") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// Lines that a process writes, collected on a thread.
final class LineCollector: @unchecked Sendable {
    private let condition = NSCondition()
    private var collected = ""
    private var hasEnded = false

    init(_ handle: FileHandle) {
        let descriptor = fcntl(handle.fileDescriptor, F_DUPFD_CLOEXEC, 0)
        Thread.detachNewThread { [self] in
            var buffer = [UInt8](repeating: 0, count: 65536)
            while true {
                let count = read(descriptor, &buffer, buffer.count)
                if count <= 0 { break }
                condition.withLock {
                    collected += String(decoding: buffer[..<count], as: UTF8.self)
                    condition.broadcast()
                }
            }
            close(descriptor)
            condition.withLock {
                hasEnded = true
                condition.broadcast()
            }
        }
    }

    var text: String { condition.withLock { collected } }
    var lines: [String] { text.split(separator: "\n").map(String.init) }

    /// Blocks until a line passes `test`.
    ///
    /// - Returns: false if the process ended before.
    func wait(for test: (String) -> Bool, seconds: Double = 30) -> Bool {
        let end = Date().addingTimeInterval(seconds)
        return condition.withLock {
            while true {
                if collected.split(separator: "\n").contains(where: { test(String($0)) }) { return true }
                if hasEnded || !condition.wait(until: end) { return false }
            }
        }
    }

    func waitForEnd() { condition.withLock { while !hasEnded { condition.wait() } } }
}
