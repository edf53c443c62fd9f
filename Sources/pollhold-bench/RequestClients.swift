/// Clients that send a request as soon as the last one is answered, on connections that stay open.
import HTTP1
import Histogram
import Reactor

final class RequestClients {
    fileprivate let request: [UInt8]
    fileprivate var head = ResponseHead()
    private let loop: BenchLoop
    private var clients: [RequestClient] = []
    private var toSend = 0
    private var toCome = 0
    private(set) var failures = 0
    /// From a request to its answer's last byte, in nanoseconds.
    private(set) var delays = Histogram<UInt32>(highestTrackableValue: 600_000_000_000)

    init(_ loop: BenchLoop, _ address: SocketAddress, request: [UInt8], connections: Int) throws {
        self.loop = loop
        self.request = request
        for _ in 0..<connections { clients.append(RequestClient(self, loop, socket: try StreamSocket(to: address))) }
    }

    /// Sends `count` requests in all and returns when all are answered.
    ///
    /// - Returns: seconds that it took.
    func run(_ count: Int) throws -> Double {
        toSend = count
        toCome = count
        delays.reset()
        let start = EventLoop.monotonicNanoseconds()
        for client in clients { client.sendNext() }
        try loop.run(until: "answers to \(count) requests", atMost: 120) { toCome <= 0 }
        return Double(EventLoop.monotonicNanoseconds() - start) / 1e9
    }

    func close() {
        for client in clients { client.close(reset: true) }
        clients = []
    }

    fileprivate func takeOne() -> Bool {
        guard toSend > 0 else { return false }
        toSend -= 1
        return true
    }

    fileprivate func answered(after delay: Int64) {
        toCome -= 1
        if head.status != 200 { failures += 1 }
        delays.record(UInt64(max(1, delay)))
    }

    fileprivate func lost() {
        failures += 1
        toCome -= 1
    }
}

private final class RequestClient: ByteStream {
    private unowned let owner: RequestClients
    private var reader = ResponseReader()
    private var sentAt: Int64 = 0

    init(_ owner: RequestClients, _ loop: BenchLoop, socket: consuming StreamSocket) {
        self.owner = owner
        super.init(loop: loop.events, socket: socket)
    }

    func sendNext() {
        guard isOpen, owner.takeOne() else { return }
        reader.awaitResponse(to: .get)
        sentAt = EventLoop.monotonicNanoseconds()
        send(shared: owner.request)
    }

    override func received(_ bytes: Span<UInt8>) -> Int {
        var position = 0
        do {
            while true {
                switch try reader.next(bytes, &position, head: &owner.head, limits: .responses) {
                case .needsMore: return position
                case .end:
                    owner.answered(after: EventLoop.monotonicNanoseconds() - sentAt)
                    sendNext()
                default: break
                }
            }
        } catch {
            close()
            owner.lost()
            return bytes.count
        }
    }

    override func inputEnded(_ end: End) {
        close()
        if !reader.isIdle { owner.lost() }
    }
}
