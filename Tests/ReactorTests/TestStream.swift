import Glibc
import Reactor

/// A stream that records what it is told and takes at most `appetite` bytes a call.
final class TestStream: ByteStream {
    var input: [UInt8] = []
    var appetite = Int.max
    var lendings = 0
    var ends: [String] = []
    var drained = 0
    var didConnect = false
    var closedWhilePaused = false

    override func connected() { didConnect = true }

    override func received(_ bytes: Span<UInt8>) -> Int {
        lendings += 1
        let taken = min(appetite, bytes.count)
        for index in 0..<taken { input.append(bytes[index]) }
        return taken
    }

    override func outputDrained() { drained += 1 }

    override func inputEnded(_ end: End) {
        switch end {
        case .finished: ends.append("finished")
        case .failed(let failure): ends.append(failure.error.call)
        }
    }

    override func peerClosedWhilePaused() { closedWhilePaused = true }

    var text: String { String(decoding: input, as: UTF8.self) }
}

/// A listener on a free port, a stream to it and the accepted stream, all on one loop.
final class StreamPair {
    let loop: EventLoop
    let client: TestStream
    private(set) var server: TestStream
    let listener: Listener

    init(_ loop: EventLoop, address: SocketAddress? = nil) throws {
        self.loop = loop
        let address = try address ?? loopbackAddress()
        let socket = try ListeningSocket(address: address, sharesPort: false)
        var accepted: TestStream?
        listener = Listener(loop: loop, socket: socket) { outcome in
            switch consume outcome {
            case .connection(let socket, _): accepted = TestStream(loop: loop, socket: socket)
            case .exhausted: break
            }
        }
        client = TestStream(loop: loop, socket: try StreamSocket(to: socket.address))
        while accepted == nil { loop.runTurn() }
        guard let accepted else { throw SystemError("accept", code: EAGAIN) }
        server = accepted
    }
}

/// 127.0.0.1 with a port that the system chooses.
func loopbackAddress() throws -> SocketAddress {
    guard let address = SocketAddress(numericHost: "127.0.0.1", port: 0) else {
        throw SystemError("inet_pton", code: EINVAL)
    }
    return address
}
