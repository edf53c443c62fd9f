import Glibc
import Reactor
import Testing

struct ByteStreamTests {
    let loop: EventLoop

    init() throws { loop = try EventLoop() }

    func send(_ text: String, on stream: TestStream) {
        let bytes = Array(text.utf8)
        stream.send(bytes.span)
    }

    func run(until condition: () -> Bool) {
        while !condition() { loop.runTurn() }
    }

    @Test func `bytes sent on one side are lent on the other`() throws {
        let pair = try StreamPair(loop)
        send("hello", on: pair.client)
        run { pair.server.text == "hello" }
        #expect(pair.client.didConnect)
        #expect(pair.server.unreadBytes == 0)
    }

    @Test func `bytes that were not consumed are lent again with what came since`() throws {
        let pair = try StreamPair(loop)
        pair.server.appetite = 0
        send("first", on: pair.client)
        run { pair.server.lendings == 1 }
        #expect(pair.server.unreadBytes == 5)
        pair.server.appetite = .max
        send(" second", on: pair.client)
        run { pair.server.text == "first second" }
        #expect(pair.server.unreadBytes == 0)
    }

    @Test func `a paused stream is lent nothing and resumes with all of it`() throws {
        let pair = try StreamPair(loop)
        pair.server.pauseReading()
        send("waits", on: pair.client)
        for _ in 0..<10 { loop.runTurn(waiting: false) }
        #expect(pair.server.text == "")
        pair.server.resumeReading()
        run { pair.server.text == "waits" }
    }

    @Test func `a paused stream learns that its peer has gone`() throws {
        let pair = try StreamPair(loop)
        pair.server.pauseReading()
        pair.client.close()
        run { pair.server.closedWhilePaused }
    }

    @Test func `a paused stream learns of a reset, once, without a spin`() throws {
        let pair = try StreamPair(loop)
        pair.server.pauseReading()
        run { pair.client.didConnect }
        pair.client.close(reset: true)
        run { !pair.server.ends.isEmpty }
        #expect(pair.server.ends == ["recv"])
        for _ in 0..<10 { loop.runTurn(waiting: false) }
        #expect(pair.server.ends.count == 1)
    }

    @Test func `more output than the system takes waits, stops and arrives whole`() throws {
        let pair = try StreamPair(loop)
        let block = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        pair.server.pauseReading()
        run { pair.client.didConnect }
        pair.client.send(shared: block)
        pair.client.send(shared: block)
        #expect(pair.client.queuedBytes > 0)
        pair.server.resumeReading()
        run { pair.server.input.count == 2 * block.count }
        #expect(pair.server.input == block + block)
        #expect(pair.client.queuedBytes == 0)
        #expect(pair.client.drained == 1)
    }

    @Test func `output sent while the connect is under way is kept and sent`() throws {
        let socket = try ListeningSocket(address: loopbackAddress(), sharesPort: false)
        var accepted: TestStream?
        let loop = loop
        let listener = Listener(loop: loop, socket: socket) { outcome in
            switch consume outcome {
            case .connection(let socket, _): accepted = TestStream(loop: loop, socket: socket)
            case .exhausted: break
            }
        }
        let client = TestStream(loop: loop, socket: try StreamSocket(to: socket.address))
        send("early", on: client)
        run { accepted?.text == "early" }
        #expect(listener.address == socket.address)
    }

    @Test func `an end of the input is told once, behind the last bytes`() throws {
        let pair = try StreamPair(loop)
        send("last", on: pair.client)
        pair.client.finishSending()
        run { !pair.server.ends.isEmpty }
        #expect(pair.server.text == "last")
        #expect(pair.server.ends == ["finished"])
        for _ in 0..<10 { loop.runTurn(waiting: false) }
        #expect(pair.server.ends == ["finished"])
    }

    @Test func `a reset right behind bytes is told in the same turn as they are`() throws {
        let pair = try StreamPair(loop)
        run { pair.client.didConnect }
        // Nothing runs between the two, so both are there when the loop looks.
        send("last", on: pair.client)
        pair.client.close(reset: true)
        run { pair.server.text == "last" }
        loop.runTurn(waiting: false)
        #expect(pair.server.ends == ["recv"])
    }

    @Test func `a connect to a port where nobody listens fails with the call's name`() throws {
        // Bound until the end, and not listening: no other test is given the port.
        let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(number) }
        var form = sockaddr_in()
        form.sin_family = sa_family_t(AF_INET)
        form.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &form) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(number, $0, length) == 0 && getsockname(number, $0, &length) == 0
            }
        }
        #expect(isBound)
        let gone = SocketAddress.ipv4(0x7F00_0001, port: UInt16(bigEndian: form.sin_port))
        var outcome = ""
        do {
            let client = TestStream(loop: loop, socket: try StreamSocket(to: gone))
            run { !client.ends.isEmpty }
            outcome = client.ends[0]
        } catch { outcome = error.call }
        #expect(outcome == "connect")
    }
}
