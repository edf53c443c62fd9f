/// One request passed on to the app and its response passed back, as a machine: it decides how each message is framed
/// on the other side, which failures may be retried, and what a client is told. It holds no bytes of a body.
import ByteText
package import HTTP1

package struct ProxyExchange {
    /// How far the response has come.
    private enum Progress {
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
        /// Send the same request once more to the same server, on a fresh connection.
        case again
        /// Send the same request to a server that is not in `tried`.
        case elsewhere
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

    private var progress = Progress.waiting {
        didSet {
            awaitsResponse = false
            isTunnel = if case .tunnel = progress { true } else { false }
        }
    }
    // What is asked for at every event is stored: whoever asks a value for something that it works out asks a copy of
    // the whole of it.
    /// No byte of a final response has been seen.
    package private(set) var awaitsResponse = true
    /// The bytes are no longer HTTP.
    package private(set) var isTunnel = false
    /// More of the request is to come.
    package private(set) var awaitsRequest = true
    private let method: Method
    private let clientIsHTTP10: Bool
    private let expectsContinue: Bool
    /// The request asks for another protocol, and has been passed on with that.
    package let asksForUpgrade: Bool
    private let requestFraming: BodyFraming
    private var clientKeepsAlive: Bool
    private var upstreamKeepsAlive = true
    /// Something of the request body has gone to the app, so the request can't be sent again.
    private var contentHasLeft = false
    private var hasBeenRepeated = false
    /// How many further servers may be tried.
    private var retriesLeft: Int
    /// The server that has the request, and those where it was in vain.
    private var server: Balancer.ServerNumber?
    package private(set) var tried = ServerSet()
    private var lastFailure: ProxyFailure?
    private var downstreamFraming = BodyFraming.none
    private var responseIsChunked = false
    /// What the client is told as X-Request-Id.
    private let returnedRequestID: RequestID?

    /// - Parameter manner: of the client's request, where the head is not as the client sent it; nil: as the head says.
    package init(
        _ head: borrowing RequestHead, route: ProxyRoute, as manner: RequestManner? = nil,
        returning requestID: RequestID? = nil
    ) {
        returnedRequestID = requestID
        method = head.method
        clientIsHTTP10 = manner?.isHTTP10 ?? (head.version == .http10)
        expectsContinue = head.expectsContinue
        asksForUpgrade = route.passesUpgrade(of: head)
        retriesLeft = route.retries
        requestFraming = head.framing
        // What has no body is complete with its head.
        awaitsRequest = head.framing != .none
        clientKeepsAlive = manner?.keepsAlive ?? head.keepsAlive
    }

    // MARK: The server

    /// The request goes to this server.
    package mutating func assigned(_ server: Balancer.ServerNumber) { self.server = server }

    /// No server was assigned.
    ///
    /// - Returns: what the client is told: if the request has been somewhere, what went wrong there.
    package func refused(_ failure: ProxyFailure) -> ProxyFailure { lastFailure ?? failure }

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
        awaitsRequest = false
        if requestFraming == .chunked { RequestForwarding.writeLastChunk(trailers, into: &writer) }
    }

    // MARK: The response

    /// Decides on a response's head and writes what the client gets of it.
    ///
    /// - Parameter cookies: values of Set-Cookie fields of our own for this client.
    package mutating func response(
        _ head: borrowing ResponseHead, cookies: [[UInt8]] = [], into writer: inout HTTPWriter
    ) -> ResponseStep {
        if head.status == 101 {
            progress = .tunnel
            ResponseForwarding.write(
                head, framing: .none, clientIsHTTP10: false, keepsAlive: true, cookies: cookies, into: &writer)
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
        // A client that waits for 100 may now leave its content out: what it sends next could be either (RFC 9110
        // §10.1.1).
        let mayLeaveContentOut = expectsContinue && !contentHasLeft
        if downstreamFraming == .untilClose || mayLeaveContentOut { clientKeepsAlive = false }
        ResponseForwarding.write(
            head, framing: downstreamFraming, clientIsHTTP10: clientIsHTTP10, keepsAlive: clientKeepsAlive,
            cookies: cookies, requestID: returnedRequestID, into: &writer)
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
    package var keepsUpstream: Bool { upstreamKeepsAlive && !awaitsRequest && progress == .ended }

    // MARK: Failures

    /// The app's side broke before the response was complete.
    ///
    /// - Parameter reused: the connection had served a request before, so its end may only mean that the app closed it
    ///   while idle.
    package mutating func upstreamFailed(_ failure: ProxyFailure, reused: Bool) -> Remedy {
        switch progress {
        case .waiting:
            lastFailure = failure
            if failure.reachedNobody, retriesLeft > 0, !contentHasLeft, let server {
                retriesLeft -= 1
                tried.insert(server)
                return .elsewhere
            }
            if reused, failure == .disconnected, mayBeRepeated, !hasBeenRepeated {
                hasBeenRepeated = true
                return .again
            }
            return .answer(failure)
        case .streaming, .tunnel, .ended: return .cut
        }
    }

    /// Whether the request could be sent a second time without doing anything twice (RFC 9110 §9.2.2). If it can't, a
    /// kept connection is looked at before it is used.
    package var mayBeRepeated: Bool { method.isIdempotent && requestFraming == .none && !contentHasLeft }

    /// Whether a close does not tell the client of missing bytes, so that a reset has to (RFC 9112 §8).
    package var cutNeedsReset: Bool { downstreamFraming == .untilClose }
}
