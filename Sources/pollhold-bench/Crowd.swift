/// Clients that hold polls: they ask when told to, and what they are answered is counted and timed.
import Foundation
import HTTP1
import Histogram
import Reactor

final class Crowd {
    let loop: BenchLoop
    let address: SocketAddress
    /// What each client sends to poll. All clients of a wave are at the same position, so it is one for all.
    var request: [UInt8]
    private(set) var clients: [PollClient] = []
    /// Since the last `expect`.
    private(set) var answers = 0
    private(set) var failures = 0
    private(set) var lost = 0
    private(set) var lastAnswerAt: Int64 = 0
    /// From `expect` to each answer, in nanoseconds.
    private(set) var delays = Histogram<UInt32>(highestTrackableValue: 600_000_000_000)
    /// The first client's answer since `expect`.
    private(set) var sample = AnswerSample()
    /// Whether a client polls again as soon as it is answered.
    var pollsAgainAtOnce = false
    private var expectedAt: Int64 = 0
    /// Shared by the clients: each head is looked at in the call in which it came.
    fileprivate var head = ResponseHead()

    init(_ loop: BenchLoop, _ address: SocketAddress, request: [UInt8]) {
        self.loop = loop
        self.address = address
        self.request = request
    }

    /// Connects `count` clients and lets them poll.
    ///
    /// - Parameter pace: connects in five milliseconds, at most, so that the server's backlog does not overflow.
    func open(_ count: Int, pace: Int = 200) throws {
        clients.reserveCapacity(clients.count + count)
        for number in 0..<count {
            clients.append(PollClient(self, socket: try StreamSocket(to: address)))
            if number % pace == pace - 1 { loop.pause(0.005) }
        }
    }

    /// All of them poll once more.
    ///
    /// - Parameter pace: as above; nil for a burst.
    func pollAgain(pace: Int? = nil) {
        for (number, client) in clients.enumerated() {
            client.poll()
            if number % 256 == 255 { loop.events.runTurn(waiting: false) }
            if let pace, number % pace == pace - 1 { loop.pause(0.005) }
        }
    }

    /// Answers are counted and timed from now on.
    func expect() {
        answers = 0
        sample = AnswerSample()
        delays.reset()
        expectedAt = EventLoop.monotonicNanoseconds()
    }

    /// Nanoseconds from `expect` to the last answer.
    var spread: Int64 { lastAnswerAt - expectedAt }

    /// All go, without leaving connections in TIME_WAIT that would use up the ports of the next round.
    func close() {
        for client in clients { client.close(reset: true) }
        clients = []
    }

    fileprivate func answered(_ client: PollClient, status: Int) {
        answers += 1
        if status != 200 { failures += 1 }
        lastAnswerAt = EventLoop.monotonicNanoseconds()
        delays.record(UInt64(max(1, lastAnswerAt - expectedAt)))
        if pollsAgainAtOnce { client.poll() }
    }

    fileprivate func take(_ event: ResponseEvent, _ bytes: Span<UInt8>, of client: PollClient) {
        guard client === clients.first else { return }
        switch event {
        case .head: sample.take(head)
        case .content(let range): sample.take(bytes.extracting(range))
        default: break
        }
    }

    fileprivate func lost(_ client: PollClient) {
        lost += 1
        client.close()
    }
}

/// One connection of a crowd.
final class PollClient: ByteStream {
    private unowned let crowd: Crowd
    private var reader = ResponseReader()

    init(_ crowd: Crowd, socket: consuming StreamSocket) {
        self.crowd = crowd
        super.init(loop: crowd.loop.events, socket: socket)
        poll()
    }

    func poll() {
        guard isOpen, reader.isIdle else { return }
        reader.awaitResponse(to: .get)
        send(shared: crowd.request)
    }

    override func received(_ bytes: Span<UInt8>) -> Int {
        var position = 0
        do {
            while true {
                let event = try reader.next(bytes, &position, head: &crowd.head, limits: .responses)
                crowd.take(event, bytes, of: self)
                switch event {
                case .needsMore: return position
                case .end: crowd.answered(self, status: crowd.head.status)
                default: break
                }
            }
        } catch {
            crowd.lost(self)
            return bytes.count
        }
    }

    override func inputEnded(_ end: End) { crowd.lost(self) }
}

/// One answer as far as the next poll depends on it.
struct AnswerSample {
    private(set) var body: [UInt8] = []
    /// What nchan's clients send back.
    private(set) var modified = ""
    private(set) var tag = ""

    mutating func take(_ head: borrowing ResponseHead) {
        if let line = head.fields.first(of: "last-modified") { modified = Self.text(head.fields.value(of: line)) }
        if let line = head.fields.first(of: "etag") { tag = Self.text(head.fields.value(of: line)) }
    }

    mutating func take(_ content: Span<UInt8>) {
        for index in 0..<content.count { body.append(content[index]) }
    }

    /// Pollhold's cursor, if the body has one.
    var cursor: String? {
        let text = String(decoding: body.prefix(200), as: UTF8.self)
        guard let start = text.range(of: "{\"cursor\":\"") else { return nil }
        return String(text[start.upperBound...].prefix { $0 != "\"" })
    }

    private static func text(_ bytes: Span<UInt8>) -> String {
        var text: [UInt8] = []
        for index in 0..<bytes.count { text.append(bytes[index]) }
        return String(decoding: text, as: UTF8.self)
    }
}
