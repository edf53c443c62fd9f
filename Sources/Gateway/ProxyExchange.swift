/// One request passed on to the app and its response passed back, as a machine: it decides how each message is framed
/// on the other side, which failures may be retried, and what a client is told. It holds no bytes of a body.
import ByteText
package import HTTP1

package struct ProxyExchange {
    /// How far the response has come.
    package enum Progress {
        /// No byte of a final response has been seen. Legal: `response`, `upstreamFailed`.
        case waiting
        /// The head has been passed on. Legal: `responseEnded`, `upstreamFailed`.
        case streaming
        /// The app has switched protocols; the bytes belong to nobody but the two ends.
        case tunnel
        /// Passed on in full.
        case ended
    }

    /// What is to be done when the app's side fails.
    package enum Remedy: Equatable {
        /// Send the same request once more on a fresh connection.
        case retry
        /// Answer the client with this.
        case answer(ProxyFailure)
        /// The response was begun and can't be completed: close so that the client sees the cut (RFC 9112 §8).
        case cut
    }

    /// What a response head means for both sides.
    package enum ResponseStep {
        /// An interim response; written out if the client may see it.
        case interim
        case final
        case tunnel
    }

    package private(set) var progress = Progress.waiting
    private let method: Method
    private let clientIsHTTP10: Bool
    private let expectsContinue: Bool
    /// The request asks for another protocol, and has been passed on with that.
    package let asksForUpgrade: Bool
    private let requestFraming: BodyFraming
    private var clientKeepsAlive: Bool
    private var upstreamKeepsAlive = true
    private var requestHasEnded = false
    /// Something of the request body has gone to the app, so the request can't be sent again.
    private var contentHasLeft = false
    private var hasBeenRetried = false
    private var downstreamFraming = BodyFraming.none
    private var responseIsChunked = false

    package init(_ head: borrowing RequestHead) {
        method = head.method
        clientIsHTTP10 = head.version == .http10
        expectsContinue = head.expectsContinue
        asksForUpgrade = Self.forwardsUpgrade(head)
        requestFraming = head.framing
        // What has no body is complete with its head.
        requestHasEnded = head.framing == .none
        clientKeepsAlive = head.keepsAlive
    }

    /// Whether an upgrade is passed on: asked for in HTTP/1.1 without a body, and not to HTTP/2, which would carry
    /// further requests past every rule of this proxy.
    package static func forwardsUpgrade(_ head: borrowing RequestHead) -> Bool {
        guard head.framing == .none, let range = head.upgradeRange else { return false }
        return !head[range].equalsIgnoringCase("h2c")
    }

    // MARK: The request's body

    /// Frames a piece of the request's body for the app.
    ///
    /// - Returns: true if the content follows as it is; false if it has been written, framed, to `writer`.
    package mutating func passesRequestContentBare(_ content: Span<UInt8>, into writer: inout HTTPWriter) -> Bool {
        contentHasLeft = true
        guard requestFraming == .chunked else { return true }
        writer.chunk(content)
        return false
    }

    /// The request is complete.
    package mutating func requestEnded(trailers: borrowing FieldLines, into writer: inout HTTPWriter) {
        requestHasEnded = true
        if requestFraming == .chunked { RequestForwarding.writeLastChunk(trailers, into: &writer) }
    }

    // MARK: The response

    /// Decides on a response's head and writes what the client gets of it.
    package mutating func response(_ head: borrowing ResponseHead, into writer: inout HTTPWriter) -> ResponseStep {
        if head.status == 101 {
            progress = .tunnel
            ResponseForwarding.write(head, framing: .none, clientIsHTTP10: false, keepsAlive: true, into: &writer)
            return .tunnel
        }
        if head.isInterim {
            if passesInterim(head.status) {
                ResponseForwarding.write(head, framing: .none, clientIsHTTP10: false, keepsAlive: true, into: &writer)
            }
            return .interim
        }
        progress = .streaming
        upstreamKeepsAlive = head.keepsAlive
        downstreamFraming = framing(for: head)
        responseIsChunked = head.framing == .chunked
        if downstreamFraming == .untilClose { clientKeepsAlive = false }
        ResponseForwarding.write(
            head, framing: downstreamFraming, clientIsHTTP10: clientIsHTTP10, keepsAlive: clientKeepsAlive,
            into: &writer)
        return .final
    }

    /// 100 goes only to a client that waits for it, and a client of HTTP/1.0 knows no interim response (RFC 9110
    /// §15.2).
    private func passesInterim(_ status: Int) -> Bool {
        !clientIsHTTP10 && (status != 100 || expectsContinue)
    }

    /// A length is kept; anything else is chunked for a client that knows it, and ended by the close for one that
    /// doesn't.
    private func framing(for head: borrowing ResponseHead) -> BodyFraming {
        switch head.framing {
        case .none, .length: head.framing
        case .chunked, .untilClose: clientIsHTTP10 ? .untilClose : .chunked
        }
    }

    /// - Returns: true if the content follows as it is; false if it has been written, framed, to `writer`.
    package func passesResponseContentBare(_ content: Span<UInt8>, into writer: inout HTTPWriter) -> Bool {
        guard downstreamFraming == .chunked else { return true }
        writer.chunk(content)
        return false
    }

    /// The response is complete.
    ///
    /// - Parameter trailers: what its reader found; they count only behind chunked content.
    package mutating func responseEnded(trailers: borrowing FieldLines, into writer: inout HTTPWriter) {
        progress = .ended
        guard downstreamFraming == .chunked else { return }
        guard responseIsChunked else { return writer.lastChunk() }
        RequestForwarding.writeLastChunk(trailers, into: &writer)
    }

    /// The client's connection may carry its next request.
    package var keepsDownstream: Bool { clientKeepsAlive }

    /// The app's connection may carry another request: both messages are complete and neither side wants to close.
    package var keepsUpstream: Bool { upstreamKeepsAlive && requestHasEnded && progress == .ended }

    // MARK: Failures

    /// The app's side broke before the response was complete.
    ///
    /// - Parameter reused: the connection had served a request before, so its end may only mean that the app closed it
    ///   while idle.
    package mutating func upstreamFailed(_ failure: ProxyFailure, reused: Bool) -> Remedy {
        switch progress {
        case .waiting:
            let mayRepeat = method.isIdempotent && requestFraming == .none && !contentHasLeft
            if reused, failure == .disconnected, mayRepeat, !hasBeenRetried {
                hasBeenRetried = true
                return .retry
            }
            return .answer(failure)
        case .streaming, .tunnel, .ended: return .cut
        }
    }
}

/// Why the app gave no answer, and what the client is told about it.
package enum ProxyFailure: Error, Equatable, Sendable {
    /// The connect was refused or the address can't be reached.
    case unreachable
    case connectTimeout
    /// The connection ended before the response was complete.
    case disconnected
    case responseTimeout
    /// What came is no HTTP response.
    case malformedResponse

    package var status: Int {
        switch self {
        case .unreachable, .disconnected, .malformedResponse: 502
        case .connectTimeout, .responseTimeout: 504
        }
    }

    /// A sentence for the client and the log.
    package var reason: StaticString {
        switch self {
        case .unreachable: "The application can't be reached."
        case .connectTimeout: "The application did not accept a connection in time."
        case .disconnected: "The application closed the connection before it had answered."
        case .responseTimeout: "The application did not answer in time."
        case .malformedResponse: "The application's answer is not valid HTTP."
        }
    }
}
