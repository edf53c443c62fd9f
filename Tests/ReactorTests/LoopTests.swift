import Glibc
import Reactor
import Synchronization
import Testing

struct LoopTests {
    @Test func `a timer fires once, not before its moment`() throws {
        let loop = try EventLoop()
        var fired: [Int64] = []
        let timer = LoopTimer(loop: loop) { fired.append(EventLoop.monotonicNanoseconds()) }
        let moment = EventLoop.monotonicNanoseconds() + 3_000_000
        timer.set(moment)
        while fired.isEmpty { loop.runTurn() }
        loop.runTurn(waiting: false)
        #expect(fired.count == 1)
        #expect(fired[0] >= moment)
        #expect(timer.deadline == nil)
    }

    @Test func `a timer that was let rest does not fire`() throws {
        let loop = try EventLoop()
        var fired = 0
        let early = LoopTimer(loop: loop) { fired += 1 }
        let late = LoopTimer(loop: loop) { fired += 10 }
        early.set(loop.now)
        late.set(loop.now + 2_000_000)
        early.set(nil)
        while fired < 10 { loop.runTurn() }
        #expect(fired == 10)
    }

    @Test func `items posted by other threads arrive all and in each thread's order`() throws {
        let loop = try EventLoop()
        let inbox = try LoopInbox<Int>()
        var received: [Int] = []
        let source = LoopInboxSource(loop: loop, inbox: inbox) { received += $0 }
        let threads = 4
        let each = 5000
        for thread in 0..<threads {
            let worker = try LoopThread(name: "poster") {
                for number in 0..<each { inbox.post(thread * each + number) }
            }
            worker.join()
        }
        while received.count < threads * each { loop.runTurn() }
        #expect(received == Array(0..<threads * each))
        _ = source
    }

    @Test func `a signal is delivered on the loop`() throws {
        let loop = try EventLoop()
        var count = 0
        let source = SignalSource(loop: loop, signal: SIGUSR2) { count += 1 }
        kill(getpid(), SIGUSR2)
        while count == 0 { loop.runTurn() }
        #expect(count == 1)
        _ = source
    }

    @Test func `a stale socket file is replaced and a live one refused`() throws {
        let directory = try TemporaryDirectory()
        let address = SocketAddress.unix(path: directory.path + "/socket")
        do { _ = try ListeningSocket(address: address, sharesPort: false) }
        let second = try ListeningSocket(address: address, sharesPort: false, mode: 0o600)
        var status = stat()
        stat(directory.path + "/socket", &status)
        #expect(status.st_mode & 0o777 == 0o600)
        #expect(throws: SystemError("bind", code: EADDRINUSE)) {
            _ = try ListeningSocket(address: address, sharesPort: false)
        }
        #expect(second.address == address)
    }

    @Test func `a file that is no socket is never removed`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/file"
        close(open(path, O_CREAT | O_WRONLY, 0o600))
        #expect(throws: SystemError("bind", code: EADDRINUSE)) {
            _ = try ListeningSocket(address: .unix(path: path), sharesPort: false)
        }
        #expect(access(path, F_OK) == 0)
    }

    @Test(arguments: [
        ("127.0.0.1", "127.0.0.1:80"), ("::1", "[::1]:80"), ("2001:db8::5", "[2001:db8::5]:80"),
        ("255.255.255.255", "255.255.255.255:80"),
    ])
    func `addresses in numbers are read and written`(host: String, text: String) {
        #expect(SocketAddress(numericHost: host, port: 80)?.description == text)
    }

    @Test(arguments: ["localhost", "", "1.2.3", "127.0.0.1 ", "[::1]"])
    func `what is no address in numbers is none`(host: String) {
        #expect(SocketAddress(numericHost: host, port: 80) == nil)
    }
}

/// A directory that is removed with its files at the end of the test.
final class TemporaryDirectory {
    let path: String

    init() throws {
        var template = Array("/tmp/pollhold-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemError("mkdtemp") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        guard let directory = opendir(path) else { return }
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            unlink(path + "/" + name)
        }
        closedir(directory)
        rmdir(path)
    }
}
