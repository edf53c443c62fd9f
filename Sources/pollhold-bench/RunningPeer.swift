/// A server that runs for one measurement, in a directory of its own that goes with it.
import Foundation
import Reactor

final class RunningPeer {
    let kind: PeerKind
    let place: PeerPlace
    private(set) var tree = ProcessTree(roots: [])
    private let origin: Origin?
    private var processes: [Process] = []

    /// Starts it and waits until it takes connections.
    ///
    /// - Parameters:
    ///   - origin: the app behind it, for those that need one.
    ///   - launcher: words before the command, e.g. valgrind.
    ///   - program: in the place of the server's own.
    ///   - sync: Pollhold's pool is in a file too, with this durability.
    init(
        _ kind: PeerKind, workers: Int = 1, origin: Origin? = nil, launcher: [String] = [],
        program: String? = nil, sync: String? = nil
    ) throws {
        self.kind = kind
        self.origin = origin
        let directory = try Self.makeDirectory()
        place = PeerPlace(
            directory: directory, port: try freePort(), secondPort: try freePort(), originPort: origin?.port ?? 9,
            workers: workers, descriptors: raiseDescriptorLimit(),
            pool: sync.map { "  store: \(directory)/pool\n  sync: \($0)" } ?? "")
        let launch = kind.launch(at: place)
        for (name, text) in launch.files {
            try (text + "\n").write(toFile: directory + "/" + name, atomically: false, encoding: .utf8)
        }
        do {
            for var command in launch.commands {
                if let program { command[0] = program }
                processes.append(try startProcess(launcher + command, in: directory))
            }
            try waitUntilReady()
            // A connect proves that somebody listens, not yet that whoever will serve has been forked.
            try waitUntil("\(kind.rawValue) has all its processes") {
                tree = ProcessTree(roots: processes.map(\.processIdentifier))
                return tree.members.count >= kind.processCount(workers: workers)
            }
        } catch {
            stop()
            throw error
        }
    }

    deinit { stop() }

    private static func makeDirectory() throws -> String {
        // Not below TMPDIR: sockets stand in it, whose paths have no room for a long one.
        var template = Array("/tmp/pollhold-bench-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { throw BenchError("there is no temporary directory") }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private func waitUntilReady() throws {
        var addresses = [address]
        if kind.holdsPolls { addresses.append(publishAddress) }
        for address in addresses {
            try waitUntil("\(kind.rawValue) takes connections at \(address)") {
                guard processes.allSatisfy(\.isRunning) else {
                    let log = SystemText.file(place.directory + "/output")
                    throw BenchError("\(kind.rawValue) has ended: \(log.suffix(500))")
                }
                return canConnect(to: address)
            }
        }
        // Its parts take connections before they have found one another, and polls that come then are refused.
        if kind == .pushpin { usleep(1_500_000) }
    }

    var address: SocketAddress { loopback(place.port) }

    var publishAddress: SocketAddress {
        kind == .pushpin ? loopback(place.secondPort) : .unix(path: place.socket)
    }

    /// Ends it and takes its directory away.
    func stop() {
        for process in processes.reversed() where process.isRunning { process.terminate() }
        for process in processes {
            let end = Date().addingTimeInterval(3)
            while process.isRunning, Date() < end { usleep(5000) }
            if process.isRunning { kill(process.processIdentifier, SIGKILL) }
            process.waitUntilExit()
        }
        processes = []
        do {
            try FileManager.default.removeItem(atPath: place.directory)
        } catch {
            // It is there no more, or it stays; neither changes a figure.
        }
    }

    /// Ends it by a signal and leaves what it wrote; for tools that write at the end.
    func finish() {
        for process in processes where process.isRunning { process.terminate() }
        for process in processes { process.waitUntilExit() }
    }
}

/// The app that proxies stand in front of.
final class Origin {
    let port: UInt16
    private let process: Process

    init() throws {
        let port = try freePort()
        self.port = port
        process = try startProcess([PeerKind.bareLoop.program, "origin", "\(port)"], in: "/tmp")
        try waitUntil("the app takes connections") { canConnect(to: loopback(port)) }
    }

    deinit {
        process.terminate()
        process.waitUntilExit()
    }
}

func loopback(_ port: UInt16) -> SocketAddress { .ipv4(0x7F00_0001, port: port) }

/// A port that nobody listens on at this moment.
private func freePort() throws -> UInt16 {
    let socket = try ListeningSocket(address: loopback(0), sharesPort: false)
    return socket.address.port ?? 0
}

/// - Parameter directory: gets what the process writes, in `output`, if it is its own.
private func startProcess(_ command: [String], in directory: String) throws -> Process {
    let process = Process()
    process.executableURL = URL(filePath: command[0])
    process.arguments = Array(command.dropFirst())
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    if directory != "/tmp" {
        let path = directory + "/output"
        if !FileManager.default.fileExists(atPath: path) { try Data().write(to: URL(filePath: path)) }
        if let file = FileHandle(forWritingAtPath: path) {
            file.seekToEndOfFile()
            process.standardOutput = file
            process.standardError = file
        }
    }
    try process.run()
    return process
}

/// Looks every few milliseconds, for a minute: long, because a server may run under a tool that makes it slow.
private func waitUntil(_ what: String, _ condition: () throws -> Bool) throws {
    for _ in 0..<12000 {
        if try condition() { return }
        usleep(5000)
    }
    throw BenchError("never came to be: \(what)")
}

/// Whether somebody accepts connections there.
private func canConnect(to address: SocketAddress) -> Bool {
    switch address {
    case .unix(let path):
        guard FileManager.default.fileExists(atPath: path) else { return false }
        do throws(SystemError) {
            _ = try StreamSocket(to: address)
            return true
        } catch {
            return false
        }
    case .ipv4(_, let port), .ipv6(_, _, _, let port):
        // A connect that is under way proves nothing, so this one waits.
        let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard number >= 0 else { return false }
        defer { close(number) }
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return unsafe withUnsafePointer(to: &name) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(number, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
