/// The request methods that anything is decided on (RFC 9110 §9, RFC 5789, and two that caches know).
import ByteText

package enum Method: UInt8, Hashable, Sendable {
    case get, head, post, put, delete, options, patch, trace, connect, purge, ban
    /// Any other token. The head has its bytes.
    case other

    /// Looks a method up; case matters (RFC 9110 §9.1).
    init(_ bytes: Span<UInt8>) {
        switch bytes.count {
        case 3 where bytes.equals("GET"): self = .get
        case 3 where bytes.equals("PUT"): self = .put
        case 3 where bytes.equals("BAN"): self = .ban
        case 4 where bytes.equals("POST"): self = .post
        case 4 where bytes.equals("HEAD"): self = .head
        case 5 where bytes.equals("PATCH"): self = .patch
        case 5 where bytes.equals("PURGE"): self = .purge
        case 5 where bytes.equals("TRACE"): self = .trace
        case 6 where bytes.equals("DELETE"): self = .delete
        case 7 where bytes.equals("OPTIONS"): self = .options
        case 7 where bytes.equals("CONNECT"): self = .connect
        default: self = .other
        }
    }

    /// Whether the request asks for no change (RFC 9110 §9.2.1). An unknown method is not safe.
    package var isSafe: Bool {
        switch self {
        case .get, .head, .options, .trace: true
        default: false
        }
    }

    /// Whether sending the request twice means the same as once (RFC 9110 §9.2.2).
    package var isIdempotent: Bool { isSafe || self == .put || self == .delete }
}
