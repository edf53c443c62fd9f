/// A publisher's connection: sends requests as far ahead as it is told to, and counts the answers.
import HTTP1
import Reactor

final class PublishClient: ByteStream {
    /// How answers are told apart.
    enum Manner {
        /// One line each.
        case lines
        /// One HTTP response each.
        case http
    }

    private let manner: Manner
    private var reader = ResponseReader()
    private var head = ResponseHead()
    private var sent = 0
    private(set) var answers = 0
    private(set) var failures = 0
    private(set) var hasEnded = false
    /// The last answer's line or body, if it was short.
    private(set) var lastAnswer: [UInt8] = []

    init(_ loop: BenchLoop, _ address: SocketAddress, _ manner: Manner) throws {
        self.manner = manner
        super.init(loop: loop.events, socket: try StreamSocket(to: address))
    }

    /// For the next message: the same connection, or a new one for a server that closes it behind each.
    func next(_ loop: BenchLoop, _ peer: RunningPeer) throws -> PublishClient {
        guard peer.kind == .pushpin, sent > 0 else { return self }
        close()
        return try PublishClient(loop, peer.publishAddress, manner)
    }

    /// Sends requests without waiting for answers.
    ///
    /// - Parameter count: how many stand in `bytes`.
    func publish(_ bytes: [UInt8], count: Int = 1) {
        sent += count
        if manner == .http, reader.isIdle { reader.awaitResponse(to: .post) }
        send(shared: bytes)
    }

    var isAnswered: Bool { answers >= sent || hasEnded }

    override func received(_ bytes: Span<UInt8>) -> Int {
        switch manner {
        case .lines: return receivedLines(bytes)
        case .http: return receivedResponses(bytes)
        }
    }

    private func receivedLines(_ bytes: Span<UInt8>) -> Int {
        var start = 0
        for index in 0..<bytes.count where bytes[index] == 0x0A {
            answers += 1
            // {"error":…}
            if index > start + 2, bytes[start + 2] == UInt8(ascii: "e") { failures += 1 }
            if answers == sent { lastAnswer = (start..<min(index, start + 200)).map { bytes[$0] } }
            start = index + 1
        }
        return start
    }

    private func receivedResponses(_ bytes: Span<UInt8>) -> Int {
        var position = 0
        do {
            while true {
                switch try reader.next(bytes, &position, head: &head, limits: .responses) {
                case .needsMore: return position
                case .content(let range): lastAnswer = range.prefix(200).map { bytes[$0] }
                case .end:
                    answers += 1
                    if head.status >= 300 { failures += 1 }
                    if answers < sent { reader.awaitResponse(to: .post) }
                default: break
                }
            }
        } catch {
            hasEnded = true
            return bytes.count
        }
    }

    override func inputEnded(_ end: End) { hasEnded = true }
}
