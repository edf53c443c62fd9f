/// The field names that a proxy takes decisions on, as one byte.
///
/// The law: a name stands here if and only if something is decided on it. So only `.other` names can be nominated by a
/// Connection field for removal, and few but `.other` names may stand in a trailer section.
package enum FieldName: UInt8, Hashable, Sendable, CaseIterable {
    case other
    // Hop by hop
    case connection, keepAlive, proxyConnection, te, trailer, transferEncoding, upgrade, http2Settings
    case proxyAuthenticate, proxyAuthorization
    // Routing and framing
    case host, contentLength, expect, maxForwards
    // Who asks, and through whom
    case cookie, authorization, origin, referer, forwarded, via, xForwardedFor, xForwardedProto, xForwardedHost
    case xForwardedPort, xRealIP, xRequestID
    // The content and its conditions
    case contentType, contentEncoding, contentRange, range, ifNoneMatch, ifModifiedSince
    // Responses
    case date, server, setCookie, location, cacheControl, vary, retryAfter
    // WebSocket
    case secWebSocketKey, secWebSocketVersion, secWebSocketProtocol, secWebSocketExtensions, secWebSocketAccept

    /// The name in lower case; empty for `.other`.
    @inline(__always)
    package var text: StaticString {
        switch self {
        case .other: ""
        case .connection: "connection"
        case .keepAlive: "keep-alive"
        case .proxyConnection: "proxy-connection"
        case .te: "te"
        case .trailer: "trailer"
        case .transferEncoding: "transfer-encoding"
        case .upgrade: "upgrade"
        case .http2Settings: "http2-settings"
        case .proxyAuthenticate: "proxy-authenticate"
        case .proxyAuthorization: "proxy-authorization"
        case .host: "host"
        case .contentLength: "content-length"
        case .expect: "expect"
        case .maxForwards: "max-forwards"
        case .cookie: "cookie"
        case .authorization: "authorization"
        case .origin: "origin"
        case .referer: "referer"
        case .forwarded: "forwarded"
        case .via: "via"
        case .xForwardedFor: "x-forwarded-for"
        case .xForwardedProto: "x-forwarded-proto"
        case .xForwardedHost: "x-forwarded-host"
        case .xForwardedPort: "x-forwarded-port"
        case .xRealIP: "x-real-ip"
        case .xRequestID: "x-request-id"
        case .contentType: "content-type"
        case .contentEncoding: "content-encoding"
        case .contentRange: "content-range"
        case .range: "range"
        case .ifNoneMatch: "if-none-match"
        case .ifModifiedSince: "if-modified-since"
        case .date: "date"
        case .server: "server"
        case .setCookie: "set-cookie"
        case .location: "location"
        case .cacheControl: "cache-control"
        case .vary: "vary"
        case .retryAfter: "retry-after"
        case .secWebSocketKey: "sec-websocket-key"
        case .secWebSocketVersion: "sec-websocket-version"
        case .secWebSocketProtocol: "sec-websocket-protocol"
        case .secWebSocketExtensions: "sec-websocket-extensions"
        case .secWebSocketAccept: "sec-websocket-accept"
        }
    }

    /// Whether the field speaks of one connection only and is never passed on as it is (RFC 9110 §7.6.1). The two
    /// proxy authentication fields are not among them: who passes them on is a matter of configuration.
    package var isHopByHop: Bool {
        switch self {
        case .connection, .keepAlive, .proxyConnection, .te, .trailer, .transferEncoding, .upgrade, .http2Settings: true
        default: false
        }
    }

    /// Whether the field may stand in a trailer section (RFC 9110 §6.5.1): nothing that frames, routes, authenticates,
    /// or says how the content is to be read.
    package var isTrailer: Bool {
        switch self {
        case .other, .date, .server: true
        default: false
        }
    }
}
