/// Reads the responses of one connection and owns no buffer, as `RequestReader` does.
///
/// A response is only read while one is awaited; it is told before what it answers. Bytes that come behind the end of
/// a response are not consumed: whoever sees `position < bytes.count` at `.needsMore` of a reader that awaits nothing
/// closes the connection, for these bytes must never answer another request (RFC 9112 §9.2).
import ByteText

package enum ResponseEvent: Hashable, Sendable {
    case needsMore
    /// A 1xx other than 101 was parsed; the response is still to come.
    case interimHead
    /// 101 was parsed. Whatever follows belongs to the other protocol and is not consumed.
    case switchingProtocols
    /// The response's head was parsed. `content` and `end` follow.
    case head
    /// Content at these places of the bytes lent; never empty.
    case content(Range<Int>)
    /// The response is whole; `head.trailers` holds its trailer fields.
    case end
}

package struct ResponseReader: Hashable, Sendable {
    private enum State: UInt8 {
        case idle, head, content, switched, failed
    }

    private var state = State.idle
    private var method = Method.get
    private var mayUpgrade = false
    private var interimCount: UInt8 = 0
    private var scanner = HeadScanner()
    private var body = BodyReader(.none)

    package init() {}

    /// Whether no response is awaited. A byte that comes then belongs to none.
    package var isIdle: Bool { state == .idle }
    /// Whether no byte of the awaited response has come; then the request may be sent again elsewhere, if it is
    /// idempotent.
    package var isUntouched: Bool { state == .head && !hasBegun }
    /// Whether some bytes of the awaited response have been read.
    private var hasBegun: Bool { interimCount > 0 || !scanner.isFresh }
    /// Whether the end of a response whose head was returned is still to come.
    package var isInContent: Bool { state == .content }
    /// Whether `end` comes next, with no further byte.
    package var isAtEnd: Bool { state == .content && body.isAtEnd }

    /// A request was sent; its response is awaited.
    ///
    /// - Parameter upgrade: the request asked for another protocol, so 101 may come.
    package mutating func awaitResponse(to method: Method, upgrade: Bool = false) {
        precondition(state == .idle, "one response is read at a time")
        self.method = method
        mayUpgrade = upgrade
        state = .head
        interimCount = 0
        scanner = HeadScanner()
    }

    /// Goes on reading; see `RequestReader.next`.
    package mutating func next(
        _ bytes: Span<UInt8>, _ position: inout Int, head: inout ResponseHead, limits: borrowing HeadLimits
    ) throws(ResponseError) -> ResponseEvent {
        do throws(ResponseError) {
            switch state {
            case .head: return try readHead(bytes, &position, &head, limits)
            case .content: return try readContent(bytes, &position, &head, limits)
            case .idle, .switched, .failed: return .needsMore
            }
        } catch {
            state = .failed
            throw error
        }
    }

    /// The peer has ended its side.
    ///
    /// - Returns: whether that was the end of the response that was being read; false if none was.
    /// - Throws: if a response is incomplete.
    package mutating func endOfInput() throws(ResponseError) -> Bool {
        let before = state
        state = .failed
        switch before {
        case .idle, .switched, .failed: return false
        case .head: throw hasBegun ? .endedInHead : .endedBeforeHead
        case .content:
            guard body.endsWithConnection else { throw .endedInContent }
            return true
        }
    }

    private mutating func readHead(
        _ bytes: Span<UInt8>, _ position: inout Int, _ head: inout ResponseHead, _ limits: borrowing HeadLimits
    ) throws(ResponseError) -> ResponseEvent {
        let rest = bytes.extracting(position..<bytes.count)
        guard rest.count > 0 else { return .needsMore }
        guard Self.mayBeginHead(rest) else { throw .malformedStatusLine }
        let length: Int?
        do throws(HTTPError) {
            length = try scanner.end(in: rest, .head, limits)
        } catch {
            throw .malformed(error)
        }
        guard let length else { return .needsMore }
        try head.parse(rest.extracting(0..<length), answering: method)
        position += length
        scanner = HeadScanner()
        return try began(head, limits)
    }

    private mutating func began(
        _ head: borrowing ResponseHead, _ limits: borrowing HeadLimits
    ) throws(ResponseError) -> ResponseEvent {
        if head.isInterim {
            guard Int(interimCount) < limits.interimCountLimit else {
                throw .tooManyInterimResponses(limit: limits.interimCountLimit)
            }
            interimCount += 1
            return .interimHead
        }
        if head.status == 101 {
            guard mayUpgrade else { throw .unaskedSwitch }
            state = .switched
            return .switchingProtocols
        }
        body = BodyReader(head.framing)
        state = .content
        return .head
    }

    private mutating func readContent(
        _ bytes: Span<UInt8>, _ position: inout Int, _ head: inout ResponseHead, _ limits: borrowing HeadLimits
    ) throws(ResponseError) -> ResponseEvent {
        do throws(HTTPError) {
            switch try body.next(bytes, &position, trailers: &head.trailers, limits: limits) {
            case .needsMore: return .needsMore
            case .content(let range): return .content(range)
            case .end:
                state = .idle
                return .end
            }
        } catch {
            throw .malformed(error)
        }
    }

    /// Whether the bytes are, as far as they go, `HTTP/1.`: so that what is no HTTP is refused at its first wrong byte.
    @inline(__always)
    private static func mayBeginHead(_ bytes: Span<UInt8>) -> Bool {
        // The first seven bytes of "HTTP/1." as a little-endian word.
        if bytes.count >= 8 { return bytes.word(at: 0) & 0x00FF_FFFF_FFFF_FFFF == 0x002E_312F_5054_5448 }
        let expected: [7 of UInt8] = [0x48, 0x54, 0x54, 0x50, 0x2F, 0x31, 0x2E]
        for index in 0..<Swift.min(bytes.count, 7) where bytes[index] != expected[index] { return false }
        return true
    }
}
