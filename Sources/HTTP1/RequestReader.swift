/// Reads the requests of one connection, one behind another, and owns no buffer: what it has not consumed is kept by
/// the caller, who lends it again with what came since.
///
/// The laws, and the ways to keep them:
///  1. *The outcome does not depend on how the bytes were cut.* An error is the first one in the order of the bytes,
///     as far as it can be known; so the request line is judged as soon as it is whole.
///  2. *Behind a refusal, or the last request of a connection, nothing is read as a request.* Whatever comes is then
///     swallowed, as a lingering close needs it (RFC 9112 §9.6).
///  3. *It is small*, because there is one for each connection: 48 bytes at most.
import ByteText

package enum RequestEvent: Hashable, Sendable {
    /// Nothing can be said before more bytes come.
    case needsMore
    /// A head was parsed. `content` and `end` follow.
    case head
    /// Content at these places of the bytes lent; never empty.
    case content(Range<Int>)
    /// The request is whole; `head.trailers` holds its trailer fields. The next call begins the next request.
    case end
}

package struct RequestReader: Hashable, Sendable {
    private enum State: UInt8 {
        case head, content, finished
    }

    private var state = State.head
    private var emptyLines: UInt8 = 0
    private var keepsAlive = true
    private var scanner = HeadScanner()
    private var body = BodyReader(.none)

    package init() {}

    /// Whether no byte of a request has been seen since the last one ended. Empty lines do not count.
    package var isIdle: Bool { state == .head && scanner.isFresh }
    /// Whether some bytes of a head have been seen and its end has not.
    package var isInHead: Bool { state == .head && !scanner.isFresh }
    /// Whether the content, or the end, of a request whose head was returned is still to come.
    package var isInContent: Bool { state == .content }
    /// Whether `end` comes next, with no further byte.
    package var isAtEnd: Bool { state == .content && body.isAtEnd }
    /// Whether no further request will come from this connection: one was refused, or the last one was read.
    package var isFinished: Bool { state == .finished }

    /// Goes on reading.
    ///
    /// - Parameters:
    ///   - bytes: what was not consumed yet, and more.
    ///   - position: offset of the first byte that was not consumed; moved behind what this call consumes.
    ///   - head: a scratch. It is filled at `.head`; at `.end` its trailers are, or made empty. Between calls it may
    ///     serve others.
    package mutating func next(
        _ bytes: Span<UInt8>, _ position: inout Int, head: inout RequestHead, limits: borrowing HeadLimits
    ) throws(HTTPError) -> RequestEvent {
        do throws(HTTPError) {
            switch state {
            case .head: return try readHead(bytes, &position, &head, limits)
            case .content: return try readContent(bytes, &position, &head, limits)
            case .finished:
                position = bytes.count
                return .needsMore
            }
        } catch {
            state = .finished
            throw error
        }
    }

    /// No further request is read, whatever comes: the connection will be closed.
    package mutating func finish() { state = .finished }

    /// The peer has ended its side.
    ///
    /// - Throws: `.endedEarly` if that was inside a request.
    package mutating func endOfInput() throws(HTTPError) {
        let isWhole = isIdle || isFinished
        state = .finished
        guard isWhole else { throw .endedEarly }
    }

    private mutating func readHead(
        _ bytes: Span<UInt8>, _ position: inout Int, _ head: inout RequestHead, _ limits: borrowing HeadLimits
    ) throws(HTTPError) -> RequestEvent {
        if scanner.isFresh {
            guard try skipEmptyLines(bytes, &position, limits) else { return .needsMore }
        }
        let rest = bytes.extracting(position..<bytes.count)
        guard let length = try findEnd(rest, limits) else { return .needsMore }
        try head.parse(rest.extracting(0..<length))
        position += length
        keepsAlive = head.keepsAlive
        body = BodyReader(head.framing)
        scanner = HeadScanner()
        state = .content
        return .head
    }

    /// - Returns: the head's length, or nil if more bytes are needed.
    private mutating func findEnd(_ head: Span<UInt8>, _ limits: borrowing HeadLimits) throws(HTTPError) -> Int? {
        let linesBefore = scanner.lineCount
        let length: Int?
        do throws(HTTPError) {
            length = try scanner.end(in: head, .head, limits)
        } catch {
            // What is wrong in the request line comes first.
            if linesBefore == 0, scanner.lineCount > 0 { _ = try RequestLine(head) }
            throw error
        }
        if length == nil, linesBefore == 0, scanner.lineCount > 0 { _ = try RequestLine(head) }
        return length
    }

    /// A server ought to ignore empty lines before a request (RFC 9112 §2.2); some clients send one behind a POST.
    ///
    /// - Returns: whether a request's first byte is there.
    private mutating func skipEmptyLines(
        _ bytes: Span<UInt8>, _ position: inout Int, _ limits: borrowing HeadLimits
    ) throws(HTTPError) -> Bool {
        while position < bytes.count {
            switch bytes[position] {
            case .lineFeed: throw .bareLineFeed
            case .carriageReturn:
                guard position + 1 < bytes.count else { return false }
                guard bytes[position + 1] == .lineFeed else { throw .bareCarriageReturn }
                guard Int(emptyLines) < limits.leadingEmptyLinesLimit else {
                    throw .tooManyEmptyLines(limit: limits.leadingEmptyLinesLimit)
                }
                emptyLines += 1
                position += 2
            case let byte:
                guard ByteSet.token.contains(byte) else { throw .notHTTP }
                return true
            }
        }
        return false
    }

    private mutating func readContent(
        _ bytes: Span<UInt8>, _ position: inout Int, _ head: inout RequestHead, _ limits: borrowing HeadLimits
    ) throws(HTTPError) -> RequestEvent {
        switch try body.next(bytes, &position, trailers: &head.trailers, limits: limits) {
        case .needsMore: return .needsMore
        case .content(let range): return .content(range)
        case .end:
            state = keepsAlive ? .head : .finished
            emptyLines = 0
            return .end
        }
    }
}
