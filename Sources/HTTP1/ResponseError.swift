/// Why a response cannot be used. All are the answering server's fault, and the connection is never used again.
package enum ResponseError: Error, Hashable, Sendable {
    /// The bytes are no HTTP/1.0 or HTTP/1.1 status line.
    case malformedStatusLine
    /// A fault in lines, fields, framing or chunks that requests can have too.
    case malformed(HTTPError)
    case tooManyInterimResponses(limit: Int)
    /// 101 without a request that asked for it.
    case unaskedSwitch
    /// The connection ended before the first byte of a response.
    case endedBeforeHead
    case endedInHead
    case endedInContent

    /// A plain sentence for the log. It never holds bytes of the peer.
    package var reason: String {
        switch self {
        case .malformedStatusLine: "The status line is malformed."
        case .malformed(let error): error.reason
        case .tooManyInterimResponses(let limit): "There were more than \(limit) interim responses."
        case .unaskedSwitch: "Protocols were switched without being asked."
        case .endedBeforeHead: "The connection ended before a response."
        case .endedInHead: "The connection ended inside the response's head."
        case .endedInContent: "The connection ended inside the response's content."
        }
    }
}
