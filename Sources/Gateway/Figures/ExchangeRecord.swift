/// What is known of a proxied exchange when it is over, for the access log. Moments are nanoseconds of the loop's
/// clock.
package struct ExchangeRecord: Equatable, Sendable {
    /// How it ended.
    package enum End: Equatable, Sendable {
        /// The response was passed on in full; for a tunnel, both sides have ended.
        case complete
        /// The client went before it had everything.
        case clientGone
        /// The app gave no answer, and the client was told so.
        case failed(ProxyFailure)
        /// The app broke off inside its response, which the client saw.
        case cut(ProxyFailure)
        /// The request is one that is refused, at once or while it was being passed on.
        case refused
        /// The client was too slow, with its request or with reading.
        case clientTimeout
        /// Nothing moved in a tunnel for too long.
        case tunnelTimeout
        /// The daemon ended before it was over.
        case shutdown

        package var text: String {
            switch self {
            case .complete: "complete"
            case .clientGone: "client_gone"
            case .failed(let failure): failure.rawValue
            case .cut(let failure): "cut_\(failure.rawValue)"
            case .refused: "refused"
            case .clientTimeout: "client_timeout"
            case .tunnelTimeout: "tunnel_timeout"
            case .shutdown: "shutdown"
            }
        }
    }

    /// Of the response that the client got; 0 before it got any.
    package var status = 0
    /// Of the request's body, as far as it came.
    package var requestBytes = 0
    /// Of the response's body.
    package var contentBytes = 0
    /// Index of the server that was asked last; nil: none was.
    package var server: Int?
    /// Servers asked, one for each time.
    package var attempts = 0
    /// When a server was first sought for it.
    package var begunAt: Int64?
    /// When a server was assigned, after the queue.
    package var assignedAt: Int64?
    /// When its connection was there; at once for a kept one.
    package var connectedAt: Int64?
    /// When the response's head had come.
    package var respondedAt: Int64?
    package var end = End.complete

    package init() {}
}
