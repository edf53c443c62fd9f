import Foundation
import Testing

/// Sockets that a service manager has bound; the test plays the manager.
struct ActivationTests {
    static func configuration(_ listen: String, more: String = "control: { socket: SOCKET }") -> String {
        """
        listen: \(listen)
        upstream: http://127.0.0.1:9
        workers: 2
        routes: [{ path: /poll, hold: { channels: "{query.channel}", allow: [news] } }]
        \(more)
        """
    }

    /// A request with an answer that needs no app.
    static let quick = "/poll?channel=other"

    /// Starts the program, which is to refuse what it is given.
    ///
    /// - Returns: what it says.
    static func refusal(_ configuration: String, given: [BoundSocket], launcher: [String] = []) throws -> String {
        do {
            _ = try PollholdProcess(configuration, launcher: launcher, given: given)
        } catch let failure as TestFailure {
            return failure.description
        }
        throw TestFailure("it has started")
    }

    @Test func `clients and publishers come in by sockets that were given, and their files stay as they are`() throws {
        let directory = try TemporaryDirectory()
        let clients = try BoundSocket(.ipv4)
        let control = try BoundSocket(.unix(directory.path + "/control.sock"))
        chmod(directory.path + "/control.sock", 0o604)
        let pollhold = try PollholdProcess(
            Self.configuration(clients.name), in: directory, given: [clients, control])
        #expect(pollhold.errors.text.contains("listening on \(clients.name), given by the service manager"))
        #expect(pollhold.errors.text.contains("control.sock, given by the service manager"))
        let poll = try PollTests().held(pollhold, "/poll?channel=news&after=now", on: "news")
        try pollhold.publish("news", "1")
        #expect(try poll.response().ids == ["1"])
        for number in 3...4 {
            let text = try String(contentsOfFile: "/proc/\(pollhold.pid)/fdinfo/\(number)", encoding: .utf8)
            let flags = try #require(text.firstMatch(of: /flags:\s+([0-7]+)/).flatMap { Int32($0.1, radix: 8) })
            #expect(flags & O_CLOEXEC != 0)
            #expect(flags & O_NONBLOCK != 0)
        }
        let changed = "control: { socket: SOCKET, mode: \"0600\", group: \"\(getgid())\" }"
        #expect(try ReloadTests.reload(pollhold, Self.configuration(clients.name, more: changed)).status == 200)
        #expect(pollhold.errors.wait { $0.contains("control.owner and control.group count for nothing") })
        pollhold.signal(SIGTERM)
        #expect(pollhold.waitForExit() == 0)
        var status = stat()
        #expect(stat(directory.path + "/control.sock", &status) == 0)
        #expect(status.st_mode & 0o777 == 0o604)
    }

    @Test func `an address of IPv6 and one of Unix are known again, however they are written`() throws {
        let directory = try TemporaryDirectory()
        let six = try BoundSocket(.ipv6)
        let unix = try BoundSocket(.unix(directory.path + "/clients"))
        let pollhold = try PollholdProcess(
            Self.configuration("[\"[0:0::1]:\(six.port)\", \"unix:DIRECTORY/clients\"]"), in: directory,
            given: [unix, six])
        #expect(pollhold.errors.text.contains("listening on [::1]:\(six.port), given"))
        #expect(try TestClient(unix: directory.path + "/clients").request("GET", Self.quick).status == 403)
    }

    @Test func `each of more sockets than workers is accepted from`() throws {
        let first = try BoundSocket(.ipv4, sharesPort: true)
        let second = try BoundSocket(.ipv4, sharesPort: true, port: first.port)
        let pollhold = try PollholdProcess(
            Self.configuration(first.name).replacing("workers: 2", with: "workers: 1"),
            given: [first, second])
        // The system takes one of both by the client's port.
        for _ in 0..<32 {
            #expect(try TestClient(port: pollhold.port).request("GET", Self.quick).status == 403)
        }
    }

    @Test func `who connects while no process serves is answered by the next one`() throws {
        let directory = try TemporaryDirectory()
        let clients = try BoundSocket(.ipv4)
        let control = try BoundSocket(.unix(directory.path + "/control.sock"))
        let given = [clients, control]
        let configuration = Self.configuration(clients.name)
        var waiting: [TestClient] = []
        func begin() throws {
            for _ in 0..<20 {
                let client = try TestClient(port: clients.port)
                try client.start("GET", Self.quick)
                waiting.append(client)
            }
        }
        try begin()
        for _ in 0..<3 {
            let publisher = try TestClient(unix: directory.path + "/control.sock")
            try publisher.start("POST", "/publish?channel=news", body: Array("x".utf8))
            let pollhold = try PollholdProcess(configuration, in: directory, given: given)
            for client in waiting { #expect(try client.response().status == 403) }
            #expect(try publisher.response().status == 200)
            waiting = []
            pollhold.signal(SIGTERM)
            #expect(pollhold.waitForExit() == 0)
            try begin()
        }
    }

    @Test func `nobody is refused while processes follow one another`() throws {
        let clients = try BoundSocket(.ipv4)
        let port = clients.port
        let done = Barrier()
        let tally = Tally()
        Thread.detachNewThread {
            while !tally.isOver {
                let start = Date()
                do {
                    let client = try TestClient(port: port)
                    // A process that ends may close a connection that has not asked yet; a client asks again.
                    if let answer = try? client.request("GET", Self.quick) {
                        if answer.status == 403 { tally.answered() } else { tally.failed("\(answer.status)") }
                    } else if Date().timeIntervalSince(start) > 10 {
                        tally.failed("nobody has accepted it")
                    }
                } catch {
                    tally.failed("\(error)")
                }
            }
            done.open()
        }
        let configuration = Self.configuration(clients.name, more: "")
        for _ in 0..<4 {
            let before = tally.answers
            let pollhold = try PollholdProcess(configuration, given: [clients])
            try waitUntil("some are answered") { tally.answers > before + 5 }
            pollhold.signal(SIGTERM)
            #expect(pollhold.waitForExit() == 0)
        }
        let last = try PollholdProcess(configuration, given: [clients])
        tally.end()
        #expect(done.wait())
        #expect(tally.failures == [])
        withExtendedLifetime(last) {}
    }

    @Test func `a reload lets go of a given socket, and gets it back with those who waited`() throws {
        let clients = try BoundSocket(.ipv4)
        let both = Self.configuration("[\"\(clients.name)\", \"unix:DIRECTORY/a\"]")
        let pollhold = try PollholdProcess(both, given: [clients])
        let held = try PollTests().held(pollhold, "/poll?channel=news&after=now", on: "news")
        // What stays is the same socket.
        #expect(try ReloadTests.reload(pollhold, Self.configuration(clients.name)).status == 200)
        #expect(try TestClient(port: clients.port).request("GET", Self.quick).status == 403)
        #expect(try ReloadTests.reload(pollhold, Self.configuration("\"unix:DIRECTORY/a\"")).status == 200)
        #expect(pollhold.errors.wait { $0.contains("who connects to \(clients.name) waits") })
        let waiting = try TestClient(port: clients.port)
        try waiting.start("GET", Self.quick)
        #expect(try ReloadTests.unixClient(pollhold, "a").request("GET", Self.quick).status == 403)
        #expect(!waiting.hasInput)
        #expect(try ReloadTests.reload(pollhold, both).status == 200)
        #expect(try waiting.response().status == 403)
        try pollhold.publish("news", "1")
        #expect(try held.response().ids == ["1"])
    }

    @Test func `the admin listener can be given`() throws {
        let admin = try BoundSocket(.ipv4)
        let pollhold = try PollholdProcess(
            Self.configuration("\"unix:DIRECTORY/a\"", more: "admin: { listen: \"\(admin.name)\" }"),
            given: [admin])
        #expect(try TestClient(port: admin.port).request("GET", "/health").status == 200)
        withExtendedLifetime(pollhold) {}
    }

    // MARK: Refusals

    @Test func `a socket that no listener wants is named with those that are wanted`() throws {
        let wanted = try BoundSocket(.ipv4)
        let other = try BoundSocket(.ipv4)
        let said = try Self.refusal(
            Self.configuration(wanted.name), given: [wanted, other],
            launcher: ["/usr/bin/env", "LISTEN_FDNAMES=web:other"])
        #expect(said.contains("descriptor 4 (other) of the service manager: \(other.name); expected"))
        #expect(said.contains("\(wanted.name) (listen)"))
        #expect(said.contains("(control.socket)"))
    }

    @Test func `what is no listening socket is said to be none`() throws {
        let packets = try BoundSocket(.ipv4, kind: SOCK_DGRAM)
        let silent = try BoundSocket(.ipv4, listens: false)
        let said = try Self.refusal(
            Self.configuration("127.0.0.1:0"), given: [packets, silent])
        #expect(said.contains("descriptor 3 of the service manager: a socket for datagrams or packets; expected"))
        #expect(said.contains("descriptor 4 of the service manager: a connection, or a socket that does not listen"))
        let file = try BoundSocket(none: "/dev/null")
        #expect(
            try Self.refusal(Self.configuration("127.0.0.1:0"), given: [file]).contains(
                "descriptor 3 of the service manager: it is no socket; expected"))
        let claimed = try Self.refusal(
            Self.configuration(try BoundSocket(.ipv4).name), given: [file],
            launcher: ["/usr/bin/env", "LISTEN_FDS=2000000000"])
        #expect(claimed.contains("descriptor 4 of the service manager: it is not open"))
        #expect(
            try Self.refusal(
                Self.configuration("127.0.0.1:0"), given: [file], launcher: ["/usr/bin/env", "LISTEN_FDS=one"]
            ).contains("LISTEN_FDS is one; expected the number of descriptors"))
    }

    @Test func `what was meant for another process is left alone`() throws {
        let other = try BoundSocket(.ipv4)
        let pollhold = try PollholdProcess(
            Self.configuration("127.0.0.1:0"), launcher: ["/usr/bin/env", "LISTEN_PID=1"], given: [other])
        #expect(try TestClient(port: pollhold.port).request("GET", Self.quick).status == 403)
        #expect(!pollhold.errors.text.contains("given by"))
    }
}

/// What clients on another thread have seen.
private final class Tally: @unchecked Sendable {
    private let lock = NSLock()
    private var state = (answers: 0, failures: [String](), isOver: false)

    var answers: Int { lock.withLock { state.answers } }
    var failures: [String] { lock.withLock { state.failures } }
    var isOver: Bool { lock.withLock { state.isOver } }
    func answered() { lock.withLock { state.answers += 1 } }
    func failed(_ reason: String) { lock.withLock { state.failures.append(reason) } }
    func end() { lock.withLock { state.isOver = true } }
}

/// A socket that a service manager has bound and keeps.
final class BoundSocket {
    enum Address {
        case ipv4
        case ipv6
        case unix(String)
    }

    let descriptor: Int32
    /// 0 for a Unix socket.
    let port: UInt16

    /// Of an IPv4 address.
    var name: String { "127.0.0.1:\(port)" }

    /// - Parameters:
    ///   - sharesPort: another socket may be bound to the same port.
    ///   - port: 0: one that the system chooses.
    init(
        _ address: Address, kind: __socket_type = SOCK_STREAM, listens: Bool = true, sharesPort: Bool = false,
        port: UInt16 = 0
    ) throws {
        var storage = sockaddr_storage()
        switch address {
        case .ipv4:
            var form = sockaddr_in()
            form.sin_family = sa_family_t(AF_INET)
            form.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
            form.sin_port = port.bigEndian
            withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: form, as: sockaddr_in.self) }
        case .ipv6:
            var form = sockaddr_in6()
            form.sin6_family = sa_family_t(AF_INET6)
            form.sin6_addr = in6addr_loopback
            withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: form, as: sockaddr_in6.self) }
        case .unix(let path):
            var form = sockaddr_un()
            form.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &form.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
            withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: form, as: sockaddr_un.self) }
        }
        descriptor = socket(Int32(storage.ss_family), Int32(kind.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw TestFailure("no socket: \(errno)") }
        var on: Int32 = 1
        if sharesPort { setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &on, 4) }
        let number = descriptor
        var length =
            switch address {
            case .ipv4: socklen_t(MemoryLayout<sockaddr_in>.size)
            case .ipv6: socklen_t(MemoryLayout<sockaddr_in6>.size)
            case .unix: socklen_t(MemoryLayout<sockaddr_un>.size)
            }
        let result = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { form in
                let result = bind(number, form, length)
                length = socklen_t(MemoryLayout<sockaddr_storage>.size)
                getsockname(number, form, &length)
                return result
            }
        }
        // The port stands at the same place in both families.
        let form = withUnsafeBytes(of: storage) { $0.load(as: sockaddr_in.self) }
        self.port = if case .unix = address { 0 } else { UInt16(bigEndian: form.sin_port) }
        guard result == 0, !listens || kind != SOCK_STREAM || listen(descriptor, 1024) == 0 else {
            throw TestFailure("bind: \(errno)")
        }
    }

    /// What the manager takes for one and is none.
    init(none path: String) throws {
        descriptor = open(path, O_RDWR | O_CLOEXEC)
        port = 0
        guard descriptor >= 0 else { throw TestFailure("no \(path)") }
    }

    deinit { close(descriptor) }
}
