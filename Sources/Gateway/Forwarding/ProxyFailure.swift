/// Why the app gave no answer, and what the client is told about it.
package enum ProxyFailure: String, Error, CaseIterable, Sendable {
    /// No server of the app may be asked now.
    case noServer = "no_server"
    /// All servers are full, and as many requests wait as may.
    case queueFull = "queue_full"
    /// All servers were full for too long.
    case queueTimeout = "queue_timeout"
    /// The connect was refused or the address can't be reached.
    case unreachable
    case connectTimeout = "connect_timeout"
    /// The connection ended before the response was complete.
    case disconnected
    case responseTimeout = "response_timeout"
    /// What came is no HTTP response.
    case malformedResponse = "malformed_response"

    /// Where it is counted; its index among all cases.
    package var place: Int {
        switch self {
        case .noServer: 0
        case .queueFull: 1
        case .queueTimeout: 2
        case .unreachable: 3
        case .connectTimeout: 4
        case .disconnected: 5
        case .responseTimeout: 6
        case .malformedResponse: 7
        }
    }

    package var status: Int {
        switch self {
        case .noServer, .queueFull, .queueTimeout: 503
        case .unreachable, .disconnected, .malformedResponse: 502
        case .connectTimeout, .responseTimeout: 504
        }
    }

    /// A sentence for the client and the log.
    package var reason: StaticString {
        switch self {
        case .noServer: "No server of the application is available."
        case .queueFull: "The application has too many requests waiting."
        case .queueTimeout: "The application had no place for the request in time."
        case .unreachable: "The application can't be reached."
        case .connectTimeout: "The application did not accept a connection in time."
        case .disconnected: "The application closed the connection before it had answered."
        case .responseTimeout: "The application did not answer in time."
        case .malformedResponse: "The application's answer is not valid HTTP."
        }
    }

    /// Nothing of the request has reached the app, so it may be sent to another server, whatever it asks for.
    var reachedNobody: Bool { self == .unreachable || self == .connectTimeout }
}
