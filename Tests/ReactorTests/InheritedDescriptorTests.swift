import Glibc
import Reactor
import Testing

/// Descriptors that a process was started with.
struct InheritedDescriptorTests {
    private func withSocket<Result>(
        _ family: Int32, _ kind: __socket_type, _ body: (Int32) throws -> Result
    ) rethrows -> Result {
        let number = socket(family, Int32(kind.rawValue), 0)
        defer { close(number) }
        return try body(number)
    }

    @Test func `what is no listening socket for streams is told apart`() {
        #expect(InheritedDescriptor(open("/nowhere", O_RDONLY)) == .notOpen)
        let file = open("/dev/null", O_RDONLY)
        #expect(InheritedDescriptor(file) == .noSocket)
        close(file)
        #expect(withSocket(AF_INET, SOCK_DGRAM) { InheritedDescriptor($0) } == .noStream)
        #expect(withSocket(AF_UNIX, SOCK_SEQPACKET) { InheritedDescriptor($0) } == .noStream)
        #expect(withSocket(AF_INET6, SOCK_STREAM) { InheritedDescriptor($0) } == .notListening)
        #expect(withSocket(AF_NETLINK, SOCK_RAW) { InheritedDescriptor($0) } == .foreignFamily)
    }

    @Test func `a listening socket has its address, and a name without a file is one too`() throws {
        try withSocket(AF_INET, SOCK_STREAM) { number in
            #expect(listen(number, 1) == 0)
            guard case .listening(let address) = InheritedDescriptor(number) else {
                Issue.record("it listens")
                return
            }
            #expect(address.port != 0)
            #expect(address.host == "0.0.0.0")
        }
        withSocket(AF_UNIX, SOCK_STREAM) { number in
            var form = sockaddr_un()
            form.sun_family = sa_family_t(AF_UNIX)
            let name = "pollhold-test-\(getpid())"
            withUnsafeMutableBytes(of: &form.sun_path) { $0.copyBytes(from: [0] + Array(name.utf8)) }
            let length = socklen_t(MemoryLayout<sa_family_t>.size + 1 + name.utf8.count)
            let result = withUnsafePointer(to: &form) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(number, $0, length) }
            }
            #expect(result == 0)
            #expect(listen(number, 1) == 0)
            #expect(InheritedDescriptor(number) == .listening(.unix(path: "@" + name)))
        }
    }

    @Test func `an adopted socket is ours to listen on, and its file is not`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/socket"
        let number = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var form = sockaddr_un()
        form.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &form.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let result = withUnsafePointer(to: &form) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        #expect(result == 0)
        #expect(listen(number, 1) == 0)
        do {
            let adopted = try ListeningSocket(adopting: FileDescriptor(owning: number))
            #expect(adopted.address == .unix(path: path))
            #expect(adopted.isAdopted)
            #expect(adopted.fileState == nil)
            #expect(fcntl(number, F_GETFD) & FD_CLOEXEC != 0)
            #expect(fcntl(number, F_GETFL) & O_NONBLOCK != 0)
            adopted.removeFile()
            #expect(access(path, F_OK) == 0)
        }
        unlink(path)
    }
}
