/// One active check: a request on a connection of its own, passed if a response of 200 to 399 begins in time.
import HTTP1
import Reactor

final class HealthProbe: ByteStream {
    private var reader = ResponseReader()
    private var head = ResponseHead()
    private var timer: LoopTimer?
    private var ended: ((Bool) -> Void)?

    /// - Parameter ended: called once, with the outcome; the probe is closed then.
    init(
        loop: EventLoop, socket: consuming StreamSocket, request: [UInt8], timeout: Int64,
        ended: @escaping (Bool) -> Void
    ) {
        self.ended = ended
        super.init(loop: loop, socket: socket)
        reader.awaitResponse(to: .get)
        timer = LoopTimer(loop: loop) { [unowned self] in finish(false) }
        timer?.set(loop.now + timeout)
        send(shared: request)
    }

    override func received(_ bytes: Span<UInt8>) -> Int {
        var position = 0
        while true {
            do throws(ResponseError) {
                switch try reader.next(bytes, &position, head: &head, limits: .responses) {
                case .needsMore: return position
                case .head:
                    finish((200..<400).contains(head.status))
                    return bytes.count
                default: continue
                }
            } catch {
                finish(false)
                return bytes.count
            }
        }
    }

    override func inputEnded(_ end: End) { finish(false) }

    private func finish(_ passes: Bool) {
        guard let ended else { return }
        self.ended = nil
        timer?.set(nil)
        close()
        ended(passes)
    }
}
