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
        /// The request turned out to be one that is refused while it was being passed on.
        case refused

        package var text: String {
            switch self {
            case .complete: "complete"
            case .clientGone: "client_gone"
            case .failed(let failure): failure.rawValue
            case .cut(let failure): "cut_\(failure.rawValue)"
            case .refused: "refused"
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
    /// When a server was assigned, after the queue.
    package var assignedAt: Int64?
    /// When its connection was there; at once for a kept one.
    package var connectedAt: Int64?
    /// When the response's head had come.
    package var respondedAt: Int64?
    package var end = End.complete

    package init() {}
}
